/*
 * A tree of local files as entries. Folders are gone through in the order of their names, so that the same tree gives
 * the same entries. A file that changes meanwhile is no longer than it was when it was looked at.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#endif

#include "copy.h"
#include "copy_paths.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

enum {
	READ_SIZE = 256 * 1024,
	NAME_LIMIT = 4095, /* of an entry: what a path may be in the guest */
	BUCKETS = 1024,
};

/* A file with more names, under the first that came. */
struct seen {
	struct seen *next;
	dev_t device;
	ino_t inode;
	char name[];
};

struct walk {
	const struct copy_sink *sink;
	char *path; /* of the top, for messages */
	size_t top; /* how much of a name stands for it */
	struct seen *seen[BUCKETS];
	char *buffer;
};

static int walk_name(struct walk *walk, int folder, const char *file, const char *name, struct mvm_error **err);

static int fail(const struct walk *walk, const char *what, const char *name, struct mvm_error **err)
{
	return mvm_fail_errno(err, errno, "cannot %s %s%s", what, walk->path, name + walk->top);
}

static struct seen **bucket_of(struct walk *walk, const struct stat *stat)
{
	return &walk->seen[(size_t)(stat->st_ino ^ stat->st_ino >> 10) % BUCKETS];
}

static const char *find_seen(struct walk *walk, const struct stat *stat)
{
	struct seen *seen = *bucket_of(walk, stat);

	while (seen && (seen->inode != stat->st_ino || seen->device != stat->st_dev))
		seen = seen->next;
	return seen ? seen->name : NULL;
}

static void add_seen(struct walk *walk, const struct stat *stat, const char *name)
{
	size_t length = strlen(name) + 1;
	struct seen *seen = mvm_alloc(sizeof(*seen) + length), **bucket = bucket_of(walk, stat);

	*seen = (struct seen){.next = *bucket, .device = stat->st_dev, .inode = stat->st_ino};
	memcpy(seen->name, name, length);
	*bucket = seen;
}

static struct mvm_tar_entry entry_of(const struct stat *stat, const char *name)
{
#ifdef __APPLE__
	struct timespec mtime = stat->st_mtimespec;
#else
	struct timespec mtime = stat->st_mtim;
#endif

	return (struct mvm_tar_entry){
		.name = name,
		.target = "",
		.mode = stat->st_mode & 07777,
		.uid = stat->st_uid,
		.gid = stat->st_gid,
		.mtime = mtime.tv_sec,
		.mtime_nsec = (uint32_t)mtime.tv_nsec,
	};
}

static int send_entry(struct walk *walk, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	const struct copy_sink *sink = walk->sink;

	return sink->ops->entry(sink->arg, entry, err) < 0 || sink->ops->end(sink->arg, err) < 0 ? -1 : 0;
}

/* Files */

static int send_range(struct walk *walk, int fd, uint64_t from, uint64_t to, const char *name, struct mvm_error **err)
{
	while (from < to) {
		size_t part = to - from < READ_SIZE ? (size_t)(to - from) : READ_SIZE;
		ssize_t n = pread(fd, walk->buffer, part, (off_t)from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(walk, "read", name, err);
		if (n == 0)
			return mvm_fail(err, MVM_ERR_IO, "cannot read %s%s: it has become shorter meanwhile",
					walk->path, name + walk->top);
		if (walk->sink->ops->data(walk->sink->arg, from, walk->buffer, (size_t)n, err) < 0)
			return -1;
		from += (uint64_t)n;
	}
	return 0;
}

/* Where the next content is, from `at` on. A file system that does not know of holes has none. */
static bool find_data(int fd, uint64_t at, uint64_t size, uint64_t *from, uint64_t *to)
{
	off_t start = lseek(fd, (off_t)at, SEEK_DATA), end;

	*from = at;
	*to = size;
	if (start < 0)
		return errno != ENXIO;
	end = lseek(fd, start, SEEK_HOLE);
	*from = (uint64_t)start;
	if (end >= 0 && (uint64_t)end < size)
		*to = (uint64_t)end;
	return *from < size;
}

static int send_content(struct walk *walk, int fd, const struct stat *stat, const char *name, struct mvm_error **err)
{
	uint64_t size = (uint64_t)stat->st_size, from = 0, to = 0;

	/* Blocks are counted by 512 bytes, whatever the file system's are. */
	if ((uint64_t)stat->st_blocks * 512 >= size)
		return send_range(walk, fd, 0, size, name, err);
	while (to < size && find_data(fd, to, size, &from, &to))
		if (send_range(walk, fd, from, to, name, err) < 0)
			return -1;
	return 0;
}

/* As docker, of all attributes this one. */
static void read_capability(int fd, struct mvm_tar_xattr *xattr, char value[64], struct mvm_tar_entry *entry)
{
#ifdef __linux__
	ssize_t length = fgetxattr(fd, "security.capability", value, 64);

	if (length <= 0)
		return;
	*xattr =
		(struct mvm_tar_xattr){.name = (char *)"security.capability", .value = value, .length = (size_t)length};
	entry->xattrs = xattr;
	entry->xattr_count = 1;
#endif
}

static int walk_file(struct walk *walk, int folder, const char *file, const char *name, struct mvm_error **err)
{
	const struct copy_sink *sink = walk->sink;
	int fd MVM_CLEAN_FD = openat(folder, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct mvm_tar_xattr xattr;
	struct mvm_tar_entry entry;
	struct stat stat;
	char value[64];

	if (fd < 0 || fstat(fd, &stat) < 0)
		return fail(walk, "open", name, err);
	if (!S_ISREG(stat.st_mode))
		return mvm_fail(err, MVM_ERR_IO, "cannot read %s%s: it has become something else meanwhile", walk->path,
				name + walk->top);
	entry = entry_of(&stat, name);
	entry.type = MVM_TAR_FILE;
	entry.size = (uint64_t)stat.st_size;
	read_capability(fd, &xattr, value, &entry);
	if (sink->ops->entry(sink->arg, &entry, err) < 0 || send_content(walk, fd, &stat, name, err) < 0)
		return -1;
	return sink->ops->end(sink->arg, err);
}

/* Others */

static int walk_link(struct walk *walk, int folder, const char *file, const struct stat *stat, const char *name,
		     struct mvm_error **err)
{
	struct mvm_tar_entry entry = entry_of(stat, name);
	char target[PATH_MAX];
	ssize_t length = readlinkat(folder, file, target, sizeof(target) - 1);

	if (length < 0)
		return fail(walk, "read the link", name, err);
	target[length] = '\0';
	entry.type = MVM_TAR_SYMLINK;
	entry.target = target;
	return send_entry(walk, &entry, err);
}

static int walk_special(struct walk *walk, const struct stat *stat, const char *name, struct mvm_error **err)
{
	struct mvm_tar_entry entry = entry_of(stat, name);

	entry.type = S_ISFIFO(stat->st_mode) ? MVM_TAR_FIFO : S_ISCHR(stat->st_mode) ? MVM_TAR_CHAR : MVM_TAR_BLOCK;
	if (entry.type != MVM_TAR_FIFO) {
		entry.major = (uint32_t)major(stat->st_rdev);
		entry.minor = (uint32_t)minor(stat->st_rdev);
	}
	return send_entry(walk, &entry, err);
}

/* Folders */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_folder(struct walk *walk, int fd, const char *name, struct mvm_strv *names, struct mvm_error **err)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!dir) {
		mvm_close(&copy);
		return fail(walk, "read", name, err);
	}
	while ((errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			mvm_strv_add(names, entry->d_name);
	if (errno) {
		fail(walk, "read", name, err);
		closedir(dir);
		return -1;
	}
	closedir(dir);
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), by_name);
	return 0;
}

