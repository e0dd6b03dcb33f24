#include "tests/unit/unit.h"

#include "runtime/base/duration.h"

static void what_go_writes(void **state)
{
	static const struct {
		const char *text;
		int64_t nanoseconds;
	} cases[] = {
		{"0s", 0},
		{"1ns", 1},
		{"1.5\xc2\xb5s", 1500},
		{"2ms", 2000000},
		{"999.999999ms", 999999999},
		{"1s", 1000000000},
		{"4.5s", 4500000000},
		{"1m0s", 60000000000},
		{"1m30s", 90000000000},
		{"1h0m0.1s", 3600100000000},
		{"-10m0s", -600000000000},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *text MVM_CLEAN_FREE = mvm_format_duration(cases[i].nanoseconds);
		int64_t back;

		assert_string_equal(text, cases[i].text);
		assert_true(mvm_parse_duration(text, &back));
		assert_int_equal(back, cases[i].nanoseconds);
	}
}

static void what_people_write(void **state)
{
	static const struct {
		const char *text;
		int64_t nanoseconds;
	} cases[] = {
		{"0", 0},
		{"+1m", 60000000000},
		{"90s", 90000000000},
		{".5s", 500000000},
		{"1.5h", 5400000000000},
		{"10us", 10000},
		{"1m1m", 120000000000},
		{"1000h", 3600000000000000},
	};
	static const char *const none[] = {"",	 "-",	 "s",	 "1",  "1.s.", "1..5s", "1 s",	    "1s ",
					   "1d", "1e3s", "0x1s", "1S", "inf",  "nans",	"2562048h", "--1s"};
	int64_t nanoseconds;

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		assert_true(mvm_parse_duration(cases[i].text, &nanoseconds));
		assert_int_equal(nanoseconds, cases[i].nanoseconds);
	}
	for (size_t i = 0; i < MVM_COUNT(none); i++)
		if (mvm_parse_duration(none[i], &nanoseconds))
			fail_msg("'%s' is a duration", none[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_go_writes),
		cmocka_unit_test(what_people_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
