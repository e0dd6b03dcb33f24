/* Processes as /proc has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "guest-agent/procinfo.h"

static const char stat[] = "17 (a) b\t(c) S 9 17 17 34817 17 4194304 61 0 0 0 250 50 0 0 20 -5 3 0 1234 2314240 335 "
			   "18446744073709551615 1 1 0 0\n";
static const char status[] =
	"Name:\ta\nUid:\t0\t1000\t0\t0\nGid:\t5\t6\t5\t5\nNStgid:\t17\t4\nNSpid:\t17\t4\nNSpgid:\t17\t4\n"
	"NSsid:\t12\t1\t7\n";

static void test_a_line_of_a_process(void **state)
{
	struct procinfo info;
	char line[256];
	size_t length;

	assert_true(procinfo_read(stat, status, &info));
	assert_string_equal(info.name, "a) b\t(c");
	procinfo_clean(info.name, strlen(info.name));
	length = procinfo_print(&info, "me", "", line, sizeof(line));
	assert_string_equal(line,
			    "17\t4\t9\t4\t1\t1000\tme\t6\t\tS\t1\t34817\t20\t-5\t3\t2260\t1340\t1234\t300\ta) b?(c\t");
	assert_int_equal(length, strlen(line));
	assert_int_equal(procinfo_print(&info, "me", "", line, 10), 9);
}

static void test_what_is_no_containers_is_left_out(void **state)
{
	struct procinfo info;

	/* Of the machine itself: it has one number only. */
	assert_false(procinfo_read(stat, "Uid:\t0\t0\nGid:\t0\t0\nNSpid:\t1\nNSpgid:\t1\nNSsid:\t1\n", &info));
	assert_false(procinfo_read("", status, &info));
	assert_false(procinfo_read("17 (a", status, &info));
	assert_false(procinfo_read("17 )(", status, &info));
	assert_false(procinfo_read("17 (a)", status, &info));
	assert_false(procinfo_read(stat, "", &info));
	assert_false(procinfo_read(stat, "NSpid:\t17\t", &info));
	/* What is cut short has zeros. */
	assert_true(procinfo_read("17 (a) R 9", status, &info));
	assert_true(info.ppid == 9 && info.start == 0 && !info.foreground);
}

static void test_text_of_others(void **state)
{
	char text[] = "sh\0-c\0echo \x1b[31m\x7f\n\xc3\xa4";

	procinfo_clean(text, sizeof(text) - 1);
	assert_string_equal(text, "sh -c echo ?[31m??\xc3\xa4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_of_a_process),
		cmocka_unit_test(test_what_is_no_containers_is_left_out),
		cmocka_unit_test(test_text_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
