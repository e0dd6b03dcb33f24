#include "base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"

/* Bytes of one folder's entries: more names than an image may have at all, by its default budget. */
enum { FOLDER_MAX = 512 * 1024 * 1024 };

static int malformed(struct failure *failure)
{
	return failure_set(failure, MVM_PROTO_MALFORMED, "what the host says about the image's disk makes no sense");
}

static int read_all(int fd, uint8_t *to, size_t length, struct failure *failure)
{
	while (length > 0) {
		ssize_t n = read(fd, to, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot read about the image's disk");
		if (n == 0)
			return failure_set(failure, MVM_PROTO_MALFORMED,
					   "the host does not say all about the image's disk");
		to += n;
		length -= (size_t)n;
	}
	return 0;
}

int base_read_root(int fd, uint8_t bytes[MVM_LISTING_ENTRY_MAX], struct mvm_listing_entry *root,
		   struct failure *failure)
{
	if (read_all(fd, bytes, MVM_LISTING_FIXED, failure))
		return -1;
	return mvm_listing_decode(bytes, MVM_LISTING_FIXED, true, root) ? 0 : malformed(failure);
}

/* Finds where each begins; base_find() relies on their order. */
static int index_entries(struct base_folder *folder, uint32_t length)
{
	struct mvm_listing_entry entry, before = {.name = "", .length = 0};
	uint32_t at = 0;

	for (uint32_t i = 0; i < folder->count; i++) {
		size_t taken = mvm_listing_decode(folder->bytes + at, length - at, false, &entry);

		if (!taken || mvm_listing_compare(before.name, before.length, entry.name, entry.length) >= 0)
			return -1;
		folder->starts[i] = at;
		at += (uint32_t)taken;
		before = entry;
	}
	return at == length ? 0 : -1;
}

int base_read(int fd, struct base_folder *folder, struct failure *failure)
{
	uint8_t header[MVM_LISTING_FOLDER];
	uint32_t count, length;

	*folder = (struct base_folder){0};
	if (read_all(fd, header, sizeof(header), failure))
		return -1;
	if (mvm_listing_decode_folder(header, &count, &length) || length > FOLDER_MAX)
		return malformed(failure);
	if (count == 0)
		return 0;
	folder->count = count;
	folder->bytes = malloc(length);
	folder->starts = calloc(count, sizeof(*folder->starts));
	folder->met = calloc(count, 1);
	if (!folder->bytes || !folder->starts || !folder->met)
		return failure_set(failure, MVM_PROTO_RESOURCE, "no memory for a folder of %u names", count);
	if (read_all(fd, folder->bytes, length, failure))
		return -1;
	return index_entries(folder, length) ? malformed(failure) : 0;
}

int base_skip(int fd, struct failure *failure)
{
	struct mvm_listing_entry entry;

	for (uint64_t left = 1; left > 0; left--) {
		struct base_folder folder;
		int rc = base_read(fd, &folder, failure);

		for (uint32_t i = 0; rc == 0 && i < folder.count; i++) {
			base_entry(&folder, i, &entry);
			left += S_ISDIR(entry.mode);
		}
		base_finish(&folder);
		if (rc)
			return -1;
	}
	return 0;
}

void base_finish(struct base_folder *folder)
{
	free(folder->bytes);
	free(folder->starts);
	free(folder->met);
	*folder = (struct base_folder){0};
}

bool base_find(const struct base_folder *folder, const char *name, size_t length, uint32_t *at)
{
	uint32_t low = 0, high = folder->count;
	struct mvm_listing_entry entry;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order;

		base_entry(folder, middle, &entry);
		order = mvm_listing_compare(name, length, entry.name, entry.length);
		if (order == 0) {
			*at = middle;
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

void base_entry(const struct base_folder *folder, uint32_t at, struct mvm_listing_entry *entry)
{
	mvm_listing_decode(folder->bytes + folder->starts[at], MVM_LISTING_ENTRY_MAX, false, entry);
}
