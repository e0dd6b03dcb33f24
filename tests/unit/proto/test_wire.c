/* Frames and fields: what comes out of the encoder goes into the decoder, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "guest-agent/proto/wire.h"

static uint8_t frame_bytes[MVM_WIRE_FRAME_MAX];
static uint8_t inbox[MVM_WIRE_FRAME_MAX];

/* A frame of one text and one number, known byte by byte. */
static const uint8_t known[] = {
	27, 0, 0, 0,					       /* payload */
	17, 0, 0, 0,					       /* type, reserved */
	4,  3, 2, 1,					       /* request */
	33, 0, 0, 0, 3, 0, 0, 0, 'a', 'b', 'c',		       /* text */
	32, 0, 0, 0, 8, 0, 0, 0, 8,   7,   6,	5, 4, 3, 2, 1, /* number */
};

static size_t encode_known(void)
{
	struct mvm_wire_writer writer;
	size_t length = 0;

	mvm_wire_begin(&writer, frame_bytes, sizeof(frame_bytes), 17, 0x01020304);
	mvm_wire_put_text(&writer, 33, "abc");
	mvm_wire_put_u64(&writer, 32, 0x0102030405060708);
	assert_int_equal(mvm_wire_end(&writer, &length), 0);
	return length;
}

/* Feeds all of it at once. */
static int read_frame(const void *data, size_t length, struct mvm_wire_reader *reader, struct mvm_wire_frame *frame)
{
	size_t room;
	void *space;

	mvm_wire_reader_init(reader, inbox, sizeof(inbox));
	space = mvm_wire_reader_space(reader, &room);
	assert_true(length <= room);
	memcpy(space, data, length);
	mvm_wire_reader_filled(reader, length);
	return mvm_wire_reader_next(reader, frame);
}

static void test_bytes_are_as_documented(void **state)
{
	assert_int_equal(encode_known(), sizeof(known));
	assert_memory_equal(frame_bytes, known, sizeof(known));
}

static void test_decodes_what_was_encoded(void **state)
{
	struct mvm_wire_reader reader;
	struct mvm_wire_frame frame;
	struct mvm_wire_cursor cursor;
	struct mvm_wire_field field;
	char text[4];
	uint64_t number;

	assert_int_equal(read_frame(known, sizeof(known), &reader, &frame), 1);
	assert_int_equal(frame.type, 17);
	assert_int_equal(frame.request, 0x01020304);
	mvm_wire_fields(&frame, &cursor);
	assert_int_equal(mvm_wire_next_field(&cursor, &field), 1);
	assert_int_equal(field.tag, 33);
	assert_int_equal(mvm_wire_get_text(&field, text, sizeof(text)), 0);
	assert_string_equal(text, "abc");
	assert_int_equal(mvm_wire_get_text(&field, text, 3), -1);
	assert_int_equal(mvm_wire_get_u64(&field, &number), -1);
	assert_int_equal(mvm_wire_next_field(&cursor, &field), 1);
	assert_int_equal(mvm_wire_get_u64(&field, &number), 0);
	assert_true(number == 0x0102030405060708);
	assert_int_equal(mvm_wire_next_field(&cursor, &field), 0);
	assert_int_equal(mvm_wire_reader_next(&reader, &frame), 0);
}

static void test_frames_come_out_however_bytes_come_in(void **state)
{
	/* Two frames, in pieces of every size, through a buffer that hardly holds one. */
	uint8_t stream[2 * sizeof(known)];
	uint8_t small[sizeof(known) + 1];

	memcpy(stream, known, sizeof(known));
	memcpy(stream + sizeof(known), known, sizeof(known));
	for (size_t piece = 1; piece <= sizeof(known) + 1; piece++) {
		struct mvm_wire_reader reader;
		struct mvm_wire_frame frame;
		size_t fed = 0;
		int frames = 0;

		mvm_wire_reader_init(&reader, small, sizeof(small));
		while (fed < sizeof(stream)) {
			size_t room, part = sizeof(stream) - fed;
			void *space = mvm_wire_reader_space(&reader, &room);

			assert_true(room > 0);
			part = part < piece ? part : piece;
			part = part < room ? part : room;
			memcpy(space, stream + fed, part);
			mvm_wire_reader_filled(&reader, part);
			fed += part;
			while (mvm_wire_reader_next(&reader, &frame) == 1) {
				assert_memory_equal(frame.payload, known + MVM_WIRE_HEADER_SIZE, frame.length);
				frames++;
			}
		}
		assert_int_equal(frames, 2);
	}
}

static void test_empty_payload(void **state)
{
	struct mvm_wire_writer writer;
	struct mvm_wire_reader reader;
	struct mvm_wire_frame frame;
	struct mvm_wire_cursor cursor;
	struct mvm_wire_field field;
	size_t length;

	mvm_wire_begin(&writer, frame_bytes, MVM_WIRE_HEADER_SIZE, 20, 1);
	assert_int_equal(mvm_wire_end(&writer, &length), 0);
	assert_int_equal(length, MVM_WIRE_HEADER_SIZE);
	assert_int_equal(read_frame(frame_bytes, length, &reader, &frame), 1);
	mvm_wire_fields(&frame, &cursor);
	assert_int_equal(mvm_wire_next_field(&cursor, &field), 0);
}

