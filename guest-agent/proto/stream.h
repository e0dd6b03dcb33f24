/*
 * The stream that UNPACK reads (PROTOCOL.md, "UNPACK"): files, folders and links on their way into the guest.
 *
 *   frames:  ENTRY, and for a file DATA, DATA, ... with rising offsets (what they skip is a hole); ...; END
 *
 * ENTRY holds fields, as messages do; DATA a u64 offset and bytes; END nothing. Who sends has parsed whatever archive
 * it comes from, so that one format is enough here.
 *
 * Pure, as wire.h: no I/O, no allocation. Used by the engine, which writes, and by the agent, which reads. What the
 * reader reads is untrusted: a program may feed the engine anything, and names are handed on as they came.
 */
#ifndef MVM_PROTO_STREAM_H
#define MVM_PROTO_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

enum {
	MVM_STREAM_TEXT_MAX = 4095,	   /* bytes of a name, or of a link's target */
	MVM_STREAM_XATTRS_MAX = 256,	   /* of one entry */
	MVM_STREAM_ENTRY_MAX = 256 * 1024, /* bytes of a whole ENTRY */
	MVM_STREAM_DATA_HEADER = MVM_WIRE_HEADER_SIZE + 8,
	MVM_STREAM_DATA_MAX = MVM_WIRE_PAYLOAD_MAX - 8,
};

/* tar's type flags. */
enum mvm_stream_type {
	MVM_STREAM_FILE = '0',
	MVM_STREAM_HARDLINK = '1',
	MVM_STREAM_SYMLINK = '2',
	MVM_STREAM_CHAR = '3',
	MVM_STREAM_BLOCK = '4',
	MVM_STREAM_FOLDER = '5',
	MVM_STREAM_FIFO = '6',
};

struct mvm_stream_xattr {
	const char *name;
	const void *value;
	size_t length;
};

struct mvm_stream_entry {
	enum mvm_stream_type type;
	const char *name;   /* not NULL */
	const char *target; /* of a link; may be NULL elsewhere */
	uint32_t mode;	    /* permissions, setuid, setgid, sticky */
	uint32_t uid, gid;
	uint32_t major, minor;
	int64_t mtime; /* seconds since 1970 */
	uint32_t mtime_nsec;
	uint64_t size; /* of a file, with its holes */
	const struct mvm_stream_xattr *xattrs;
	size_t xattr_count;
};

/* 0 and the length, or -1: larger than it may be. */
int mvm_stream_put_entry(const struct mvm_stream_entry *entry, void *buffer, size_t capacity, size_t *length);
/* What comes before `length` bytes of content, at most MVM_STREAM_DATA_MAX. */
void mvm_stream_put_data(uint8_t header[MVM_STREAM_DATA_HEADER], uint64_t offset, size_t length);
void mvm_stream_put_end(uint8_t header[MVM_WIRE_HEADER_SIZE]);

/* Each returns 0, or -1, which ends the reading. Borrowed pointers are valid during the call. */
struct mvm_stream_ops {
	int (*entry)(void *arg, const struct mvm_stream_entry *entry);
	int (*data)(void *arg, uint64_t offset, const void *data, size_t length);
	int (*end)(void *arg); /* of the entry */
};

struct mvm_stream_reader {
	const struct mvm_stream_ops *ops;
	void *arg;
	const char *reason; /* why it is malformed; NULL: an op has failed */

	uint8_t header[MVM_STREAM_DATA_HEADER];
	size_t header_have;
	struct mvm_wire_head frame; /* being read; its type is 0 between two */
	uint32_t left;		    /* of its payload */
	uint64_t at;		    /* where its content goes */
	bool open, ended;
	uint64_t size, filled; /* of the file that is open */

	char name[MVM_STREAM_TEXT_MAX + 1], target[MVM_STREAM_TEXT_MAX + 1];
	struct mvm_stream_xattr xattrs[MVM_STREAM_XATTRS_MAX];
	uint8_t entry[MVM_STREAM_ENTRY_MAX];
	size_t entry_have;
};

/* `ops` is borrowed. */
void mvm_stream_reader_init(struct mvm_stream_reader *reader, const struct mvm_stream_ops *ops, void *arg);
/* Any number of bytes. 0, or -1 at what is malformed or where an op has failed; then nothing more may be fed. */
int mvm_stream_feed(struct mvm_stream_reader *reader, const void *data, size_t length);
/* Whether END has come. */
bool mvm_stream_ended(const struct mvm_stream_reader *reader);

/* Of a name from an archive, its path below the folder that it is unpacked in: "a/b" of "/a/./x/../b/"; "" of what
 * means the folder itself. -1 where it leads out of it, or is too long. */
int mvm_stream_clean_name(const char *name, char clean[MVM_STREAM_TEXT_MAX + 1]);

#endif
