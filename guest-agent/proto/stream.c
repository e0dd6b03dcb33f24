#include "stream.h"

#include <string.h>

#include "proto.h"

/* Writing. */

static void put_xattr(struct mvm_wire_writer *writer, const struct mvm_stream_xattr *xattr)
{
	mvm_wire_put_pair(writer, MVM_FIELD_XATTR, xattr->name, strlen(xattr->name) + 1, xattr->value, xattr->length);
}

int mvm_stream_put_entry(const struct mvm_stream_entry *entry, void *buffer, size_t capacity, size_t *length)
{
	struct mvm_wire_writer writer;
	const struct {
		uint16_t tag;
		uint64_t value;
	} numbers[] = {
		{MVM_FIELD_MODE, entry->mode},	 {MVM_FIELD_UID, entry->uid},
		{MVM_FIELD_GID, entry->gid},	 {MVM_FIELD_MAJOR, entry->major},
		{MVM_FIELD_MINOR, entry->minor}, {MVM_FIELD_MTIME, (uint64_t)entry->mtime},
		{MVM_FIELD_SIZE, entry->size},	 {MVM_FIELD_MTIME_NSEC, entry->mtime_nsec},
	};

	if (strlen(entry->name) > MVM_STREAM_TEXT_MAX ||
	    (entry->target && strlen(entry->target) > MVM_STREAM_TEXT_MAX) ||
	    entry->xattr_count > MVM_STREAM_XATTRS_MAX)
		return -1;
	mvm_wire_begin(&writer, buffer, capacity < MVM_STREAM_ENTRY_MAX ? capacity : MVM_STREAM_ENTRY_MAX,
		       MVM_PROTO_ENTRY, 0);
	mvm_wire_put_u64(&writer, MVM_FIELD_TYPE, entry->type);
	mvm_wire_put_text(&writer, MVM_FIELD_NAME, entry->name);
	if (entry->target && *entry->target)
		mvm_wire_put_text(&writer, MVM_FIELD_LINK_TARGET, entry->target);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].value)
			mvm_wire_put_u64(&writer, numbers[i].tag, numbers[i].value);
	for (size_t i = 0; i < entry->xattr_count; i++)
		put_xattr(&writer, &entry->xattrs[i]);
	return mvm_wire_end(&writer, length);
}

void mvm_stream_put_data(uint8_t header[MVM_STREAM_DATA_HEADER], uint64_t offset, size_t length)
{
	mvm_wire_header(header, MVM_PROTO_DATA, 0, (uint32_t)length + 8);
	mvm_wire_store_u64(header + MVM_WIRE_HEADER_SIZE, offset);
}

void mvm_stream_put_end(uint8_t header[MVM_WIRE_HEADER_SIZE])
{
	mvm_wire_header(header, MVM_PROTO_END, 0, 0);
}

/* Reading. */

void mvm_stream_reader_init(struct mvm_stream_reader *reader, const struct mvm_stream_ops *ops, void *arg)
{
	reader->ops = ops;
	reader->arg = arg;
	reader->reason = NULL;
	reader->header_have = reader->entry_have = 0;
	reader->frame = (struct mvm_wire_head){0};
	reader->left = 0;
	reader->open = reader->ended = false;
}

bool mvm_stream_ended(const struct mvm_stream_reader *reader)
{
	return reader->ended;
}

static int refuse(struct mvm_stream_reader *reader, const char *reason)
{
	reader->reason = reason;
	return -1;
}

static int end_entry(struct mvm_stream_reader *reader)
{
	if (!reader->open)
		return 0;
	reader->open = false;
	return reader->ops->end(reader->arg);
}

static bool get_u32(const struct mvm_wire_field *field, uint32_t *value, uint32_t max)
{
	uint64_t number;

	if (mvm_wire_get_u64(field, &number) || number > max)
		return false;
	*value = (uint32_t)number;
	return true;
}

