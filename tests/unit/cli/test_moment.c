/* Points in time, in docker's ways of writing them. */
#include "tests/unit/unit.h"

#include <time.h>

#include "runtime/cli/moment.h"

static void times_with_a_zone(void **state)
{
	static const struct {
		const char *text;
		time_t seconds;
		long nanoseconds;
	} cases[] = {
		{"2023-11-14T22:13:20Z", 1700000000, 0},
		{"2023-11-14T22:13:20z", 1700000000, 0},
		{"2023-11-14T22:13:20.5Z", 1700000000, 500000000},
		{"2023-11-14T22:13:20.123456789Z", 1700000000, 123456789},
		{"2023-11-14T22:13:20.1234567899Z", 1700000000, 123456789},
		{"2023-11-14T23:13:20.000000001+01:00", 1700000000, 1},
		{"2023-11-14T16:43:20-05:30", 1700000000, 0},
		{"2023-11-14T22:13Z", 1699999980, 0},
		{"2023-11-14T22+00:00", 1699999200, 0},
		{"2023-11-14Z", 1699920000, 0},
		{"2023-11-14+01:00", 1699916400, 0},
		{"2024-02-29T00:00:00Z", 1709164800, 0},
		{"1700000000", 1700000000, 0},
		{"1700000000.25", 1700000000, 250000000},
		{"1700000000.000000001", 1700000000, 1},
		{"0", 0, 0},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct timespec moment = {0};

		assert_true(cli_parse_moment(cases[i].text, &moment));
		assert_int_equal(moment.tv_sec, cases[i].seconds);
		assert_int_equal(moment.tv_nsec, cases[i].nanoseconds);
	}
}

static void without_a_zone_it_is_the_local_one(void **state)
{
	static const struct {
		const char *text;
		time_t seconds;
	} cases[] = {
		{"2023-11-14", 1699938000},	     {"2023-11-14T22", 1700017200},
		{"2023-11-14T22:13", 1700017980},    {"2023-11-14T22:13:20", 1700018000},
		{"2023-07-01T00:00:00", 1688184000},
	};
	struct timespec moment;

	setenv("TZ", "EST5EDT,M3.2.0,M11.1.0", 1);
	tzset();
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		assert_true(cli_parse_moment(cases[i].text, &moment));
		assert_int_equal(moment.tv_sec, cases[i].seconds);
	}
	assert_true(cli_parse_moment("2023-11-14T22:13:20.75", &moment));
	assert_int_equal(moment.tv_nsec, 750000000);
}

static void durations_are_into_the_past(void **state)
{
	static const struct {
		const char *text;
		double seconds;
	} cases[] = {
		{"10m", 600},	      {"1h30m", 5400}, {"1.5h", 5400},	      {"90s", 90},
		{"1h0m0.5s", 3600.5}, {"250ms", 0.25}, {"1000000us", 1},      {".5s", 0.5},
		{"+1m", 60},	      {"-1h", -3600},  {"87600h", 315360000}, {"1m2s3ms", 62.003},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct timespec before, moment, after;
		double at;

		clock_gettime(CLOCK_REALTIME, &before);
		assert_true(cli_parse_moment(cases[i].text, &moment));
		clock_gettime(CLOCK_REALTIME, &after);
		assert_in_range(moment.tv_nsec, 0, 999999999);
		at = (double)moment.tv_sec + (double)moment.tv_nsec / 1e9 + cases[i].seconds;
		/* Within what a double keeps of nanoseconds. */
		assert_true(at > (double)before.tv_sec + (double)before.tv_nsec / 1e9 - 0.001);
		assert_true(at < (double)after.tv_sec + (double)after.tv_nsec / 1e9 + 0.001);
	}
}

static void what_is_no_time(void **state)
{
	static const char *const wrong[] = {
		"",
		"never",
		"h",
		"1x",
		"1h30",
		"1.2.3s",
		"10 m",
		"-",
		"--1h",
		"-1700000000",
		"1e9",
		"1700000000.",
		"1700000000.x",
		"2026-13-01",
		"2026-02-30",
		"2023-02-29",
		"2026-00-01",
		"2026-11-21 x",
		"2026-11-21T",
		"2026-11-21T24:00:00Z",
		"2026-11-21T06:60Z",
		"2026-11-21T06:00:00.Z",
		"2026-11-21T06:00:00+0100",
		"2026-11-21T06:00:00ZZ",
		"26-11-21",
		"2026/11/21",
		"2026-1-2",
		"300000000h",
	};
	struct timespec moment;

	for (size_t i = 0; i < MVM_COUNT(wrong); i++) {
		if (cli_parse_moment(wrong[i], &moment))
			fail_msg("taken: %s", wrong[i]);
	}
}

static void limits_are_named(void **state)
{
	const struct timespec *limit = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct timespec moment = {0};

	assert_ok(cli_parse_limit("since", NULL, &moment, &limit, &err));
	assert_ok(cli_parse_limit("since", "", &moment, &limit, &err));
	assert_null(limit);
	assert_error(cli_parse_limit("since", "x", &moment, &limit, &err), MVM_ERR_USAGE,
		     "invalid value for \"since\": failed to parse value as time or duration: \"x\"");
	assert_null(limit);
	assert_ok(cli_parse_limit("since", "5", &moment, &limit, &err));
	assert_ptr_equal(limit, &moment);
	assert_int_equal(moment.tv_sec, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_with_a_zone),
		cmocka_unit_test(without_a_zone_it_is_the_local_one),
		cmocka_unit_test(durations_are_into_the_past),
		cmocka_unit_test(what_is_no_time),
		cmocka_unit_test(limits_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
