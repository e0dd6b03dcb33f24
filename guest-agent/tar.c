/*
 * Numbers that ustar's octal fields cannot hold stand in a pax record and are 0 in the header, so that no reader
 * takes a number that was cut for a true one. Spec: POSIX.1-2017, pax, "ustar Interchange Format" and "pax
 * Extended Header"; GNU tar's manual, "Storing Sparse Files".
 */
#include "tar.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "send.h"

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, target[100], magic[6],
		version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};

_Static_assert(sizeof(struct header) == TAR_BLOCK_SIZE, "a header is one block");

enum { OCTAL_7 = 07777777, NUMBER = 24 };
#define OCTAL_11 077777777777ull

void tar_init(struct tar *tar, int fd)
{
	tar->fd = fd;
	tar->records = NULL;
	tar->records_length = tar->records_size = 0;
	tar->left = 0;
	tar->padding = 0;
	tar->used = 0;
}

void tar_finish(struct tar *tar)
{
	free(tar->records);
	tar->records = NULL;
}

static int flush(struct tar *tar)
{
	size_t done = 0;

	while (done < tar->used) {
		ssize_t n = send_some(tar->fd, tar->buffer + done, tar->used - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		done += (size_t)n;
	}
	tar->used = 0;
	return 0;
}

static int put(struct tar *tar, const void *data, size_t length)
{
	while (length > 0) {
		size_t piece = TAR_BUFFER - tar->used < length ? TAR_BUFFER - tar->used : length;

		memcpy(tar->buffer + tar->used, data, piece);
		tar->used += piece;
		data = (const char *)data + piece;
		length -= piece;
		if (tar->used == TAR_BUFFER && flush(tar))
			return -1;
	}
	return 0;
}

static int put_zeros(struct tar *tar, uint64_t count)
{
	while (count > 0) {
		size_t piece = TAR_BUFFER - tar->used < count ? TAR_BUFFER - tar->used : (size_t)count;

		memset(tar->buffer + tar->used, 0, piece);
		tar->used += piece;
		count -= piece;
		if (tar->used == TAR_BUFFER && flush(tar))
			return -1;
	}
	return 0;
}

static unsigned padding_of(uint64_t size)
{
	return (unsigned)(-size % TAR_BLOCK_SIZE);
}

/* Pax records. */

static size_t digits(uint64_t number)
{
	size_t count = 1;

	while (number /= 10)
		count++;
	return count;
}

/* "length key=value\n", the length counting itself. */
static size_t record_length(size_t rest)
{
	size_t length = rest + digits(rest);

	return rest + digits(length);
}

static int reserve(struct tar *tar, size_t more)
{
	size_t size = tar->records_size ? tar->records_size : 4096;
	char *grown;

	while (size - tar->records_length < more)
		size *= 2;
	if (size == tar->records_size)
		return 0;
	grown = realloc(tar->records, size);
	if (!grown)
		return -1;
	tar->records = grown;
	tar->records_size = size;
	return 0;
}

static int record(struct tar *tar, const char *prefix, const char *key, const void *value, size_t length)
{
	size_t rest = 1 + strlen(prefix) + strlen(key) + 1 + length + 1;
	size_t whole = record_length(rest);
	char *at;

	if (reserve(tar, whole + 1))
		return -1;
	at = tar->records + tar->records_length;
	at += sprintf(at, "%zu %s%s=", whole, prefix, key);
	memcpy(at, value, length);
	at[length] = '\n';
	tar->records_length += whole;
	return 0;
}

static int text_record(struct tar *tar, const char *key, const char *value)
{
	return record(tar, "", key, value, strlen(value));
}

static int number_record(struct tar *tar, const char *key, uint64_t value)
{
	char text[NUMBER];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return text_record(tar, key, text);
}

/* A key ends at its first '='. In a name that has one GNU tar writes it as %3D, and then '%' as %25. */
static void encode_equals(char *to, const char *name)
{
	for (; *name; name++) {
		if (*name == '=' || *name == '%')
			to = stpcpy(to, *name == '=' ? "%3D" : "%25");
		else
			*to++ = *name;
	}
	*to = '\0';
}

int tar_xattr(struct tar *tar, const char *name, const void *value, size_t length)
{
	enum { NAME = 256 }; /* the kernel's XATTR_NAME_MAX, and the NUL */
	char encoded[3 * NAME];

	if (strlen(name) >= NAME) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (strchr(name, '=')) {
		encode_equals(encoded, name);
		name = encoded;
	}
	return record(tar, "SCHILY.xattr.", name, value, length);
}

/* As RFC 3629 has it: no surrogates, nothing longer than need be, nothing past U+10FFFF. */
static bool is_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		unsigned low = 0x80, high = 0xbf;
		int more = *at < 0x80 ? 0 : *at < 0xc2 ? -1 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : *at < 0xf5 ? 3 : -1;

		if (more < 0)
			return false;
		low = *at == 0xe0 ? 0xa0 : *at == 0xf0 ? 0x90 : low;
		high = *at == 0xed ? 0x9f : *at == 0xf4 ? 0x8f : high;
		at++;
		for (; more > 0; more--, low = 0x80, high = 0xbf)
			if (*at < low || *at++ > high)
				return false;
	}
	return true;
}

