/* JSON: untrusted input, typed getters, files. */
#include "tests/unit/corpus.h"

#include <sys/stat.h>

#include "runtime/base/json.h"

static json_t *parse(const char *text)
{
	struct mvm_error *err = NULL;
	json_t *value = NULL;

	assert_ok(mvm_json_parse(text, strlen(text), "test", &value, &err));
	return value;
}

static bool parses(const char *data, size_t length)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	json_t *value MVM_CLEAN_JSON = NULL;

	if (mvm_json_parse(data, length, "the input", &value, &err) == 0)
		return true;
	assert_null(value);
	assert_int_equal(mvm_error_code(err), MVM_ERR_INVALID);
	assert_non_null(strstr(mvm_error_message(err), "the input"));
	assert_null(strchr(mvm_error_message(err), '\n'));
	return false;
}

static void corpus_is_taken_and_refused(void **state)
{
	corpus_replay("json", parses);
}

static void depth_is_limited_before_anything_recurses(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	json_t *value = NULL;
	char deep[130];

	memset(deep, '[', 65);
	memset(deep + 65, ']', 65);
	assert_error(mvm_json_parse(deep, 130, "doc", &value, &err), MVM_ERR_INVALID, "deeper than 64");
	memmove(deep + 64, deep + 65, 64);
	assert_ok(mvm_json_parse(deep, 128, "doc", &value, &err));
	json_decref(value);
}

/* Two bytes to write, more than a hundred in memory. */
static void containers_are_counted_before_they_are_made(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	json_t *value = NULL;

	mvm_buf_add(&text, "[", 1);
	for (size_t i = 1; i < 256 * 1024; i++)
		mvm_buf_add(&text, i == 1 ? "{}" : ",[]", i == 1 ? 2 : 3);
	mvm_buf_add(&text, "]", 1);
	assert_ok(mvm_json_parse(text.data, text.length, "doc", &value, &err));
	json_decref(value);
	text.data[text.length - 1] = ',';
	mvm_buf_add(&text, "[]]", 3);
	assert_error(mvm_json_parse(text.data, text.length, "doc", &value, &err), MVM_ERR_INVALID,
		     "doc: more than 262144 objects and lists");
}

static void errors_tell_the_place(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	json_t *value = NULL;
	const char text[] = "{\n  \"a\": 1,\n  \"a\": 2\n}";

	assert_error(mvm_json_parse(text, strlen(text), "x.json", &value, &err), MVM_ERR_INVALID, "x.json: line 3");
	assert_null(value);
}

static void strings_are_got_by_type(void **state)
{
	json_t *object MVM_CLEAN_JSON = parse("{\"s\": \"text\", \"n\": null, \"i\": 1}");
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	const char *value = NULL;

	assert_ok(mvm_json_get_string(object, "s", "other", &value, &err));
	assert_string_equal(value, "text");
	assert_ok(mvm_json_get_string(object, "n", "other", &value, &err));
	assert_string_equal(value, "other");
	assert_ok(mvm_json_get_string(object, "missing", NULL, &value, &err));
	assert_null(value);
	value = "untouched";
	assert_error(mvm_json_get_string(object, "i", "", &value, &err), MVM_ERR_INVALID, "\"i\"");
	assert_string_equal(value, "untouched");
}

static void numbers_are_got_by_type(void **state)
{
	json_t *object MVM_CLEAN_JSON = parse("{\"i\": -9223372036854775808, \"r\": 1.0, \"b\": true, \"n\": null}");
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int64_t value = 0;

	assert_ok(mvm_json_get_int(object, "i", 7, &value, &err));
	assert_true(value == INT64_MIN);
	assert_ok(mvm_json_get_int(object, "n", 7, &value, &err));
	assert_int_equal(value, 7);
	assert_ok(mvm_json_get_int(object, "missing", -3, &value, &err));
	assert_int_equal(value, -3);
	assert_error(mvm_json_get_int(object, "r", 7, &value, &err), MVM_ERR_INVALID, "\"r\"");
	assert_error(mvm_json_get_int(object, "b", 7, &value, &err), MVM_ERR_INVALID, "\"b\"");
	assert_int_equal(value, -3);
}

static void booleans_are_got_by_type(void **state)
{
	json_t *object MVM_CLEAN_JSON = parse("{\"t\": true, \"f\": false, \"n\": null, \"i\": 1}");
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	bool value = false;

	assert_ok(mvm_json_get_bool(object, "t", false, &value, &err));
	assert_true(value);
	assert_ok(mvm_json_get_bool(object, "f", true, &value, &err));
	assert_false(value);
	assert_ok(mvm_json_get_bool(object, "n", true, &value, &err));
	assert_true(value);
	assert_ok(mvm_json_get_bool(object, "missing", false, &value, &err));
	assert_false(value);
	assert_error(mvm_json_get_bool(object, "i", true, &value, &err), MVM_ERR_INVALID, "\"i\"");
	assert_false(value);
}

