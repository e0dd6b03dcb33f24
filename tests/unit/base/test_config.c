/* The configuration file: where it is, what may stand in it, what is said when it is wrong. */
#include "tests/unit/unit.h"

#include <sys/stat.h>

#include "runtime/base/config.h"

/* The default file below a home that belongs to the test. */
static char *use_home(void **state, const char *name)
{
	char *home MVM_CLEAN_FREE = mvm_format("%s/%s", (char *)*state, name);
	char *folder MVM_CLEAN_FREE = mvm_format("%s/.config/mvm", home);
	struct mvm_error *err = NULL;

	assert_ok(mvm_make_folders(folder, &err));
	unsetenv("MVM_CONFIG");
	setenv("HOME", home, 1);
	return mvm_format("%s/config.json", folder);
}

static void write_config(const char *path, const char *text)
{
	struct mvm_error *err = NULL;

	assert_ok(mvm_replace_file(path, text, strlen(text), 0600, &err));
}

static void a_missing_default_file_is_an_empty_one(void **state)
{
	struct mvm_config *config MVM_CLEAN_CONFIG = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	const json_t *section = (const json_t *)1;

	free(use_home(state, "missing"));
	assert_ok(mvm_config_load(&config, &err));
	assert_ok(mvm_config_section(config, "registries", &section, &err));
	assert_null(section);
	mvm_config_destroy(config);
	config = NULL;
	unsetenv("HOME");
	assert_ok(mvm_config_load(&config, &err));
}

static void an_explicit_file_must_be_there(void **state)
{
	struct mvm_config *config = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	setenv("MVM_CONFIG", "/nowhere/mvm.json", 1);
	assert_error(mvm_config_load(&config, &err), MVM_ERR_NOT_FOUND, "MVM_CONFIG names /nowhere/mvm.json");
	assert_null(config);
}

static void sections_are_objects(void **state)
{
	char *path MVM_CLEAN_FREE = use_home(state, "sections");
	struct mvm_config *config MVM_CLEAN_CONFIG = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	const json_t *section = NULL;

	write_config(path, "{\"registries\": {\"docker.io\": {}}, \"proxies\": null, \"wrong\": [], \"unknown\": 1}");
	assert_ok(mvm_config_load(&config, &err));
	assert_ok(mvm_config_section(config, "registries", &section, &err));
	assert_non_null(json_object_get(section, "docker.io"));
	assert_ok(mvm_config_section(config, "proxies", &section, &err));
	assert_null(section);
	assert_ok(mvm_config_section(NULL, "registries", &section, &err));
	assert_null(section);
	assert_error(mvm_config_section(config, "wrong", &section, &err), MVM_ERR_INVALID,
		     "\"wrong\" is not an object");
	assert_error(mvm_config_fail(config, &err, "port %d", 7), MVM_ERR_INVALID, path);
	assert_error(mvm_config_fail(config, &err, "port %d", 7), MVM_ERR_INVALID,
		     ": port 7; correct the file and try again");
}

static void texts_are_texts(void **state)
{
	char *path MVM_CLEAN_FREE = use_home(state, "texts");
	struct mvm_config *config MVM_CLEAN_CONFIG = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	const char *value = NULL;

	write_config(path, "{\"platform\": \"linux/arm64\", \"none\": null, \"wrong\": 1}");
	assert_ok(mvm_config_load(&config, &err));
	assert_ok(mvm_config_string(config, "platform", &value, &err));
	assert_string_equal(value, "linux/arm64");
	assert_ok(mvm_config_string(config, "none", &value, &err));
	assert_null(value);
	assert_error(mvm_config_string(config, "wrong", &value, &err), MVM_ERR_INVALID, "\"wrong\" is not a text");
	assert_ok(mvm_config_string(NULL, "platform", &value, &err));
	assert_null(value);
}

static void mistakes_are_told_with_their_place(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"{\n  \"registries\": {\n}", "line 3"}, {"[]", "not a JSON object"},	  {"", "line 1"},
		{"{\"a\": 1, \"a\": 2}", "duplicate"},	 {"{\"a\": \"\xff\"}", "line 1"},
	};
	char *path MVM_CLEAN_FREE = use_home(state, "mistakes");

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_config *config = NULL;
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;

		write_config(path, cases[i].text);
		assert_error(mvm_config_load(&config, &err), MVM_ERR_INVALID, cases[i].message);
		assert_error(mvm_config_load(&config, &err), MVM_ERR_INVALID, path);
		assert_error(mvm_config_load(&config, &err), MVM_ERR_INVALID, "correct the file");
		assert_null(config);
	}
}

static void what_cannot_be_read_or_is_too_large_is_an_error(void **state)
{
	char *path MVM_CLEAN_FREE = use_home(state, "large"), *blanks = mvm_alloc((1 << 20) + 2);
	struct mvm_config *config = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	memset(blanks, ' ', (1 << 20) + 1);
	write_config(path, blanks);
	free(blanks);
	assert_error(mvm_config_load(&config, &err), MVM_ERR_INVALID, "larger than");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_error(mvm_config_load(&config, &err), MVM_ERR_IO, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_default_file_is_an_empty_one),
		cmocka_unit_test(an_explicit_file_must_be_there),
		cmocka_unit_test(sections_are_objects),
		cmocka_unit_test(texts_are_texts),
		cmocka_unit_test(mistakes_are_told_with_their_place),
		cmocka_unit_test(what_cannot_be_read_or_is_too_large_is_an_error),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
