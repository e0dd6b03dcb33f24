/* The poll loop: order of timers, removal from inside callbacks, children, signals. */
#include "tests/unit/unit.h"

#include <signal.h>
#include <sys/resource.h>

#include "runtime/base/loop.h"

/* A text that callbacks write what they see to. */
struct world {
	struct mvm_loop *loop;
	struct mvm_buf seen;
	struct mvm_watch *watches[4];
	struct mvm_timer *timers[4];
	int pipes[4][2];
	int left; /* callbacks until the loop stops */
};

static int setup(void **state)
{
	struct world *world = mvm_alloc(sizeof(*world));

	world->loop = mvm_loop_create();
	for (int i = 0; i < 4; i++)
		if (mvm_pipe(world->pipes[i]) < 0)
			return -1;
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	mvm_loop_destroy(world->loop);
	for (int i = 0; i < 4; i++) {
		mvm_close(&world->pipes[i][0]);
		mvm_close(&world->pipes[i][1]);
	}
	mvm_buf_finish(&world->seen);
	free(world);
	return 0;
}

static void run(struct world *world)
{
	struct mvm_error *err = NULL;

	assert_ok(mvm_loop_run(world->loop, &err));
}

static void saw(struct world *world, const char *what)
{
	mvm_buf_addf(&world->seen, "%s ", what);
	if (--world->left <= 0)
		mvm_loop_stop(world->loop);
}

static void assert_seen(struct world *world, const char *expected)
{
	assert_string_equal(world->seen.data ? world->seen.data : "", expected);
	mvm_buf_consume(&world->seen, world->seen.length);
}

/* What a callback gets: the world and its own number. */
struct mark {
	struct world *world;
	const char *name;
};

static void timer_fired(void *arg)
{
	struct mark *mark = arg;

	saw(mark->world, mark->name);
}

/* Timers */

static void timers_fire_in_the_order_of_their_times(void **state)
{
	struct world *world = *state;
	struct mark marks[] = {{world, "c"}, {world, "a"}, {world, "b"}, {world, "never"}};
	static const unsigned delays[] = {3, 0, 1};
	uint64_t start = mvm_now_ns();

	for (int i = 0; i < 4; i++)
		world->timers[i] = mvm_loop_timer(world->loop, timer_fired, &marks[i]);
	for (int i = 0; i < 3; i++)
		mvm_timer_start(world->timers[i], delays[i]);
	world->left = 3;
	run(world);
	assert_seen(world, "a b c ");
	assert_true(mvm_now_ns() - start >= 3000000);
}

/* All are due when the loop gets to look: still the earliest first, and of equals the one made first. */
static void timers_that_are_late_keep_their_order(void **state)
{
	struct world *world = *state;
	struct mark marks[] = {{world, "a"}, {world, "b"}, {world, "c"}, {world, "d"}};
	uint64_t late;

	for (int i = 0; i < 4; i++)
		world->timers[i] = mvm_loop_timer(world->loop, timer_fired, &marks[i]);
	mvm_timer_start(world->timers[3], 0);
	mvm_timer_start(world->timers[2], 1);
	mvm_timer_start(world->timers[0], 2);
	mvm_timer_start(world->timers[1], 3);
	late = mvm_now_ns() + 4000000;
	while (mvm_now_ns() < late)
		;
	world->left = 4;
	run(world);
	assert_seen(world, "d c a b ");
}

static void stopped_and_removed_timers_do_not_fire(void **state)
{
	struct world *world = *state;
	struct mark marks[] = {{world, "stopped"}, {world, "removed"}, {world, "restarted"}};

	for (int i = 0; i < 3; i++) {
		world->timers[i] = mvm_loop_timer(world->loop, timer_fired, &marks[i]);
		mvm_timer_start(world->timers[i], 0);
	}
	mvm_timer_stop(world->timers[0]);
	mvm_timer_remove(world->timers[1]);
	mvm_timer_start(world->timers[2], 1);
	mvm_timer_remove(NULL);
	run(world);
	assert_seen(world, "restarted ");
}

static void repeat(void *arg)
{
	struct world *world = arg;

	saw(world, "tick");
	if (world->left > 0)
		mvm_timer_start(world->timers[0], 0);
	else
		mvm_timer_remove(world->timers[0]);
}

