#include "listing.h"

#include <string.h>

enum { TYPE_MASK = 0170000 };

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		*at++ = (uint8_t)(value >> 8 * i);
	return at;
}

static uint8_t *put64(uint8_t *at, uint64_t value)
{
	return put32(put32(at, (uint32_t)value), (uint32_t)(value >> 32));
}

static uint32_t get32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t get64(const uint8_t *at)
{
	return get32(at) | (uint64_t)get32(at + 4) << 32;
}

size_t mvm_listing_encode(const struct mvm_listing_entry *entry, uint8_t *to)
{
	uint8_t *at = to;

	*at++ = entry->length;
	*at++ = entry->flags;
	*at++ = 0;
	*at++ = 0;
	at = put32(at, entry->inode);
	at = put32(at, entry->mode);
	at = put32(at, entry->uid);
	at = put32(at, entry->gid);
	at = put32(at, entry->mtime_nsec);
	at = put64(at, (uint64_t)entry->mtime);
	at = put32(at, entry->ctime_nsec);
	at = put32(at, 0);
	at = put64(at, (uint64_t)entry->ctime);
	at = put64(at, entry->size);
	at = put64(at, entry->xattrs);
	memcpy(at, entry->name, entry->length);
	return MVM_LISTING_FIXED + (size_t)entry->length;
}

static bool is_name(const char *name, size_t length)
{
	if (length == 0 || memchr(name, '\0', length) || memchr(name, '/', length))
		return false;
	return !(name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')));
}

size_t mvm_listing_decode(const uint8_t *from, size_t available, bool root, struct mvm_listing_entry *entry)
{
	if (available < MVM_LISTING_FIXED || available < MVM_LISTING_FIXED + (size_t)from[0])
		return 0;
	*entry = (struct mvm_listing_entry){
		.name = (const char *)from + MVM_LISTING_FIXED,
		.length = from[0],
		.flags = from[1],
		.inode = get32(from + 4),
		.mode = get32(from + 8),
		.uid = get32(from + 12),
		.gid = get32(from + 16),
		.mtime_nsec = get32(from + 20),
		.mtime = (int64_t)get64(from + 24),
		.ctime_nsec = get32(from + 32),
		.ctime = (int64_t)get64(from + 40),
		.size = get64(from + 48),
		.xattrs = get64(from + 56),
	};
	if (root ? entry->length != 0 : !is_name(entry->name, entry->length))
		return 0;
	return (entry->mode & TYPE_MASK) ? MVM_LISTING_FIXED + (size_t)entry->length : 0;
}

void mvm_listing_encode_folder(uint32_t count, uint32_t length, uint8_t to[MVM_LISTING_FOLDER])
{
	put32(put32(to, count), length);
}

int mvm_listing_decode_folder(const uint8_t from[MVM_LISTING_FOLDER], uint32_t *count, uint32_t *length)
{
	uint64_t entries = get32(from), bytes = get32(from + 4);

	if (bytes < entries * (MVM_LISTING_FIXED + 1) || bytes > entries * MVM_LISTING_ENTRY_MAX)
		return -1;
	*count = (uint32_t)entries;
	*length = (uint32_t)bytes;
	return 0;
}

int mvm_listing_compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
	int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

	return order ? order : (a_length > b_length) - (a_length < b_length);
}

/* FNV-1a, and a last step that spreads what the last bytes have changed. */
static uint64_t hash(uint64_t sum, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3u;
	return sum;
}

uint64_t mvm_listing_hash_xattr(const char *name, const void *value, size_t length)
{
	uint64_t sum = hash(0xcbf29ce484222325u, name, strlen(name) + 1);

	sum = hash(sum, value, length);
	sum = (sum ^ sum >> 31) * 0x9e3779b97f4a7c15u;
	return sum ? sum : 1;
}