static void getters_take_what_is_no_object(void **state)
{
	json_t *array MVM_CLEAN_JSON = parse("[1]");
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int64_t value = 0;

	assert_ok(mvm_json_get_int(array, "x", 5, &value, &err));
	assert_int_equal(value, 5);
	assert_ok(mvm_json_get_int(NULL, "x", 6, &value, &err));
	assert_int_equal(value, 6);
}

static void string_lists_go_there_and_back(void **state)
{
	json_t *object MVM_CLEAN_JSON =
		parse("{\"l\": [\"a\", \"\", \"b c\"], \"n\": null, \"m\": [\"a\", 1], \"s\": \"a\"}");
	struct mvm_strv values MVM_CLEAN_STRV = {0}, empty MVM_CLEAN_STRV = {0}, partial MVM_CLEAN_STRV = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	json_t *back;

	assert_ok(mvm_json_get_strings(object, "l", &values, &err));
	assert_int_equal(values.count, 3);
	assert_string_equal(values.items[2], "b c");
	back = mvm_json_from_strings(&values);
	assert_true(json_equal(back, json_object_get(object, "l")));
	json_decref(back);
	assert_ok(mvm_json_get_strings(object, "n", &empty, &err));
	assert_ok(mvm_json_get_strings(object, "missing", &empty, &err));
	assert_int_equal(empty.count, 0);
	back = mvm_json_from_strings(&empty);
	assert_int_equal(json_array_size(back), 0);
	json_decref(back);
	assert_error(mvm_json_get_strings(object, "m", &partial, &err), MVM_ERR_INVALID, "\"m\"");
	assert_error(mvm_json_get_strings(object, "s", &partial, &err), MVM_ERR_INVALID, "\"s\"");
}

/* A list that lost an element would run another command than the user asked for. */
static void lists_that_json_cannot_hold_are_refused(void **state)
{
	struct mvm_strv values MVM_CLEAN_STRV = {0};

	mvm_strv_add(&values, "good");
	mvm_strv_add(&values, "bad \xff");
	assert_null(mvm_json_from_strings(&values));
}

static void messages_are_always_text(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{"plain", "plain"},
		{"", ""},
		{"caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80"},
		{"\xff", "\xef\xbf\xbd"},
		{"a\xff\xfe"
		 "b\xc3",
		 "a\xef\xbf\xbd\xef\xbf\xbd"
		 "b\xef\xbf\xbd"},
		{"\xc3\xa9\xed\xa0\x80!", "\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd!"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		json_t *message MVM_CLEAN_JSON = mvm_json_message(cases[i].from);

		assert_non_null(message);
		assert_string_equal(json_string_value(message), cases[i].to);
	}
}

static void files_are_saved_privately_and_loaded(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/file.json", (char *)*state);
	json_t *object MVM_CLEAN_JSON = parse("{\"b\": [1, 2], \"a\": \"text\"}");
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	json_t *loaded = NULL;
	struct stat st;

	assert_ok(mvm_json_save(path, object, &err));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_ok(mvm_json_load(path, 1000, &loaded, &err));
	assert_true(json_equal(loaded, object));
	json_decref(loaded);
	loaded = NULL;
	assert_error(mvm_json_load(path, 10, &loaded, &err), MVM_ERR_INVALID, path);
	assert_error(mvm_json_load("/nowhere.json", 10, &loaded, &err), MVM_ERR_NOT_FOUND, "/nowhere.json");
	assert_error(mvm_json_save(path, NULL, &err), MVM_ERR_INTERNAL, path);
	assert_ok(mvm_json_load(path, 1000, &loaded, &err));
	json_decref(loaded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_is_taken_and_refused),
		cmocka_unit_test(depth_is_limited_before_anything_recurses),
		cmocka_unit_test(containers_are_counted_before_they_are_made),
		cmocka_unit_test(errors_tell_the_place),
		cmocka_unit_test(strings_are_got_by_type),
		cmocka_unit_test(numbers_are_got_by_type),
		cmocka_unit_test(booleans_are_got_by_type),
		cmocka_unit_test(getters_take_what_is_no_object),
		cmocka_unit_test(string_lists_go_there_and_back),
		cmocka_unit_test(lists_that_json_cannot_hold_are_refused),
		cmocka_unit_test(messages_are_always_text),
		cmocka_unit_test(files_are_saved_privately_and_loaded),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
