/* container.log as the supervisor writes it: rotation, and disks that take no more. */
#include "tests/unit/unit.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "runtime/base/log.h"
#include "runtime/supervisor/logger.h"

static char *fresh_path(void **state)
{
	static int count;

	return mvm_format("%s/log.%c", (char *)*state, 'a' + count++);
}

static struct logger *create(const char *path, uint64_t max_size, int64_t max_files)
{
	const struct mvm_log_policy policy = {.kept = true, .max_size = max_size, .max_files = max_files};
	struct mvm_error *err = NULL;
	struct logger *logger = NULL;

	assert_ok(logger_create(path, &policy, &logger, &err));
	return logger;
}

static void append(struct logger *logger, const char *text)
{
	logger_append(logger, text, strlen(text));
}

/* "" stands for the file itself; NULL expected: it is not there. */
static void assert_file(const char *path, const char *suffix, const char *expected)
{
	char *name MVM_CLEAN_FREE = mvm_format("%s%s", path, suffix), *data MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;

	if (!expected) {
		assert_int_equal(access(name, F_OK), -1);
		return;
	}
	assert_ok(mvm_read_file(name, 1 << 20, &data, NULL, &err));
	assert_string_equal(data, expected);
}

static void a_full_file_moves_on(void **state)
{
	char *path MVM_CLEAN_FREE = fresh_path(state);
	struct logger *logger = create(path, 10, 3);
	struct stat st;

	append(logger, "one\ntwo\nthree\n");
	assert_file(path, "", "one\ntwo\nthree\n");
	append(logger, "four\n");
	assert_file(path, "", "four\n");
	assert_file(path, ".1", "one\ntwo\nthree\n");
	assert_file(path, ".2", NULL);
	/* One piece over several files, and the oldest goes. */
	append(logger, "five56\nsix\nseven\neight\n");
	assert_file(path, "", "eight\n");
	assert_file(path, ".1", "six\nseven\n");
	assert_file(path, ".2", "four\nfive56\n");
	assert_file(path, ".3", NULL);
	assert_file(path, ".new", NULL);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	logger_destroy(logger);
}

static void one_file_begins_anew(void **state)
{
	char *path MVM_CLEAN_FREE = fresh_path(state);
	struct logger *logger = create(path, 5, 1);

	append(logger, "first\nsecond\n");
	assert_file(path, "", "second\n");
	assert_file(path, ".1", NULL);
	logger_destroy(logger);
}

static void without_a_size_it_grows(void **state)
{
	char *path MVM_CLEAN_FREE = fresh_path(state);
	struct logger *logger = create(path, 0, 3);

	for (int i = 0; i < 1000; i++)
		append(logger, "a line\n");
	assert_file(path, ".1", NULL);
	logger_destroy(logger);
}

/* Size and end are those of the file that is there: a container is started again, or its host crashed. */
static void it_goes_on_where_it_was(void **state)
{
	char *path MVM_CLEAN_FREE = fresh_path(state);
	struct logger *logger = create(path, 10, 2);
	struct mvm_error *err = NULL;

	append(logger, "0123456789\n");
	logger_destroy(logger);
	logger = create(path, 10, 2);
	append(logger, "next\n");
	assert_file(path, "", "next\n");
	assert_file(path, ".1", "0123456789\n");
	logger_destroy(logger);
	assert_ok(mvm_replace_file(path, "cut", 3, 0600, &err));
	logger = create(path, 0, 1);
	append(logger, "next\n");
	assert_file(path, "", "cut\nnext\n");
	logger_destroy(logger);
}

static void none_makes_no_file(void **state)
{
	char *path MVM_CLEAN_FREE = fresh_path(state);
	const struct mvm_log_policy policy = {.kept = false};
	struct mvm_error *err = NULL;
	struct logger *logger = NULL;

	assert_ok(logger_create(path, &policy, &logger, &err));
	append(logger, "unheard\n");
	assert_file(path, "", NULL);
	logger_destroy(logger);
	logger_destroy(NULL);
}

static void rotation_that_fails_loses_nothing(void **state)
{
	char *path MVM_CLEAN_FREE = fresh_path(state), *blocker MVM_CLEAN_FREE = mvm_format("%s.new", path);
	struct logger *logger = create(path, 5, 2);
	struct mvm_error *err = NULL;

	assert_ok(mvm_make_folders(blocker, &err));
	append(logger, "first\nsecond\nthird\n");
	assert_file(path, "", "first\nsecond\nthird\n");
	assert_int_equal(rmdir(blocker), 0);
	append(logger, "fourth\n");
	assert_file(path, "", "fourth\n");
	assert_file(path, ".1", "first\nsecond\nthird\n");
	logger_destroy(logger);
}

static void set_room(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A limit of the file's size cuts a write as a disk does that fills up. */
static void what_has_no_room_is_left_out_whole(void **state)
{
	char *path MVM_CLEAN_FREE = fresh_path(state);
	char said[4096];
	struct logger *logger = create(path, 0, 1);
	struct rlimit before;
	ssize_t length;
	int pair[2];

	assert_int_equal(mvm_pipe(pair), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	set_room(12);
	mvm_log_open("test", -1, MVM_LOG_ERROR);
	append(logger, "first\nsecond\n");
	assert_file(path, "", "first\n");
	append(logger, "third is too long\n");
	assert_file(path, "", "first\n");
	/* What fits goes in meanwhile. */
	append(logger, "more\n");
	assert_file(path, "", "first\nmore\n");
	setrlimit(RLIMIT_FSIZE, &before);
	append(logger, "last\n");
	assert_file(path, "", "first\nmore\nlast\n");
	logger_destroy(logger);
	/* Said once at the beginning and once at the end. */
	mvm_log_open("test", pair[1], MVM_LOG_WARN);
	logger = create(path, 0, 1);
	set_room(20);
	for (int i = 0; i < 5; i++)
		append(logger, "there is no room for it\n");
	setrlimit(RLIMIT_FSIZE, &before);
	append(logger, "room\n");
	logger_destroy(logger);
	mvm_log_open("test", -1, MVM_LOG_ERROR);
	length = read(pair[0], said, sizeof(said) - 1);
	assert_true(length > 0);
	said[length] = '\0';
	assert_non_null(strstr(said, "the container goes on"));
	assert_null(strstr(strstr(said, "the container goes on") + 1, "the container goes on"));
	assert_non_null(strstr(said, "120 bytes of it are missing"));
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_file_moves_on),
		cmocka_unit_test(one_file_begins_anew),
		cmocka_unit_test(without_a_size_it_grows),
		cmocka_unit_test(it_goes_on_where_it_was),
		cmocka_unit_test(none_makes_no_file),
		cmocka_unit_test(rotation_that_fails_loses_nothing),
		cmocka_unit_test(what_has_no_room_is_left_out_whole),
	};

	signal(SIGXFSZ, SIG_IGN);
	mvm_log_open("test", -1, MVM_LOG_ERROR);
	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
