#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "failure.h"
#include "sys.h"

#define IMPLIED_MODE 0755

/* A folder whose time is set when nothing more comes into it. */
struct folder_time {
	struct folder_time *next;
	struct timespec mtime;
	char name[];
};

struct unpack {
	int root;
	struct failure *failure;
	bool owned;
	struct unpack_owner owner;
	char base[PATH_MAX]; /* of the folder, without links, without a slash at its end: "" for the root itself */

	/* Where the latest entry went: many go into the same folder. */
	int parent;
	char parent_name[MVM_STREAM_TEXT_MAX + 1];

	char name[MVM_STREAM_TEXT_MAX + 1]; /* of the present entry, clean; "": it is left out */
	const char *last;		    /* component of it */
	int file;			    /* the one that is being written, or -1 */
	uint64_t size, filled;
	uint32_t mode;
	struct timespec mtime;
	struct folder_time *times;
};

/* The end of a long name is what tells. */
static const char *shown(const char *name)
{
	enum { SHOWN = 400 };
	size_t length = strlen(name);

	return length > SHOWN ? name + length - SHOWN : name;
}

static int fail(struct unpack *unpack, const char *what)
{
	enum mvm_proto_code code = errno == ENOSPC || errno == EDQUOT ? MVM_PROTO_RESOURCE : MVM_PROTO_INTERNAL;

	return failure_set_errno(unpack->failure, code, "cannot %s %s/%s", what, shown(unpack->base),
				 shown(unpack->name));
}

/* The way to an entry. */

/* A path of the disk, for what is in the folder. */
static int inside(struct unpack *unpack, const char *name, int length, char path[2 * PATH_MAX])
{
	return snprintf(path, (size_t)2 * PATH_MAX, "%s/%.*s", unpack->base, length, name) >= PATH_MAX ? -1 : 0;
}

