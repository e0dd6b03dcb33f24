/* The agent's loop, in a child of the test's, which ends where the loop has nothing more to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-agent/loop.h"

enum { WATCHES = 6 };

static struct watch watches[WATCHES], last;
static struct task ending;
static int expected_policy, wrong;

static int policy_of_a_child(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(sched_getscheduler(0));
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void end(struct task *task)
{
	/* What comes alone, after them all. */
	expected_policy = SCHED_OTHER;
	(void)!write(last.fd, &(uint64_t){1}, sizeof(uint64_t));
}

static void look(struct watch *watch, uint32_t events)
{
	uint64_t count;

	wrong += read(watch->fd, &count, sizeof(count)) < 0;
	wrong += (sched_getscheduler(0) & ~SCHED_RESET_ON_FORK) != expected_policy;
	wrong += policy_of_a_child() != SCHED_OTHER;
	if (watch == &last)
		_exit(wrong);
	loop_later(&ending);
}

static void add(struct watch *watch, uint64_t value)
{
	*watch = (struct watch){.fd = eventfd((unsigned)value, EFD_NONBLOCK | EFD_CLOEXEC), .ready = look};
	wrong += loop_add(watch, EPOLLIN) != 0;
}

/* The number of things that were not as expected. */
static int run_with(int count, int policy)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		expected_policy = policy;
		ending.run = end;
		loop_init();
		for (int i = 0; i < count; i++)
			add(&watches[i], 1);
		add(&last, 0);
		loop_run();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool may_run_first(void)
{
	const struct sched_param priority = {.sched_priority = 1};
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(sched_setscheduler(0, SCHED_FIFO, &priority) != 0);
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status) == 0;
}

static void few_events_are_handled_as_by_anybody(void **state)
{
	assert_int_equal(run_with(1, SCHED_OTHER), 0);
	assert_int_equal(run_with(3, SCHED_OTHER), 0);
}

static void many_are_handled_before_anybody_else_runs(void **state)
{
	if (!may_run_first())
		skip();
	assert_int_equal(run_with(WATCHES, SCHED_FIFO), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_events_are_handled_as_by_anybody),
		cmocka_unit_test(many_are_handled_before_anybody_else_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
