#include "wire.h"

#include <string.h>

static void store16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

static void store32(uint8_t *at, uint32_t value)
{
	store16(at, (uint16_t)value);
	store16(at + 2, (uint16_t)(value >> 16));
}

void mvm_wire_store_u64(uint8_t at[8], uint64_t value)
{
	store32(at, (uint32_t)value);
	store32(at + 4, (uint32_t)(value >> 32));
}

static uint16_t load16(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t load32(const uint8_t *at)
{
	return (uint32_t)load16(at) | (uint32_t)load16(at + 2) << 16;
}

uint64_t mvm_wire_load_u64(const uint8_t at[8])
{
	return (uint64_t)load32(at) | (uint64_t)load32(at + 4) << 32;
}

/* Room for `size` more bytes, or NULL once anything did not fit. */
static uint8_t *reserve(struct mvm_wire_writer *writer, size_t size)
{
	uint8_t *at;

	if (writer->failed || size > writer->capacity - writer->length) {
		writer->failed = true;
		return NULL;
	}
	at = writer->data + writer->length;
	writer->length += size;
	return at;
}

void mvm_wire_header(uint8_t header[MVM_WIRE_HEADER_SIZE], uint16_t type, uint32_t request, uint32_t length)
{
	store32(header, length);
	store16(header + 4, type);
	store16(header + 6, 0);
	store32(header + 8, request);
}

struct mvm_wire_head mvm_wire_read_header(const uint8_t header[MVM_WIRE_HEADER_SIZE])
{
	return (struct mvm_wire_head){
		.type = load16(header + 4), .request = load32(header + 8), .length = load32(header)};
}

void mvm_wire_begin(struct mvm_wire_writer *writer, void *buffer, size_t capacity, uint16_t type, uint32_t request)
{
	uint8_t *header;

	*writer = (struct mvm_wire_writer){
		.data = buffer,
		.capacity = capacity < MVM_WIRE_FRAME_MAX ? capacity : MVM_WIRE_FRAME_MAX,
	};
	header = reserve(writer, MVM_WIRE_HEADER_SIZE);
	if (header)
		mvm_wire_header(header, type, request, 0);
}

static uint8_t *put_field(struct mvm_wire_writer *writer, uint16_t tag, size_t length)
{
	uint8_t *field;

	/* Also keeps the sum below from wrapping. */
	if (length > MVM_WIRE_PAYLOAD_MAX) {
		writer->failed = true;
		return NULL;
	}
	field = reserve(writer, MVM_WIRE_FIELD_SIZE + length);
	if (!field)
		return NULL;
	store16(field, tag);
	store16(field + 2, 0);
	store32(field + 4, (uint32_t)length);
	return field + MVM_WIRE_FIELD_SIZE;
}

void mvm_wire_put_u64s(struct mvm_wire_writer *writer, uint16_t tag, const uint64_t *values, size_t count)
{
	uint8_t *at = put_field(writer, tag, count * 8);

	for (size_t i = 0; at && i < count; i++)
		mvm_wire_store_u64(at + i * 8, values[i]);
}

void mvm_wire_put_u64(struct mvm_wire_writer *writer, uint16_t tag, uint64_t value)
{
	mvm_wire_put_u64s(writer, tag, &value, 1);
}

void mvm_wire_put_pair(struct mvm_wire_writer *writer, uint16_t tag, const void *first, size_t first_length,
		       const void *second, size_t second_length)
{
	bool fits = first_length <= MVM_WIRE_PAYLOAD_MAX && second_length <= MVM_WIRE_PAYLOAD_MAX;
	uint8_t *at = put_field(writer, tag, fits ? first_length + second_length : SIZE_MAX);

	if (at && first_length)
		memcpy(at, first, first_length);
	if (at && second_length)
		memcpy(at + first_length, second, second_length);
}

void mvm_wire_put_text(struct mvm_wire_writer *writer, uint16_t tag, const char *text)
{
	mvm_wire_put_pair(writer, tag, text, strlen(text), NULL, 0);
}

int mvm_wire_end(struct mvm_wire_writer *writer, size_t *length)
{
	if (writer->failed)
		return -1;
	store32(writer->data, (uint32_t)(writer->length - MVM_WIRE_HEADER_SIZE));
	*length = writer->length;
	return 0;
}

void mvm_wire_reader_init(struct mvm_wire_reader *reader, void *buffer, size_t capacity)
{
	*reader = (struct mvm_wire_reader){.buffer = buffer, .capacity = capacity};
}

void *mvm_wire_reader_space(struct mvm_wire_reader *reader, size_t *room)
{
	if (reader->start > 0) {
		memmove(reader->buffer, reader->buffer + reader->start, reader->end - reader->start);
		reader->end -= reader->start;
		reader->start = 0;
	}
	*room = reader->capacity - reader->end;
	return reader->buffer + reader->end;
}

void mvm_wire_reader_filled(struct mvm_wire_reader *reader, size_t count)
{
	reader->end += count;
}

int mvm_wire_reader_next(struct mvm_wire_reader *reader, struct mvm_wire_frame *frame)
{
	const uint8_t *header = reader->buffer + reader->start;
	size_t have = reader->end - reader->start;
	size_t length;

	if (have < MVM_WIRE_HEADER_SIZE)
		return 0;
	length = load32(header);
	if (length > MVM_WIRE_PAYLOAD_MAX || length + MVM_WIRE_HEADER_SIZE > reader->capacity)
		return -1;
	if (have - MVM_WIRE_HEADER_SIZE < length)
		return 0;
	*frame = (struct mvm_wire_frame){
		.type = load16(header + 4),
		.request = load32(header + 8),
		.payload = header + MVM_WIRE_HEADER_SIZE,
		.length = length,
	};
	reader->start += MVM_WIRE_HEADER_SIZE + length;
	return 1;
}

void mvm_wire_fields(const struct mvm_wire_frame *frame, struct mvm_wire_cursor *cursor)
{
	*cursor = (struct mvm_wire_cursor){.at = frame->payload, .end = frame->payload + frame->length};
}

int mvm_wire_next_field(struct mvm_wire_cursor *cursor, struct mvm_wire_field *field)
{
	size_t left = (size_t)(cursor->end - cursor->at);
	size_t length;

	if (left == 0)
		return 0;
	if (left < MVM_WIRE_FIELD_SIZE)
		return -1;
	length = load32(cursor->at + 4);
	if (length > left - MVM_WIRE_FIELD_SIZE)
		return -1;
	*field = (struct mvm_wire_field){
		.tag = load16(cursor->at),
		.data = cursor->at + MVM_WIRE_FIELD_SIZE,
		.length = length,
	};
	cursor->at += MVM_WIRE_FIELD_SIZE + length;
	return 1;
}

int mvm_wire_get_u64s(const struct mvm_wire_field *field, uint64_t *values, size_t count)
{
	if (field->length != count * 8)
		return -1;
	for (size_t i = 0; i < count; i++)
		values[i] = mvm_wire_load_u64(field->data + i * 8);
	return 0;
}

int mvm_wire_get_u64(const struct mvm_wire_field *field, uint64_t *value)
{
	return mvm_wire_get_u64s(field, value, 1);
}

int mvm_wire_get_text(const struct mvm_wire_field *field, char *buffer, size_t size)
{
	if (field->length >= size || memchr(field->data, '\0', field->length))
		return -1;
	memcpy(buffer, field->data, field->length);
	buffer[field->length] = '\0';
	return 0;
}
