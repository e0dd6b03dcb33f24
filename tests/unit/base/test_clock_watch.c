/* Jumps of the wall clock, with clocks of the test's own. */
#include "tests/unit/unit.h"

#include <time.h>

#include "runtime/base/clock_watch.h"
#include "runtime/base/loop.h"

#define MS	 1000000LL
#define SECOND	 (1000 * MS)
#define HOUR	 (3600 * SECOND)
#define BIRTHDAY (1795866869 * SECOND)

static void only_jumps_are_told(void **state)
{
	int64_t apart = 0;

	/* The first look is one, which nobody is told. */
	assert_true(mvm_clock_has_jumped(BIRTHDAY, 7 * SECOND, &apart));
	assert_false(mvm_clock_has_jumped(BIRTHDAY + 5 * SECOND, 12 * SECOND, &apart));
	/* Time that passes unevenly, for the looks are not at one instant. */
	assert_false(mvm_clock_has_jumped(BIRTHDAY + 10 * SECOND + 99 * MS, 17 * SECOND, &apart));
	assert_false(mvm_clock_has_jumped(BIRTHDAY + 10 * SECOND - 99 * MS, 17 * SECOND, &apart));
	/* The host slept for an hour, in which the other clock stood still. */
	assert_true(mvm_clock_has_jumped(BIRTHDAY + HOUR, 20 * SECOND, &apart));
	assert_false(mvm_clock_has_jumped(BIRTHDAY + HOUR + SECOND, 21 * SECOND, &apart));
	/* Set back, and to before all time. */
	assert_true(mvm_clock_has_jumped(BIRTHDAY, 22 * SECOND, &apart));
	assert_true(mvm_clock_has_jumped(0, 23 * SECOND, &apart));
	assert_false(mvm_clock_has_jumped(SECOND, 24 * SECOND, &apart));
}

static void small_steps_add_up(void **state)
{
	int64_t apart = BIRTHDAY;
	int seen = 0;

	for (int i = 1; i <= 10; i++)
		seen += mvm_clock_has_jumped(BIRTHDAY + i * (SECOND + 30 * MS), i * SECOND, &apart);
	assert_int_equal(seen, 2);
}

static void never(void *arg)
{
	fail();
}

static void stop(void *arg)
{
	mvm_loop_stop(arg);
}

/* The real clocks do not jump here. */
static void a_watch_can_go_at_any_time(void **state)
{
	struct mvm_loop *loop = mvm_loop_create();
	struct mvm_clock_watch *watch = mvm_clock_watch_create(loop, never, NULL);
	struct mvm_timer *timer = mvm_loop_timer(loop, stop, loop);
	struct mvm_error *err = NULL;

	mvm_timer_start(timer, 1);
	assert_ok(mvm_loop_run(loop, &err));
	mvm_clock_watch_destroy(watch);
	mvm_clock_watch_destroy(NULL);
	mvm_loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_jumps_are_told),
		cmocka_unit_test(small_steps_add_up),
		cmocka_unit_test(a_watch_can_go_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
