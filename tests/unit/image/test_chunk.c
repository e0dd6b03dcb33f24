#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "image/chunk.h"
#include "runtime/base/mem.h"

#define MIB ((uint64_t)1 << 20)

static void lengths(void **state)
{
	static const struct {
		uint64_t at, size, min, wanted;
	} cases[] = {
		{0, 40 * MIB, 0, 16 * MIB},
		{16 * MIB, 40 * MIB, 0, 16 * MIB},
		{32 * MIB, 40 * MIB, 0, 8 * MIB},
		/* After a break in the middle of a piece, the pieces end where they did before. */
		{5 * MIB + 1, 40 * MIB, 0, 11 * MIB - 1},
		{0, 40 * MIB, 16 * MIB, 16 * MIB},
		{0, 80 * MIB, 20 * MIB, 32 * MIB},
		{15 * MIB, 80 * MIB, 5 * MIB, 17 * MIB},
		{0, 40 * MIB, 20 * MIB, 32 * MIB},
		{32 * MIB, 40 * MIB, 20 * MIB, 8 * MIB},
		{0, 40 * MIB, 40 * MIB, 40 * MIB},
		{0, 40 * MIB, UINT64_MAX, 40 * MIB},
		{0, UINT64_MAX, UINT64_MAX - 1, UINT64_MAX},
		{40 * MIB - 1, 40 * MIB, 0, 1},
		{0, 1, 0, 1},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++)
		assert_int_equal(mvm_chunk_length(cases[i].at, cases[i].size, cases[i].min), cases[i].wanted);
}

/* Whatever the server wants, the pieces make up the blob and none but the last is smaller than that. */
static void pieces_add_up(void **state)
{
	static const uint64_t mins[] = {0, 1, 5 * MIB + 3, 16 * MIB, 17 * MIB, 50 * MIB};
	uint64_t size = 100 * MIB + 7;

	for (size_t i = 0; i < MVM_COUNT(mins); i++) {
		uint64_t at = 3;

		while (at < size) {
			uint64_t length = mvm_chunk_length(at, size, mins[i]);

			assert_true(length > 0 && length <= size - at);
			assert_true(length >= mins[i] || at + length == size);
			at += length;
		}
	}
}

static void ranges(void **state)
{
	static const struct {
		const char *text;
		uint64_t wanted;
	} good[] = {{"0-0", 0},
		    {"0-1023", 1024},
		    {"bytes=0-1023", 1024},
		    {"bytes 0-9", 10},
		    {"0-18446744073709551614", UINT64_MAX}};
	static const char *const bad[] = {"",
					  "0",
					  "0-",
					  "1-2",
					  "-5",
					  "0--5",
					  "0- 5",
					  "0-5x",
					  "0-5,7-9",
					  "bytes",
					  "bytes=",
					  "bytes 0-5/6",
					  "0-18446744073709551615",
					  "0-99999999999999999999999",
					  "00-5"};
	uint64_t count;

	for (size_t i = 0; i < MVM_COUNT(good); i++) {
		assert_true(mvm_chunk_parse_range(good[i].text, &count));
		assert_int_equal(count, good[i].wanted);
	}
	for (size_t i = 0; i < MVM_COUNT(bad); i++)
		assert_false(mvm_chunk_parse_range(bad[i], &count));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),
		cmocka_unit_test(pieces_add_up),
		cmocka_unit_test(ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
