#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "files.h"
#include "sys.h"
#include "tmpfs.h"
#include "volumes.h"

/* Where the tree of all shares is while some of it is mounted elsewhere. */
#define TREE "/dev/.share"

static int make_file(const char *path)
{
	char parent[PATH_MAX];
	char *slash = strrchr(path, '/');
	int fd;

	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	if (*parent && make_folders(parent))
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	return fd < 0 ? -1 : close(fd);
}

static int make_place(const char *path, bool file)
{
	struct stat status;

	if (stat(path, &status) == 0)
		return 0;
	return file ? make_file(path) : make_folders(path);
}

static int mount_tmpfs(const char *text, struct failure *failure)
{
	static struct tmpfs tmpfs;

	if (tmpfs_parse(text, &tmpfs, failure))
		return -1;
	if (make_place(tmpfs.path, false) || mount("tmpfs", tmpfs.path, "tmpfs", tmpfs.flags, tmpfs.data))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot mount a tmpfs on %.400s", tmpfs.path);
	return 0;
}

int mounts_shares(struct failure *failure)
{
	static bool mounted;

	if (!mounted && (mkdir(MVM_SHARE_ROOT, 0700) || mount(MVM_SHARE_TAG, MVM_SHARE_ROOT, "virtiofs", 0, NULL)))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot mount the host's shares");
	mounted = true;
	return 0;
}

bool mounts_want_shares(char *const *list)
{
	for (; list && *list; list++)
		if (**list == 's' || **list == 'f')
			return true;
	return false;
}

/* "share=N[,file][,ro]:/target", and volumes, which have been taken. */
static int mount_share(const char *text, struct failure *failure)
{
	const char *target = strchr(text, ':');
	bool read_only = strstr(text, ",ro") && strstr(text, ",ro") < target;
	bool volume = volumes_is(text);
	bool file = volume ? volumes_next_is_file() : strstr(text, ",file") && strstr(text, ",file") < target;
	char source[48];

	if (!target)
		return failure_set(failure, MVM_PROTO_MALFORMED, "no target: %.400s", text);
	target = volume ? volumes_target(text) : target + 1;
	snprintf(source, sizeof(source), TREE "/%u%s", (unsigned)atoi(text + strlen("share=")), file ? "/file" : "");
	if (make_place(target, file) ||
	    (volume ? volumes_place(target) : mount(source, target, NULL, MS_BIND | MS_REC, NULL)) ||
	    (read_only && mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL))) {
		/* The latter is move_mount()'s word for it. */
		if (errno == ENOTDIR || (volume && errno == EINVAL))
			return failure_set(failure, MVM_PROTO_MOUNT,
					   "cannot mount on %.400s: not a directory: Are you trying to mount a "
					   "directory onto a file (or vice-versa)? Check if the specified host path "
					   "exists and is the expected type",
					   target);
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot mount a share on %.400s", target);
	}
	return 0;
}

int mounts_make(char *const *list, int shares, struct failure *failure)
{
	if (shares >= 0 && (mkdir(TREE, 0700) || sys_move_mount(shares, AT_FDCWD, TREE)))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot take the host's shares");
	for (; list && *list; list++)
		/* "limit=N" is for forget.h. */
		if (**list != 'l' && (**list != '/' ? mount_share(*list, failure) : mount_tmpfs(*list, failure)))
			return -1;
	if (shares >= 0 && (umount2(TREE, MNT_DETACH) || rmdir(TREE) || close(shares)))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot let go of the host's shares");
	return 0;
}
