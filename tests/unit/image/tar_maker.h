/*
 * Small archives for tests, header by header.
 */
#ifndef MVM_TESTS_TAR_MAKER_H
#define MVM_TESTS_TAR_MAKER_H

#include <stdio.h>
#include <string.h>

#include "image/tar_internal.h"
#include "runtime/base/mem.h"

static inline void tar_set_checksum(struct tar_header *header)
{
	unsigned sum = 0;

	memset(header->checksum, ' ', sizeof(header->checksum));
	for (size_t i = 0; i < sizeof(*header); i++)
		sum += ((const unsigned char *)header)[i];
	snprintf(header->checksum, sizeof(header->checksum), "%06o", sum);
}

/* Cut to the field's width, with a NUL only where there is room for one. */
static inline void tar_set_text(char *field, size_t width, const char *text)
{
	for (size_t i = 0; i < width && text[i]; i++)
		field[i] = text[i];
}

static inline struct tar_header tar_header_of(char type, const char *name, size_t size)
{
	struct tar_header header = {.type = type};

	tar_set_text(header.name, sizeof(header.name), name);
	memcpy(header.magic,
	       "ustar\0"
	       "00",
	       8);
	snprintf(header.mode, sizeof(header.mode), "%07o", type == '5' ? 0755 : 0644);
	snprintf(header.uid, sizeof(header.uid), "%07o", 0);
	snprintf(header.gid, sizeof(header.gid), "%07o", 0);
	snprintf(header.size, sizeof(header.size), "%011o", (unsigned)size);
	snprintf(header.mtime, sizeof(header.mtime), "%011o", 1000000000);
	return header;
}

static inline void tar_put(struct mvm_buf *tar, struct tar_header header, const void *data, size_t size)
{
	static const char zero[TAR_BLOCK];

	tar_set_checksum(&header);
	mvm_buf_add(tar, &header, sizeof(header));
	mvm_buf_add(tar, data, size);
	mvm_buf_add(tar, zero, -size % TAR_BLOCK);
}

static inline void tar_add(struct mvm_buf *tar, char type, const char *name, const char *data)
{
	tar_put(tar, tar_header_of(type, name, strlen(data)), data, strlen(data));
}

static inline void tar_add_link(struct mvm_buf *tar, char type, const char *name, const char *target)
{
	struct tar_header header = tar_header_of(type, name, 0);

	tar_set_text(header.linkname, sizeof(header.linkname), target);
	tar_put(tar, header, "", 0);
}

/* One record of a pax header. */
static inline void pax_record(struct mvm_buf *records, const char *key, const void *value, size_t length)
{
	size_t rest = strlen(key) + length + 3, total = rest + 1;

	while (total != rest + (size_t)snprintf(NULL, 0, "%zu", total))
		total++;
	mvm_buf_addf(records, "%zu %s=", total, key);
	mvm_buf_add(records, value, length);
	mvm_buf_add(records, "\n", 1);
}

static inline void tar_add_pax(struct mvm_buf *tar, const char *key, const char *value)
{
	struct mvm_buf records MVM_CLEAN_BUF = {0};

	pax_record(&records, key, value, strlen(value));
	tar_put(tar, tar_header_of('x', "pax", records.length), records.data, records.length);
}

static inline void tar_end(struct mvm_buf *tar)
{
	static const char zero[2 * TAR_BLOCK];

	mvm_buf_add(tar, zero, sizeof(zero));
}

#endif
