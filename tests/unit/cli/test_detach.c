/* --detach-keys. */
#include "tests/unit/unit.h"

#include "runtime/cli/detach.h"

static void lists_of_keys(void **state)
{
	static const struct {
		const char *text, *keys;
		size_t length;
	} cases[] = {
		{NULL, "\x10\x11", 2},
		{"", "\x10\x11", 2},
		{"ctrl-p,ctrl-q", "\x10\x11", 2},
		{"a", "a", 1},
		{"ctrl-@,ctrl-a,ctrl-z,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_,DEL", "\0\x01\x1a\x1b\x1c\x1d\x1e\x1f\x7f",
		 9},
		{"x,Y,-", "xY-", 3},
	};
	struct mvm_error *err = NULL;

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct cli_detach detach;

		assert_ok(cli_detach_init(&detach, cases[i].text, &err));
		assert_int_equal(detach.length, cases[i].length);
		assert_memory_equal(detach.keys, cases[i].keys, cases[i].length);
	}
}

static void keys_of_the_configuration(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/config.json", (char *)*state);
	static const char text[] = "{\"detachKeys\": \"ctrl-x,y\"}", wrong[] = "{\"detachKeys\": \"ctrl-P\"}";
	struct mvm_error *err = NULL;
	struct cli_detach detach;

	assert_ok(mvm_replace_file(path, text, strlen(text), 0600, &err));
	assert_ok(cli_detach_init(&detach, NULL, &err));
	assert_int_equal(detach.length, 2);
	assert_memory_equal(detach.keys, "\x18y", 2);
	assert_ok(cli_detach_init(&detach, "a", &err));
	assert_int_equal(detach.length, 1);
	assert_ok(mvm_replace_file(path, wrong, strlen(wrong), 0600, &err));
	assert_error(cli_detach_init(&detach, "", &err), MVM_ERR_USAGE, "invalid detach keys (ctrl-P) provided");
	unlink(path);
}

static void what_is_no_key(void **state)
{
	static const char *const wrong[] = {"ctrl-",
					    "ctrl-P",
					    "Ctrl-p",
					    "ctrl-pp",
					    "ctrl-1",
					    "ab",
					    ",",
					    "a,",
					    "a,,b",
					    "del",
					    "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a"};
	struct mvm_error *err = NULL;
	struct cli_detach detach;

	for (size_t i = 0; i < MVM_COUNT(wrong); i++)
		assert_error(cli_detach_init(&detach, wrong[i], &err), MVM_ERR_USAGE, "invalid detach keys (");
}

/* What comes out of pieces of each size; "!" where it detached. */
static void assert_typed(const char *keys, const char *typed, const char *expected)
{
	size_t length = strlen(typed);
	struct mvm_error *err = NULL;

	for (size_t piece = 1; piece <= length; piece++) {
		struct mvm_buf all MVM_CLEAN_BUF = {0};
		struct cli_detach detach;
		bool found = false;

		assert_ok(cli_detach_init(&detach, keys, &err));
		for (size_t at = 0; at < length && !found; at += piece) {
			char out[64 + CLI_DETACH_KEYS];
			size_t part = length - at < piece ? length - at : piece, count;

			found = cli_detach_filter(&detach, typed + at, part, out, &count);
			mvm_buf_add(&all, out, count);
		}
		mvm_buf_addf(&all, "%s", found ? "!" : "");
		assert_string_equal(all.data, expected);
	}
}

static void keys_are_found_across_pieces(void **state)
{
	assert_typed("a,b", "ab", "!");
	assert_typed("a,b", "xyab", "xy!");
	assert_typed("a,b", "xabz", "x!");
	assert_typed("a,b", "axb", "axb");
	assert_typed("a,b", "aab", "a!");
	assert_typed("a,b", "aaab", "aa!");
	assert_typed("a,a,b", "aaab", "a!");
	assert_typed("a,b,a,c", "ababac", "ab!");
	assert_typed("a", "xa", "x!");
	/* The beginning of the keys is held back. */
	assert_typed("a,b", "xa", "x");
	assert_typed(NULL, "ls\r\x10\x11", "ls\r!");
	assert_typed(NULL, "\x10\x10p", "\x10\x10p");
}

static void zeroed_it_finds_nothing(void **state)
{
	struct cli_detach detach = {.length = 0};
	char out[8 + CLI_DETACH_KEYS];
	size_t count;

	assert_false(cli_detach_filter(&detach, "\x10\x11\0\0", 4, out, &count));
	assert_int_equal(count, 4);
	assert_memory_equal(out, "\x10\x11\0\0", 4);
}

/* Not the user's own configuration. */
static int setup(void **state)
{
	scratch_setup(state);
	return setenv("DOCKER_CONFIG", *state, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_keys),	   cmocka_unit_test(keys_of_the_configuration),
		cmocka_unit_test(what_is_no_key),	   cmocka_unit_test(keys_are_found_across_pieces),
		cmocka_unit_test(zeroed_it_finds_nothing),
	};

	return cmocka_run_group_tests(tests, setup, scratch_teardown);
}
