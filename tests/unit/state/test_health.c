#include "tests/unit/unit.h"

#include "runtime/base/json.h"
#include "runtime/state/health.h"

#define SECOND INT64_C(1000000000)

static void note(struct mvm_health *health, const struct mvm_health_check *check, int64_t exit_code, int64_t age)
{
	const struct mvm_health_result result = {.start = {100, 0},
						 .end = {101, 0},
						 .exit_code = exit_code,
						 .output = mvm_format("code %d", (int)exit_code)};

	mvm_health_note(health, check, &result, age);
}

static void assert_health(const struct mvm_health *health, enum mvm_health_status status, int64_t streak)
{
	assert_string_equal(mvm_health_name(health->status), mvm_health_name(status));
	assert_int_equal(health->failing_streak, streak);
}

static void three_failures_in_a_row_are_too_many(void **state)
{
	const struct mvm_health_check check = {0};
	struct mvm_health health = {0};

	mvm_health_begin(&health);
	assert_health(&health, MVM_HEALTH_STARTING, 0);
	note(&health, &check, 1, 0);
	note(&health, &check, -1, 0);
	assert_health(&health, MVM_HEALTH_STARTING, 2);
	note(&health, &check, 0, 0);
	assert_health(&health, MVM_HEALTH_HEALTHY, 0);
	note(&health, &check, 1, 0);
	note(&health, &check, 2, 0);
	assert_health(&health, MVM_HEALTH_HEALTHY, 2);
	note(&health, &check, 3, 0);
	assert_health(&health, MVM_HEALTH_UNHEALTHY, 3);
	note(&health, &check, 1, 0);
	assert_health(&health, MVM_HEALTH_UNHEALTHY, 4);
	note(&health, &check, 0, 0);
	assert_health(&health, MVM_HEALTH_HEALTHY, 0);
	/* The last five, the oldest first. */
	assert_int_equal(health.count, MVM_HEALTH_LOG);
	assert_string_equal(health.log[0].output, "code 1");
	assert_string_equal(health.log[1].output, "code 2");
	assert_string_equal(health.log[4].output, "code 0");
	/* What was logged outlives a restart. */
	mvm_health_begin(&health);
	assert_health(&health, MVM_HEALTH_STARTING, 0);
	assert_int_equal(health.count, MVM_HEALTH_LOG);
	mvm_health_finish(&health);
}

static void failures_do_not_count_while_it_starts(void **state)
{
	const struct mvm_health_check check = {.retries = 1, .start_period = 10 * SECOND};
	struct mvm_health health = {0};

	mvm_health_begin(&health);
	note(&health, &check, 1, 9 * SECOND);
	assert_health(&health, MVM_HEALTH_STARTING, 0);
	note(&health, &check, 1, 10 * SECOND);
	assert_health(&health, MVM_HEALTH_UNHEALTHY, 1);
	/* Once it was healthy it has started, whatever the time. */
	mvm_health_begin(&health);
	note(&health, &check, 0, 1 * SECOND);
	note(&health, &check, 1, 2 * SECOND);
	assert_health(&health, MVM_HEALTH_UNHEALTHY, 1);
	mvm_health_finish(&health);
}

static void waits_are_dockers(void **state)
{
	static const struct {
		int64_t interval, start_period, start_interval;
		enum mvm_health_status status;
		int64_t age, wait;
	} cases[] = {
		{0, 0, 0, MVM_HEALTH_STARTING, 0, 30 * SECOND},
		{2 * SECOND, 0, 0, MVM_HEALTH_HEALTHY, 5 * SECOND, 2 * SECOND},
		/* More often while it starts, */
		{30 * SECOND, 60 * SECOND, 0, MVM_HEALTH_STARTING, 0, 5 * SECOND},
		{30 * SECOND, 60 * SECOND, SECOND, MVM_HEALTH_STARTING, 10 * SECOND, SECOND},
		{30 * SECOND, 60 * SECOND, SECOND, MVM_HEALTH_HEALTHY, 10 * SECOND, 30 * SECOND},
		/* and at the end of that time. */
		{30 * SECOND, 60 * SECOND, SECOND, MVM_HEALTH_STARTING, 50 * SECOND, 10 * SECOND},
		{30 * SECOND, 60 * SECOND, SECOND, MVM_HEALTH_STARTING, 60 * SECOND, 30 * SECOND},
		/* An image may say anything. */
		{-5, -5, -5, MVM_HEALTH_STARTING, 0, 30 * SECOND},
		{1, 1, 1, MVM_HEALTH_STARTING, 0, 30 * SECOND},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		const struct mvm_health_check check = {.interval = cases[i].interval,
						       .start_period = cases[i].start_period,
						       .start_interval = cases[i].start_interval};
		const struct mvm_health health = {.status = cases[i].status};

		assert_int_equal(mvm_health_wait(&health, &check, cases[i].age), cases[i].wait);
	}
}

