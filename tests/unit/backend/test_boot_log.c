#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/backend/backend.h"
#include "runtime/backend/boot_log.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

static char folder[64];
static char *path;

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/mvm-test-boot-log-XXXXXX");
	assert_non_null(mkdtemp(folder));
	path = mvm_format("%s/boot.log", folder);
	return 0;
}

static int drop_folder(void **state)
{
	(void)state;
	free(path);
	return mvm_remove_tree(folder, NULL);
}

static void write_log(const char *text, size_t length)
{
	struct boot_log log;

	assert_int_equal(boot_log_open(&log, path, NULL), 0);
	boot_log_write(&log, text, length);
	boot_log_close(&log);
}

static void expect_tail(const char *text, unsigned lines, const char *expected)
{
	char *tail MVM_CLEAN_FREE = NULL;

	write_log(text, strlen(text));
	tail = mvm_boot_log_tail(path, lines);
	assert_string_equal(tail, expected);
}

static void test_tail(void **state)
{
	(void)state;
	expect_tail("", 3, "");
	expect_tail("one\n", 3, "one");
	expect_tail("one\ntwo\nthree\nfour\n", 2, "three\nfour");
	expect_tail("one\ntwo\n\n\n", 1, "two");
	expect_tail("one\r\ntwo\r\n", 2, "one\ntwo");
}

static void test_tail_is_safe_on_a_terminal(void **state)
{
	char *tail MVM_CLEAN_FREE = NULL;

	(void)state;
	expect_tail("\x1b[31mred\x1b[0m \a\x1b]0;title\x07z\xc3\xa9\n", 1, "red ]0;titlez");
	expect_tail("open \x1b[31", 1, "open ");
	tail = mvm_boot_log_tail("/nonexistent/boot.log", 5);
	assert_string_equal(tail, "");
}

static void test_long_line(void **state)
{
	char *text MVM_CLEAN_FREE = mvm_alloc(100001), *tail MVM_CLEAN_FREE = NULL;

	(void)state;
	memset(text, 'x', 100000);
	write_log(text, 100000);
	tail = mvm_boot_log_tail(path, 1);
	assert_in_range(strlen(tail), 80, 1000);
}

static void test_opening_empties(void **state)
{
	(void)state;
	expect_tail("a longer first text\n", 1, "a longer first text");
	expect_tail("new\n", 9, "new");
}

static void check_bounded(size_t piece)
{
	enum { LINES = 60000 };
	char *text MVM_CLEAN_FREE = NULL;
	struct mvm_buf all MVM_CLEAN_BUF = {0};
	struct boot_log log;

	for (int i = 0; i < LINES; i++)
		mvm_buf_addf(&all, "line %d of a guest that talks and talks and talks\n", i);
	assert_int_equal(boot_log_open(&log, path, NULL), 0);
	for (size_t at = 0; at < all.length; at += piece) {
		struct stat st;

		boot_log_write(&log, all.data + at, all.length - at < piece ? all.length - at : piece);
		assert_int_equal(stat(path, &st), 0);
		assert_true(st.st_size <= MVM_BOOT_LOG_MAX);
	}
	boot_log_close(&log);
	assert_int_equal(mvm_read_file(path, 2 * MVM_BOOT_LOG_MAX, &text, NULL, NULL), 0);
	assert_int_equal(strncmp(text, "line 0 of", 9), 0);
	assert_non_null(strstr(text, "bytes left out here]\n"));
	assert_non_null(strstr(text, "line 59999 of a guest that talks and talks and talks\n"));
}

static void test_bounded(void **state)
{
	(void)state;
	check_bounded(1000);
	check_bounded(3 * MVM_BOOT_LOG_MAX);
}

static void test_cannot_open(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct boot_log log;

	(void)state;
	assert_int_equal(boot_log_open(&log, "/nonexistent/boot.log", &err), -1);
	assert_int_equal(mvm_error_code(err), MVM_ERR_NOT_FOUND);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tail),	  cmocka_unit_test(test_tail_is_safe_on_a_terminal),
		cmocka_unit_test(test_long_line), cmocka_unit_test(test_opening_empties),
		cmocka_unit_test(test_bounded),	  cmocka_unit_test(test_cannot_open),
	};

	return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
