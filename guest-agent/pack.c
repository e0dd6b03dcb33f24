#include "pack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "changes.h"
#include "failure.h"
#include "links.h"
#include "tar.h"
#include "walk.h"

enum {
	PIECES_MAX = 64 * 1024, /* of a sparse file; what comes after them is written with its holes */
	XATTR_MAX = 64 * 1024,	/* the kernel's XATTR_SIZE_MAX and XATTR_LIST_MAX */
};

struct packer {
	struct walk walk;
	struct tar *tar;
	struct links links;
	char link[PATH_MAX];
	char names[XATTR_MAX], value[XATTR_MAX];
	struct tar_piece pieces[PIECES_MAX + 1];
};

static int fail(struct packer *packer, const char *what)
{
	return walk_fail(&packer->walk, what);
}

/* Of no entry. */
static int fail_writing(struct packer *packer)
{
	return failure_set_errno(packer->walk.failure, MVM_PROTO_INTERNAL, "cannot send the archive");
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

static int pack_kind(struct packer *packer, const struct subject *subject, struct tar_entry *entry)
{
	switch (subject->stat.st_mode & S_IFMT) {
	case S_IFREG:
		return pack_file(packer, subject, entry);
	case S_IFDIR:
		entry->type = TAR_FOLDER;
		return tar_entry(packer->tar, entry) ? fail_writing(packer) : 0;
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
		.name = packer->walk.path,
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
	if (shared && links_add(&packer->links, stat->st_ino, packer->walk.path))
		return fail(packer, "remember");
	return 0;
}

/* The walk. */

static struct packer *packer_of(struct walk *walk)
{
	return (struct packer *)((char *)walk - offsetof(struct packer, walk));
}

static int pack_found(struct walk *walk, const struct subject *subject, enum walk_news news)
{
	return S_ISSOCK(subject->stat.st_mode) ? 0 : pack_entry(packer_of(walk), subject);
}

static struct packer *begin(struct tar *tar, struct failure *failure)
{
	struct packer *packer = calloc(1, sizeof(*packer));

	if (!packer) {
		failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot pack a tree");
		return NULL;
	}
	packer->tar = tar;
	packer->walk.failure = failure;
	return packer;
}

static void end(struct packer *packer)
{
	links_finish(&packer->links);
	free(packer);
}

int pack_tree(int top, const char *name, struct tar *tar, struct failure *failure)
{
	struct packer *packer = begin(tar, failure);
	int rc;

	if (!packer)
		return -1;
	packer->walk.found = pack_found;
	rc = walk_tree(&packer->walk, top, name);
	end(packer);
	return rc;
}

/* Layers: OCI image-spec layer.md, "Representing Changes" and "Whiteouts". */

#define WHITEOUT ".wh."

/* Where the last part of the path begins. */
static char *last_part(char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 2] != '/')
		length--;
	return length ? path + length - 1 : path;
}

static int pack_layered(struct walk *walk, const struct subject *subject, enum walk_news news)
{
	if (strncmp(last_part(walk->path), WHITEOUT, strlen(WHITEOUT)) == 0)
		return failure_set(walk->failure, MVM_PROTO_RESOURCE,
				   "%s cannot be in an image: names that begin with " WHITEOUT
				   " stand for what was deleted",
				   walk_shown(walk));
	return pack_entry(packer_of(walk), subject);
}

static int pack_whiteout(struct walk *walk)
{
	static const struct tar_entry proto = {.type = TAR_FILE, .mode = 0600};
	struct packer *packer = packer_of(walk);
	struct tar_entry entry = proto;
	char *part = last_part(walk->path);

	memmove(part + strlen(WHITEOUT), part, strlen(part) + 1);
	memcpy(part, WHITEOUT, strlen(WHITEOUT));
	entry.name = walk->path;
	return tar_entry(packer->tar, &entry) ? fail_writing(packer) : 0;
}

int pack_layer(int top, int base, struct tar *tar, struct failure *failure)
{
	struct packer *packer = begin(tar, failure);
	int rc;

	if (!packer)
		return -1;
	packer->walk.found = pack_layered;
	packer->walk.gone = pack_whiteout;
	packer->walk.differs = changes_differ;
	packer->walk.archive = true;
	rc = walk_changes(&packer->walk, top, base, "./", "");
	end(packer);
	return rc;
}