static void a_timer_is_one_shot_and_may_start_itself(void **state)
{
	struct world *world = *state;

	world->timers[0] = mvm_loop_timer(world->loop, repeat, world);
	mvm_timer_start(world->timers[0], 0);
	world->left = 3;
	run(world);
	assert_seen(world, "tick tick tick ");
}

static void stop_the_others(void *arg)
{
	struct world *world = arg;

	mvm_timer_remove(world->timers[1]);
	mvm_timer_stop(world->timers[2]);
	saw(world, "first");
}

static void a_callback_may_take_the_next_timer_away(void **state)
{
	struct world *world = *state;
	struct mark never = {world, "never"}, last = {world, "last"};

	world->timers[0] = mvm_loop_timer(world->loop, stop_the_others, world);
	world->timers[1] = mvm_loop_timer(world->loop, timer_fired, &never);
	world->timers[2] = mvm_loop_timer(world->loop, timer_fired, &never);
	world->timers[3] = mvm_loop_timer(world->loop, timer_fired, &last);
	for (int i = 0; i < 4; i++)
		mvm_timer_start(world->timers[i], 0);
	world->left = 2;
	run(world);
	assert_seen(world, "first last ");
}

/* Watches */

static void poke(struct world *world, int pipe)
{
	assert_int_equal(write(world->pipes[pipe][1], "x", 1), 1);
}

static void readable(void *arg, int fd, short revents)
{
	struct mark *mark = arg;
	char byte;

	assert_true(revents & POLLIN);
	assert_int_equal(read(fd, &byte, 1), 1);
	saw(mark->world, mark->name);
}

static void watches_report_what_is_ready(void **state)
{
	struct world *world = *state;
	struct mark marks[] = {{world, "0"}, {world, "1"}};

	for (int i = 0; i < 2; i++)
		world->watches[i] = mvm_loop_watch(world->loop, world->pipes[i][0], POLLIN, readable, &marks[i]);
	poke(world, 1);
	run(world);
	assert_seen(world, "1 ");
	poke(world, 0);
	run(world);
	assert_seen(world, "0 ");
}

static void ended(void *arg, int fd, short revents)
{
	assert_true(revents & POLLHUP);
	saw(arg, "end");
}

static void asleep_not_even_the_end_is_told(void **state)
{
	struct world *world = *state;
	struct mark other = {world, "timer"};

	world->watches[0] = mvm_loop_watch(world->loop, world->pipes[0][0], 0, ended, world);
	mvm_close(&world->pipes[0][1]);
	world->timers[0] = mvm_loop_timer(world->loop, timer_fired, &other);
	mvm_timer_start(world->timers[0], 1);
	run(world);
	assert_seen(world, "timer ");
	mvm_watch_set(world->watches[0], POLLIN);
	run(world);
	assert_seen(world, "end ");
}

static uint64_t processor_ms(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* poll() reports an end of file whatever was asked for: a watch that sleeps must not be among its descriptors. */
static void a_sleeping_watch_costs_nothing(void **state)
{
	struct world *world = *state;
	uint64_t start = processor_ms();
	struct mark mark = {world, "timer"};

	world->watches[0] = mvm_loop_watch(world->loop, world->pipes[0][0], 0, ended, world);
	mvm_close(&world->pipes[0][1]);
	world->timers[0] = mvm_loop_timer(world->loop, timer_fired, &mark);
	mvm_timer_start(world->timers[0], 60);
	run(world);
	assert_true(processor_ms() - start < 30);
}

static void remove_both(void *arg, int fd, short revents)
{
	struct world *world = arg;

	mvm_watch_remove(world->watches[0]);
	mvm_watch_remove(world->watches[1]);
	saw(world, "once");
}

/* Whichever of the two comes first takes the other away, while its event is already known. */
static void a_callback_may_remove_any_watch_and_its_own(void **state)
{
	struct world *world = *state;
	struct mark other = {world, "timer"};

	for (int i = 0; i < 2; i++) {
		world->watches[i] = mvm_loop_watch(world->loop, world->pipes[i][0], POLLIN, remove_both, world);
		poke(world, i);
	}
	world->timers[0] = mvm_loop_timer(world->loop, timer_fired, &other);
	mvm_timer_start(world->timers[0], 1);
	world->left = 2;
	run(world);
	assert_seen(world, "once timer ");
	mvm_watch_remove(NULL);
}

static void sleep_both(void *arg, int fd, short revents)
{
	struct world *world = arg;

	mvm_watch_set(world->watches[0], 0);
	mvm_watch_set(world->watches[1], 0);
	saw(world, "once");
}

static void a_callback_may_put_another_watch_to_sleep(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 2; i++) {
		world->watches[i] = mvm_loop_watch(world->loop, world->pipes[i][0], POLLIN, sleep_both, world);
		poke(world, i);
	}
	run(world);
	assert_seen(world, "once ");
}