static bool get_xattr(struct mvm_stream_reader *reader, const struct mvm_wire_field *field,
		      struct mvm_stream_entry *entry)
{
	const uint8_t *end = memchr(field->data, '\0', field->length);

	if (!end || end == field->data || entry->xattr_count == MVM_STREAM_XATTRS_MAX)
		return false;
	reader->xattrs[entry->xattr_count++] = (struct mvm_stream_xattr){
		.name = (const char *)field->data,
		.value = end + 1,
		.length = field->length - (size_t)(end + 1 - field->data),
	};
	return true;
}

static bool get_type(const struct mvm_wire_field *field, enum mvm_stream_type *type)
{
	uint32_t number = 0;

	if (!get_u32(field, &number, MVM_STREAM_FIFO) || number < MVM_STREAM_FILE)
		return false;
	*type = (enum mvm_stream_type)number;
	return true;
}

static bool get_field(struct mvm_stream_reader *reader, const struct mvm_wire_field *field,
		      struct mvm_stream_entry *entry)
{
	switch (field->tag) {
	case MVM_FIELD_TYPE:
		return get_type(field, &entry->type);
	case MVM_FIELD_NAME:
		entry->name = reader->name;
		return mvm_wire_get_text(field, reader->name, sizeof(reader->name)) == 0;
	case MVM_FIELD_LINK_TARGET:
		entry->target = reader->target;
		return mvm_wire_get_text(field, reader->target, sizeof(reader->target)) == 0;
	case MVM_FIELD_MODE:
		return get_u32(field, &entry->mode, 07777);
	case MVM_FIELD_UID:
		return get_u32(field, &entry->uid, UINT32_MAX);
	case MVM_FIELD_GID:
		return get_u32(field, &entry->gid, UINT32_MAX);
	case MVM_FIELD_MAJOR:
		return get_u32(field, &entry->major, UINT32_MAX);
	case MVM_FIELD_MINOR:
		return get_u32(field, &entry->minor, UINT32_MAX);
	case MVM_FIELD_MTIME:
		return mvm_wire_get_u64(field, (uint64_t *)&entry->mtime) == 0;
	case MVM_FIELD_MTIME_NSEC:
		return get_u32(field, &entry->mtime_nsec, 999999999);
	case MVM_FIELD_SIZE:
		return mvm_wire_get_u64(field, &entry->size) == 0 && entry->size <= INT64_MAX;
	case MVM_FIELD_XATTR:
		return get_xattr(reader, field, entry);
	default:
		return true;
	}
}

static bool is_link(enum mvm_stream_type type)
{
	return type == MVM_STREAM_HARDLINK || type == MVM_STREAM_SYMLINK;
}

static int begin_entry(struct mvm_stream_reader *reader)
{
	const struct mvm_wire_frame frame = {.payload = reader->entry, .length = reader->entry_have};
	struct mvm_stream_entry entry = {.xattrs = reader->xattrs};
	struct mvm_wire_cursor cursor;
	struct mvm_wire_field field;
	int rc;

	mvm_wire_fields(&frame, &cursor);
	while ((rc = mvm_wire_next_field(&cursor, &field)) == 1)
		if (!get_field(reader, &field, &entry))
			return refuse(reader, "a field of an entry is out of range");
	if (rc < 0 || !entry.type || !entry.name || is_link(entry.type) != (entry.target != NULL))
		return refuse(reader, "an entry lacks a field");
	if (entry.type != MVM_STREAM_FILE)
		entry.size = 0;
	reader->open = true;
	reader->size = entry.size;
	reader->filled = 0;
	reader->entry_have = 0;
	return reader->ops->entry(reader->arg, &entry);
}

