/* Text that users write and read: sizes, numbers, signals, ages, times. */
#include "tests/unit/unit.h"

#include "runtime/base/text.h"

static void sizes_are_dockers(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{"0", 0},	    {"1024", 1024},	  {"512b", 512},     {"4k", 4096},
		{"4K", 4096},	    {"4kb", 4096},	  {"4KiB", 4096},    {"512m", 512u << 20},
		{"1g", 1u << 30},   {"1.5GiB", 3u << 29}, {".5g", 1u << 29}, {"1 gb", 1u << 30},
		{"2t", 2ULL << 40}, {"1p", 1ULL << 50},	  {"0.5k", 512},     {"1.9", 1},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		uint64_t bytes = 12345;

		if (!mvm_parse_size(cases[i].text, &bytes) || bytes != cases[i].bytes)
			fail_msg("%s: %llu", cases[i].text, (unsigned long long)bytes);
	}
}

static void malformed_sizes_are_refused(void **state)
{
	static const char *const cases[] = {
		"",    " ",  "-1",  "+1",  " 1",   "g",	  ".",	 ".g",	  "1x",	  "1gg",      "1kbb",
		"1bb", "1i", "1ki", "1bi", "0x10", "inf", "nan", "1e400", "1,5g", "9000000t", "1g2",
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		uint64_t bytes = 12345;

		if (mvm_parse_size(cases[i], &bytes))
			fail_msg("'%s' is no size, but %llu came", cases[i], (unsigned long long)bytes);
		assert_int_equal(bytes, 12345);
	}
}

static void numbers_are_whole_and_in_range(void **state)
{
	int64_t value = 99;

	assert_true(mvm_parse_int("0", 0, 10, &value) && value == 0);
	assert_true(mvm_parse_int("10", 0, 10, &value) && value == 10);
	assert_true(mvm_parse_int("-1", -1, 10, &value) && value == -1);
	assert_true(mvm_parse_int("007", 0, 10, &value) && value == 7);
	assert_true(mvm_parse_int("9223372036854775807", 0, INT64_MAX, &value) && value == INT64_MAX);
	value = 99;
	assert_false(mvm_parse_int("11", 0, 10, &value));
	assert_false(mvm_parse_int("-1", 0, 10, &value));
	assert_false(mvm_parse_int("", 0, 10, &value));
	assert_false(mvm_parse_int("-", -5, 10, &value));
	assert_false(mvm_parse_int("+1", 0, 10, &value));
	assert_false(mvm_parse_int(" 1", 0, 10, &value));
	assert_false(mvm_parse_int("1 ", 0, 10, &value));
	assert_false(mvm_parse_int("1x", 0, 10, &value));
	assert_false(mvm_parse_int("0x1", 0, 10, &value));
	assert_false(mvm_parse_int("9223372036854775808", 0, INT64_MAX, &value));
	assert_int_equal(value, 99);
}

/* Linux's numbers (asm-generic/signal.h), whatever this host's are. */
static void signals_are_the_guests(void **state)
{
	static const struct {
		const char *text;
		int signo;
	} cases[] = {
		{"HUP", 1},	{"SIGINT", 2},	  {"sigterm", 15},     {"Kill", 9},	 {"9", 9},
		{"64", 64},	{"USR1", 10},	  {"USR2", 12},	       {"SIGCHLD", 17},	 {"STOP", 19},
		{"SIGSYS", 31}, {"RTMIN", 34},	  {"RTMIN+3", 37},     {"RTMIN+30", 64}, {"SIGRTMIN+1", 35},
		{"RTMAX", 64},	{"RTMAX-14", 50}, {"sigrtmax-30", 34}, {"WINCH", 28},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		int signo = 0;

		if (!mvm_parse_signal(cases[i].text, &signo) || signo != cases[i].signo)
			fail_msg("%s: %d", cases[i].text, signo);
	}
}

static void unknown_signals_are_refused(void **state)
{
	static const char *const cases[] = {
		"",	 "SIG",	     "0",      "65",	  "-1",	     "NOPE", "SIGSIGTERM",
		"TERM ", "RTMIN+31", "RTMIN+", "RTMIN-1", "RTMAX+1", "15x",
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		int signo = 77;

		if (mvm_parse_signal(cases[i], &signo))
			fail_msg("'%s' is no signal, but %d came", cases[i], signo);
		assert_int_equal(signo, 77);
	}
}

static void sizes_are_printed_as_docker_does(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0B"},	     {999, "999B"},	   {1000, "1kB"},	  {1500, "1.5kB"},
		{1234567, "1.23MB"}, {24300000, "24.3MB"}, {999499, "999kB"},	  {999500, "1MB"},
		{999999999, "1GB"},  {448000000, "448MB"}, {1ULL << 40, "1.1TB"}, {UINT64_MAX, "18.4EB"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *text MVM_CLEAN_FREE = mvm_format_size(cases[i].bytes);

		assert_string_equal(text, cases[i].text);
	}
}

