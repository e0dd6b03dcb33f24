#include "changes.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "failure.h"
#include "guest-agent/proto/listing.h"
#include "send.h"
#include "walk.h"

enum { XATTR_MAX = 64 * 1024 }; /* the kernel's XATTR_SIZE_MAX and XATTR_LIST_MAX */

#define CAPABILITY "security.capability"

/* Comparing. */

static bool same_inode(const struct stat *stat, const struct mvm_listing_entry *entry)
{
	return stat->st_ino == entry->inode && stat->st_ctim.tv_sec == entry->ctime &&
	       (uint32_t)stat->st_ctim.tv_nsec == entry->ctime_nsec;
}

static bool same_time(const struct stat *stat, const struct mvm_listing_entry *entry)
{
	return stat->st_mtim.tv_sec == entry->mtime && (uint32_t)stat->st_mtim.tv_nsec == entry->mtime_nsec;
}

static bool same_owner(const struct stat *stat, const struct mvm_listing_entry *entry)
{
	return stat->st_mode == entry->mode && stat->st_uid == entry->uid && stat->st_gid == entry->gid;
}

static bool same_size(const struct stat *stat, const struct mvm_listing_entry *entry)
{
	if (S_ISCHR(stat->st_mode) || S_ISBLK(stat->st_mode))
		return mvm_listing_device(major(stat->st_rdev), minor(stat->st_rdev)) == entry->size;
	return S_ISFIFO(stat->st_mode) || S_ISSOCK(stat->st_mode) || (uint64_t)stat->st_size == entry->size;
}

static int add_xattr(struct walk *walk, const struct subject *subject, const char *name, uint64_t *sum)
{
	static char value[XATTR_MAX];
	ssize_t length = getxattr(subject->self, name, value, sizeof(value));

	if (length < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : walk_fail(walk, "read an attribute of");
	*sum += mvm_listing_hash_xattr(name, value, (size_t)length);
	return 0;
}

static int add_xattrs(struct walk *walk, const struct subject *subject, uint64_t *sum)
{
	static char names[XATTR_MAX];
	ssize_t length = listxattr(subject->self, names, sizeof(names));
	const char *end = names + length;

	if (length < 0)
		return errno == EOPNOTSUPP ? 0 : walk_fail(walk, "read the attributes of");
	for (const char *name = names; name < end; name += strlen(name) + 1)
		if (add_xattr(walk, subject, name, sum))
			return -1;
	return 0;
}

/* 1 where those that count are not the base's. */
static int xattrs_differ(struct walk *walk, const struct subject *subject, const struct mvm_listing_entry *entry)
{
	uint64_t sum = 0;
	int rc = 0;

	if (S_ISDIR(subject->stat.st_mode))
		rc = add_xattrs(walk, subject, &sum);
	else if (S_ISREG(subject->stat.st_mode))
		rc = add_xattr(walk, subject, CAPABILITY, &sum);
	return rc ? -1 : sum != entry->xattrs;
}

int changes_differ(struct walk *walk, const struct subject *subject, const struct mvm_listing_entry *entry)
{
	const struct stat *stat = &subject->stat;

	if (same_inode(stat, entry))
		return 0;
	if (!S_ISDIR(stat->st_mode) || !same_owner(stat, entry) || !same_time(stat, entry))
		return 1;
	return xattrs_differ(walk, subject, entry);
}

/* The list. */

enum { BUFFER = 64 * 1024 };

struct lister {
	struct walk walk;
	int stream;
	size_t used;
	char buffer[BUFFER];
};

static struct lister *lister_of(struct walk *walk)
{
	return (struct lister *)((char *)walk - offsetof(struct lister, walk));
}

static int differ_to_docker(struct walk *walk, const struct subject *subject, const struct mvm_listing_entry *entry)
{
	const struct stat *stat = &subject->stat;

	if (same_inode(stat, entry))
		return 0;
	if (!same_owner(stat, entry) ||
	    (!S_ISDIR(stat->st_mode) && (!same_size(stat, entry) || !same_time(stat, entry))))
		return 1;
	return S_ISREG(stat->st_mode) ? xattrs_differ(walk, subject, entry) : 0;
}

static int flush(struct lister *lister)
{
	size_t done = 0;

	while (done < lister->used) {
		ssize_t n = send_some(lister->stream, lister->buffer + done, lister->used - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failure_set_errno(lister->walk.failure, MVM_PROTO_INTERNAL, "cannot send the changes");
		done += (size_t)n;
	}
	lister->used = 0;
	return 0;
}

static int put(struct lister *lister, const char *data, size_t length)
{
	while (length > 0) {
		size_t piece = BUFFER - lister->used < length ? BUFFER - lister->used : length;

		memcpy(lister->buffer + lister->used, data, piece);
		lister->used += piece;
		data += piece;
		length -= piece;
		if (lister->used == BUFFER && flush(lister))
			return -1;
	}
	return 0;
}

/* The root itself is never told. */
static int put_change(struct walk *walk, char kind)
{
	struct lister *lister = lister_of(walk);
	size_t length = strlen(walk->path);

	if (walk->path[length - 1] == '/')
		length--;
	if (length == 0)
		return 0;
	return put(lister, &kind, 1) || put(lister, walk->path, length) || put(lister, "", 1) ? -1 : 0;
}

static int list_found(struct walk *walk, const struct subject *subject, enum walk_news news)
{
	return put_change(walk, news == WALK_ADDED ? 'A' : 'C');
}

static int list_gone(struct walk *walk)
{
	return put_change(walk, 'D');
}

int changes_list(int top, int stream, struct failure *failure)
{
	struct lister *lister = calloc(1, sizeof(*lister));
	int rc;

	if (!lister)
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot list the changes");
	lister->stream = stream;
	lister->walk.failure = failure;
	lister->walk.found = list_found;
	lister->walk.gone = list_gone;
	lister->walk.differs = differ_to_docker;
	rc = walk_changes(&lister->walk, top, stream, "/", "/");
	if (rc == 0)
		rc = flush(lister);
	free(lister);
	return rc;
}
