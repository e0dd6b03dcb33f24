/* Where things are, by environment and by what stands on the disk. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "runtime/base/paths.h"

static const char *const variables[] = {"HOME",		  "MVM_HOME",	     "MVM_CONFIG",
					"XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"};

static int clear_environment(void **state)
{
	for (size_t i = 0; i < MVM_COUNT(variables); i++)
		unsetenv(variables[i]);
	return 0;
}

static void expect(int (*function)(char **path, struct mvm_error **err), const char *expected)
{
	char *path MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;

	assert_ok(function(&path, &err));
	assert_string_equal(path, expected);
}

static void home_is_the_variable_or_below_home(void **state)
{
	char folder[PATH_MAX], *under MVM_CLEAN_FREE = NULL;

	setenv("HOME", "/home/u", 1);
#ifdef __APPLE__
	expect(mvm_home, "/home/u/Library/Application Support/mvm");
#else
	expect(mvm_home, "/home/u/.local/share/mvm");
#endif
	setenv("MVM_HOME", "/srv/mvm", 1);
	expect(mvm_home, "/srv/mvm");
	setenv("MVM_HOME", "relative/home", 1);
	assert_non_null(getcwd(folder, sizeof(folder)));
	under = mvm_format("%s/relative/home", folder);
	expect(mvm_home, under);
}

static void an_empty_variable_is_an_unset_one(void **state)
{
	setenv("HOME", "/home/u", 1);
	setenv("MVM_HOME", "", 1);
	setenv("MVM_CONFIG", "", 1);
	setenv("XDG_CACHE_HOME", "", 1);
	expect(mvm_config_path, "/home/u/.config/mvm/config.json");
#ifndef __APPLE__
	expect(mvm_home, "/home/u/.local/share/mvm");
	expect(mvm_cache_folder, "/home/u/.cache/mvm");
#endif
}

static void cache_and_config_follow_their_variables(void **state)
{
	setenv("HOME", "/home/u", 1);
	setenv("MVM_CONFIG", "/etc/mvm.json", 1);
	expect(mvm_config_path, "/etc/mvm.json");
#ifndef __APPLE__
	setenv("XDG_CACHE_HOME", "/var/cache", 1);
	expect(mvm_cache_folder, "/var/cache/mvm");
	/* The specification: relative paths are to be ignored. */
	setenv("XDG_CACHE_HOME", "relative", 1);
	expect(mvm_cache_folder, "/home/u/.cache/mvm");
#endif
}

static void without_home_it_says_what_to_set(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *path = NULL;

	assert_error(mvm_home(&path, &err), MVM_ERR_NOT_FOUND, "MVM_HOME");
	assert_error(mvm_cache_folder(&path, &err), MVM_ERR_NOT_FOUND, "HOME is not set");
	assert_error(mvm_config_path(&path, &err), MVM_ERR_NOT_FOUND, "HOME is not set");
	assert_null(path);
}

static char *runtime_folder(const char *home)
{
	struct mvm_error *err = NULL;
	char *path = NULL;

	assert_ok(mvm_runtime_folder(home, &path, &err));
	return path;
}

static void runtime_folder_is_made_and_private(void **state)
{
	mode_t mask = umask(0);
	char *path MVM_CLEAN_FREE = NULL, *again MVM_CLEAN_FREE = NULL, *other MVM_CLEAN_FREE = NULL;
	char *prefix MVM_CLEAN_FREE = mvm_format("%s/mvm/", (char *)*state);
	struct stat st;

	setenv("XDG_RUNTIME_DIR", *state, 1);
	path = runtime_folder("/home/u/a");
	umask(mask);
	assert_int_equal(strncmp(path, prefix, strlen(prefix)), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0700);
	again = runtime_folder("/home/u/a");
	assert_string_equal(again, path);
	other = runtime_folder("/home/u/b");
	assert_string_not_equal(other, path);
	/* A socket's name of 16 characters must fit behind it (sun_path has 104 or 108). */
	assert_true(strlen(path) <= strlen(prefix) + 8);
}

