#include "volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "failure.h"
#include "links.h"
#include "mounts.h"
#include "sys.h"
#include "unpack.h"
#include "walk.h"

#define PLACE	"/volume"
#define SHARES	"/shares" /* the tree of all shares, which folders are of */
#define DATA	MVM_PROTO_VOLUME
#define FILLING "filling"
#define PART	",part="
#define OPTIONS "noinit_itable,errors=remount-ro,discard"

enum {
	VOLUMES_MAX = 1024,
	LAST_DISK = 'p',
	ATTRIBUTES = 64, /* of an inode ext4 holds 4 KiB */
	ATTRIBUTE_BYTES = 8192,
	BLOCK = 65536,
};

static int trees[VOLUMES_MAX];
static unsigned taken, placed;

bool volumes_is(const char *mount)
{
	return *mount == 'd' || *mount == 'f';
}

/* Filling: what a walk finds is made as what comes over a stream is. */

struct filler {
	struct walk walk; /* the first */
	struct unpack *unpack;
	struct links links;
	struct mvm_stream_xattr xattrs[ATTRIBUTES];
	char names[ATTRIBUTE_BYTES], values[ATTRIBUTE_BYTES], target[PATH_MAX], block[BLOCK];
};

static size_t read_attributes(struct filler *filler, const char *self)
{
	ssize_t length = listxattr(self, filler->names, ATTRIBUTE_BYTES), size;
	size_t count = 0, used = 0;

	for (char *name = filler->names; name < filler->names + length && count < ATTRIBUTES;
	     name += strlen(name) + 1) {
		char *value = filler->values + used;

		size = getxattr(self, name, value, ATTRIBUTE_BYTES - used);
		if (size < 0)
			continue;
		used += (size_t)size;
		filler->xattrs[count++] = (struct mvm_stream_xattr){name, value, (size_t)size};
	}
	return count;
}

static int copy_content(struct filler *filler, const char *self)
{
	int fd = open(self, O_RDONLY | O_CLOEXEC), rc = 0;
	ssize_t n = 1;

	for (off_t at = 0; !rc && n > 0 && (at = lseek(fd, at, SEEK_DATA)) >= 0; at += n) {
		n = pread(fd, filler->block, BLOCK, at);
		if (n > 0)
			rc = unpack_ops.data(filler->unpack, (uint64_t)at, filler->block, (size_t)n);
	}
	if (!rc && (fd < 0 || n < 0))
		rc = walk_fail(&filler->walk, "read");
	close(fd);
	return rc;
}

static enum mvm_stream_type type_of(mode_t mode)
{
	static const char types[] = {[S_IFIFO >> 12] = MVM_STREAM_FIFO,
				     [S_IFCHR >> 12] = MVM_STREAM_CHAR,
				     [S_IFDIR >> 12] = MVM_STREAM_FOLDER,
				     [S_IFBLK >> 12] = MVM_STREAM_BLOCK,
				     [S_IFREG >> 12] = MVM_STREAM_FILE,
				     [S_IFLNK >> 12] = MVM_STREAM_SYMLINK,
				     [S_IFSOCK >> 12] = 0};

	return (enum mvm_stream_type)types[mode >> 12 & 15];
}

static int copy_entry(struct walk *walk, const struct subject *subject, enum walk_news news)
{
	struct filler *filler = (struct filler *)walk;
	const struct stat *stat = &subject->stat;
	struct mvm_stream_entry entry = {
		.type = type_of(stat->st_mode),
		.name = walk->path,
		.target = filler->target,
		.mode = stat->st_mode & 07777,
		.uid = stat->st_uid,
		.gid = stat->st_gid,
		.major = major(stat->st_rdev),
		.minor = minor(stat->st_rdev),
		.mtime = stat->st_mtim.tv_sec,
		.mtime_nsec = (uint32_t)stat->st_mtim.tv_nsec,
		.size = (uint64_t)stat->st_size,
		.xattrs = filler->xattrs,
	};
	const char *other = NULL;
	ssize_t n;

	if (!entry.type)
		return 0;
	if (stat->st_nlink > 1 && entry.type != MVM_STREAM_FOLDER) {
		other = links_find(&filler->links, stat->st_ino);
		if (!other && links_add(&filler->links, stat->st_ino, walk->path))
			return walk_fail(walk, "remember");
	}
	if (other) {
		entry.type = MVM_STREAM_HARDLINK;
		entry.target = other;
	} else {
		entry.xattr_count = read_attributes(filler, subject->self);
	}
	if (entry.type == MVM_STREAM_SYMLINK) {
		n = readlinkat(subject->fd, "", filler->target, PATH_MAX - 1);
		if (n < 0)
			return walk_fail(walk, "read");
		filler->target[n] = '\0';
	}
	if (unpack_ops.entry(filler->unpack, &entry) ||
	    (entry.type == MVM_STREAM_FILE && copy_content(filler, subject->self)))
		return -1;
	return unpack_ops.end(filler->unpack);
}

static int copy_tree(int from, int to, struct failure *failure)
{
	struct filler *filler = calloc(1, sizeof(*filler));
	int rc = -1;

	if (!filler)
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot fill a volume");
	filler->walk.failure = failure;
	filler->walk.found = copy_entry;
	filler->unpack = unpack_begin(to, DATA, NULL, failure);
	if (filler->unpack) {
		rc = walk_tree(&filler->walk, from, "") || unpack_end(filler->unpack) ? -1 : 0;
		unpack_free(filler->unpack);
	}
	links_finish(&filler->links);
	free(filler);
	return rc;
}