/* All of the header is there. */
static int begin_frame(struct mvm_stream_reader *reader)
{
	reader->frame = mvm_wire_read_header(reader->header);
	reader->left = reader->frame.length;
	switch (reader->frame.type) {
	case MVM_PROTO_ENTRY:
		if (reader->left > MVM_STREAM_ENTRY_MAX)
			return refuse(reader, "an entry is too large");
		if (end_entry(reader))
			return -1;
		return reader->left ? 0 : begin_entry(reader);
	case MVM_PROTO_DATA:
		if (reader->left <= 8 || reader->left > MVM_WIRE_PAYLOAD_MAX || !reader->open)
			return refuse(reader, "content is not where it may be");
		return 0;
	case MVM_PROTO_END:
		if (reader->left)
			return refuse(reader, "the end is not empty");
		reader->ended = true;
		return end_entry(reader);
	default:
		return refuse(reader, "a frame is of no known type");
	}
}

/* The offset is there too. */
static int begin_data(struct mvm_stream_reader *reader)
{
	reader->left -= 8;
	reader->at = mvm_wire_load_u64(reader->header + MVM_WIRE_HEADER_SIZE);
	if (reader->at < reader->filled || reader->at > reader->size || reader->left > reader->size - reader->at)
		return refuse(reader, "content is not within its file");
	reader->filled = reader->at + reader->left;
	return 0;
}

static int take_header(struct mvm_stream_reader *reader)
{
	if (reader->header_have == MVM_WIRE_HEADER_SIZE && begin_frame(reader))
		return -1;
	return reader->header_have == MVM_STREAM_DATA_HEADER ? begin_data(reader) : 0;
}

/* How many bytes of header are to come; 0: payload is. */
static size_t header_wanted(const struct mvm_stream_reader *reader)
{
	size_t whole = reader->header_have >= MVM_WIRE_HEADER_SIZE && reader->frame.type == MVM_PROTO_DATA
			       ? MVM_STREAM_DATA_HEADER
			       : MVM_WIRE_HEADER_SIZE;

	return whole - reader->header_have;
}

static int take_payload(struct mvm_stream_reader *reader, const uint8_t *data, size_t length)
{
	reader->left -= (uint32_t)length;
	if (reader->frame.type == MVM_PROTO_DATA) {
		if (reader->ops->data(reader->arg, reader->at, data, length))
			return -1;
		reader->at += length;
		return 0;
	}
	memcpy(reader->entry + reader->entry_have, data, length);
	reader->entry_have += length;
	return reader->left ? 0 : begin_entry(reader);
}

int mvm_stream_feed(struct mvm_stream_reader *reader, const void *data, size_t length)
{
	const uint8_t *at = data;

	while (length) {
		size_t wanted = header_wanted(reader), part;

		if (reader->ended)
			return refuse(reader, "something follows the end");
		part = wanted ? wanted : reader->left;
		part = part < length ? part : length;
		if (wanted) {
			memcpy(reader->header + reader->header_have, at, part);
			reader->header_have += part;
			if (part == wanted && take_header(reader))
				return -1;
		} else if (take_payload(reader, at, part)) {
			return -1;
		}
		if (!header_wanted(reader) && !reader->left)
			reader->header_have = 0;
		at += part;
		length -= part;
	}
	return 0;
}

/* Names. */

static bool is_part(const char *at, size_t length, const char *part)
{
	return length == strlen(part) && memcmp(at, part, length) == 0;
}

/* Takes the last part off; -1 where there is none. */
static int go_up(char *clean, size_t *used)
{
	if (*used == 0)
		return -1;
	while (*used > 0 && clean[*used - 1] != '/')
		--*used;
	if (*used > 0)
		--*used;
	return 0;
}

int mvm_stream_clean_name(const char *name, char clean[MVM_STREAM_TEXT_MAX + 1])
{
	size_t used = 0;

	for (const char *at = name; *at;) {
		size_t length = strcspn(at, "/");

		if (is_part(at, length, "..")) {
			if (go_up(clean, &used))
				return -1;
		} else if (length && !is_part(at, length, ".")) {
			if (used + (used > 0) + length > MVM_STREAM_TEXT_MAX)
				return -1;
			if (used)
				clean[used++] = '/';
			memcpy(clean + used, at, length);
			used += length;
		}
		at += length;
		at += *at == '/';
	}
	clean[used] = '\0';
	return 0;
}