/* However the user wrote it, the same home has the same sockets. */
static void one_home_has_one_runtime_folder(void **state)
{
	char *home MVM_CLEAN_FREE = mvm_format("%s/home", (char *)*state);
	char *slash MVM_CLEAN_FREE = mvm_format("%s/home/", (char *)*state);
	char *dots MVM_CLEAN_FREE = mvm_format("%s/./mvm/../home", (char *)*state);
	char *link MVM_CLEAN_FREE = mvm_format("%s/link", (char *)*state);
	const char *const spellings[] = {slash, dots, link};
	char *path MVM_CLEAN_FREE = NULL;

	setenv("XDG_RUNTIME_DIR", *state, 1);
	assert_int_equal(mkdir(home, 0700), 0);
	assert_int_equal(symlink(home, link), 0);
	path = runtime_folder(home);
	for (size_t i = 0; i < MVM_COUNT(spellings); i++) {
		char *same MVM_CLEAN_FREE = runtime_folder(spellings[i]);

		assert_string_equal(same, path);
	}
}

static void runtime_folder_that_others_may_enter_is_refused(void **state)
{
	char *path MVM_CLEAN_FREE = NULL, *out = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	setenv("XDG_RUNTIME_DIR", *state, 1);
	path = runtime_folder("/home/u/shared");
	for (mode_t bit = 1; bit <= 040; bit <<= 1) {
		assert_int_equal(chmod(path, 0700 | bit), 0);
		assert_error(mvm_runtime_folder("/home/u/shared", &out, &err), MVM_ERR_CONFLICT, path);
	}
	assert_int_equal(chmod(path, 0700), 0);
	out = runtime_folder("/home/u/shared");
	free(out);
}

static void runtime_folder_that_is_a_link_or_a_file_is_refused(void **state)
{
	char *base MVM_CLEAN_FREE = mvm_format("%s/planted", (char *)*state), *out = NULL;
	char *mvm MVM_CLEAN_FREE = mvm_format("%s/mvm", base), *target MVM_CLEAN_FREE = mvm_format("%s/target", base);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_int_equal(mkdir(base, 0700), 0);
	assert_int_equal(mkdir(target, 0700), 0);
	assert_int_equal(symlink(target, mvm), 0);
	setenv("XDG_RUNTIME_DIR", base, 1);
	assert_error(mvm_runtime_folder("/home/u", &out, &err), MVM_ERR_CONFLICT, mvm);
	assert_int_equal(unlink(mvm), 0);
	assert_ok(mvm_replace_file(mvm, "", 0, 0600, &err));
	assert_error(mvm_runtime_folder("/home/u", &out, &err), MVM_ERR_CONFLICT, mvm);
	/* What a login left in the environment is no reason to fail. */
	setenv("XDG_RUNTIME_DIR", "/nowhere/at/all", 1);
	out = runtime_folder("/home/u");
	assert_int_equal(strncmp(out, "/tmp/mvm-", 9), 0);
	free(out);
}

/* Root could make one that belongs to another user; who is not root cannot. */
static void runtime_folder_of_another_user_is_refused(void **state)
{
	char *base MVM_CLEAN_FREE = mvm_format("%s/others", (char *)*state), *out = NULL;
	char *mvm MVM_CLEAN_FREE = mvm_format("%s/mvm", base);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (geteuid() != 0)
		skip();
	assert_ok(mvm_make_folders(mvm, &err));
	assert_int_equal(chown(mvm, 4242, 4242), 0);
	setenv("XDG_RUNTIME_DIR", base, 1);
	assert_error(mvm_runtime_folder("/home/u", &out, &err), MVM_ERR_CONFLICT, mvm);
}

static void own_files_lie_beside_the_program(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *path MVM_CLEAN_FREE = NULL, self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *name;

	if (length < 0)
		skip();
	self[length] = '\0';
	name = strrchr(self, '/') + 1;
	assert_ok(mvm_own_file(name, &path, &err));
	assert_string_equal(path, self);
	free(path);
	path = NULL;
	assert_error(mvm_own_file("no/such/file", &path, &err), MVM_ERR_NOT_FOUND, "no/such/file is missing");
	assert_null(path);
}

#define PATHS_TEST(name) cmocka_unit_test_setup(name, clear_environment)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PATHS_TEST(home_is_the_variable_or_below_home),
		PATHS_TEST(an_empty_variable_is_an_unset_one),
		PATHS_TEST(cache_and_config_follow_their_variables),
		PATHS_TEST(without_home_it_says_what_to_set),
		PATHS_TEST(runtime_folder_is_made_and_private),
		PATHS_TEST(one_home_has_one_runtime_folder),
		PATHS_TEST(runtime_folder_that_others_may_enter_is_refused),
		PATHS_TEST(runtime_folder_that_is_a_link_or_a_file_is_refused),
		PATHS_TEST(runtime_folder_of_another_user_is_refused),
		PATHS_TEST(own_files_lie_beside_the_program),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