/* The boundaries of go-units' HumanDuration(). */
static void ages_are_printed_as_docker_does(void **state)
{
	enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{-5, "Less than a second"},
		{0, "Less than a second"},
		{1, "1 second"},
		{2, "2 seconds"},
		{59, "59 seconds"},
		{MINUTE, "About a minute"},
		{2 * MINUTE - 1, "About a minute"},
		{2 * MINUTE, "2 minutes"},
		{HOUR - 1, "59 minutes"},
		{HOUR, "About an hour"},
		{HOUR + 29 * MINUTE + 59, "About an hour"},
		{HOUR + 30 * MINUTE, "2 hours"},
		{47 * HOUR + 29 * MINUTE, "47 hours"},
		{47 * HOUR + 30 * MINUTE, "2 days"},
		{13 * DAY, "13 days"},
		{14 * DAY, "2 weeks"},
		{59 * DAY, "8 weeks"},
		{60 * DAY, "2 months"},
		{729 * DAY, "24 months"},
		{730 * DAY, "2 years"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *text MVM_CLEAN_FREE = mvm_format_age(cases[i].seconds);

		if (strcmp(text, cases[i].text))
			fail_msg("%lld s: %s, not %s", (long long)cases[i].seconds, text, cases[i].text);
	}
}

static void times_are_read_with_fraction_and_offset(void **state)
{
	static const struct {
		const char *text;
		time_t seconds;
		long nanoseconds;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0, 0},
		{"2026-11-21T06:18:03.123456789Z", 1795241883, 123456789},
		{"2026-11-21T06:18:03Z", 1795241883, 0},
		{"2026-11-21T06:18:03.5Z", 1795241883, 500000000},
		{"2026-11-21T06:18:03.1234567891234Z", 1795241883, 123456789},
		{"2026-11-21T08:18:03+02:00", 1795241883, 0},
		{"2026-11-21T00:48:03.25-05:30", 1795241883, 250000000},
		{"2024-02-29T23:59:59Z", 1709251199, 0},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct timespec time = {1, 1};

		if (!mvm_parse_time(cases[i].text, &time) || time.tv_sec != cases[i].seconds ||
		    time.tv_nsec != cases[i].nanoseconds)
			fail_msg("%s: %lld.%09ld", cases[i].text, (long long)time.tv_sec, time.tv_nsec);
	}
}

static void malformed_times_are_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"today",
		"2026-11-21",
		"2026-11-21T06:18:03",
		"2026-11-21 06:18:03Z",
		"2026-13-21T06:18:03Z",
		"2026-11-21T25:18:03Z",
		"2026-11-21T06:18:03Zjunk",
		"2026-11-21T06:18:03+02:00Z",
		"2026-11-21T06:18:03+0200",
		"2026-11-21T06:18:03*02:00",
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct timespec time = {1, 1};

		if (mvm_parse_time(cases[i], &time))
			fail_msg("'%s' is no time", cases[i]);
		assert_true(time.tv_sec == 1 && time.tv_nsec == 1);
	}
}

static void times_go_there_and_back_in_any_zone(void **state)
{
	static const struct timespec times[] = {
		{0, 1}, {1795241883, 123456789}, {1709251199, 999999999}, {4102444800, 0}, {1774749600, 7}};
	static const char *const zones[] = {"UTC", "America/New_York", "XXX-14"};

	for (size_t zone = 0; zone < MVM_COUNT(zones); zone++) {
		setenv("TZ", zones[zone], 1);
		tzset();
		for (size_t i = 0; i < MVM_COUNT(times); i++) {
			char text[MVM_TIME_LENGTH + 1];
			struct timespec back = {0};

			mvm_format_time(&times[i], text);
			assert_int_equal(strlen(text), MVM_TIME_LENGTH);
			assert_true(mvm_parse_time(text, &back));
			assert_int_equal(back.tv_sec, times[i].tv_sec);
			assert_int_equal(back.tv_nsec, times[i].tv_nsec);
		}
	}
	unsetenv("TZ");
	tzset();
}

static void random_and_hex(void **state)
{
	unsigned char a[600] = {0}, b[600] = {0}; /* more than the kernel gives at once */
	char hex[9];

	mvm_random(a, sizeof(a));
	mvm_random(b, sizeof(b));
	for (size_t i = 0; i < sizeof(a); i += 20)
		assert_memory_not_equal(a + i, b + i, 20);
	mvm_hex("\x00\xff\x1a\x90", 4, hex);
	assert_string_equal(hex, "00ff1a90");
	mvm_hex("", 0, hex);
	assert_string_equal(hex, "");
}

static void controls_are_masked(void **state)
{
	char text[] = "a\tb\x1b[0m\x7f \xc2\x85 \xc2\xa0 \xff \xc2";

	mvm_mask_controls(text);
	assert_string_equal(text, "a?b?[0m? ?? \xc2\xa0 \xff \xc2");
}

static void paths_are_within(void **state)
{
	assert_true(mvm_is_within("/a", "/a"));
	assert_true(mvm_is_within("/a/b", "/a"));
	assert_true(mvm_is_within("/a", "/"));
	assert_true(mvm_is_within("/", "/"));
	assert_false(mvm_is_within("/ab", "/a"));
	assert_false(mvm_is_within("/", "/a"));
	assert_false(mvm_is_within("/a", "/a/b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(controls_are_masked),
		cmocka_unit_test(paths_are_within),
		cmocka_unit_test(sizes_are_dockers),
		cmocka_unit_test(malformed_sizes_are_refused),
		cmocka_unit_test(numbers_are_whole_and_in_range),
		cmocka_unit_test(signals_are_the_guests),
		cmocka_unit_test(unknown_signals_are_refused),
		cmocka_unit_test(sizes_are_printed_as_docker_does),
		cmocka_unit_test(ages_are_printed_as_docker_does),
		cmocka_unit_test(times_are_read_with_fraction_and_offset),
		cmocka_unit_test(malformed_times_are_refused),
		cmocka_unit_test(times_go_there_and_back_in_any_zone),
		cmocka_unit_test(random_and_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