/* Its folder, in the current one, becomes what the image has there. */
static int fill(int from, struct failure *failure)
{
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), mark;
	struct stat stat;
	int rc;

	mark = openat(here, FILLING, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (mark < 0 || fstat(from, &stat) || (mkdir(DATA, 0755) && errno != EEXIST) ||
	    chown(DATA, stat.st_uid, stat.st_gid) || chmod(DATA, stat.st_mode & 07777))
		rc = failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot fill a volume");
	else
		rc = copy_tree(from, here, failure);
	if (!rc && (sys_syncfs(here) || unlink(FILLING)))
		rc = failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot fill a volume");
	close(mark);
	close(here);
	return rc;
}

/* rmdir() knows whether it is empty. */
static int fill_first(int root, const char *target, struct failure *failure)
{
	int from = sys_open_inside(root, target, O_PATH | O_DIRECTORY | O_CLOEXEC), rc;

	if (from < 0)
		return 0;
	rc = rmdir(DATA) == 0 || errno == ENOENT || access(FILLING, F_OK) == 0 ? fill(from, failure) : 0;
	close(from);
	return rc;
}

const char *volumes_target(const char *mount)
{
	const char *target = strchr(mount, ':') + 1, *part = strstr(mount, PART);

	return part && part < target ? target + strnlen(target, (size_t)atoi(part + strlen(PART))) : target;
}

/* The folder, or the part of it that the volume names, of the current one. Where a part's links lead out of the volume,
 * they lead to its top. */
static int copy_part(const char *part, size_t length, struct failure *failure)
{
	char path[PATH_MAX];
	int data = open(DATA, O_PATH | O_CLOEXEC), fd, tree;

	snprintf(path, sizeof(path), "./%.*s", (int)length, part);
	fd = sys_open_inside(data, path, O_PATH | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	tree = fd < 0 ? -1 : sys_copy_mount(path);
	if (tree < 0)
		failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot access %.*s in the volume", (int)length, part);
	close(fd);
	close(data);
	return tree;
}

/* "disk=b[,OPTION...]:/target" or "folder=N...": to its folder, which becomes the current one. */
static int enter(const char *text, struct failure *failure)
{
	const char *value = strchr(text, '=') + 1;
	char path[32];
	int rc;

	if (*text == 'd') {
		snprintf(path, sizeof(path), "/dev/vd%c", *value);
		rc = mount(path, PLACE, "ext4", 0, OPTIONS) || chdir(PLACE);
	} else {
		snprintf(path, sizeof(path), SHARES "/%d", atoi(value));
		rc = chdir(path);
	}
	return rc ? failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot mount the volume %s", path) : 0;
}

static int take(int root, const char *text, struct failure *failure)
{
	const char *part = strchr(text, ':'), *target;
	int rc;

	if (!part || !strchr(text, '=') || taken == VOLUMES_MAX)
		return failure_set(failure, MVM_PROTO_MALFORMED, "no volume: %.400s", text);
	if (enter(text, failure))
		return -1;
	target = volumes_target(text);
	rc = strstr(text, ",copy:") && strstr(text, ",copy:") < part ? fill_first(root, target, failure) : 0;
	if (!rc && mkdir(DATA, 0755) && errno != EEXIST)
		rc = failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot take the volume of %.400s", target);
	if (!rc && (trees[taken++] = copy_part(part + 1, (size_t)(target - part - 1), failure)) < 0)
		rc = -1;
	if (chdir("/"))
		return -1;
	umount2(PLACE, MNT_DETACH);
	return rc;
}

int volumes_take(int root, char *const *list, int *shares, struct failure *failure)
{
	mkdir(PLACE, 0700);
	mkdir(SHARES, 0700);
	/* A part of what is mounted nowhere cannot be taken. */
	if (*shares >= 0 && sys_move_mount(*shares, AT_FDCWD, SHARES))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot take the host's shares");
	for (; list && *list; list++)
		if (volumes_is(*list) && take(root, *list, failure))
			return -1;
	if (*shares >= 0) {
		close(*shares);
		*shares = sys_copy_mount(SHARES);
	}
	return 0;
}

bool volumes_next_is_file(void)
{
	struct stat stat;

	return fstat(trees[placed], &stat) == 0 && !S_ISDIR(stat.st_mode);
}

int volumes_place(const char *target)
{
	int tree = trees[placed++];

	return sys_move_mount(tree, AT_FDCWD, target) ? -1 : close(tree);
}

/* One that a container has is the same file system here; another one is clean anyway. */
int volumes_clean(struct failure *failure)
{
	char path[] = "/dev/vdb";
	int rc = 0;

	mkdir(PLACE, 0700);
	for (; path[7] <= LAST_DISK && access(path, F_OK) == 0; path[7]++) {
		if (mount(path, PLACE, "ext4", 0, OPTIONS))
			continue;
		if (mount(NULL, PLACE, NULL, MS_REMOUNT | MS_RDONLY, NULL))
			rc = failure_set_errno(failure, MVM_PROTO_MOUNT, "a volume cannot be made clean");
		umount2(PLACE, MNT_DETACH);
	}
	if (rc)
		sync();
	return rc;
}
