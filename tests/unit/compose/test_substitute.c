/* Variables in texts. */
#include "tests/unit/unit.h"

#include "runtime/compose/substitute.h"

static const char *find(void *arg, const char *name)
{
	return environment_find(arg, name);
}

static void note(void *arg, const char *name)
{
	environment_set(arg, "UNSET", name);
}

static int replace(const char *text, struct mvm_buf *out, struct mvm_strv *environment, struct mvm_error **err)
{
	const struct substitution how = {.find = find, .unset = note, .arg = environment};

	mvm_strv_add(environment, "FOO=first");
	mvm_strv_add(environment, "EMPTY=");
	mvm_strv_add(environment, "_U1=under");
	return substitute(text, &how, out, err);
}

static void each_form_has_its_value(void **state)
{
	static const struct {
		const char *text, *wanted, *unset;
	} cases[] = {
		{"", "", NULL},
		{"plain", "plain", NULL},
		{"$FOO", "first", NULL},
		{"${FOO}", "first", NULL},
		{"a${FOO}b$FOO-c", "afirstbfirst-c", NULL},
		{"$_U1$EMPTY", "under", NULL},
		{"$NONE", "", "NONE"},
		{"${NONE}x", "x", "NONE"},
		{"${NONE:-d}", "d", NULL},
		{"${NONE-d}", "d", NULL},
		{"${EMPTY:-d}", "d", NULL},
		{"${EMPTY-d}", "", NULL},
		{"${FOO:-d}", "first", NULL},
		{"${FOO:?no}", "first", NULL},
		{"${EMPTY?no}", "", NULL},
		{"${FOO:+r}", "r", NULL},
		{"${EMPTY:+r}", "", NULL},
		{"${EMPTY+r}", "r", NULL},
		{"${NONE:+r}", "", NULL},
		{"${NONE+r}", "", NULL},
		{"${NONE:-}", "", NULL},
		{"${NONE:-${FOO}}", "first", NULL},
		{"${NONE:-${NADA:-a b}} ${FOO}", "a b first", NULL},
		{"${NONE:-{\"a\": \"$FOO\"}}", "{\"a\": \"first\"}", NULL},
		{"${NONE:-a:-b?c+d}", "a:-b?c+d", NULL},
		{"${NONE:-http://x/?a=b}", "http://x/?a=b", NULL},
		{"$$FOO $${FOO} $$", "$FOO ${FOO} $", NULL},
		{"$5 $ $(date) 100$", "$5 $ $(date) 100$", NULL},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_strv environment MVM_CLEAN_STRV = {0};
		struct mvm_buf out MVM_CLEAN_BUF = {0};
		struct mvm_error *err = NULL;
		const char *unset;

		assert_ok(replace(cases[i].text, &out, &environment, &err));
		assert_string_equal(out.data ? out.data : "", cases[i].wanted);
		unset = environment_find(&environment, "UNSET");
		if (cases[i].unset)
			assert_string_equal(unset, cases[i].unset);
		else
			assert_null(unset);
	}
}

static void what_is_malformed_or_missing_is_an_error(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"${", "invalid interpolation format"},
		{"${}", "invalid interpolation format"},
		{"a ${FOO", "\"${FOO\""},
		{"${FOO:-x", "invalid interpolation format"},
		{"${FOO!x}", "invalid interpolation format"},
		{"${FOO:x}", "invalid interpolation format"},
		{"${1A}", "invalid interpolation format"},
		{"${F OO}", "invalid interpolation format"},
		{"${NONE:?}", "required variable NONE is missing a value"},
		{"${NONE?set $FOO}", "required variable NONE is missing a value: set first"},
		{"${EMPTY:?gone}", "required variable EMPTY is missing a value: gone"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_strv environment MVM_CLEAN_STRV = {0};
		struct mvm_buf out MVM_CLEAN_BUF = {0};
		struct mvm_error *err = NULL;

		assert_error(replace(cases[i].text, &out, &environment, &err), MVM_ERR_INVALID, cases[i].message);
	}
}

static void nesting_and_size_are_bounded(void **state)
{
	struct mvm_strv environment MVM_CLEAN_STRV = {0};
	struct mvm_buf deep MVM_CLEAN_BUF = {0}, wide MVM_CLEAN_BUF = {0}, out MVM_CLEAN_BUF = {0};
	char *large MVM_CLEAN_FREE = mvm_alloc(SUBSTITUTE_MAX);
	struct mvm_error *err = NULL;

	for (int i = 0; i < 100000; i++)
		mvm_buf_addf(&deep, "${NONE:-");
	for (int i = 0; i < 100000; i++)
		mvm_buf_addf(&deep, "}");
	assert_error(replace(deep.data, &out, &environment, &err), MVM_ERR_INVALID, "nested deeper");
	memset(large, 'x', SUBSTITUTE_MAX - 1);
	environment_set(&environment, "LARGE", large);
	mvm_buf_addf(&wide, "$LARGE$LARGE");
	assert_error(replace(wide.data, &out, &environment, &err), MVM_ERR_INVALID, "larger than");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_has_its_value),
		cmocka_unit_test(what_is_malformed_or_missing_is_an_error),
		cmocka_unit_test(nesting_and_size_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
