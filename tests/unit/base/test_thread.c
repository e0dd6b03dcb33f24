/* Threads: no signals, a name, the time they use. */
#include "tests/unit/unit.h"

#include <signal.h>

#include "runtime/base/thread.h"

struct seen {
	sigset_t blocked;
	uint64_t idle, busy;
};

static void *look(void *arg)
{
	struct seen *seen = arg;

	pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
	seen->idle = mvm_thread_cpu_ns();
	while ((seen->busy = mvm_thread_cpu_ns()) < seen->idle + 1000000)
		;
	return NULL;
}

static void signals_are_for_the_first_thread(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct seen seen = {0};
	sigset_t own;
	pthread_t thread;

	assert_ok(mvm_thread_start(&thread, "test", look, &seen, &err));
	pthread_join(thread, NULL);
	assert_int_equal(sigismember(&seen.blocked, SIGINT), 1);
	assert_int_equal(sigismember(&seen.blocked, SIGTERM), 1);
	pthread_sigmask(SIG_SETMASK, NULL, &own);
	assert_int_equal(sigismember(&own, SIGINT), 0);
}

/* Each thread's own: what this one has used before does not count. */
static void time_is_counted_for_each_thread(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	uint64_t start = mvm_thread_cpu_ns();
	struct seen seen = {0};
	pthread_t thread;

	while (mvm_thread_cpu_ns() < start + 20000000)
		;
	assert_ok(mvm_thread_start(&thread, "test", look, &seen, &err));
	pthread_join(thread, NULL);
	assert_true(seen.busy >= seen.idle + 1000000);
	assert_true(seen.idle < mvm_thread_cpu_ns());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_are_for_the_first_thread),
		cmocka_unit_test(time_is_counted_for_each_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
