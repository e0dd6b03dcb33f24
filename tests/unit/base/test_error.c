/* Errors: codes, wrapping, who owns what. */
#include "tests/unit/unit.h"

#include <errno.h>

static void message_and_code_are_kept(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_int_equal(mvm_fail(&err, MVM_ERR_CONFLICT, "container %s, %d", "x", 7), -1);
	assert_int_equal(mvm_error_code(err), MVM_ERR_CONFLICT);
	assert_int_equal(mvm_error_errno(err), 0);
	assert_string_equal(mvm_error_message(err), "container x, 7");
}

static void system_errors_map_to_codes(void **state)
{
	static const struct {
		int errnum;
		enum mvm_error_code code;
	} cases[] = {
		{ENOSPC, MVM_ERR_NO_SPACE}, {EDQUOT, MVM_ERR_NO_SPACE}, {ENOENT, MVM_ERR_NOT_FOUND},
		{EEXIST, MVM_ERR_EXISTS},   {EACCES, MVM_ERR_IO},	{EIO, MVM_ERR_IO},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		char *expected MVM_CLEAN_FREE = mvm_format("/some/file: %s", strerror(cases[i].errnum));

		assert_int_equal(mvm_fail_errno(&err, cases[i].errnum, "/some/%s", "file"), -1);
		assert_int_equal(mvm_error_code(err), cases[i].code);
		assert_int_equal(mvm_error_errno(err), cases[i].errnum);
		assert_string_equal(mvm_error_message(err), expected);
	}
}

static void wrapping_prefixes_and_keeps_the_rest(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	mvm_fail_errno(&err, ENOENT, "config.json");
	assert_int_equal(mvm_error_wrap(&err, "container %d", 3), -1);
	mvm_error_wrap(&err, "starting");
	assert_string_equal(mvm_error_message(err), "starting: container 3: config.json: No such file or directory");
	assert_int_equal(mvm_error_code(err), MVM_ERR_NOT_FOUND);
	assert_int_equal(mvm_error_errno(err), ENOENT);
}

static void who_does_not_care_passes_null(void **state)
{
	struct mvm_error *none = NULL;

	assert_int_equal(mvm_fail(NULL, MVM_ERR_IO, "x"), -1);
	assert_int_equal(mvm_fail_errno(NULL, EIO, "x"), -1);
	assert_int_equal(mvm_error_wrap(NULL, "x"), -1);
	assert_int_equal(mvm_error_wrap(&none, "x"), -1);
	assert_null(none);
	mvm_error_free(NULL);
	mvm_error_clear(NULL);
	mvm_error_clear(&none);
}

static void the_first_error_wins(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL, *second = NULL;

	mvm_fail(&err, MVM_ERR_NETWORK, "first");
	mvm_fail(&err, MVM_ERR_AUTH, "second");
	mvm_fail_errno(&err, EIO, "third");
	mvm_fail(&second, MVM_ERR_TIMEOUT, "fourth");
	assert_int_equal(mvm_error_move(&err, &second), -1);
	assert_null(second);
	assert_string_equal(mvm_error_message(err), "first");
	assert_int_equal(mvm_error_code(err), MVM_ERR_NETWORK);
}

static void moving_hands_the_error_on(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL, *cause = NULL, *lost = NULL;

	mvm_fail(&cause, MVM_ERR_AUTH, "cause");
	assert_int_equal(mvm_error_move(&err, &cause), -1);
	assert_null(cause);
	assert_string_equal(mvm_error_message(err), "cause");
	mvm_fail(&lost, MVM_ERR_AUTH, "nobody asks");
	mvm_error_move(NULL, &lost);
	assert_null(lost);
}

static void a_cleared_variable_can_be_used_again(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	mvm_fail(&err, MVM_ERR_IO, "one");
	mvm_error_clear(&err);
	assert_null(err);
	mvm_fail(&err, MVM_ERR_IO, "two");
	assert_string_equal(mvm_error_message(err), "two");
}

static void run_status_is_dockers(void **state)
{
	for (int code = MVM_ERR_INTERNAL; code <= MVM_ERR_INTERRUPTED; code++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;

		mvm_fail(&err, (enum mvm_error_code)code, "x");
		assert_int_equal(mvm_error_run_status(err), code == MVM_ERR_NO_PROGRAM	 ? 127
							    : code == MVM_ERR_CANNOT_RUN ? 126
											 : 125);
	}
	assert_int_equal(mvm_error_run_status(NULL), 125);
}

static void code_names_go_there_and_back(void **state)
{
	for (int code = MVM_ERR_INTERNAL; code <= MVM_ERR_INTERRUPTED; code++) {
		const char *name = mvm_error_code_name((enum mvm_error_code)code);

		assert_int_equal(mvm_error_code_parse(name), code);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
	}
	/* These travel between versions. */
	assert_string_equal(mvm_error_code_name(MVM_ERR_NOT_FOUND), "not-found");
	assert_string_equal(mvm_error_code_name(MVM_ERR_NO_PROGRAM), "no-program");
	assert_int_equal(mvm_error_code_parse("of another version"), MVM_ERR_INTERNAL);
	assert_int_equal(mvm_error_code_parse(NULL), MVM_ERR_INTERNAL);
	assert_string_equal(mvm_error_code_name((enum mvm_error_code)1000), "internal");
}

/* Whoever wrote what is quoted does not get at the terminal, and no line is without end. */
static void messages_are_one_line(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *name = mvm_format("%03000d", 0);

	mvm_fail(&err, MVM_ERR_INVALID, "a\nb\r\x1b[2J\x7f \xc2\x9b \xc3\xa9");
	mvm_error_wrap(&err, "c\td");
	assert_string_equal(mvm_error_message(err), "c?d: a?b??[2J? ?? \xc3\xa9");
	mvm_error_clear(&err);
	mvm_fail(&err, MVM_ERR_INVALID, "the reason");
	mvm_error_wrap(&err, "begin %s", name);
	assert_in_range(strlen(mvm_error_message(err)), 2000, 2048);
	assert_memory_equal(mvm_error_message(err), "begin 000", 9);
	assert_non_null(strstr(mvm_error_message(err), "000 ... 000"));
	assert_non_null(strstr(mvm_error_message(err), "000: the reason"));
	free(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_and_code_are_kept),	 cmocka_unit_test(messages_are_one_line),
		cmocka_unit_test(system_errors_map_to_codes),	 cmocka_unit_test(wrapping_prefixes_and_keeps_the_rest),
		cmocka_unit_test(who_does_not_care_passes_null), cmocka_unit_test(the_first_error_wins),
		cmocka_unit_test(moving_hands_the_error_on),	 cmocka_unit_test(a_cleared_variable_can_be_used_again),
		cmocka_unit_test(run_status_is_dockers),	 cmocka_unit_test(code_names_go_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
