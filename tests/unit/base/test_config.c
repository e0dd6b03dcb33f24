#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/config.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

static char *folder;

static int setup(void **state)
{
	folder = mvm_strdup("/tmp/mvm-config-XXXXXX");
	assert_non_null(mkdtemp(folder));
	setenv("HOME", folder, 1);
	unsetenv("MVM_CONFIG");
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(mvm_remove_tree(folder, NULL), 0);
	free(folder);
	return 0;
}

/* Writes a file and makes MVM_CONFIG name it. */
static void write_config(const char *text)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/config.json", folder);

	assert_int_equal(mvm_replace_file(path, text, strlen(text), 0600, NULL), 0);
	setenv("MVM_CONFIG", path, 1);
}

static void assert_refused(const char *words)
{
	struct mvm_config *config = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_int_equal(mvm_config_load(&config, &err), -1);
	if (!strstr(mvm_error_message(err), words) || !strstr(mvm_error_message(err), folder))
		fail_msg("\"%s\" does not say \"%s\"", mvm_error_message(err), words);
}

static void missing_default_is_empty(void **state)
{
	struct mvm_config *config MVM_CLEAN_CONFIG = NULL;
	const json_t *section;

	assert_int_equal(mvm_config_load(&config, NULL), 0);
	assert_int_equal(mvm_config_section(config, "registries", &section, NULL), 0);
	assert_null(section);
}

static void no_home_is_empty(void **state)
{
	struct mvm_config *config MVM_CLEAN_CONFIG = NULL;

	unsetenv("HOME");
	assert_int_equal(mvm_config_load(&config, NULL), 0);
}

static void missing_explicit_is_told(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/none.json", folder);

	setenv("MVM_CONFIG", path, 1);
	assert_refused("is not there");
}

static void sections(void **state)
{
	struct mvm_config *config MVM_CLEAN_CONFIG = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	const json_t *section = NULL;

	write_config("{\"registries\": {\"docker.io\": {}}, \"future\": [1], \"nothing\": null}");
	assert_int_equal(mvm_config_load(&config, NULL), 0);
	assert_int_equal(mvm_config_section(config, "registries", &section, NULL), 0);
	assert_non_null(json_object_get(section, "docker.io"));
	assert_int_equal(mvm_config_section(config, "nothing", &section, NULL), 0);
	assert_null(section);
	assert_int_equal(mvm_config_section(config, "future", &section, &err), -1);
	assert_int_equal(mvm_error_code(err), MVM_ERR_INVALID);
	assert_non_null(strstr(mvm_error_message(err), "\"future\" is not an object"));
	assert_int_equal(mvm_config_section(NULL, "registries", &section, NULL), 0);
	assert_null(section);
}

static void broken_files_are_told(void **state)
{
	write_config("");
	assert_refused("line 1");
	write_config("{\n\"registries\": {},\n}");
	assert_refused("line 3");
	write_config("[]");
	assert_refused("not a JSON object");
	write_config("{\"a\": 1, \"a\": 2}");
	assert_refused("duplicate");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(missing_default_is_empty), TEST(no_home_is_empty), TEST(missing_explicit_is_told), TEST(sections),
		TEST(broken_files_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