static void replace(void *arg, int fd, short revents)
{
	struct mark *mark = arg;
	struct world *world = mark->world;

	mvm_watch_remove(world->watches[0]);
	world->watches[0] = mvm_loop_watch(world->loop, fd, POLLIN, readable, mark);
	saw(world, "replaced");
}

static void a_callback_may_watch_the_same_descriptor_anew(void **state)
{
	struct world *world = *state;
	struct mark mark = {world, "read"};

	world->watches[0] = mvm_loop_watch(world->loop, world->pipes[0][0], POLLIN, replace, &mark);
	poke(world, 0);
	world->left = 2;
	run(world);
	assert_seen(world, "replaced read ");
}

static void many_watches_at_once(void **state)
{
	enum { MANY = 100 };
	struct world *world = *state;
	struct mark mark = {world, "x"};
	struct mvm_watch *watches[MANY];
	int pipes[MANY][2];

	for (int i = 0; i < MANY; i++) {
		assert_int_equal(mvm_pipe(pipes[i]), 0);
		assert_int_equal(write(pipes[i][1], "x", 1), 1);
		watches[i] = mvm_loop_watch(world->loop, pipes[i][0], POLLIN, readable, &mark);
	}
	world->left = MANY;
	run(world);
	assert_int_equal(world->seen.length, 2 * MANY);
	for (int i = 0; i < MANY; i++) {
		mvm_watch_remove(watches[i]);
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}

/* Children */

static void child_ended(void *arg, pid_t pid, int status)
{
	struct world *world = arg;
	char *text MVM_CLEAN_FREE = WIFEXITED(status) ? mvm_format("exit:%d", WEXITSTATUS(status))
						      : mvm_format("signal:%d", WTERMSIG(status));

	/* Reaped, and by nobody else. */
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
	saw(world, text);
}

static pid_t child_exiting(int status)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(status);
	return pid;
}

static pid_t child_waiting(struct world *world, int pipe)
{
	pid_t pid = fork();
	char byte;

	if (pid == 0) {
		close(world->pipes[pipe][1]);
		_exit(read(world->pipes[pipe][0], &byte, 1) == 0 ? 0 : 1);
	}
	return pid;
}

static void children_are_reaped_with_their_status(void **state)
{
	struct world *world = *state;
	pid_t waiting = child_waiting(world, 0);

	mvm_loop_child(world->loop, waiting, child_ended, world);
	kill(waiting, SIGKILL);
	run(world);
	assert_seen(world, "signal:9 ");
	mvm_loop_child(world->loop, child_exiting(42), child_ended, world);
	run(world);
	assert_seen(world, "exit:42 ");
}

/* Its SIGCHLD came when nobody listened for it. */
static void a_child_that_has_ended_already_is_reaped(void **state)
{
	struct world *world = *state;
	siginfo_t info;
	pid_t pid;

	signal(SIGCHLD, SIG_DFL);
	pid = child_exiting(7);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	mvm_loop_child(world->loop, pid, child_ended, world);
	run(world);
	assert_seen(world, "exit:7 ");
}

/* Signals of one kind merge; the children must not. */
static void many_children_at_once(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 20; i++)
		mvm_loop_child(world->loop, child_exiting(3), child_ended, world);
	world->left = 20;
	run(world);
	assert_int_equal(world->seen.length, 20 * strlen("exit:3 "));
}

static void stop_the_loop(void *arg)
{
	mvm_loop_stop(arg);
}

