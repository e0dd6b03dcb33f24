/* Steps that are processes: their order, how many at once, their ends, and what they tell. */
#include "steps.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

/* What waits for another process gives up then, so that nothing hangs where the code is wrong. */
#define PATIENCE_MS 10000

static int run(struct work *work, struct mvm_error **err)
{
	int result = work_run(work, err);

	assert_true(waitpid(-1, NULL, WNOHANG) < 0); /* nobody is left */
	return result;
}

static struct told told;
static const struct mvm_compose_sink sink = {.event = keep_event, .warn = keep_step_warning, .arg = &told};
static int pipes[2][2];

static int setup(void **state)
{
	told = (struct told){0};
	for (size_t i = 0; i < 2; i++)
		if (mvm_pipe(pipes[i]) < 0)
			return -1;
	return steps_setup(state);
}

static int teardown(void **state)
{
	mvm_buf_finish(&told.text);
	for (size_t i = 0; i < 2; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
	return project_teardown(state);
}

/* One number from a pipe. */
static int hear(int which, int *number, struct mvm_error **err)
{
	struct pollfd poll_fd = {.fd = pipes[which][0], .events = POLLIN};

	if (poll(&poll_fd, 1, PATIENCE_MS) != 1 || read(pipes[which][0], number, sizeof(*number)) != sizeof(*number))
		return mvm_fail(err, MVM_ERR_INTERNAL, "nobody is there");
	return 0;
}

static void say(int which, int number)
{
	if (write(pipes[which][1], &number, sizeof(number)) != sizeof(number))
		_exit(1);
}

static void steps_come_after_what_they_wait_for(void **state)
{
	struct part parts[] = {{"last", {"one", "two"}}, {"two", {"one"}}, {"one", {NULL}}};
	struct work *work CLEAN_WORK = work_create(&sink);
	struct mvm_error *err = NULL;
	struct step *steps[3], *both = work_add(work, NULL, NULL);

	for (size_t i = 0; i < 3; i++)
		steps[i] = work_add(work, do_part, &parts[i]);
	/* Through one that does nothing. */
	step_after(steps[0], both);
	step_after(both, steps[1]);
	step_after(both, steps[2]);
	step_after(steps[1], steps[2]);
	step_after(steps[2], NULL);
	assert_ok(run(work, &err));
	assert_true(is_here("last"));
}

static void no_steps_are_done_at_once(void **state)
{
	struct work *work CLEAN_WORK = work_create(&sink);
	struct mvm_error *err = NULL;

	assert_ok(run(work, &err));
	step_after(work_add(work, NULL, NULL), work_add(work, NULL, NULL));
	assert_ok(run(work, &err));
}

/* Each goes on only when the other is there. */
static int meet(struct step_context *context, void *arg, struct mvm_error **err)
{
	int which = *(int *)arg, number;

	say(!which, which);
	return hear(which, &number, err);
}

static void steps_run_side_by_side(void **state)
{
	struct work *work CLEAN_WORK = work_create(&sink);
	int numbers[] = {0, 1};
	struct mvm_error *err = NULL;

	work_add(work, meet, &numbers[0]);
	work_add(work, meet, &numbers[1]);
	assert_ok(run(work, &err));
}

static int say_hello(struct step_context *context, void *arg, struct mvm_error **err)
{
	step_tell(context, MVM_COMPOSE_DONE, "Started", "Container");
	return 0;
}

/* Children are only heard when all that may be started are: as many are there at the first word of one. */
static int forked, forked_at_first;

static void count_fork(void)
{
	forked++;
}

static void note_first(void)
{
	if (!forked_at_first)
		forked_at_first = forked;
}

static void check_limit(const char *limit, bool may_end, int wanted)
{
	struct work *work;
	struct mvm_error *err = NULL;

	if (limit)
		setenv("COMPOSE_PARALLEL_LIMIT", limit, 1);
	work = work_create(&sink);
	forked = forked_at_first = 0;
	told.on_event = note_first;
	for (size_t i = 0; i < 5; i++) {
		struct step *step = work_add(work, say_hello, NULL);

		if (may_end)
			step_may_end(step);
	}
	assert_ok(run(work, &err));
	work_destroy(work);
	assert_int_equal(forked, 5);
	assert_int_equal(forked_at_first, wanted);
}

static void no_more_run_at_once_than_the_user_wants(void **state)
{
	check_limit(NULL, false, 5);
	check_limit("1", false, 1);
	check_limit("2", false, 2);
	check_limit("9", false, 5);
	check_limit("0", false, 5);
	check_limit("-1", false, 5);
	/* Pulls. */
	check_limit("2", true, 2);
}

static int await_the_other(struct step_context *context, void *arg, struct mvm_error **err)
{
	int number;

	return hear(0, &number, err);
}

static int call_the_other(struct step_context *context, void *arg, struct mvm_error **err)
{
	say(0, 1);
	return 0;
}

static void who_only_waits_is_not_counted(void **state)
{
	struct work *work CLEAN_WORK = NULL;
	struct mvm_error *err = NULL;

	setenv("COMPOSE_PARALLEL_LIMIT", "1", 1);
	work = work_create(&sink);
	step_only_waits(work_add(work, await_the_other, NULL));
	work_add(work, call_the_other, NULL);
	assert_ok(run(work, &err));
}

static int fail_step(struct step_context *context, void *arg, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "no such thing");
}

