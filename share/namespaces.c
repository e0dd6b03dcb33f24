#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"
#include "runtime/base/spawn.h"

static void add_run(struct mvm_strv *argv, uint32_t inside, uint32_t outside, uint32_t count)
{
	if (!count)
		return;
	mvm_strv_addf(argv, "%u", (unsigned)inside);
	mvm_strv_addf(argv, "%u", (unsigned)outside);
	mvm_strv_addf(argv, "%u", (unsigned)count);
}

/* newuidmap PID 0 FIRST INSIDE, INSIDE OWN 1, INSIDE+1 FIRST+INSIDE ...: the user at one place, the subordinate ids at
 * all others. */
static int run_mapper(const char *program, pid_t pid, uint32_t own, uint32_t inside, struct mvm_id_range range,
		      struct mvm_error **err)
{
	struct mvm_strv argv MVM_CLEAN_STRV = {0};
	const struct mvm_spawn_fd fds[] = {{STDERR_FILENO, STDERR_FILENO}};
	struct mvm_spawn spawn = {.program = program, .fds = fds, .fd_count = 1};
	uint32_t below = inside < range.count ? inside : range.count;
	int status;

	mvm_strv_add(&argv, program);
	mvm_strv_addf(&argv, "%d", (int)pid);
	add_run(&argv, 0, range.first, below);
	add_run(&argv, inside, own, 1);
	add_run(&argv, inside + 1, range.first + below, range.count - below);
	spawn.argv = argv.items;
	if (mvm_spawn(&spawn, &pid, err) < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0
		       ? 0
		       : mvm_fail(err, MVM_ERR_IO, "%s could not map the subordinate ids of the user", program);
}

/* The maps are written from outside, by a child that waits until the name space is there. */
static int map_from_outside(const struct mvm_share_id_map *map, pid_t pid, unsigned uid, unsigned gid,
			    struct mvm_error **err)
{
	if (run_mapper("newuidmap", pid, uid, map->uid, map->users, err) < 0)
		return -1;
	return run_mapper("newgidmap", pid, gid, map->gid, map->groups, err);
}

static int enter_mapped(const struct mvm_share_id_map *map, struct mvm_error **err)
{
	unsigned uid = geteuid(), gid = getegid();
	pid_t own = getpid(), child;
	int gate[2], status;
	char byte;

	if (mvm_pipe(gate) < 0 || (child = fork()) < 0)
		return mvm_fail_errno(err, errno, "cannot make a process that maps ids");
	if (child == 0) {
		close(gate[1]);
		if (read(gate[0], &byte, 1) != 1)
			_exit(1);
		if (map_from_outside(map, own, uid, gid, err) == 0)
			_exit(0);
		dprintf(STDERR_FILENO, "%s\n", mvm_error_message(*err));
		_exit(1);
	}
	close(gate[0]);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
		status = errno;
		close(gate[1]);
		waitpid(child, NULL, 0);
		return mvm_fail_errno(err, status, "cannot make a user namespace");
	}
	if (mvm_write_full(gate[1], "", 1) < 0)
		return mvm_fail_errno(err, errno, "cannot have ids mapped");
	close(gate[1]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0 ? 0 : mvm_fail(err, MVM_ERR_IO, "cannot map the subordinate ids of the user");
}

static int write_text(const char *path, const char *text, struct mvm_error **err)
{
	int fd MVM_CLEAN_FD = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || mvm_write_full(fd, text, strlen(text)) < 0)
		return mvm_fail_errno(err, errno, "cannot write %s", path);
	return 0;
}

static int enter_squashed(struct mvm_error **err)
{
	char *users MVM_CLEAN_FREE = mvm_format("0 %u 1", (unsigned)geteuid());
	char *groups MVM_CLEAN_FREE = mvm_format("0 %u 1", (unsigned)getegid());

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return mvm_fail_errno(err, errno, "cannot make a user namespace");
	if (write_text("/proc/self/setgroups", "deny", err) < 0 || write_text("/proc/self/uid_map", users, err) < 0)
		return -1;
	return write_text("/proc/self/gid_map", groups, err);
}

int namespaces_enter(const struct mvm_share_id_map *map, struct mvm_error **err)
{
	int rc = map->kind == MVM_SHARE_IDS_MAPPED     ? enter_mapped(map, err)
		 : map->kind == MVM_SHARE_IDS_SQUASHED ? enter_squashed(err)
						       : unshare(CLONE_NEWNS);

	if (rc < 0 && map->kind == MVM_SHARE_IDS_OWN)
		return mvm_fail_errno(err, errno, "cannot make a mount namespace");
	if (rc < 0)
		return -1;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return mvm_fail_errno(err, errno, "cannot make mounts private");
	return 0;
}

int namespaces_become_root(const struct mvm_share_id_map *map, struct mvm_error **err)
{
	if (map->kind != MVM_SHARE_IDS_MAPPED || (!map->uid && !map->gid))
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return mvm_fail_errno(err, errno, "cannot become root of a user namespace");
	return 0;
}
