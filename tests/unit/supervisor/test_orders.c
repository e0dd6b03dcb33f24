/* Orders to a guest that answers, is slow, or hangs. Time is the test's. */
#include "calls.h"

#include "runtime/supervisor/orders.h"

/* The parts that orders.c calls */

static struct {
	mvm_timer_fn fn;
	void *arg;
	bool runs;
} timer;

struct mvm_timer *mvm_loop_timer(struct mvm_loop *loop, mvm_timer_fn fn, void *arg)
{
	timer.fn = fn;
	timer.arg = arg;
	return (struct mvm_timer *)&timer;
}

void mvm_timer_start(struct mvm_timer *which, uint64_t milliseconds)
{
	assert_int_equal(milliseconds, 20000);
	timer.runs = true;
}

void mvm_timer_remove(struct mvm_timer *which)
{
	timer.runs = false;
}

uint64_t supervisor_patience(uint64_t milliseconds)
{
	return 2 * milliseconds;
}

static struct orders orders;

static void done(void *arg, const struct mvm_error *error)
{
	called("%s:%s", (const char *)arg, error ? mvm_error_code_name(mvm_error_code(error)) : "ok");
}

void agent_set_clock(struct agent *agent)
{
	called("clock");
	orders_add(&orders, NULL, NULL);
}

/* The world */

static struct supervisor supervisor;

static int setup(void **state)
{
	supervisor = (struct supervisor){.phase = PHASE_RUNNING};
	orders_init(&orders, &supervisor);
	return 0;
}

static int teardown(void **state)
{
	orders_finish(&orders);
	forget_calls();
	return 0;
}

static uint32_t add(const char *name)
{
	return orders_add(&orders, done, (void *)name);
}

static void time_passes(void)
{
	assert_true(timer.runs);
	timer.runs = false;
	timer.fn(timer.arg);
}

static void each_is_answered_by_its_number(void **state)
{
	struct mvm_error *error MVM_CLEAN_ERROR = NULL;
	uint32_t one = add("one"), two = add("two");

	mvm_fail(&error, MVM_ERR_INVALID, "no");
	orders_answered(&orders, two, error);
	expect_calls("two:invalid");
	orders_answered(&orders, two, NULL);
	orders_answered(&orders, one + 7, NULL);
	expect_calls("");
	orders_answered(&orders, one, NULL);
	expect_calls("one:ok");
	/* Nothing waits: the watch ends. */
	time_passes();
	assert_false(timer.runs);
	add("three");
	assert_true(timer.runs);
	orders_fail(&orders);
	expect_calls("three:conflict");
}

static void a_guest_that_hangs_fails_all_that_wait(void **state)
{
	add("one");
	time_passes();
	expect_calls("clock");
	add("two");
	time_passes();
	expect_calls("two:timeout one:timeout");
	assert_false(timer.runs);
}

static void one_that_works_on_a_long_order_is_waited_for(void **state)
{
	uint32_t one = add("one");

	for (int i = 0; i < 3; i++) {
		time_passes();
		expect_calls("clock");
		orders_heard(&orders);
		time_passes();
		expect_calls("");
	}
	orders_answered(&orders, one, NULL);
	expect_calls("one:ok");
}

/* Starting and ending have limits of their own; one that is paused cannot answer. */
static void in_other_phases_nothing_is_expected(void **state)
{
	static const enum phase phases[] = {PHASE_STARTING, PHASE_PAUSED, PHASE_DRAINING, PHASE_CLOSING};

	add("one");
	for (size_t i = 0; i < MVM_COUNT(phases); i++) {
		supervisor.phase = phases[i];
		time_passes();
		time_passes();
		expect_calls("");
	}
	supervisor.phase = PHASE_SERVING;
	time_passes();
	expect_calls("clock");
	time_passes();
	expect_calls("one:timeout");
}

#define ORDERS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ORDERS_TEST(each_is_answered_by_its_number),
		ORDERS_TEST(a_guest_that_hangs_fails_all_that_wait),
		ORDERS_TEST(one_that_works_on_a_long_order_is_waited_for),
		ORDERS_TEST(in_other_phases_nothing_is_expected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