static int open_folder(struct unpack *unpack, const char *name, int length, int flags)
{
	char path[2 * PATH_MAX];

	if (inside(unpack, name, length, path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return sys_open_inside(unpack->root, path, flags | O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* The folder `name`, made with its parents where it is missing. */
static int make_parents(struct unpack *unpack, const char *name, int length)
{
	int at = open_folder(unpack, "", 0, 0);

	for (int end = 0; at >= 0 && end < length; end++) {
		const char *from = name + end;
		char part[NAME_MAX + 1];
		int next, size = (int)strcspn(from, "/");

		if (size > length - end)
			size = length - end;
		if (size > NAME_MAX) {
			close(at);
			errno = ENAMETOOLONG;
			return -1;
		}
		snprintf(part, sizeof(part), "%.*s", size, from);
		end += size;
		next = open_folder(unpack, name, end, 0);
		if (next < 0 && errno == ENOENT && mkdirat(at, part, IMPLIED_MODE) == 0)
			next = open_folder(unpack, name, end, 0);
		close(at);
		at = next;
	}
	return at;
}

static int open_parent(struct unpack *unpack)
{
	const char *slash = strrchr(unpack->name, '/');
	int length = slash ? (int)(slash - unpack->name) : 0, fd;

	unpack->last = slash ? slash + 1 : unpack->name;
	if (unpack->parent >= 0 && strlen(unpack->parent_name) == (size_t)length &&
	    memcmp(unpack->parent_name, unpack->name, (size_t)length) == 0)
		return 0;
	fd = open_folder(unpack, unpack->name, length, 0);
	if (fd < 0 && errno == ENOENT)
		fd = make_parents(unpack, unpack->name, length);
	if (fd < 0)
		return fail(unpack, "make the folder of");
	if (unpack->parent >= 0)
		close(unpack->parent);
	unpack->parent = fd;
	memcpy(unpack->parent_name, unpack->name, (size_t)length);
	unpack->parent_name[length] = '\0';
	return 0;
}

/* Making it. */

/* What is in the way goes, unless that or the entry is a folder. */
static int clear_place(struct unpack *unpack, bool folder)
{
	struct stat stat;

	if (fstatat(unpack->parent, unpack->last, &stat, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : fail(unpack, "look at");
	if (S_ISDIR(stat.st_mode) && !folder)
		return failure_set(unpack->failure, MVM_PROTO_NOT_POSSIBLE,
				   "cannot overwrite directory \"%s\" with non-directory \"%s\"", shown(unpack->name),
				   *unpack->base ? shown(unpack->base) : "/");
	if (!S_ISDIR(stat.st_mode) && folder)
		return failure_set(unpack->failure, MVM_PROTO_NOT_POSSIBLE,
				   "cannot overwrite non-directory \"%s\" with directory \"%s\"", shown(unpack->name),
				   *unpack->base ? shown(unpack->base) : "/");
	if (!folder && unlinkat(unpack->parent, unpack->last, 0))
		return fail(unpack, "replace");
	return 0;
}

static int make_hardlink(struct unpack *unpack, const char *target)
{
	char name[MVM_STREAM_TEXT_MAX + 1];
	const char *slash;
	int folder, rc;

	if (mvm_stream_clean_name(target, name) || !*name) {
		errno = EINVAL;
		return -1;
	}
	slash = strrchr(name, '/');
	folder = open_folder(unpack, name, slash ? (int)(slash - name) : 0, 0);
	if (folder < 0)
		return -1;
	rc = linkat(folder, slash ? slash + 1 : name, unpack->parent, unpack->last, 0);
	close(folder);
	return rc;
}

static int make_once(struct unpack *unpack, const struct mvm_stream_entry *entry)
{
	mode_t mode = entry->mode & 0777;

	switch (entry->type) {
	case MVM_STREAM_FILE:
		unpack->file = openat(unpack->parent, unpack->last,
				      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		return unpack->file < 0 ? -1 : 0;
	case MVM_STREAM_HARDLINK:
		return make_hardlink(unpack, entry->target);
	case MVM_STREAM_SYMLINK:
		return symlinkat(entry->target, unpack->parent, unpack->last);
	case MVM_STREAM_FOLDER:
		return mkdirat(unpack->parent, unpack->last, mode);
	case MVM_STREAM_FIFO:
		return mknodat(unpack->parent, unpack->last, S_IFIFO | mode, 0);
	default:
		return mknodat(unpack->parent, unpack->last,
			       (entry->type == MVM_STREAM_CHAR ? S_IFCHR : S_IFBLK) | mode,
			       makedev(entry->major, entry->minor));
	}
}

static int make(struct unpack *unpack, const struct mvm_stream_entry *entry)
{
	bool folder = entry->type == MVM_STREAM_FOLDER;

	if (make_once(unpack, entry) == 0)
		return 0;
	if (errno != EEXIST)
		return fail(unpack, entry->type == MVM_STREAM_HARDLINK ? "link" : "make");
	if (clear_place(unpack, folder))
		return -1;
	return !folder && make_once(unpack, entry) ? fail(unpack, "make") : 0;
}

/* What it is like. */

static bool is_known_attribute(const char *name)
{
	static const char *const prefixes[] = {"user.", "trusted.", "security.", "system.posix_acl_"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

/* By descriptor, or by a path that leads to the entry itself. */
static int set_attributes(struct unpack *unpack, const struct mvm_stream_entry *entry, int fd, const char *self)
{
	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct mvm_stream_xattr *xattr = &entry->xattrs[i];
		int rc = 0;

		if (is_known_attribute(xattr->name))
			rc = self ? setxattr(self, xattr->name, xattr->value, xattr->length, 0)
				  : fsetxattr(fd, xattr->name, xattr->value, xattr->length, 0);
		if (rc)
			return fail(unpack, "set an attribute of");
	}
	return 0;
}

static struct unpack_owner owner_of(const struct unpack *unpack, const struct mvm_stream_entry *entry)
{
	return unpack->owned ? unpack->owner : (struct unpack_owner){entry->uid, entry->gid};
}

static struct timespec time_of(const struct mvm_stream_entry *entry)
{
	return (struct timespec){.tv_sec = (time_t)entry->mtime, .tv_nsec = (long)entry->mtime_nsec};
}

static int note_time(struct unpack *unpack, const struct mvm_stream_entry *entry)
{
	size_t length = strlen(unpack->name) + 1;
	struct folder_time *time = malloc(sizeof(*time) + length);

	if (!time)
		return failure_set(unpack->failure, MVM_PROTO_RESOURCE, "no memory for so many folders");
	time->mtime = time_of(entry);
	memcpy(time->name, unpack->name, length);
	time->next = unpack->times;
	unpack->times = time;
	return 0;
}

/* The owner comes first: a change of it takes setuid bits and capabilities away. */
static int dress_other(struct unpack *unpack, const struct mvm_stream_entry *entry, int fd)
{
	const struct timespec times[2] = {time_of(entry), time_of(entry)};
	struct unpack_owner owner = owner_of(unpack, entry);
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (fchownat(fd, "", owner.uid, owner.gid, AT_EMPTY_PATH))
		return fail(unpack, "change the owner of");
	if (set_attributes(unpack, entry, fd, self))
		return -1;
	if (entry->type != MVM_STREAM_SYMLINK && chmod(self, entry->mode & 07777))
		return fail(unpack, "change the mode of");
	if (entry->type == MVM_STREAM_FOLDER)
		return note_time(unpack, entry);
	return utimensat(AT_FDCWD, self, times, 0) ? fail(unpack, "set the time of") : 0;
}

static int dress(struct unpack *unpack, const struct mvm_stream_entry *entry)
{
	struct unpack_owner owner = owner_of(unpack, entry);
	int fd, rc;

	if (entry->type == MVM_STREAM_HARDLINK)
		return 0;
	if (entry->type == MVM_STREAM_FILE) {
		if (fchown(unpack->file, owner.uid, owner.gid))
			return fail(unpack, "change the owner of");
		return set_attributes(unpack, entry, unpack->file, NULL);
	}
	fd = openat(unpack->parent, unpack->last, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(unpack, "open");
	rc = dress_other(unpack, entry, fd);
	close(fd);
	return rc;
}

/* The stream. */

static int take_entry(void *arg, const struct mvm_stream_entry *entry)
{
	struct unpack *unpack = arg;

	if (mvm_stream_clean_name(entry->name, unpack->name))
		return failure_set(unpack->failure, MVM_PROTO_NOT_POSSIBLE, "invalid entry name \"%s\"",
				   shown(entry->name));
	/* The folder itself stays as it is. */
	if (!*unpack->name)
		return 0;
	if (open_parent(unpack) || make(unpack, entry))
		return -1;
	unpack->size = entry->size;
	unpack->filled = 0;
	unpack->mode = entry->mode & 07777;
	unpack->mtime = time_of(entry);
	return dress(unpack, entry);
}

static int take_data(void *arg, uint64_t offset, const void *data, size_t length)
{
	struct unpack *unpack = arg;
	const char *at = data;

	while (length && unpack->file >= 0) {
		ssize_t n = pwrite(unpack->file, at, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(unpack, "write");
		at += n;
		offset += (uint64_t)n;
		length -= (size_t)n;
	}
	unpack->filled = offset;
	return 0;
}

/* Writing takes setuid bits away, and is over now. */
static int take_end(void *arg)
{
	struct unpack *unpack = arg;
	const struct timespec times[2] = {unpack->mtime, unpack->mtime};
	int rc;

	if (unpack->file < 0)
		return 0;
	rc = unpack->filled < unpack->size && ftruncate(unpack->file, (off_t)unpack->size);
	rc = rc || fchmod(unpack->file, unpack->mode) || futimens(unpack->file, times);
	if (rc)
		fail(unpack, "write");
	close(unpack->file);
	unpack->file = -1;
	return rc ? -1 : 0;
}

const struct mvm_stream_ops unpack_ops = {.entry = take_entry, .data = take_data, .end = take_end};

/* Begin and end. */

static int find_base(struct unpack *unpack, const char *path)
{
	int fd = sys_open_inside(unpack->root, path, O_PATH | O_CLOEXEC);
	struct stat stat;
	int rc;

	if (fd < 0)
		return failure_set_errno(unpack->failure, errno == ENOENT ? MVM_PROTO_NO_FILE : MVM_PROTO_NOT_POSSIBLE,
					 "cannot open %s", shown(path));
	if (fstat(fd, &stat))
		rc = failure_set_errno(unpack->failure, MVM_PROTO_INTERNAL, "cannot look at %s", shown(path));
	else if (!S_ISDIR(stat.st_mode))
		rc = failure_set(unpack->failure, MVM_PROTO_NOT_POSSIBLE, "extraction point is not a directory");
	else
		rc = sys_path_inside(unpack->root, fd, unpack->base)
			     ? failure_set_errno(unpack->failure, MVM_PROTO_INTERNAL, "cannot find %s", shown(path))
			     : 0;
	close(fd);
	return rc;
}

struct unpack *unpack_begin(int root, const char *path, const struct unpack_owner *owner, struct failure *failure)
{
	struct unpack *unpack = calloc(1, sizeof(*unpack));

	if (!unpack) {
		failure_set(failure, MVM_PROTO_RESOURCE, "no memory");
		return NULL;
	}
	unpack->root = root;
	unpack->failure = failure;
	unpack->parent = unpack->file = -1;
	unpack->owned = owner != NULL;
	if (owner)
		unpack->owner = *owner;
	if (find_base(unpack, path)) {
		unpack_free(unpack);
		return NULL;
	}
	return unpack;
}

int unpack_end(struct unpack *unpack)
{
	for (struct folder_time *time = unpack->times; time; time = time->next) {
		const struct timespec times[2] = {time->mtime, time->mtime};
		int fd = open_folder(unpack, time->name, (int)strlen(time->name), O_NOFOLLOW);
		char self[32];

		/* One that has gone meanwhile needs none. */
		if (fd < 0)
			continue;
		snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		utimensat(AT_FDCWD, self, times, 0);
		close(fd);
	}
	return 0;
}

void unpack_free(struct unpack *unpack)
{
	while (unpack->times) {
		struct folder_time *time = unpack->times;

		unpack->times = time->next;
		free(time);
	}
	if (unpack->parent >= 0)
		close(unpack->parent);
	if (unpack->file >= 0)
		close(unpack->file);
	free(unpack);
}