static int walk_folder(struct walk *walk, int folder, const char *file, const char *name, struct mvm_error **err)
{
	int fd MVM_CLEAN_FD = openat(folder, file, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct mvm_strv names MVM_CLEAN_STRV = {0};
	struct mvm_tar_entry entry;
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat) < 0)
		return fail(walk, "open", name, err);
	entry = entry_of(&stat, name);
	entry.type = MVM_TAR_FOLDER;
	if (send_entry(walk, &entry, err) < 0 || list_folder(walk, fd, name, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		char *below MVM_CLEAN_FREE = mvm_format("%s/%s", name, names.items[i]);

		if (walk_name(walk, fd, names.items[i], below, err) < 0)
			return -1;
	}
	return 0;
}

static int walk_kind(struct walk *walk, int folder, const char *file, const struct stat *stat, const char *name,
		     struct mvm_error **err)
{
	switch (stat->st_mode & S_IFMT) {
	case S_IFREG:
		return walk_file(walk, folder, file, name, err);
	case S_IFDIR:
		return walk_folder(walk, folder, file, name, err);
	case S_IFLNK:
		return walk_link(walk, folder, file, stat, name, err);
	case S_IFSOCK:
		return 0;
	default:
		return walk_special(walk, stat, name, err);
	}
}

/* `name` is that of the entry, and with the top's path in place of its beginning the file's for people. */
static int walk_name(struct walk *walk, int folder, const char *file, const char *name, struct mvm_error **err)
{
	struct mvm_tar_entry link;
	const char *first;
	struct stat stat;

	if (strlen(name) > NAME_LIMIT) {
		errno = ENAMETOOLONG;
		return fail(walk, "copy", name, err);
	}
	if (fstatat(folder, file, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(walk, "open", name, err);
	if (S_ISDIR(stat.st_mode) || stat.st_nlink < 2)
		return walk_kind(walk, folder, file, &stat, name, err);
	first = find_seen(walk, &stat);
	if (!first) {
		add_seen(walk, &stat, name);
		return walk_kind(walk, folder, file, &stat, name, err);
	}
	link = entry_of(&stat, name);
	link.type = MVM_TAR_HARDLINK;
	link.target = first;
	return send_entry(walk, &link, err);
}

int copy_walk(const char *path, const char *name, const struct copy_sink *sink, struct mvm_error **err)
{
	struct walk *walk = mvm_alloc(sizeof(*walk));
	int result;

	walk->sink = sink;
	walk->path = copy_clean(path);
	walk->top = strlen(name);
	walk->buffer = mvm_alloc(READ_SIZE);
	/* A slash behind a link has been taken to mean what it leads to; so has "/.". */
	result = walk_name(walk, AT_FDCWD, path, name, err);
	for (size_t i = 0; i < BUCKETS; i++) {
		while (walk->seen[i]) {
			struct seen *seen = walk->seen[i];

			walk->seen[i] = seen->next;
			free(seen);
		}
	}
	free(walk->path);
	free(walk->buffer);
	free(walk);
	return result;
}
