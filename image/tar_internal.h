/*
 * What the files of the tar parser share.
 */
#ifndef MVM_IMAGE_TAR_INTERNAL_H
#define MVM_IMAGE_TAR_INTERNAL_H

#include <stdbool.h>

#include "runtime/base/mem.h"
#include "tar.h"

enum { TAR_BLOCK = 512 };

/* POSIX.1-1988 "ustar" header with the fields of the GNU and star variants over its prefix. */
struct tar_header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char linkname[100];
	char magic[8]; /* "ustar\0" "00", or GNU's "ustar  \0" */
	char uname[32];
	char gname[32];
	char major[8];
	char minor[8];
	char prefix[155]; /* ustar; star uses 131 of it; GNU has times and the sparse map here */
	char pad[12];	  /* star ends in "tar\0" */
};

/* GNU's old sparse files: in the header from byte 386 on, and in the extension blocks that follow it. */
struct tar_gnu_piece {
	char offset[12];
	char length[12];
};
enum { TAR_GNU_PIECES = 386, TAR_GNU_EXTENDED = 482, TAR_GNU_REAL_SIZE = 483, TAR_GNU_EXT_PIECES = 21 };

struct tar_piece {
	uint64_t offset;
	uint64_t length;
};

/* What extended headers and long-name records say about the entry that follows them. */
struct tar_meta {
	char *path; /* NULL where not said */
	char *linkpath;
	bool has_size, has_uid, has_gid, has_mtime;
	uint64_t size;
	uint32_t uid;
	uint32_t gid;
	int64_t mtime;
	uint32_t mtime_nsec;
	struct mvm_tar_xattr *xattrs;
	size_t xattr_count;

	/* GNU.sparse.* */
	char *sparse_name;
	bool has_real_size;
	uint64_t real_size;
	bool sparse_map_in_data; /* version 1.0 */
	unsigned sparse_major;
	unsigned sparse_minor;
	struct tar_piece *pieces;
	size_t piece_count;
	bool piece_open; /* version 0.0: an offset came, its length has not */
};

/* Octal or base-256; false where it is neither or does not fit. Empty is 0. */
bool tar_number(const char *field, size_t width, int64_t *value);
bool tar_is_zero(const struct tar_header *header);
bool tar_checksum_ok(const struct tar_header *header);
/* The entry's name from the header's own fields; the caller's. */
char *tar_header_name(const struct tar_header *header);

void tar_meta_finish(struct tar_meta *meta);
/* The records of one extended header. */
int tar_pax_parse(struct tar_meta *meta, const char *data, size_t length, struct mvm_error **err);

/* Adds a piece; INVALID past the limit or not in rising order. */
int tar_sparse_add(struct tar_meta *meta, uint64_t offset, uint64_t length, struct mvm_error **err);
/* Checks the whole map against the file's size and the bytes that the archive has for it. */
int tar_sparse_check(const struct tar_meta *meta, uint64_t real_size, uint64_t stored, struct mvm_error **err);
/* GNU's old map: `count` pieces, an empty one ends it. */
int tar_sparse_gnu(struct tar_meta *meta, const char *pieces, size_t count, struct mvm_error **err);
/* The map of version 1.0 at the beginning of the content: a line with the number of pieces, two for each piece. The
 * first says from the first block how many lines there will be, the second takes the whole map. */
int tar_sparse_map_lines(const char *data, size_t length, size_t *lines, struct mvm_error **err);
int tar_sparse_map(struct tar_meta *meta, const char *data, size_t length, struct mvm_error **err);

/* Decimal digits and nothing else, up to `end`. */
bool tar_decimal(const char *text, const char *end, uint64_t *value);

#endif