static void commands(void **state)
{
	static const struct {
		const char *test[4], *shell[3], *command[5];
	} cases[] = {
		{{"CMD", "a", "b c"}, {"/bin/ash"}, {"a", "b c"}},
		{{"CMD-SHELL", "a || b"}, {NULL}, {"/bin/sh", "-c", "a || b"}},
		{{"CMD-SHELL", "a"}, {"/bin/ash", "-ec"}, {"/bin/ash", "-ec", "a"}},
		{{"NONE"}, {NULL}, {NULL}},
		{{"CMD"}, {NULL}, {NULL}},
		{{"EXEC", "a"}, {NULL}, {NULL}},
		{{NULL}, {NULL}, {NULL}},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_health_check check = {0};
		struct mvm_strv shell MVM_CLEAN_STRV = {0}, command MVM_CLEAN_STRV = {0};
		size_t count = 0;

		for (size_t n = 0; cases[i].test[n]; n++)
			mvm_strv_add(&check.test, cases[i].test[n]);
		for (size_t n = 0; cases[i].shell[n]; n++)
			mvm_strv_add(&shell, cases[i].shell[n]);
		assert_int_equal(mvm_health_has_probe(&check), cases[i].command[0] != NULL);
		if (mvm_health_has_probe(&check))
			mvm_health_command(&check, &shell, &command);
		for (; cases[i].command[count]; count++)
			assert_string_equal(command.items[count], cases[i].command[count]);
		assert_int_equal(command.count, count);
		mvm_strv_finish(&check.test);
	}
}

static void write_file(const char *path, const char *text)
{
	struct mvm_error *err = NULL;

	assert_ok(mvm_replace_file(path, text, strlen(text), 0600, &err));
}

static void the_file_keeps_it_all(void **state)
{
	char *folder = scratch_create();
	char *path MVM_CLEAN_FREE = mvm_format("%s/health.json", folder);
	const struct mvm_health_check check = {.retries = 1};
	struct mvm_health health = {0}, back = {0};
	struct mvm_error *err = NULL;

	mvm_health_load(&back, folder);
	assert_health(&back, MVM_HEALTH_NONE, 0);
	mvm_health_begin(&health);
	note(&health, &check, 0, 0);
	note(&health, &check, 7, 0);
	/* Output is a guest's: any bytes. */
	health.log[1].output[0] = '\xff';
	assert_ok(mvm_health_save(&health, folder, &err));
	mvm_health_load(&back, folder);
	assert_health(&back, MVM_HEALTH_UNHEALTHY, 1);
	assert_int_equal(back.count, 2);
	assert_int_equal(back.log[1].exit_code, 7);
	assert_int_equal(back.log[0].end.tv_sec, 101);
	assert_string_equal(back.log[1].output, "\xef\xbf\xbdode 7");
	mvm_health_finish(&back);
	/* After a crash of the host it may be anything. */
	write_file(path, "{\"Status\": \"hea");
	mvm_health_load(&back, folder);
	assert_health(&back, MVM_HEALTH_NONE, 0);
	write_file(path, "{\"Status\": \"fine\", \"FailingStreak\": 3, \"Log\": [7, {\"Start\": \"x\"}]}");
	mvm_health_load(&back, folder);
	assert_int_equal(back.status, MVM_HEALTH_NONE);
	assert_int_equal(back.count, 0);
	mvm_health_finish(&health);
	mvm_health_finish(&back);
	scratch_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_failures_in_a_row_are_too_many),
		cmocka_unit_test(failures_do_not_count_while_it_starts),
		cmocka_unit_test(waits_are_dockers),
		cmocka_unit_test(commands),
		cmocka_unit_test(the_file_keeps_it_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
