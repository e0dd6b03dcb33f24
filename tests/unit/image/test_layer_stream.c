/* The ring between inflating, hashing and the caller. */
#include "../unit.h"

#include "image/layer_stream.h"

enum { LENGTH = 9 << 20 }; /* several times what the ring holds */

struct source {
	size_t at;
	size_t length;
	bool breaks;
};

/* Bytes that differ from one place to the next. */
static unsigned char byte_at(size_t at)
{
	return (unsigned char)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

static ssize_t read_source(void *arg, void *data, size_t length, struct mvm_error **err)
{
	struct source *source = arg;
	size_t left = source->length - source->at;

	if (left == 0 && source->breaks)
		return mvm_fail(err, MVM_ERR_NETWORK, "the line is dead");
	if (length > left)
		length = left;
	for (size_t i = 0; i < length; i++)
		((unsigned char *)data)[i] = byte_at(source->at + i);
	source->at += length;
	return (ssize_t)length;
}

static struct layer_stream *open_stream(struct source *source)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct layer_stream *stream = NULL;

	assert_ok(layer_stream_open((struct mvm_source){.read = read_source, .arg = source}, &stream, &err));
	return stream;
}

/* Reads to the end and compares; returns what the last read gave. */
static ssize_t read_all(struct layer_stream *stream, size_t *total, struct mvm_error **err)
{
	const void *data;
	ssize_t got;

	for (*total = 0; (got = layer_stream_next(stream, &data, err)) > 0; *total += (size_t)got)
		for (size_t i = 0; i < (size_t)got; i++)
			if (((const unsigned char *)data)[i] != byte_at(*total + i))
				fail_msg("byte %zu differs", *total + i);
	return got;
}

static void expect_all(size_t length)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct source source = {.length = length};
	struct layer_stream *stream = open_stream(&source);
	char *whole MVM_CLEAN_FREE = mvm_alloc(length + 1);
	struct layer_stream_costs costs;
	struct mvm_digest expected, found;
	size_t total;

	for (size_t i = 0; i < length; i++)
		whole[i] = (char)byte_at(i);
	mvm_digest_of(whole, length, &expected);
	assert_int_equal(read_all(stream, &total, &err), 0);
	assert_int_equal(total, length);
	layer_stream_finish(stream, &found, &costs);
	assert_string_equal(found.text, expected.text);
	layer_stream_close(stream);
}

static void all_arrives_in_order_and_is_hashed(void **state)
{
	expect_all(LENGTH);
	expect_all(LENGTH + 1);
	expect_all(256 << 10); /* a chunk */
	expect_all(1);
	expect_all(0);
}

/* What was read before is good and comes first. */
static void a_broken_source_is_told_at_its_place(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct source source = {.length = LENGTH, .breaks = true};
	struct layer_stream *stream = open_stream(&source);
	size_t total;

	assert_int_equal(read_all(stream, &total, &err), -1);
	assert_int_equal(mvm_error_code(err), MVM_ERR_NETWORK);
	assert_in_range(total, LENGTH - (256 << 10), LENGTH);
	layer_stream_close(stream);
}

/* Whether the ring is empty, full or in between. */
static void it_may_be_closed_at_any_time(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	const void *data;

	for (int pieces = 0; pieces < 12; pieces++) {
		struct source source = {.length = SIZE_MAX};
		struct layer_stream *stream = open_stream(&source);

		for (int i = 0; i < pieces; i++)
			assert_true(layer_stream_next(stream, &data, &err) > 0);
		layer_stream_close(stream);
		/* No more than the ring holds, and what inflating has read ahead. */
		assert_true(source.at <= ((size_t)pieces + 8 + 2) * (256 << 10));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_arrives_in_order_and_is_hashed),
		cmocka_unit_test(a_broken_source_is_told_at_its_place),
		cmocka_unit_test(it_may_be_closed_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