static void test_largest_frame_and_one_byte_more(void **state)
{
	char *text = malloc(MVM_WIRE_PAYLOAD_MAX + 1);
	struct mvm_wire_writer writer;
	struct mvm_wire_reader reader;
	struct mvm_wire_frame frame;
	size_t length;

	assert_non_null(text);
	memset(text, 'x', MVM_WIRE_PAYLOAD_MAX);
	text[MVM_WIRE_PAYLOAD_MAX - MVM_WIRE_FIELD_SIZE] = '\0';
	mvm_wire_begin(&writer, frame_bytes, sizeof(frame_bytes), 17, 1);
	mvm_wire_put_text(&writer, 33, text);
	assert_int_equal(mvm_wire_end(&writer, &length), 0);
	assert_int_equal(length, MVM_WIRE_FRAME_MAX);
	assert_int_equal(read_frame(frame_bytes, length, &reader, &frame), 1);
	assert_int_equal(frame.length, MVM_WIRE_PAYLOAD_MAX);

	text[MVM_WIRE_PAYLOAD_MAX - MVM_WIRE_FIELD_SIZE] = 'x';
	text[MVM_WIRE_PAYLOAD_MAX - MVM_WIRE_FIELD_SIZE + 1] = '\0';
	mvm_wire_begin(&writer, frame_bytes, sizeof(frame_bytes), 17, 1);
	mvm_wire_put_text(&writer, 33, text);
	/* What comes later fits, but the message is not whole. */
	mvm_wire_put_u64(&writer, 32, 1);
	assert_int_equal(mvm_wire_end(&writer, &length), -1);

	text[MVM_WIRE_PAYLOAD_MAX] = '\0';
	memset(text, 'x', MVM_WIRE_PAYLOAD_MAX);
	mvm_wire_begin(&writer, frame_bytes, sizeof(frame_bytes), 17, 1);
	mvm_wire_put_text(&writer, 33, text);
	assert_int_equal(mvm_wire_end(&writer, &length), -1);
	free(text);
}

static void test_small_buffers_fail(void **state)
{
	for (size_t size = 0; size < sizeof(known); size++) {
		struct mvm_wire_writer writer;
		size_t length = 4711;

		mvm_wire_begin(&writer, frame_bytes, size, 17, 1);
		mvm_wire_put_text(&writer, 33, "abc");
		mvm_wire_put_u64(&writer, 32, 1);
		assert_int_equal(mvm_wire_end(&writer, &length), -1);
		assert_int_equal(length, 4711);
	}
}

static void test_announced_too_large_is_refused(void **state)
{
	static const uint8_t larger[] = {1, 0, 16, 0, 17, 0, 0, 0, 1, 0, 0, 0};
	static const uint8_t huge[] = {255, 255, 255, 255, 17, 0, 0, 0, 1, 0, 0, 0};
	struct mvm_wire_reader reader;
	struct mvm_wire_frame frame;

	assert_int_equal(read_frame(larger, sizeof(larger), &reader, &frame), -1);
	assert_int_equal(read_frame(huge, sizeof(huge), &reader, &frame), -1);
	/* Known from the header alone: nobody waits for such a payload. */
	assert_int_equal(read_frame(huge, 11, &reader, &frame), 0);
}

static int walk(const uint8_t *payload, size_t length)
{
	const struct mvm_wire_frame frame = {.payload = payload, .length = length};
	struct mvm_wire_cursor cursor;
	struct mvm_wire_field field;
	int rc;

	mvm_wire_fields(&frame, &cursor);
	while ((rc = mvm_wire_next_field(&cursor, &field)) == 1)
		assert_true(field.data >= payload && field.data + field.length <= payload + length);
	return rc;
}

static void test_fields_cut_short_are_refused(void **state)
{
	const uint8_t *payload = known + MVM_WIRE_HEADER_SIZE;

	for (size_t length = 0; length <= 27; length++)
		assert_int_equal(walk(payload, length), length == 0 || length == 11 || length == 27 ? 0 : -1);
}

static void test_field_longer_than_payload_is_refused(void **state)
{
	static const uint8_t huge[] = {33, 0, 0, 0, 255, 255, 255, 255, 'a', 'b'};
	static const uint8_t wraps[] = {33, 0, 0, 0, 248, 255, 255, 255, 'a', 'b'};

	assert_int_equal(walk(huge, sizeof(huge)), -1);
	assert_int_equal(walk(wraps, sizeof(wraps)), -1);
}

static void test_text_with_nul_is_refused(void **state)
{
	const struct mvm_wire_field field = {.tag = 33, .data = (const uint8_t *)"a\0b", .length = 3};
	char text[8];

	assert_int_equal(mvm_wire_get_text(&field, text, sizeof(text)), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_are_as_documented),
		cmocka_unit_test(test_decodes_what_was_encoded),
		cmocka_unit_test(test_frames_come_out_however_bytes_come_in),
		cmocka_unit_test(test_empty_payload),
		cmocka_unit_test(test_largest_frame_and_one_byte_more),
		cmocka_unit_test(test_small_buffers_fail),
		cmocka_unit_test(test_announced_too_large_is_refused),
		cmocka_unit_test(test_fields_cut_short_are_refused),
		cmocka_unit_test(test_field_longer_than_payload_is_refused),
		cmocka_unit_test(test_text_with_nul_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
