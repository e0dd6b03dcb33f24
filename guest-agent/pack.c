#include "pack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "failure.h"
#include "links.h"
#include "tar.h"

enum {
	PATH_LIMIT = 64 * 1024, /* of a name in the archive; each level of it holds a descriptor */
	PIECES_MAX = 64 * 1024, /* of a sparse file; what comes after them is written with its holes */
	XATTR_MAX = 64 * 1024,	/* the kernel's XATTR_SIZE_MAX and XATTR_LIST_MAX */
};

/* A folder that is being read, and those around it. */
struct level {
	struct level *up;
	DIR *folder;
	size_t length; /* of its own path, with the slash */
};

struct packer {
	struct tar *tar;
	struct failure *failure;
	struct links links;
	struct level *level;
	dev_t device;
	char path[PATH_LIMIT + 2];
	char link[PATH_MAX];
	char names[XATTR_MAX], value[XATTR_MAX];
	struct tar_piece pieces[PIECES_MAX + 1];
};

/* Of one entry: all is asked through its descriptor, by this name where there is no call that takes one. */
struct subject {
	int fd; /* O_PATH */
	char self[32];
	struct stat stat;
};

/* A name for people: one line, not all too long, and its end is what tells. */
static const char *shown(const struct packer *packer)
{
	enum { SHOWN = 500 };
	static char text[SHOWN + 1];
	const char *path = *packer->path ? packer->path : "/";
	size_t length = strlen(path), from = length > SHOWN ? length - SHOWN : 0;

	memcpy(text, path + from, length - from + 1);
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	return text;
}

static int fail(struct packer *packer, const char *what)
{
	return failure_set_errno(packer->failure, MVM_PROTO_INTERNAL, "cannot %s %s", what, shown(packer));
}

/* Of no entry. */
static int fail_writing(struct packer *packer)
{
	return failure_set_errno(packer->failure, MVM_PROTO_INTERNAL, "cannot send the archive");
}

/* Attributes. */

