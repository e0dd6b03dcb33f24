/*
 * Writes a tar archive: pax interchange format (POSIX.1-2001), with a pax header only for what ustar cannot say.
 * Attributes are SCHILY.xattr records, sparse files GNU's version 1.0.
 *
 * Names are written as the bytes that they are. Where a pax record holds one that is not UTF-8, hdrcharset says so.
 *
 * Convention: -1 with errno set when the descriptor takes no more or there is no memory; then the archive is lost.
 */
#ifndef AGENT_TAR_H
#define AGENT_TAR_H

#include <stddef.h>
#include <stdint.h>

/* Their type flags. */
enum tar_type {
	TAR_FILE = '0',
	TAR_HARDLINK = '1',
	TAR_SYMLINK = '2',
	TAR_CHAR = '3',
	TAR_BLOCK = '4',
	TAR_FOLDER = '5',
	TAR_FIFO = '6',
};

/* A piece of a file with content; between pieces are holes. */
struct tar_piece {
	uint64_t offset, length;
};

struct tar_entry {
	enum tar_type type;
	const char *name;   /* of a folder: ends in a slash */
	const char *target; /* of a link */
	uint32_t mode;	    /* permissions, setuid, setgid, sticky */
	uint32_t uid, gid;
	uint32_t major, minor;
	int64_t mtime;
	uint32_t mtime_nsec;
	uint64_t size;			/* of a file */
	const struct tar_piece *pieces; /* of a sparse file, in order; NULL: it is not sparse */
	size_t piece_count;
};

enum { TAR_BLOCK_SIZE = 512, TAR_BUFFER = 256 * 1024 };

struct tar {
	int fd;
	char *records; /* of the entry to come */
	size_t records_length, records_size;
	uint64_t left; /* of the content that the entry has announced */
	unsigned padding;
	size_t used;
	char buffer[TAR_BUFFER];
};

/* `fd` stays the caller's, and is a blocking one. */
void tar_init(struct tar *tar, int fd);
void tar_finish(struct tar *tar);

/* An attribute of the entry to come. */
int tar_xattr(struct tar *tar, const char *name, const void *value, size_t length);
/* The content follows: of a sparse file, that of its pieces, one after the other. */
int tar_entry(struct tar *tar, const struct tar_entry *entry);

/* Where content goes, without a copy: *room bytes, never more than are left; then how many of them it is. All that
 * the entry has announced must come. */
void *tar_space(struct tar *tar, size_t *room);
int tar_filled(struct tar *tar, size_t length);
/* The same with zeros: for what a file has lost since its size was announced. */
int tar_zeros(struct tar *tar, uint64_t count);

/* The end of the archive. */
int tar_end(struct tar *tar);

#endif
