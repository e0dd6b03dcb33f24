/*
 * What a disk holds, name by name, for ARCHIVE with CHANGES: the host says what the image's disk holds, and the guest
 * compares its root with it.
 *
 * A listing is the root's own entry (its name is empty) and then folders, each before what is in its subfolders:
 *
 *   u32 count, u32 length     of a folder
 *   count entries             length bytes, in the order of their names (by bytes, shorter ones first)
 *
 * After a folder come those of its entries that are folders themselves, in that order, each with all that is below it.
 * All numbers are little-endian:
 *
 *   offset  0  u8  length of the name
 *           1  u8  flags, MVM_LISTING_*
 *           2  u16 zero
 *           4  u32 inode number
 *           8  u32 mode, type included
 *          12  u32 uid
 *          16  u32 gid
 *          20  u32 nanoseconds of the time of the last change of content (mtime)
 *          24  u64 its seconds
 *          32  u32 nanoseconds of the time of the last change of anything (ctime)
 *          36  u32 zero
 *          40  u64 its seconds
 *          48  u64 a file's and a symlink's size; a device's number, major << 32 | minor; else 0
 *          56  u64 the attributes that count, hashed: all of a folder, of others security.capability; 0: it has none
 *          64  the name
 *
 * What comes back for MVM_CHANGES_LIST is for each change a letter, A (added), C (changed) or D (deleted), and the path
 * with a NUL at its end, in no promised order. Names below one that was deleted are not told, nor folders that are as
 * they were but for what is in them.
 *
 * Pure: no I/O. Untrusted on both sides.
 */
#ifndef MVM_PROTO_LISTING_H
#define MVM_PROTO_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MVM_LISTING_FOLDER = 8, /* bytes before a folder's entries */
	MVM_LISTING_FIXED = 64, /* bytes before an entry's name */
	MVM_LISTING_NAME_MAX = 255,
	MVM_LISTING_ENTRY_MAX = MVM_LISTING_FIXED + MVM_LISTING_NAME_MAX,
};

/* It is not on the disk: the runtime makes it for its own sake, leaving the time of its folder as it was, and as long
 * as its type is this one it is no change. */
#define MVM_LISTING_MADE 1

struct mvm_listing_entry {
	const char *name; /* borrowed, with no NUL after it */
	uint8_t length;
	uint8_t flags;
	uint32_t inode, mode, uid, gid;
	int64_t mtime, ctime;
	uint32_t mtime_nsec, ctime_nsec;
	uint64_t size; /* or device number */
	uint64_t xattrs;
};

/* Both return the bytes of the entry, at most MVM_LISTING_ENTRY_MAX. Decoding one of which the buffer holds a part, or
 * whose name is none, returns 0; with `root` the name must be empty. */
size_t mvm_listing_encode(const struct mvm_listing_entry *entry, uint8_t *to);
size_t mvm_listing_decode(const uint8_t *from, size_t available, bool root, struct mvm_listing_entry *entry);

void mvm_listing_encode_folder(uint32_t count, uint32_t length, uint8_t to[MVM_LISTING_FOLDER]);
/* -1 where the length cannot be that of so many entries. */
int mvm_listing_decode_folder(const uint8_t from[MVM_LISTING_FOLDER], uint32_t *count, uint32_t *length);

/* The order of names. */
int mvm_listing_compare(const char *a, size_t a_length, const char *b, size_t b_length);

static inline uint64_t mvm_listing_device(uint32_t major, uint32_t minor)
{
	return (uint64_t)major << 32 | minor;
}

/* Of one attribute; those of an inode are added up, so that their order is of no account. Never 0. */
uint64_t mvm_listing_hash_xattr(const char *name, const void *value, size_t length);

#endif
