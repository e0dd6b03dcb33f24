#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "failure.h"
#include "files.h"
#include "machine.h"
#include "sys.h"

#define LOCKED (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* Images usually have the folder, so it is made only when it turns out to be missing. */
static int mount_at(const char *type, const char *path, unsigned long flags, const char *options,
		    struct failure *failure)
{
	if (mount(type, path, type, flags, options) == 0)
		return 0;
	if (errno == ENOENT && make_folders(path) == 0 && mount(type, path, type, flags, options) == 0)
		return 0;
	return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot mount %s in the container", path);
}

static int make_devices(struct failure *failure)
{
	static const struct {
		const char *path;
		unsigned major, minor;
	} nodes[] = {
		{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
		{"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
	};
	static const char *const links[][2] = {
		{"pts/ptmx", "/dev/ptmx"},	    {"/proc/self/fd", "/dev/fd"},
		{"/proc/self/fd/0", "/dev/stdin"},  {"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"}, {"/proc/kcore", "/dev/core"},
	};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		if (mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)))
			return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make %s", nodes[i].path);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i][0], links[i][1]))
			return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make %s", links[i][1]);
	return 0;
}

static int mount_devices(struct failure *failure)
{
	char shm[64];

	snprintf(shm, sizeof(shm), "mode=1777,size=%llu", (unsigned long long)machine.shm_size);
	if (mount_at("tmpfs", "/dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k", failure) ||
	    make_devices(failure))
		return -1;
	if (mkdir("/dev/pts", 0755) || mkdir("/dev/shm", 01777) || mkdir("/dev/mqueue", 01777))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make the folders of /dev");
	if (mount_at("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5",
		     failure) ||
	    mount_at("tmpfs", "/dev/shm", LOCKED, shm, failure) ||
	    mount_at("mqueue", "/dev/mqueue", LOCKED, NULL, failure))
		return -1;
	return 0;
}

static int mount_all(struct failure *failure)
{
	if (mount_at("proc", "/proc", LOCKED, NULL, failure) ||
	    mount_at("sysfs", "/sys", LOCKED | MS_RDONLY, NULL, failure) ||
	    mount_at("cgroup2", "/sys/fs/cgroup", LOCKED | MS_RDONLY, NULL, failure))
		return -1;
	return mount_devices(failure);
}

/* The files of /etc that are the machine's and not the image's. */

static const char *const etc_files[] = {MACHINE_HOSTS, MACHINE_HOSTNAME, MACHINE_RESOLV};
enum { ETC_FILES = 3 };

/* From the agent's root, before it is out of sight. */
static int take_etc_files(int trees[ETC_FILES], struct failure *failure)
{
	for (int i = 0; i < ETC_FILES; i++) {
		trees[i] = -1;
		if (etc_files[i] == etc_files[ETC_FILES - 1] && !machine.has_resolv)
			continue;
		trees[i] = sys_open_tree(etc_files[i]);
		if (trees[i] < 0)
			return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot take %s", etc_files[i]);
	}
	return 0;
}

/* A link in the image may point to what is only there once a system has booted, such as
 * ../run/systemd/resolve/stub-resolv.conf. One step is enough for all that images have. */
static void make_link_target(const char *path)
{
	char target[PATH_MAX];
	char *slash;
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	if (length <= 0)
		return;
	target[length] = '\0';
	slash = strrchr(target, '/');
	if (!slash || slash == target)
		return;
	*slash = '\0';
	if (chdir("/etc") == 0)
		make_folders(target);
	if (chdir("/"))
		return;
}

static int open_target(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	int made;

	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (mkdir("/etc", 0755) && errno != EEXIST)
		return -1;
	made = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	if (made < 0) {
		make_link_target(path);
		made = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	}
	if (made < 0)
		return -1;
	close(made);
	return open(path, O_PATH | O_CLOEXEC);
}

static int place_etc_files(const int trees[ETC_FILES], struct failure *failure)
{
	for (int i = 0; i < ETC_FILES; i++) {
		int target;

		if (trees[i] < 0)
			continue;
		target = open_target(etc_files[i]);
		if (target < 0 || sys_move_mount(trees[i], target))
			return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot mount %s in the container",
						 etc_files[i]);
		close(target);
		close(trees[i]);
	}
	return 0;
}

static int set_ipc_sysctls(struct failure *failure)
{
	const char *setting = machine.ipc_sysctls;

	for (; setting && *setting; setting += strlen(setting) + 1)
		if (machine_set_sysctl(setting, failure))
			return -1;
	return 0;
}

/* Both on the same folder: the old root ends up on top of the new one, and is let go (pivot_root(2), notes). */
static int pivot(struct failure *failure)
{
	if (chdir(MACHINE_ROOT) || sys_pivot_root(".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make the root disk the container's root");
	return 0;
}

int container_make(struct failure *failure)
{
	int trees[ETC_FILES];

	/* Only now, inside its cgroup: the name space's root is the group that the caller is in. */
	if (unshare(CLONE_NEWCGROUP))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot make a cgroup name space");
	umask(0);
	if (take_etc_files(trees, failure) || pivot(failure) || mount_all(failure))
		return -1;
	if (place_etc_files(trees, failure) || set_ipc_sysctls(failure))
		return -1;
	umask(022);
	return 0;
}

int container_join(int pidfd, struct failure *failure)
{
	if (setns(pidfd, CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot enter the container");
	umask(022);
	return 0;
}

static int seal_mount(const char *path)
{
	return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOATIME, NULL);
}

int container_seal(struct failure *failure)
{
	if (!machine.read_only)
		return 0;
	for (int i = 0; i < ETC_FILES; i++)
		if ((i != ETC_FILES - 1 || machine.has_resolv) && seal_mount(etc_files[i]))
			return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make %s read-only", etc_files[i]);
	if (seal_mount("/"))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make the root read-only");
	return 0;
}

int container_terminal(int *master, int *slave, struct failure *failure)
{
	int unlock = 0, number = -1;
	char path[32];

	*master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0 || ioctl(*master, TIOCSPTLCK, &unlock) || ioctl(*master, TIOCGPTN, &number))
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot make a terminal");
	snprintf(path, sizeof(path), "/dev/pts/%d", number);
	*slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0)
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot open %s", path);
	return 0;
}

int container_console(int slave, struct failure *failure)
{
	char source[48];
	int fd = open("/dev/console", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0620);

	if (fd >= 0)
		close(fd);
	snprintf(source, sizeof(source), "/proc/self/fd/%d", slave);
	if (fd < 0 || mount(source, "/dev/console", NULL, MS_BIND, NULL))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make /dev/console");
	return 0;
}