static int pack_xattr(struct packer *packer, const struct subject *subject, const char *name)
{
	ssize_t length = getxattr(subject->self, name, packer->value, XATTR_MAX);

	if (length < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : fail(packer, "read an attribute of");
	if (tar_xattr(packer->tar, name, packer->value, (size_t)length))
		return fail(packer, "write an attribute of");
	return 0;
}

static int pack_xattrs(struct packer *packer, const struct subject *subject)
{
	ssize_t length = listxattr(subject->self, packer->names, XATTR_MAX);
	const char *end;

	if (length < 0)
		return errno == EOPNOTSUPP ? 0 : fail(packer, "read the attributes of");
	end = packer->names + length;
	for (const char *name = packer->names; name < end; name += strlen(name) + 1)
		if (pack_xattr(packer, subject, name))
			return -1;
	return 0;
}

/* Content. */

/* What a file does not have any more is zeros. */
static int pack_range(struct packer *packer, int fd, uint64_t offset, uint64_t length)
{
	while (length > 0) {
		size_t room;
		void *space = tar_space(packer->tar, &room);
		ssize_t n = pread(fd, space, room < length ? room : (size_t)length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(packer, "read");
		if (n == 0)
			return tar_zeros(packer->tar, length) ? fail_writing(packer) : 0;
		if (tar_filled(packer->tar, (size_t)n))
			return fail_writing(packer);
		offset += (uint64_t)n;
		length -= (uint64_t)n;
	}
	return 0;
}

/* Where a file has content. One that ends in a hole has a last piece of length 0 there, since GNU tar makes a file
 * as long as its last piece says. */
static int find_pieces(struct packer *packer, int fd, uint64_t size, size_t *count)
{
	uint64_t at = 0;

	*count = 0;
	while (at < size) {
		off_t start = lseek(fd, (off_t)at, SEEK_DATA);
		off_t end = start < 0 ? -1 : lseek(fd, start, SEEK_HOLE);

		if ((start < 0 || end < 0) && errno != ENXIO)
			return fail(packer, "find the holes of");
		if (start < 0 || end < 0 || (uint64_t)start >= size)
			break;
		at = *count == PIECES_MAX - 1 || (uint64_t)end > size ? size : (uint64_t)end;
		packer->pieces[(*count)++] = (struct tar_piece){(uint64_t)start, at - (uint64_t)start};
	}
	if (at < size)
		packer->pieces[(*count)++] = (struct tar_piece){size, 0};
	return 0;
}

static int pack_content(struct packer *packer, int fd, const struct tar_entry *entry)
{
	if (!entry->pieces)
		return pack_range(packer, fd, 0, entry->size);
	for (size_t i = 0; i < entry->piece_count; i++)
		if (pack_range(packer, fd, entry->pieces[i].offset, entry->pieces[i].length))
			return -1;
	return 0;
}

/* Blocks are counted by 512 bytes, whatever the file system's are. */
static bool may_have_holes(const struct stat *stat)
{
	return (uint64_t)stat->st_blocks * 512 < (uint64_t)stat->st_size;
}

static int pack_opened(struct packer *packer, const struct subject *subject, int fd, struct tar_entry *entry)
{
	if (may_have_holes(&subject->stat)) {
		if (find_pieces(packer, fd, entry->size, &entry->piece_count))
			return -1;
		if (entry->piece_count > 1 || packer->pieces[0].length < entry->size)
			entry->pieces = packer->pieces;
	}
	if (tar_entry(packer->tar, entry))
		return fail_writing(packer);
	return pack_content(packer, fd, entry);
}

static int pack_file(struct packer *packer, const struct subject *subject, struct tar_entry *entry)
{
	int fd, rc;

	entry->type = TAR_FILE;
	entry->size = (uint64_t)subject->stat.st_size;
	if (entry->size == 0)
		return tar_entry(packer->tar, entry) ? fail_writing(packer) : 0;
	fd = open(subject->self, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(packer, "open");
	rc = pack_opened(packer, subject, fd, entry);
	close(fd);
	return rc;
}

/* Other entries. */

static int pack_symlink(struct packer *packer, const struct subject *subject, struct tar_entry *entry)
{
	ssize_t length = readlinkat(subject->fd, "", packer->link, sizeof(packer->link) - 1);

	if (length < 0)
		return fail(packer, "read the link");
	packer->link[length] = '\0';
	entry->type = TAR_SYMLINK;
	entry->target = packer->link;
	return tar_entry(packer->tar, entry) ? fail_writing(packer) : 0;
}

static int pack_device(struct packer *packer, const struct subject *subject, struct tar_entry *entry)
{
	entry->type = S_ISCHR(subject->stat.st_mode) ? TAR_CHAR : TAR_BLOCK;
	entry->major = major(subject->stat.st_rdev);
	entry->minor = minor(subject->stat.st_rdev);
	return tar_entry(packer->tar, entry) ? fail_writing(packer) : 0;
}

/* Its content is read later. The path gets its slash here, and keeps it while the folder is read. */
static int pack_folder(struct packer *packer, const struct subject *subject, struct tar_entry *entry)
{
	size_t length = strlen(packer->path);

	entry->type = TAR_FOLDER;
	if (length == 0 || packer->path[length - 1] != '/')
		strcpy(packer->path + length, "/");
	return tar_entry(packer->tar, entry) ? fail_writing(packer) : 0;
}

static int pack_kind(struct packer *packer, const struct subject *subject, struct tar_entry *entry)
{
	switch (subject->stat.st_mode & S_IFMT) {
	case S_IFREG:
		return pack_file(packer, subject, entry);
	case S_IFDIR:
		return pack_folder(packer, subject, entry);
	case S_IFLNK:
		return pack_symlink(packer, subject, entry);
	case S_IFIFO:
		entry->type = TAR_FIFO;
		return tar_entry(packer->tar, entry) ? fail_writing(packer) : 0;
	default:
		return pack_device(packer, subject, entry);
	}
}

static int pack_entry(struct packer *packer, const struct subject *subject)
{
	const struct stat *stat = &subject->stat;
	bool shared = stat->st_nlink > 1 && !S_ISDIR(stat->st_mode);
	struct tar_entry entry = {
		.name = packer->path,
		.mode = stat->st_mode & 07777,
		.uid = stat->st_uid,
		.gid = stat->st_gid,
		.mtime = stat->st_mtim.tv_sec,
		.mtime_nsec = (uint32_t)stat->st_mtim.tv_nsec,
	};

	if (shared && (entry.target = links_find(&packer->links, stat->st_ino))) {
		entry.type = TAR_HARDLINK;
		return tar_entry(packer->tar, &entry) ? fail_writing(packer) : 0;
	}
	if (pack_xattrs(packer, subject) || pack_kind(packer, subject, &entry))
		return -1;
	if (shared && links_add(&packer->links, stat->st_ino, packer->path))
		return fail(packer, "remember");
	return 0;
}

/* The walk. */

static int enter(struct packer *packer, int fd)
{
	struct level *level = malloc(sizeof(*level));
	int readable = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (!level || readable < 0 || !(level->folder = fdopendir(readable))) {
		fail(packer, "open the folder");
		if (readable >= 0)
			close(readable);
		free(level);
		return -1;
	}
	level->length = strlen(packer->path);
	level->up = packer->level;
	packer->level = level;
	return 0;
}

static void leave(struct packer *packer)
{
	struct level *level = packer->level;

	packer->level = level->up;
	closedir(level->folder);
	free(level);
}

static int pack_subject(struct packer *packer, const struct subject *subject)
{
	if (S_ISSOCK(subject->stat.st_mode))
		return 0;
	if (pack_entry(packer, subject))
		return -1;
	return S_ISDIR(subject->stat.st_mode) && subject->stat.st_dev == packer->device ? enter(packer, subject->fd)
											: 0;
}

static void look_at(struct subject *subject, int fd)
{
	subject->fd = fd;
	snprintf(subject->self, sizeof(subject->self), "/proc/self/fd/%d", fd);
}

static int pack_name(struct packer *packer, const char *name)
{
	struct subject subject;
	int fd, rc;

	if (packer->level->length + strlen(name) > PATH_LIMIT) {
		errno = ENAMETOOLONG;
		return fail(packer, "go below");
	}
	strcpy(packer->path + packer->level->length, name);
	fd = openat(dirfd(packer->level->folder), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : fail(packer, "open");
	look_at(&subject, fd);
	rc = fstat(fd, &subject.stat) ? fail(packer, "look at") : pack_subject(packer, &subject);
	close(fd);
	return rc;
}

/* One name of the innermost folder. */
static int step(struct packer *packer)
{
	struct dirent *entry;

	errno = 0;
	entry = readdir(packer->level->folder);
	if (entry)
		return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") ? pack_name(packer, entry->d_name) : 0;
	packer->path[packer->level->length] = '\0';
	if (errno)
		return fail(packer, "read the folder");
	leave(packer);
	return 0;
}

static int begin(struct packer *packer, int top, const char *name)
{
	struct subject subject;

	look_at(&subject, top);
	if (strlen(name) >= PATH_LIMIT) {
		errno = ENAMETOOLONG;
		return fail(packer, "begin with such a name");
	}
	strcpy(packer->path, name);
	if (fstat(top, &subject.stat))
		return fail(packer, "look at");
	packer->device = subject.stat.st_dev;
	return *name ? pack_subject(packer, &subject) : enter(packer, top);
}

int pack_tree(int top, const char *name, struct tar *tar, struct failure *failure)
{
	struct packer *packer = calloc(1, sizeof(*packer));
	int rc;

	if (!packer)
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot pack a tree");
	packer->tar = tar;
	packer->failure = failure;
	rc = begin(packer, top, name);
	while (rc == 0 && packer->level)
		rc = step(packer);
	while (packer->level)
		leave(packer);
	links_finish(&packer->links);
	free(packer);
	return rc;
}
