/* Commands that are one text. */
#include "tests/unit/unit.h"

#include "runtime/compose/words.h"

static void words_are_split_as_a_shell_would(void **state)
{
	static const struct {
		const char *text, *words, *rest;
	} cases[] = {
		{"", "", NULL},
		{"  sleep  10 ", "sleep|10", NULL},
		{"sh -c \"echo 'a b'\"", "sh|-c|echo 'a b'", NULL},
		{"sh -c 'echo \"$HOME\"'", "sh|-c|echo \"$HOME\"", NULL},
		{"a\\ b \"c\\\"d\"", "a b|c\"d", NULL},
		{"''", "", NULL},
		{"x ''", "x|", NULL},
		{"a'b'c", "abc", NULL},
		{"echo $(date +%s now)", "echo|$(date +%s now)", NULL},
		{"echo `date now`", "echo|`date now`", NULL},
		{"make && run", "make", "&& run"},
		{"echo 'a;b' ; c", "echo|a;b", "; c"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_strv words MVM_CLEAN_STRV = {0};
		char *joined MVM_CLEAN_FREE = NULL;
		const char *rest;

		assert_true(split_words(cases[i].text, &words, &rest));
		joined = words.count ? mvm_strv_join(&words, "|") : mvm_strdup("");
		assert_string_equal(joined, cases[i].words);
		if (cases[i].rest)
			assert_string_equal(rest, cases[i].rest);
		else
			assert_null(rest);
	}
}

static void what_is_open_is_refused(void **state)
{
	static const char *const cases[] = {"'a", "\"a", "a\\", "`a", "$(a", "(a)", "a)"};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_strv words MVM_CLEAN_STRV = {0};
		const char *rest;

		assert_false(split_words(cases[i], &words, &rest));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_split_as_a_shell_would),
		cmocka_unit_test(what_is_open_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
