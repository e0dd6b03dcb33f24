#include "tar_write.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/error.h"
#include "tar_internal.h"

static const char type_flags[] = {
	[MVM_TAR_FILE] = '0',  [MVM_TAR_HARDLINK] = '1', [MVM_TAR_SYMLINK] = '2', [MVM_TAR_CHAR] = '3',
	[MVM_TAR_BLOCK] = '4', [MVM_TAR_FOLDER] = '5',	 [MVM_TAR_FIFO] = '6',
};

static bool has_device(const struct mvm_tar_entry *entry)
{
	return entry->type == MVM_TAR_CHAR || entry->type == MVM_TAR_BLOCK;
}

/* Octal digits and a NUL; false where there is no room for the number. */
static bool set_number(char *field, size_t width, uint64_t value)
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%0*llo", (int)width - 1, (unsigned long long)value);

	if ((size_t)length >= width)
		return false;
	memcpy(field, digits, width);
	return true;
}

/* False where it was cut. */
static bool set_text(char *field, size_t width, const char *text)
{
	size_t length = strlen(text);

	memcpy(field, text, length < width ? length : width);
	return length <= width;
}

static void seal(struct tar_header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	unsigned sum = 0;

	memset(header->checksum, ' ', sizeof(header->checksum));
	for (size_t i = 0; i < sizeof(*header); i++)
		sum += bytes[i];
	snprintf(header->checksum, sizeof(header->checksum), "%06o", sum);
}

static struct tar_header new_header(char type)
{
	struct tar_header header = {.type = type};

	memcpy(header.magic,
	       "ustar\0"
	       "00",
	       sizeof(header.magic));
	return header;
}

/* "LENGTH KEY=VALUE\n", where the length counts itself. */
static void add_record(struct mvm_buf *records, const char *key, const void *value, size_t length)
{
	size_t rest = strlen(key) + length + 3, total = rest + 1;

	while (total != rest + (size_t)snprintf(NULL, 0, "%zu", total))
		total = rest + (size_t)snprintf(NULL, 0, "%zu", total);
	mvm_buf_addf(records, "%zu %s=", total, key);
	mvm_buf_add(records, value, length);
	mvm_buf_add(records, "\n", 1);
}

static void add_text(struct mvm_buf *records, const char *key, const char *value)
{
	add_record(records, key, value, strlen(value));
}

static void add_number(struct mvm_buf *records, const char *key, uint64_t value)
{
	char *text MVM_CLEAN_FREE = mvm_format("%llu", (unsigned long long)value);

	add_text(records, key, text);
}

/* Seconds as a decimal fraction: half a second before 1970 is -1 and 500,000,000 here, and "-0.5" there. */
static void add_time(struct mvm_buf *records, int64_t seconds, uint32_t nanoseconds)
{
	bool negative = seconds < 0;
	uint64_t whole = negative ? -(uint64_t)seconds : (uint64_t)seconds;
	char *text MVM_CLEAN_FREE = NULL;

	if (negative && nanoseconds) {
		whole--;
		nanoseconds = 1000000000 - nanoseconds;
	}
	if (nanoseconds)
		text = mvm_format("%s%llu.%09u", negative ? "-" : "", (unsigned long long)whole, nanoseconds);
	else
		text = mvm_format("%s%llu", negative ? "-" : "", (unsigned long long)whole);
	add_text(records, "mtime", text);
}

static void fill_numbers(const struct mvm_tar_entry *entry, struct tar_header *header, struct mvm_buf *records)
{
	uint64_t size = entry->type == MVM_TAR_FILE ? entry->size : 0;

	set_number(header->mode, sizeof(header->mode), entry->mode & 07777);
	if (!set_number(header->uid, sizeof(header->uid), entry->uid))
		add_number(records, "uid", entry->uid);
	if (!set_number(header->gid, sizeof(header->gid), entry->gid))
		add_number(records, "gid", entry->gid);
	if (!set_number(header->size, sizeof(header->size), size))
		add_number(records, "size", size);
	if (entry->mtime < 0 || entry->mtime_nsec ||
	    !set_number(header->mtime, sizeof(header->mtime), (uint64_t)entry->mtime))
		add_time(records, entry->mtime, entry->mtime_nsec);
}

static int add_xattrs(const struct mvm_tar_entry *entry, struct mvm_buf *records, struct mvm_error **err)
{
	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct mvm_tar_xattr *xattr = &entry->xattrs[i];
		char *key MVM_CLEAN_FREE = mvm_format("SCHILY.xattr.%s", xattr->name);

		if (strchr(xattr->name, '='))
			return mvm_fail(err, MVM_ERR_UNSUPPORTED, "%s: the attribute \"%s\" has no name for tar",
					entry->name, xattr->name);
		add_record(records, key, xattr->value, xattr->length);
	}
	if (records->length > MVM_TAR_MAX_META)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "%s: names and attributes of more than %d bytes", entry->name,
				MVM_TAR_MAX_META);
	return 0;
}

static void add_header(struct mvm_buf *tar, struct tar_header *header)
{
	seal(header);
	mvm_buf_add(tar, header, sizeof(*header));
}

static void add_extended_header(struct mvm_buf *tar, const struct mvm_buf *records)
{
	struct tar_header header = new_header('x');

	set_text(header.name, sizeof(header.name), "PaxHeaders/entry");
	set_number(header.mode, sizeof(header.mode), 0644);
	set_number(header.uid, sizeof(header.uid), 0);
	set_number(header.gid, sizeof(header.gid), 0);
	set_number(header.size, sizeof(header.size), records->length);
	set_number(header.mtime, sizeof(header.mtime), 0);
	add_header(tar, &header);
	mvm_buf_add(tar, records->data, records->length);
	mvm_tar_write_padding(tar, records->length);
}

int mvm_tar_write_entry(struct mvm_buf *tar, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	size_t length = strlen(entry->name);
	bool slash = entry->type == MVM_TAR_FOLDER && (!length || entry->name[length - 1] != '/');
	char *name MVM_CLEAN_FREE = mvm_format("%s%s", entry->name, slash ? "/" : "");
	struct tar_header header = new_header(type_flags[entry->type]);
	struct mvm_buf records MVM_CLEAN_BUF = {0};

	if (!set_text(header.name, sizeof(header.name), name))
		add_text(&records, "path", name);
	if (!set_text(header.linkname, sizeof(header.linkname), entry->target))
		add_text(&records, "linkpath", entry->target);
	fill_numbers(entry, &header, &records);
	if (has_device(entry) && (!set_number(header.major, sizeof(header.major), entry->major) ||
				  !set_number(header.minor, sizeof(header.minor), entry->minor)))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "%s: the device %u:%u has no number in tar", entry->name,
				entry->major, entry->minor);
	if (add_xattrs(entry, &records, err) < 0)
		return -1;
	if (records.length)
		add_extended_header(tar, &records);
	add_header(tar, &header);
	return 0;
}

static void add_zeros(struct mvm_buf *tar, size_t count)
{
	static const char zero[2 * TAR_BLOCK];

	mvm_buf_add(tar, zero, count);
}

void mvm_tar_write_padding(struct mvm_buf *tar, uint64_t size)
{
	add_zeros(tar, (size_t)(-size % TAR_BLOCK));
}

void mvm_tar_write_end(struct mvm_buf *tar)
{
	add_zeros(tar, (size_t)2 * TAR_BLOCK);
}