static void after_the_first_failure_no_other_is_started(void **state)
{
	struct part parts[] = {{"after", {NULL}}, {"beside", {NULL}}};
	struct work *work CLEAN_WORK = NULL;
	struct step *failing;
	struct mvm_error *err = NULL;

	setenv("COMPOSE_PARALLEL_LIMIT", "1", 1);
	work = work_create(&sink);
	failing = work_add(work, fail_step, NULL);
	step_after(work_add(work, do_part, &parts[0]), failing);
	work_add(work, do_part, &parts[1]);
	/* What it said, with its code. */
	assert_error(run(work, &err), MVM_ERR_NOT_FOUND, "no such thing");
	assert_false(is_here("after"));
	assert_false(is_here("beside"));
}

static int tell_pid_and_fail(struct step_context *context, void *arg, struct mvm_error **err)
{
	int number;

	/* The other one is there. */
	if (hear(1, &number, err) < 0)
		return -1;
	say(0, (int)getpid());
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "no such thing");
}

static void wait_until_reaped(pid_t pid)
{
	while (kill(pid, 0) == 0)
		sched_yield();
}

/* Goes on when the parent knows of the other's end. */
static int outlive(struct step_context *context, void *arg, struct mvm_error **err)
{
	int pid;

	say(1, 0);
	if (hear(0, &pid, err) < 0)
		return -1;
	wait_until_reaped(pid);
	step_tell(context, MVM_COMPOSE_DONE, "Started", "late");
	return do_part(context, arg, err) < 0 ? -1 : mvm_fail(err, MVM_ERR_INTERNAL, "the second error");
}

static void steps_that_run_come_to_their_end_then(void **state)
{
	struct part part = {"end", {NULL}};
	struct work *work CLEAN_WORK = work_create(&sink);
	struct mvm_error *err = NULL;

	work_add(work, outlive, &part);
	work_add(work, tell_pid_and_fail, NULL);
	assert_error(run(work, &err), MVM_ERR_NOT_FOUND, "no such thing");
	assert_true(is_here("end"));
	assert_string_equal(told.text.data, "late|1|Started\n");
}

static int wait_to_be_ended(struct step_context *context, void *arg, struct mvm_error **err)
{
	say(1, (int)getpid());
	poll(NULL, 0, PATIENCE_MS);
	return do_part(context, arg, err);
}

static void steps_that_may_be_ended_are(void **state)
{
	struct part part = {"lived", {NULL}};
	struct work *work CLEAN_WORK = work_create(&sink);
	struct mvm_error *err = NULL;

	step_may_end(work_add(work, wait_to_be_ended, &part));
	work_add(work, tell_pid_and_fail, NULL);
	/* That it was killed is no failure. */
	assert_error(run(work, &err), MVM_ERR_NOT_FOUND, "no such thing");
	assert_false(is_here("lived"));
}

static int raise_signal(struct step_context *context, void *arg, struct mvm_error **err)
{
	raise(*(int *)arg);
	return 0;
}

static void a_step_that_is_killed_is_an_interruption(void **state)
{
	static int killed = SIGKILL;
	struct part part = {"after", {NULL}};
	struct work *work CLEAN_WORK = work_create(&sink);
	struct mvm_error *err = NULL;
	struct step *step = work_add(work, raise_signal, &killed);

	step_after(work_add(work, do_part, &part), step);
	assert_error(run(work, &err), MVM_ERR_INTERRUPTED, "a process of mvm was killed in the middle of its work");
	assert_false(is_here("after"));
}

