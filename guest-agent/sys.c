#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Later than musl 1.2.3's tables; the same on every architecture. */
#define NR_open_tree	     428
#define NR_move_mount	     429
#define NR_pidfd_send_signal 424
#define NR_pidfd_open	     434
#define NR_clone3	     435
#define NR_close_range	     436
#define NR_openat2	     437
#define NR_mount_setattr     442

#define OPEN_TREE_CLONE		1
#define OPEN_TREE_CLOEXEC	O_CLOEXEC
#define MOVE_MOUNT_F_EMPTY_PATH 0x04
#define MOVE_MOUNT_T_EMPTY_PATH 0x40
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif
#define MOUNT_READ_ONLY 1
#define RESOLVE_IN_ROOT 0x10
#define OPEN_TRIES	1000

pid_t sys_clone(struct clone_args *args)
{
	return (pid_t)syscall(NR_clone3, args, sizeof(*args));
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

int sys_open_mount(const char *path)
{
	return (int)syscall(NR_open_tree, AT_FDCWD, path, OPEN_TREE_CLOEXEC);
}

int sys_copy_mount(const char *path)
{
	return (int)syscall(NR_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

int sys_mount_writable(int tree)
{
	static const uint64_t attributes[4] = {0, MOUNT_READ_ONLY};

	return (int)syscall(NR_mount_setattr, tree, "", AT_EMPTY_PATH, attributes, sizeof(attributes));
}

int sys_move_mount(int tree, int folder, const char *target)
{
	return (int)syscall(NR_move_mount, tree, "", folder, target,
			    MOVE_MOUNT_F_EMPTY_PATH | (*target ? 0 : MOVE_MOUNT_T_EMPTY_PATH));
}

int sys_open_inside(int root, const char *path, int flags)
{
	const struct {
		uint64_t flags, mode, resolve;
	} how = {.flags = (uint64_t)flags, .resolve = RESOLVE_IN_ROOT};

	long fd;

	/* A rename anywhere on the system makes the kernel unsure of ".." (openat2(2), EAGAIN). It ends; but not to
	 * wait for ever is worth an error. */
	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		fd = syscall(NR_openat2, root, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return (int)fd;
}

static ssize_t path_of(int fd, char path[PATH_MAX])
{
	char self[32];
	ssize_t length;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	length = readlink(self, path, PATH_MAX - 1);
	if (length >= 0)
		path[length] = '\0';
	return length;
}

int sys_path_inside(int root, int fd, char *path)
{
	char whole[PATH_MAX], above[PATH_MAX];
	ssize_t length = path_of(root, above);

	if (length < 0 || path_of(fd, whole) < 0)
		return -1;
	/* A root that is "/" has no name before the slash. */
	if (length == 1)
		length = 0;
	if (strncmp(whole, above, (size_t)length) != 0 || (whole[length] && whole[length] != '/')) {
		errno = EXDEV;
		return -1;
	}
	strcpy(path, strcmp(whole + length, "/") ? whole + length : "");
	return 0;
}

int sys_syncfs(int fd)
{
	int opened = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (opened < 0)
		return -1;
	rc = syncfs(opened);
	close(opened);
	return rc;
}

int sys_cloexec_from(unsigned first)
{
	return (int)syscall(NR_close_range, first, ~0u, CLOSE_RANGE_CLOEXEC);
}

int sys_close_from(unsigned first)
{
	return (int)syscall(NR_close_range, first, ~0u, 0);
}

int sys_pidfd_open(pid_t pid)
{
	return (int)syscall(NR_pidfd_open, pid, 0);
}

int sys_pidfd_kill(int pidfd, int signo)
{
	return (int)syscall(NR_pidfd_send_signal, pidfd, signo, NULL, 0);
}

void *sys_allocate(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void sys_free(void *memory, size_t size)
{
	munmap(memory, size);
}