/* Of a time before 1970 the seconds are rounded down, and the nanoseconds are on top. */
static int time_record(struct tar *tar, int64_t seconds, uint32_t nanoseconds)
{
	bool negative = seconds < 0;
	uint64_t whole = negative ? 0 - (uint64_t)seconds : (uint64_t)seconds;
	char text[2 * NUMBER];
	int length;

	if (negative && nanoseconds) {
		whole--;
		nanoseconds = 1000000000u - nanoseconds;
	}
	length = snprintf(text, sizeof(text), "%s%llu", negative ? "-" : "", (unsigned long long)whole);
	if (nanoseconds)
		snprintf(text + length, sizeof(text) - (size_t)length, ".%09u", nanoseconds);
	return text_record(tar, "mtime", text);
}

/* The map of a sparse file, which comes before its content: numbers, one a line. */

static size_t map_length(const struct tar_entry *entry)
{
	size_t length = digits(entry->piece_count) + 1;

	for (size_t i = 0; i < entry->piece_count; i++)
		length += digits(entry->pieces[i].offset) + digits(entry->pieces[i].length) + 2;
	return length + padding_of(length);
}

static int put_map(struct tar *tar, const struct tar_entry *entry)
{
	char line[2 * NUMBER];
	size_t length = (size_t)snprintf(line, sizeof(line), "%zu\n", entry->piece_count), whole = length;

	if (put(tar, line, length))
		return -1;
	for (size_t i = 0; i < entry->piece_count; i++) {
		length = (size_t)snprintf(line, sizeof(line), "%llu\n%llu\n",
					  (unsigned long long)entry->pieces[i].offset,
					  (unsigned long long)entry->pieces[i].length);
		whole += length;
		if (put(tar, line, length))
			return -1;
	}
	return put_zeros(tar, padding_of(whole));
}

static uint64_t content_of(const struct tar_entry *entry)
{
	uint64_t size = 0;

	if (entry->type != TAR_FILE)
		return 0;
	if (!entry->pieces)
		return entry->size;
	for (size_t i = 0; i < entry->piece_count; i++)
		size += entry->pieces[i].length;
	return size;
}

/* Entries. */

static void put_octal(char *field, size_t size, uint64_t value, uint64_t limit)
{
	snprintf(field, size, "%0*llo", (int)size - 1, (unsigned long long)(value <= limit ? value : 0));
}

/* Fields have no NUL where they are full. */
static void put_text(char *field, size_t size, const char *text)
{
	size_t length = strlen(text);

	memcpy(field, text, length < size ? length : size);
}

static int put_header(struct tar *tar, const struct tar_entry *entry, const char *name, char type, uint64_t size)
{
	struct header header = {.type = type, .magic = "ustar", .version = {'0', '0'}};
	const unsigned char *bytes = (const unsigned char *)&header;
	unsigned sum = 0;

	put_text(header.name, sizeof(header.name), name);
	put_octal(header.mode, sizeof(header.mode), entry->mode, OCTAL_7);
	put_octal(header.uid, sizeof(header.uid), entry->uid, OCTAL_7);
	put_octal(header.gid, sizeof(header.gid), entry->gid, OCTAL_7);
	put_octal(header.size, sizeof(header.size), size, OCTAL_11);
	put_octal(header.mtime, sizeof(header.mtime), entry->mtime < 0 ? 0 : (uint64_t)entry->mtime, OCTAL_11);
	put_octal(header.major, sizeof(header.major), entry->major, OCTAL_7);
	put_octal(header.minor, sizeof(header.minor), entry->minor, OCTAL_7);
	if (entry->target)
		put_text(header.target, sizeof(header.target), entry->target);
	memset(header.checksum, ' ', sizeof(header.checksum));
	for (size_t i = 0; i < sizeof(header); i++)
		sum += bytes[i];
	snprintf(header.checksum, sizeof(header.checksum), "%06o", sum);
	return put(tar, &header, sizeof(header));
}

