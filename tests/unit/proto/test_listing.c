#include "tests/unit/unit.h"

#include <stdlib.h>

#include "guest-agent/proto/listing.h"

static const struct mvm_listing_entry sample = {
	.name = "name\xff with all",
	.length = 14,
	.flags = MVM_LISTING_MADE,
	.inode = 0xfffffffe,
	.mode = 0100644,
	.uid = 0x10203040,
	.gid = 3,
	.mtime = -2,
	.mtime_nsec = 999999999,
	.ctime = 15032385535,
	.ctime_nsec = 1,
	.size = 0x123456789abcdef0,
	.xattrs = UINT64_MAX,
};

static void what_is_written_is_read(void **state)
{
	uint8_t bytes[MVM_LISTING_ENTRY_MAX + 1];
	struct mvm_listing_entry got;
	size_t length = mvm_listing_encode(&sample, bytes);

	assert_int_equal(length, MVM_LISTING_FIXED + 14);
	assert_int_equal(mvm_listing_decode(bytes, length + 1, false, &got), length);
	assert_memory_equal(got.name, sample.name, 14);
	assert_true(got.length == 14 && got.flags == sample.flags && got.inode == sample.inode);
	assert_true(got.mode == sample.mode && got.uid == sample.uid && got.gid == sample.gid);
	assert_true(got.mtime == sample.mtime && got.mtime_nsec == sample.mtime_nsec);
	assert_true(got.ctime == sample.ctime && got.ctime_nsec == sample.ctime_nsec);
	assert_true(got.size == sample.size && got.xattrs == sample.xattrs);
}

static void a_part_of_an_entry_is_none(void **state)
{
	uint8_t bytes[MVM_LISTING_ENTRY_MAX];
	size_t length = mvm_listing_encode(&sample, bytes);

	for (size_t part = 0; part < length; part++) {
		/* Of its own size, so that a sanitizer sees a step too far. */
		uint8_t *copy = malloc(part + 1);
		struct mvm_listing_entry got;

		memcpy(copy, bytes, part);
		assert_int_equal(mvm_listing_decode(copy, part, false, &got), 0);
		free(copy);
	}
}

static void names_that_are_none_are_refused(void **state)
{
	static const struct {
		const char *name;
		uint8_t length;
		bool root, taken;
	} cases[] = {
		{"", 0, true, true},	  {"", 0, false, false},     {"a", 1, true, false},
		{".", 1, false, false},	  {"..", 2, false, false},   {"...", 3, false, true},
		{"a/b", 3, false, false}, {"a\0b", 3, false, false}, {".a", 2, false, true},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_listing_entry entry = sample, got;
		uint8_t bytes[MVM_LISTING_ENTRY_MAX];
		size_t length;

		entry.name = cases[i].name;
		entry.length = cases[i].length;
		length = mvm_listing_encode(&entry, bytes);
		assert_int_equal(mvm_listing_decode(bytes, length, cases[i].root, &got), cases[i].taken ? length : 0);
	}
}

static void folders_have_as_many_bytes_as_their_entries_may(void **state)
{
	static const struct {
		uint32_t count, length;
		int result;
	} cases[] = {
		{0, 0, 0},
		{0, 1, -1},
		{1, 64, -1},
		{1, 65, 0},
		{1, 319, 0},
		{1, 320, -1},
		{UINT32_MAX, UINT32_MAX, -1},
		{66076419, UINT32_MAX, 0},
		{2, 130, 0},
		{66076420, 65, -1},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		uint8_t bytes[MVM_LISTING_FOLDER];
		uint32_t count = 0, length = 0;

		mvm_listing_encode_folder(cases[i].count, cases[i].length, bytes);
		assert_int_equal(mvm_listing_decode_folder(bytes, &count, &length), cases[i].result);
		if (cases[i].result == 0)
			assert_true(count == cases[i].count && length == cases[i].length);
	}
}

static void names_are_ordered_by_bytes(void **state)
{
	static const char *const names[] = {"", "-", "a", "a-", "a.b", "aa", "b", "\xc3", "\xff"};

	for (size_t i = 0; i < MVM_COUNT(names); i++)
		for (size_t j = 0; j < MVM_COUNT(names); j++) {
			int order = mvm_listing_compare(names[i], strlen(names[i]), names[j], strlen(names[j]));

			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
}

static void attributes_are_told_apart(void **state)
{
	uint64_t hash = mvm_listing_hash_xattr("user.a", "value", 5);

	assert_true(hash && hash == mvm_listing_hash_xattr("user.a", "value", 5));
	assert_true(hash != mvm_listing_hash_xattr("user.a", "valuf", 5));
	assert_true(hash != mvm_listing_hash_xattr("user.a", "value", 4));
	assert_true(hash != mvm_listing_hash_xattr("user.b", "value", 5));
	assert_true(mvm_listing_hash_xattr("user.ab", "c", 1) != mvm_listing_hash_xattr("user.a", "bc", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_part_of_an_entry_is_none),
		cmocka_unit_test(names_that_are_none_are_refused),
		cmocka_unit_test(folders_have_as_many_bytes_as_their_entries_may),
		cmocka_unit_test(names_are_ordered_by_bytes),
		cmocka_unit_test(attributes_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