static void a_forgotten_child_is_reaped_in_silence(void **state)
{
	struct world *world = *state;
	pid_t forgotten = child_waiting(world, 0), other = child_waiting(world, 0);

	mvm_loop_child(world->loop, forgotten, child_ended, world);
	mvm_loop_child(world->loop, other, child_ended, world);
	mvm_loop_child_forget(world->loop, forgotten);
	mvm_close(&world->pipes[0][1]);
	world->timers[0] = mvm_loop_timer(world->loop, stop_the_loop, world->loop);
	/* A zombie can still be sent signals. */
	while (kill(forgotten, 0) == 0) {
		mvm_timer_start(world->timers[0], 1);
		run(world);
	}
	if (!world->seen.length)
		run(world);
	assert_seen(world, "exit:0 ");
}

static void start_another(void *arg, pid_t pid, int status)
{
	struct world *world = arg;

	saw(world, "first");
	mvm_loop_child(world->loop, child_exiting(5), child_ended, world);
}

static void a_child_callback_may_add_a_child(void **state)
{
	struct world *world = *state;

	mvm_loop_child(world->loop, child_exiting(0), start_another, world);
	world->left = 2;
	run(world);
	assert_seen(world, "first exit:5 ");
}

/* Signals */

static void got_signal(void *arg, int signo)
{
	saw(arg, signo == SIGUSR1 ? "usr1" : "usr2");
}

static void raise_it(void *arg)
{
	raise(SIGUSR2);
}

static void signals_become_callbacks(void **state)
{
	struct world *world = *state;

	mvm_loop_signal(world->loop, SIGUSR1, got_signal, world);
	mvm_loop_signal(world->loop, SIGUSR2, got_signal, world);
	raise(SIGUSR1);
	world->timers[0] = mvm_loop_timer(world->loop, raise_it, NULL);
	mvm_timer_start(world->timers[0], 1);
	world->left = 2;
	run(world);
	assert_seen(world, "usr1 usr2 ");
}

static void destroying_gives_signals_back(void **state)
{
	struct world *world = *state;
	struct sigaction action;

	mvm_loop_signal(world->loop, SIGUSR1, got_signal, world);
	mvm_loop_destroy(world->loop);
	assert_int_equal(sigaction(SIGUSR1, NULL, &action), 0);
	assert_true(action.sa_handler == SIG_DFL);
	world->loop = mvm_loop_create();
}

static void stopping_before_a_run_does_not_stop_it(void **state)
{
	struct world *world = *state;
	struct mark mark = {world, "ran"};

	mvm_loop_stop(world->loop);
	world->timers[0] = mvm_loop_timer(world->loop, timer_fired, &mark);
	mvm_timer_start(world->timers[0], 0);
	run(world);
	assert_seen(world, "ran ");
	mvm_loop_destroy(NULL);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(timers_fire_in_the_order_of_their_times),
		LOOP_TEST(timers_that_are_late_keep_their_order),
		LOOP_TEST(stopped_and_removed_timers_do_not_fire),
		LOOP_TEST(a_timer_is_one_shot_and_may_start_itself),
		LOOP_TEST(a_callback_may_take_the_next_timer_away),
		LOOP_TEST(watches_report_what_is_ready),
		LOOP_TEST(asleep_not_even_the_end_is_told),
		LOOP_TEST(a_sleeping_watch_costs_nothing),
		LOOP_TEST(a_callback_may_remove_any_watch_and_its_own),
		LOOP_TEST(a_callback_may_put_another_watch_to_sleep),
		LOOP_TEST(a_callback_may_watch_the_same_descriptor_anew),
		LOOP_TEST(many_watches_at_once),
		LOOP_TEST(children_are_reaped_with_their_status),
		LOOP_TEST(a_child_that_has_ended_already_is_reaped),
		LOOP_TEST(many_children_at_once),
		LOOP_TEST(a_forgotten_child_is_reaped_in_silence),
		LOOP_TEST(a_child_callback_may_add_a_child),
		LOOP_TEST(signals_become_callbacks),
		LOOP_TEST(destroying_gives_signals_back),
		LOOP_TEST(stopping_before_a_run_does_not_stop_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
