/*
 * Tar archives, as a parser without I/O: bytes in, entries and pieces of content out.
 *
 * Reads what OCI layers hold in the wild: v7, ustar (POSIX.1-1988), star, GNU (long names, base-256 numbers, old sparse
 * files) and pax (POSIX.1-2001 extended headers; SCHILY.xattr and LIBARCHIVE.xattr attributes; GNU.sparse 0.0, 0.1
 * and 1.0). Names are handed on as the bytes they are: a layer's name is neither converted to the locale's character
 * set nor normalised, which is why this is not libarchive. Where formats leave room, it reads as Go's archive/tar
 * does, the reader that wrote and reads most images: links, folders and devices have no content, whatever their
 * size field says, and global pax headers are ignored.
 *
 * All input is untrusted. Malformed input is MVM_ERR_INVALID; memory is bounded by the limits below whatever the
 * archive says. One thread at a time.
 */
#ifndef MVM_IMAGE_TAR_H
#define MVM_IMAGE_TAR_H

#include <stddef.h>
#include <stdint.h>

struct mvm_error;
struct mvm_tar;

enum {
	MVM_TAR_MAX_META = 1024 * 1024,	 /* bytes of one extended header or long name */
	MVM_TAR_MAX_PIECES = 256 * 1024, /* pieces of one sparse file */
	MVM_TAR_MAX_XATTRS = 1024,	 /* of one entry */
};

enum mvm_tar_type {
	MVM_TAR_FILE,
	MVM_TAR_HARDLINK,
	MVM_TAR_SYMLINK,
	MVM_TAR_CHAR,
	MVM_TAR_BLOCK,
	MVM_TAR_FOLDER,
	MVM_TAR_FIFO,
};

struct mvm_tar_xattr {
	char *name; /* "security.capability" */
	char *value;
	size_t length;
};

/* Borrowed: valid during the callback. */
struct mvm_tar_entry {
	enum mvm_tar_type type;
	const char *name;   /* as written, never NULL; may be absolute, hold "..", end in slashes */
	const char *target; /* of a hard link or symlink, else "" */
	uint32_t mode;	    /* permission, setuid, setgid and sticky bits only */
	uint32_t uid;
	uint32_t gid;
	uint32_t major;
	uint32_t minor;
	int64_t mtime; /* seconds, may be negative */
	uint32_t mtime_nsec;
	uint64_t size; /* of a file, with its holes */
	const struct mvm_tar_xattr *xattrs;
	size_t xattr_count;
};

/* Each returns 0, or -1 with *err set, which ends the parsing. For a file: entry(), data() with rising offsets (what
 * it skips is a hole), end(). For all else entry() and end(). */
struct mvm_tar_ops {
	int (*entry)(void *arg, const struct mvm_tar_entry *entry, struct mvm_error **err);
	int (*data)(void *arg, uint64_t offset, const void *data, size_t length, struct mvm_error **err);
	int (*end)(void *arg, struct mvm_error **err);
};

/* `ops` is borrowed until destroy. */
struct mvm_tar *mvm_tar_create(const struct mvm_tar_ops *ops, void *arg);
void mvm_tar_destroy(struct mvm_tar *tar);

/* Any number of bytes; those after the end-of-archive mark are ignored. After a failure only destroy is allowed. */
int mvm_tar_feed(struct mvm_tar *tar, const void *data, size_t length, struct mvm_error **err);
/* No more bytes will come: INVALID where the archive is cut short. */
int mvm_tar_finish(struct mvm_tar *tar, struct mvm_error **err);

#endif
