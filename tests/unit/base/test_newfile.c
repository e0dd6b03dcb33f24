/* Files that appear when they are complete. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <sys/stat.h>

static size_t count_entries(const char *folder)
{
	DIR *dir = opendir(folder);
	size_t count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

static void assert_content(const char *path, const char *expected)
{
	char *content MVM_CLEAN_FREE = NULL;
	size_t length;

	assert_int_equal(mvm_read_file(path, 1000, &content, &length, NULL), 0);
	assert_string_equal(content, expected);
}

static void it_replaces_when_it_is_committed(void **state)
{
	char *folder = scratch_create(), *path MVM_CLEAN_FREE = mvm_format("%s/file", folder);
	struct mvm_new_file file MVM_CLEAN_NEW_FILE = MVM_NEW_FILE;
	struct mvm_error *err = NULL;
	struct stat info;

	assert_ok(mvm_replace_file(path, "old", 3, 0600, &err));
	assert_ok(mvm_new_file_open(path, 0640, &file, &err));
	assert_int_equal(write(file.fd, "new", 3), 3);
	assert_content(path, "old");
	assert_ok(mvm_new_file_commit(&file, &err));
	assert_content(path, "new");
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0640);
	assert_int_equal(count_entries(folder), 1);
	scratch_remove(folder);
}

static void without_a_commit_nothing_is_left(void **state)
{
	char *folder = scratch_create(), *path MVM_CLEAN_FREE = mvm_format("%s/file", folder);
	struct mvm_new_file file = MVM_NEW_FILE;
	struct mvm_error *err = NULL;

	assert_ok(mvm_new_file_open(path, 0600, &file, &err));
	assert_int_equal(write(file.fd, "new", 3), 3);
	mvm_new_file_finish(&file);
	assert_int_equal(count_entries(folder), 0);
	scratch_remove(folder);
}

/* Its temporary name is no longer than others may be. */
static void a_name_may_be_as_long_as_any(void **state)
{
	char *folder = scratch_create(), *path MVM_CLEAN_FREE = mvm_format("%s/%0255d", folder, 0);
	struct mvm_error *err = NULL;

	assert_ok(mvm_replace_file(path, "text", 4, 0600, &err));
	assert_content(path, "text");
	scratch_remove(folder);
}

static void what_cannot_be_made_is_named(void **state)
{
	char *folder = scratch_create(), *path MVM_CLEAN_FREE = mvm_format("%s/none/file", folder);
	char *taken MVM_CLEAN_FREE = mvm_format("%s/taken", folder);
	struct mvm_new_file file MVM_CLEAN_NEW_FILE = MVM_NEW_FILE;
	struct mvm_error *err = NULL;

	assert_error(mvm_new_file_open(path, 0600, &file, &err), MVM_ERR_NOT_FOUND, "/none/file: No such file");
	/* A folder is in the way: nothing else is left of it. */
	assert_int_equal(mkdir(taken, 0700), 0);
	assert_error(mvm_replace_file(taken, "x", 1, 0600, &err), MVM_ERR_IO, "/taken: Is a directory");
	assert_int_equal(count_entries(folder), 1);
	scratch_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_replaces_when_it_is_committed),
		cmocka_unit_test(without_a_commit_nothing_is_left),
		cmocka_unit_test(a_name_may_be_as_long_as_any),
		cmocka_unit_test(what_cannot_be_made_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
