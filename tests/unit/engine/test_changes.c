#include "tests/unit/unit.h"

#include "runtime/engine/changes.h"

/* "A/a\0D/b\0" in pieces of `piece` bytes; the result as lines, or the error's text. The caller frees it. */
static char *read_list(const char *bytes, size_t length, size_t piece)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_changes changes = {0};
	struct changes_reader reader = {.changes = &changes};
	struct mvm_buf text = {0};
	int result = 0;

	for (size_t at = 0; at < length && result == 0; at += piece)
		result = changes_feed(&reader, bytes + at, length - at < piece ? length - at : piece, &err);
	if (result == 0)
		result = changes_complete(&reader, &err);
	mvm_buf_addf(&text, "%s", result < 0 ? mvm_error_message(err) : "");
	for (size_t i = 0; result == 0 && i < changes.count; i++)
		mvm_buf_addf(&text, "%s%c %s", i ? "," : "", changes.items[i].kind, changes.items[i].path);
	changes_reader_finish(&reader);
	mvm_changes_finish(&changes);
	return mvm_buf_steal(&text);
}

#define LIST(text) text, sizeof(text) /* the literal's own NUL ends the last */

static void lists_are_sorted_and_have_the_folders_around(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *want;
	} cases[] = {
		{"", 0, ""},
		{LIST("A/a"), "A /a"},
		{LIST("D/b\0A/a"), "A /a,D /b"},
		{LIST("A/a/b/c"), "C /a,C /a/b,A /a/b/c"},
		{LIST("A/a/b/c\0A/a/b/d\0D/a/x"), "C /a,C /a/b,A /a/b/c,A /a/b/d,D /a/x"},
		{LIST("A/a\0A/a/b\0A/a/b/c"), "A /a,A /a/b,A /a/b/c"},
		{LIST("A/a/b\0A/a-b\0C/a.c"), "C /a,A /a-b,C /a.c,A /a/b"},
		{LIST("A/ab/c\0A/a/c"), "C /a,A /a/c,C /ab,A /ab/c"},
		{LIST("C/a\0A/a/b"), "C /a,A /a/b"},
		{LIST("C/a\0C/a"), "C /a"},
		{LIST("C/a\0A/a"), "A /a"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++)
		for (size_t piece = 1; piece < 6; piece++) {
			char *got MVM_CLEAN_FREE = read_list(cases[i].bytes, cases[i].length, piece);

			assert_string_equal(got, cases[i].want);
		}
}

static void what_is_no_list_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} cases[] = {
		{LIST("B/a")}, {LIST("A")}, {LIST("A/")},  {LIST("Aa")},
		{LIST("")},    {"A/a", 3},  {"A/a\0D", 5}, {LIST("A/a\0\0")},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *got MVM_CLEAN_FREE = read_list(cases[i].bytes, cases[i].length, 3);

		assert_string_equal(got, "the VM does not send a list of changes");
	}
}

static void a_path_without_an_end_is_refused(void **state)
{
	size_t length = CHANGES_PATH_MAX + 100;
	char *bytes MVM_CLEAN_FREE = mvm_alloc(length);
	char *got MVM_CLEAN_FREE = NULL;

	memset(bytes, 'x', length);
	memcpy(bytes, "A/", 2);
	got = read_list(bytes, length, 4096);
	assert_string_equal(got, "the VM does not send a list of changes");
}

/* Each of its folders would be a change: that grows with the square of the path. */
static void folders_without_measure_are_refused(void **state)
{
	size_t path = CHANGES_PATH_MAX - 100, length = 4 * (path + 1);
	char *bytes MVM_CLEAN_FREE = mvm_alloc(length);
	char *got MVM_CLEAN_FREE = NULL;

	for (size_t i = 0; i < 4; i++) {
		char *at = bytes + i * (path + 1);

		for (size_t j = 0; j < path; j++)
			at[j] = j % 2 ? '/' : 'x';
		at[0] = 'A';
		at[2] = (char)('a' + i);
		at[path - 1] = 'x';
	}
	got = read_list(bytes, length, 65536);
	assert_string_equal(got, "there are too many changes to be listed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_sorted_and_have_the_folders_around),
		cmocka_unit_test(what_is_no_list_is_refused),
		cmocka_unit_test(a_path_without_an_end_is_refused),
		cmocka_unit_test(folders_without_measure_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