static void signals_of_the_terminal_do_not_end_a_step(void **state)
{
	static int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct work *work CLEAN_WORK = work_create(&sink);
	struct mvm_error *err = NULL;

	for (size_t i = 0; i < MVM_COUNT(signals); i++)
		work_add(work, raise_signal, &signals[i]);
	assert_ok(run(work, &err));
}

static int signal_parent(struct step_context *context, void *arg, struct mvm_error **err)
{
	int pid;

	if (hear(1, &pid, err) < 0)
		return -1;
	kill(getppid(), *(int *)arg);
	wait_until_reaped(pid);
	return 0;
}

static void check_canceled(int signo)
{
	struct part parts[] = {{"lived", {NULL}}, {"after", {NULL}}};
	struct work *work CLEAN_WORK = work_create(&sink);
	struct mvm_error *err = NULL;
	struct step *step;

	step_may_end(work_add(work, wait_to_be_ended, &parts[0]));
	step = work_add(work, signal_parent, &signo);
	step_after(work_add(work, do_part, &parts[1]), step);
	assert_error(run(work, &err), MVM_ERR_INTERRUPTED, "canceled");
	assert_false(is_here("lived"));
	assert_false(is_here("after"));
}

static void a_signal_cancels_the_work(void **state)
{
	check_canceled(SIGINT);
	check_canceled(SIGTERM);
}

/* In the child, before the fork has come back there. */
static int signal_at_fork;

static void raise_at_fork(void)
{
	if (signal_at_fork)
		raise(signal_at_fork);
}

static void a_signal_that_comes_while_a_step_is_made_is_not_the_parents(void **state)
{
	struct part part = {"kept", {NULL}}, other = {"ended", {NULL}};
	struct work *kept CLEAN_WORK = work_create(&sink), *ended CLEAN_WORK = work_create(&sink);
	struct mvm_error *err = NULL;
	int first, second;

	work_add(kept, do_part, &part);
	step_may_end(work_add(ended, do_part, &other));
	signal_at_fork = SIGTERM;
	first = work_run(kept, &err);
	signal_at_fork = 0;
	assert_ok(first);
	assert_true(is_here("kept"));
	signal_at_fork = SIGTERM;
	second = work_run(ended, &err);
	signal_at_fork = 0;
	assert_error(second, MVM_ERR_INTERRUPTED, "killed");
	assert_false(is_here("ended"));
}

#define MANY 500

static int tell_much(struct step_context *context, void *arg, struct mvm_error **err)
{
	for (int i = 0; i < MANY; i++) {
		step_tell(context, (enum mvm_compose_phase)(i % 4), i % 2 ? "Creating" : "", "Container %d", i);
		step_warn(context, "w %d", i);
	}
	return mvm_fail(err, MVM_ERR_CONFLICT, "the end");
}

static void what_a_step_tells_reaches_the_sink_in_order(void **state)
{
	struct work *work CLEAN_WORK = work_create(&sink);
	struct mvm_buf wanted = {0};
	struct mvm_error *err = NULL;

	work_add(work, tell_much, NULL);
	for (int i = 0; i < MANY; i++)
		mvm_buf_addf(&wanted, "Container %d|%d|%s\nwarning: w %d\n", i, i % 4, i % 2 ? "Creating" : "", i);
	assert_error(run(work, &err), MVM_ERR_CONFLICT, "the end");
	assert_string_equal(told.text.data, wanted.data);
	mvm_buf_finish(&wanted);
}

#define WORK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORK_TEST(steps_come_after_what_they_wait_for),
		WORK_TEST(no_steps_are_done_at_once),
		WORK_TEST(steps_run_side_by_side),
		WORK_TEST(no_more_run_at_once_than_the_user_wants),
		WORK_TEST(who_only_waits_is_not_counted),
		WORK_TEST(after_the_first_failure_no_other_is_started),
		WORK_TEST(steps_that_run_come_to_their_end_then),
		WORK_TEST(steps_that_may_be_ended_are),
		WORK_TEST(a_step_that_is_killed_is_an_interruption),
		WORK_TEST(signals_of_the_terminal_do_not_end_a_step),
		WORK_TEST(a_signal_cancels_the_work),
		WORK_TEST(a_signal_that_comes_while_a_step_is_made_is_not_the_parents),
		WORK_TEST(what_a_step_tells_reaches_the_sink_in_order),
	};

	pthread_atfork(NULL, count_fork, raise_at_fork);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