static int name_records(struct tar *tar, const struct tar_entry *entry)
{
	bool long_name = strlen(entry->name) > sizeof(((struct header *)0)->name);
	bool long_target = entry->target && strlen(entry->target) > sizeof(((struct header *)0)->target);
	const char *key = entry->pieces ? "GNU.sparse.name" : "path";

	if (entry->pieces)
		long_name = true;
	/* Before the names that it is about. */
	if (((long_name && !is_utf8(entry->name)) || (long_target && !is_utf8(entry->target))) &&
	    text_record(tar, "hdrcharset", "BINARY"))
		return -1;
	if ((long_name && text_record(tar, key, entry->name)) ||
	    (long_target && text_record(tar, "linkpath", entry->target)))
		return -1;
	return 0;
}

static int sparse_records(struct tar *tar, const struct tar_entry *entry)
{
	if (text_record(tar, "GNU.sparse.major", "1") || text_record(tar, "GNU.sparse.minor", "0"))
		return -1;
	return number_record(tar, "GNU.sparse.realsize", entry->size);
}

static int make_records(struct tar *tar, const struct tar_entry *entry, uint64_t size)
{
	bool early_or_late = entry->mtime < 0 || (uint64_t)entry->mtime > OCTAL_11;

	if (name_records(tar, entry) || (entry->pieces && sparse_records(tar, entry)))
		return -1;
	if ((entry->mtime_nsec || early_or_late) && time_record(tar, entry->mtime, entry->mtime_nsec))
		return -1;
	if ((entry->uid > OCTAL_7 && number_record(tar, "uid", entry->uid)) ||
	    (entry->gid > OCTAL_7 && number_record(tar, "gid", entry->gid)))
		return -1;
	return size > OCTAL_11 ? number_record(tar, "size", size) : 0;
}

/* What a reader that knows no pax makes of them are files of their own, so they get a name. */
static int put_records(struct tar *tar)
{
	static const struct tar_entry entry = {.mode = 0644};
	int rc = put_header(tar, &entry, "PaxHeaders/records", 'x', tar->records_length);

	if (rc == 0)
		rc = put(tar, tar->records, tar->records_length);
	if (rc == 0)
		rc = put_zeros(tar, padding_of(tar->records_length));
	tar->records_length = 0;
	return rc;
}

int tar_entry(struct tar *tar, const struct tar_entry *entry)
{
	uint64_t content = content_of(entry), size = content + (entry->pieces ? map_length(entry) : 0);
	char sparse_name[sizeof(((struct header *)0)->name) + 1];

	if (make_records(tar, entry, size) || (tar->records_length && put_records(tar)))
		return -1;
	/* A reader that does not know sparse files shall not take map and content for the file. */
	snprintf(sparse_name, sizeof(sparse_name), "GNUSparseFile.0/%s", entry->name);
	if (put_header(tar, entry, entry->pieces ? sparse_name : entry->name, (char)entry->type, size) ||
	    (entry->pieces && put_map(tar, entry)))
		return -1;
	tar->left = content;
	tar->padding = padding_of(content);
	return 0;
}

/* The content. The buffer is never full between two calls. */

static int took(struct tar *tar, uint64_t length)
{
	tar->left -= length;
	return tar->left == 0 ? put_zeros(tar, tar->padding) : 0;
}

void *tar_space(struct tar *tar, size_t *room)
{
	*room = TAR_BUFFER - tar->used;
	if (*room > tar->left)
		*room = (size_t)tar->left;
	return tar->buffer + tar->used;
}

int tar_filled(struct tar *tar, size_t length)
{
	tar->used += length;
	if (tar->used == TAR_BUFFER && flush(tar))
		return -1;
	return took(tar, length);
}

int tar_zeros(struct tar *tar, uint64_t count)
{
	return put_zeros(tar, count) ? -1 : took(tar, count);
}

int tar_end(struct tar *tar)
{
	return put_zeros(tar, 2 * TAR_BLOCK_SIZE) || flush(tar) ? -1 : 0;
}
