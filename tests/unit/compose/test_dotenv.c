/* The syntax of .env files. */
#include "tests/unit/unit.h"

#include "runtime/compose/dotenv.h"

static const char *find(void *arg, const char *name)
{
	return environment_find(arg, name);
}

static int parse(const char *text, struct mvm_strv *out, struct mvm_error **err)
{
	struct mvm_strv shell MVM_CLEAN_STRV = {0};
	const struct substitution how = {.find = find, .arg = &shell};

	mvm_strv_add(&shell, "HOME=/home/me");
	mvm_strv_add(&shell, "SAME=shell");
	return dotenv_parse(text, &how, out, err);
}

static void values_are_read(void **state)
{
	static const struct {
		const char *text, *joined;
	} cases[] = {
		{"", ""},
		{"# only\n\n  # this\n", ""},
		{"A=1\nB=two words \nC=", "A=1|B=two words|C="},
		{"\xef\xbb\xbf"
		 "A=1\r\nB=2\r\n",
		 "A=1|B=2"},
		{"export A=1\nexport\tB=2", "A=1|B=2"},
		{"A: 1\nB = 2", "A=1|B=2"},
		{"A=x # comment\nB=x#y\nC=\"# no\" # yes", "A=x|B=x#y|C=# no"},
		{"A='$HOME \\n'\nB=\"$HOME\\n\\\"q\\\"\"\nC=$HOME/x", "A=$HOME \\n|B=/home/me\n\"q\"|C=/home/me/x"},
		{"A='it\\'s'", "A=it's"},
		{"A=\"two\nlines\"\nB=1", "A=two\nlines|B=1"},
		{"A=1\nB=${A}2\nC=${NONE:-d}", "A=1|B=12|C=d"},
		{"A=\"\\$HOME\"\nB=$$HOME", "A=$HOME|B=$HOME"},
		{"A=\"\\0101\\t\\x\"", "A=A\t\\x"},
		{"HOME\nNONE\nA=1", "HOME=/home/me|A=1"},
		{"A=1\nA=2", "A=2"},
		{"SAME=file\nB=$SAME", "SAME=file|B=shell"},
		{"a.b-c[0]=1", "a.b-c[0]=1"},
		{"A={\"k\": \"v\"}", "A={\"k\": \"v\"}"},
		{"A=\"x\"\nB='y'", "A=x|B=y"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_strv out MVM_CLEAN_STRV = {0};
		char *joined MVM_CLEAN_FREE = NULL;
		struct mvm_error *err = NULL;

		assert_ok(parse(cases[i].text, &out, &err));
		joined = out.count ? mvm_strv_join(&out, "|") : mvm_strdup("");
		assert_string_equal(joined, cases[i].joined);
	}
}

static void errors_name_the_line(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"A=1\n!x=2", "line 2: unexpected character \"!\" in variable name \"!x=2\""},
		{"A B=1", "line 1: key cannot contain a space"},
		{"\n\n=1", "line 3: no variable name"},
		{"A=\"two\nlines\"\nB='open", "line 3: unterminated quoted value 'open"},
		{"A=1\nB=${A", "line 2: invalid interpolation format"},
		{"A=${NONE:?say}", "line 1: required variable NONE is missing a value: say"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_strv out MVM_CLEAN_STRV = {0};
		struct mvm_error *err = NULL;

		assert_error(parse(cases[i].text, &out, &err), MVM_ERR_INVALID, cases[i].message);
	}
}

static void what_comes_out_is_bounded(void **state)
{
	struct mvm_strv out MVM_CLEAN_STRV = {0};
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	char *large MVM_CLEAN_FREE = mvm_alloc(500001);
	struct mvm_error *err = NULL;

	memset(large, 'x', 500000);
	mvm_buf_addf(&text, "BIG=%s\n", large);
	for (int i = 0; i < 100; i++)
		mvm_buf_addf(&text, "V%d=$BIG\n", i);
	assert_error(parse(text.data, &out, &err), MVM_ERR_INVALID, "too much");
}

static void raw_files_are_taken_as_they_are(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/raw", (char *)*state);
	struct mvm_strv shell MVM_CLEAN_STRV = {0}, out MVM_CLEAN_STRV = {0};
	const struct substitution how = {.find = find, .arg = &shell};
	static const char text[] = "# no\nA=\"$B\" # all\nINHERITED\nNONE\n  C='x'\r\n";
	char *joined MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;

	mvm_strv_add(&shell, "INHERITED=yes");
	assert_ok(mvm_replace_file(path, text, strlen(text), 0600, &err));
	assert_ok(dotenv_read_raw(path, &how, &out, &err));
	joined = mvm_strv_join(&out, "|");
	assert_string_equal(joined, "A=\"$B\" # all|INHERITED=yes|C='x'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_read),
		cmocka_unit_test(errors_name_the_line),
		cmocka_unit_test(what_comes_out_is_bounded),
		cmocka_unit_test(raw_files_are_taken_as_they_are),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
