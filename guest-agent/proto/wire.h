/*
 * The encoding of messages between host and agent (PROTOCOL.md, "Frames").
 *
 *   frame:  u32 payload length, u16 type, u16 reserved, u32 request id, payload
 *   field:  u16 tag, u16 reserved, u32 length, bytes
 *
 * Everything is little-endian; reserved is written as 0 and not looked at. A
 * payload is fields back to back. Repeated tags are lists, unknown ones are skipped.
 *
 * Used by the supervisor and by the agent. Pure: no I/O, no allocation, no
 * errno; all memory is the caller's. Bytes from the other side are untrusted,
 * and every length is checked against what is there before it is used.
 *
 * Who refuses what: a payload beyond MVM_WIRE_PAYLOAD_MAX is never sent
 * (mvm_wire_end() fails, so an over-long command or environment is the sender's
 * error) and never read (mvm_wire_reader_next() fails, and the connection has to
 * be closed, since no later byte can be understood). Malformed fields spoil
 * their own message only.
 */
#ifndef MVM_PROTO_WIRE_H
#define MVM_PROTO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MVM_WIRE_HEADER_SIZE = 12,
	MVM_WIRE_FIELD_SIZE = 8, /* of a field before its bytes */
	MVM_WIRE_PAYLOAD_MAX = 1024 * 1024,
	MVM_WIRE_FRAME_MAX = MVM_WIRE_HEADER_SIZE + MVM_WIRE_PAYLOAD_MAX,
};

/* Encoder of one frame into the caller's buffer. Put calls never fail; what did not fit shows at the end. */
struct mvm_wire_writer {
	uint8_t *data;
	size_t capacity;
	size_t length;
	bool failed;
};

void mvm_wire_begin(struct mvm_wire_writer *writer, void *buffer, size_t capacity, uint16_t type, uint32_t request);
void mvm_wire_put_u64(struct mvm_wire_writer *writer, uint16_t tag, uint64_t value);
void mvm_wire_put_u64s(struct mvm_wire_writer *writer, uint16_t tag, const uint64_t *values, size_t count);
/* Two runs of bytes, one after the other, as one field. */
void mvm_wire_put_pair(struct mvm_wire_writer *writer, uint16_t tag, const void *first, size_t first_length,
		       const void *second, size_t second_length);
void mvm_wire_put_text(struct mvm_wire_writer *writer, uint16_t tag, const char *text);
/* 0 and the frame's length, or -1: larger than the buffer or than a frame may be. */
int mvm_wire_end(struct mvm_wire_writer *writer, size_t *length);

/* The header of a frame whose payload comes from elsewhere. */
void mvm_wire_header(uint8_t header[MVM_WIRE_HEADER_SIZE], uint16_t type, uint32_t request, uint32_t length);
/* And its reading. */
struct mvm_wire_head {
	uint16_t type;
	uint32_t request, length;
};
struct mvm_wire_head mvm_wire_read_header(const uint8_t header[MVM_WIRE_HEADER_SIZE]);
void mvm_wire_store_u64(uint8_t at[8], uint64_t value);
uint64_t mvm_wire_load_u64(const uint8_t at[8]);

/* A received frame; payload points into the reader's buffer. */
struct mvm_wire_frame {
	uint16_t type;
	uint32_t request;
	const uint8_t *payload;
	size_t length;
};

/* Bytes in, frames out. A buffer of MVM_WIRE_FRAME_MAX takes every frame that is allowed. */
struct mvm_wire_reader {
	uint8_t *buffer;
	size_t capacity;
	size_t start; /* of what was not handed out yet */
	size_t end;
};

void mvm_wire_reader_init(struct mvm_wire_reader *reader, void *buffer, size_t capacity);
/* Where to put received bytes, and how many fit: never 0 after next() returned 0. Frames handed
 * out before are gone. */
void *mvm_wire_reader_space(struct mvm_wire_reader *reader, size_t *room);
void mvm_wire_reader_filled(struct mvm_wire_reader *reader, size_t count);
/* 1: a frame, valid until the next call of space(). 0: more bytes are needed. -1: too large a frame. */
int mvm_wire_reader_next(struct mvm_wire_reader *reader, struct mvm_wire_frame *frame);

struct mvm_wire_field {
	uint16_t tag;
	const uint8_t *data;
	size_t length;
};

/* Walks the fields of a frame. */
struct mvm_wire_cursor {
	const uint8_t *at;
	const uint8_t *end;
};

void mvm_wire_fields(const struct mvm_wire_frame *frame, struct mvm_wire_cursor *cursor);
/* 1: a field. 0: no more. -1: malformed, the message is to be refused. */
int mvm_wire_next_field(struct mvm_wire_cursor *cursor, struct mvm_wire_field *field);

/* 0, or -1 where the field has not the right size. */
int mvm_wire_get_u64(const struct mvm_wire_field *field, uint64_t *value);
int mvm_wire_get_u64s(const struct mvm_wire_field *field, uint64_t *values, size_t count);
/* Copies text and ends it with a NUL. -1 where there is a NUL inside or no room. */
int mvm_wire_get_text(const struct mvm_wire_field *field, char *buffer, size_t size);

#endif
