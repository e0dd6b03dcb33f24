/*
 * Health checks with everything around them faked: the exec is the test's, time passes when the test says so, and
 * descriptors are ready when it says so, too.
 */
#include "calls.h"

#include <sys/socket.h>

#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/supervisor/internal.h"
#include "tests/unit/state/world.h"

/* Timers, watches and the clock: runtime/base/loop.h */

struct mvm_timer {
	mvm_timer_fn fn;
	void *arg;
	int64_t milliseconds; /* -1: stopped */
};

struct mvm_watch {
	mvm_watch_fn fn;
	void *arg;
	int fd; /* -1: removed */
};

static struct mvm_timer timer;
static struct mvm_watch watches[2];
static uint64_t now_ms;

struct mvm_timer *mvm_loop_timer(struct mvm_loop *loop, mvm_timer_fn fn, void *arg)
{
	timer = (struct mvm_timer){.fn = fn, .arg = arg, .milliseconds = -1};
	return &timer;
}

void mvm_timer_start(struct mvm_timer *its, uint64_t milliseconds)
{
	its->milliseconds = (int64_t)milliseconds;
}

void mvm_timer_stop(struct mvm_timer *its)
{
	its->milliseconds = -1;
}

void mvm_timer_remove(struct mvm_timer *its)
{
	called("no-timer");
	its->milliseconds = -1;
}

struct mvm_watch *mvm_loop_watch(struct mvm_loop *loop, int fd, short events, mvm_watch_fn fn, void *arg)
{
	size_t free_one = watches[0].fd < 0 ? 0 : 1;

	assert_int_equal(watches[free_one].fd, -1);
	watches[free_one] = (struct mvm_watch){fn, arg, fd};
	return &watches[free_one];
}

void mvm_watch_remove(struct mvm_watch *watch)
{
	if (watch)
		watch->fd = -1;
}

uint64_t mvm_now_ns(void)
{
	return now_ms * 1000000;
}

/* The exec and the guest */

static struct {
	const struct exec_peer *peer; /* NULL: there is none */
	void *arg;
	int ends[2]; /* of stdout and stderr, in the guest */
	uint32_t process;
} exec;

void execs_run(struct supervisor *supervisor, json_t *request, const struct exec_peer *peer, void *arg)
{
	const json_t *args = json_object_get(request, "args");

	assert_null(exec.peer);
	called("run:%s", json_string_value(json_array_get(args, json_array_size(args) - 1)));
	exec.peer = peer;
	exec.arg = arg;
	exec.process++;
}

static void leaves(void)
{
	const struct exec_peer *peer = exec.peer;

	exec.peer = NULL;
	peer->left(exec.arg);
}

/* As execs.c asks after each word. */
void execs_left(struct supervisor *supervisor)
{
	if (exec.peer && exec.peer->gone(exec.arg)) {
		called("left");
		leaves();
	}
}

void agent_signal(struct agent *agent, uint32_t process, int signo, agent_done_fn done, void *arg)
{
	called("signal:%u:%d", process, signo);
}

static void exec_starts(void)
{
	int fds[STREAM_COUNT] = {-1, -1, -1};

	for (int i = 0; i < 2; i++) {
		int pair[2];

		assert_int_equal(mvm_socketpair(SOCK_STREAM, pair), 0);
		exec.ends[i] = pair[1];
		fds[i + 1] = pair[0];
	}
	exec.peer->started(exec.arg, exec.process, fds);
	close(fds[1]);
	close(fds[2]);
}

static void exec_says(int which, const char *text)
{
	assert_int_equal(write(exec.ends[which], text, strlen(text)), strlen(text));
	for (int i = 0; i < 2; i++)
		if (watches[i].fd >= 0 && which == i)
			watches[i].fn(watches[i].arg, watches[i].fd, POLLIN);
}

static void streams_end(void)
{
	mvm_close(&exec.ends[0]);
	mvm_close(&exec.ends[1]);
	for (int i = 0; i < 2; i++)
		if (watches[i].fd >= 0)
			watches[i].fn(watches[i].arg, watches[i].fd, POLLIN);
}

static void exec_exits(int code)
{
	exec.peer->ended(exec.arg, code, NULL);
	execs_left(NULL);
}

static void exec_is_refused(enum mvm_error_code code, const char *text)
{
	const struct exec_peer *peer = exec.peer;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	mvm_fail(&err, code, "%s", text);
	exec.peer = NULL;
	peer->refused(exec.arg, err);
}

/* The world */

struct vm {
	struct world *world;
	struct supervisor supervisor;
	char *id;
};

static int setup(void **state)
{
	struct vm *vm = mvm_alloc(sizeof(*vm));
	struct mvm_health_check *check;
	struct mvm_error *err = NULL;

	world_setup((void **)&vm->world);
	vm->supervisor = (struct supervisor){.state = vm->world->state, .phase = PHASE_RUNNING};
	vm->id = world_add(vm->world, NULL, false, NULL);
	assert_ok(mvm_state_load(vm->world->state, vm->id, &vm->supervisor.container, &err));
	check = &vm->supervisor.container->config.health_check;
	mvm_strv_add(&check->test, "CMD-SHELL");
	mvm_strv_add(&check->test, "probe");
	check->interval = 7000000000;
	check->timeout = 3000000000;
	check->retries = 2;
	exec.peer = NULL;
	exec.process = 1;
	exec.ends[0] = exec.ends[1] = -1;
	watches[0].fd = watches[1].fd = -1;
	now_ms = 1000;
	health_start(&vm->supervisor);
	*state = vm;
	return 0;
}

static int teardown(void **state)
{
	struct vm *vm = *state;

	health_end(&vm->supervisor);
	if (exec.peer)
		leaves();
	mvm_close(&exec.ends[0]);
	mvm_close(&exec.ends[1]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(watches[i].fd, -1);
	mvm_container_free(vm->supervisor.container);
	world_teardown((void **)&vm->world);
	free(vm->id);
	free(vm);
	mvm_buf_finish(&calls);
	return 0;
}

static void time_passes(int64_t milliseconds)
{
	assert_int_equal(timer.milliseconds, milliseconds);
	timer.milliseconds = -1;
	now_ms += (uint64_t)milliseconds;
	timer.fn(timer.arg);
}

/* What the last result is, in the file as in memory. */
static void expect_health(struct vm *vm, enum mvm_health_status status, int64_t streak, int exit_code,
			  const char *output)
{
	struct mvm_container *found MVM_CLEAN_CONTAINER = NULL;
	const struct mvm_health *health = &vm->supervisor.container->health;
	struct mvm_health kept = {0};

	mvm_health_load(&kept, vm->supervisor.container->folder);
	assert_string_equal(mvm_health_name(health->status), mvm_health_name(status));
	assert_int_equal(health->failing_streak, streak);
	assert_int_equal(kept.status, status);
	assert_int_equal(kept.failing_streak, streak);
	assert_int_equal(health->log[health->count - 1].exit_code, exit_code);
	assert_string_equal(health->log[health->count - 1].output, output);
	assert_string_equal(kept.log[kept.count - 1].output, output);
	mvm_health_finish(&kept);
}

static void a_probe_runs_and_says_something(void **state)
{
	struct vm *vm = *state;

	assert_int_equal(vm->supervisor.container->health.status, MVM_HEALTH_STARTING);
	time_passes(7000);
	expect_calls("run:probe");
	assert_int_equal(timer.milliseconds, 30000);
	exec_starts();
	assert_int_equal(timer.milliseconds, 3000);
	exec_says(0, "out ");
	exec_says(1, "err");
	streams_end();
	expect_calls("");
	exec_exits(0);
	expect_calls("left");
	expect_health(vm, MVM_HEALTH_HEALTHY, 0, 0, "out err");
	assert_int_equal(timer.milliseconds, 7000);
}

/* Word of the end and the end of the streams come in any order. */
static void output_may_come_after_the_exit(void **state)
{
	struct vm *vm = *state;

	time_passes(7000);
	exec_starts();
	exec_exits(4);
	assert_int_equal(timer.milliseconds, 2000);
	exec_says(0, "late");
	streams_end();
	expect_calls("run:probe left");
	expect_health(vm, MVM_HEALTH_STARTING, 1, 4, "late");
	/* A child of it may hold its streams for ever. */
	time_passes(7000);
	exec_starts();
	exec_says(1, "bad");
	exec_exits(5);
	time_passes(2000);
	expect_calls("run:probe left");
	expect_health(vm, MVM_HEALTH_UNHEALTHY, 2, 5, "bad");
}

static void much_output_is_cut(void **state)
{
	struct vm *vm = *state;
	char text[3000 + 1], *output;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	time_passes(7000);
	exec_starts();
	exec_says(0, text);
	exec_says(0, text);
	exec_says(0, text);
	streams_end();
	exec_exits(0);
	output = vm->supervisor.container->health.log[0].output;
	assert_int_equal(strlen(output), MVM_HEALTH_OUTPUT + 3);
	assert_string_equal(output + MVM_HEALTH_OUTPUT - 1, "x...");
}

static void one_that_takes_too_long_is_killed(void **state)
{
	struct vm *vm = *state;

	time_passes(7000);
	exec_starts();
	exec_says(0, "hm");
	forget_calls();
	time_passes(3000);
	expect_calls("signal:2:9");
	expect_health(vm, MVM_HEALTH_STARTING, 1, -1, "Health check exceeded timeout (3s): hm");
	exec_exits(137);
	expect_calls("left");
	expect_health(vm, MVM_HEALTH_STARTING, 1, -1, "Health check exceeded timeout (3s): hm");
	time_passes(7000);
	expect_calls("run:probe");
	exec_starts();
	time_passes(3000);
	expect_calls("signal:3:9");
	expect_health(vm, MVM_HEALTH_UNHEALTHY, 2, -1, "Health check exceeded timeout (3s)");
}

/* It does not even die: no second one is started, and the container is not healthy for that. */
static void a_guest_that_hangs_is_not_healthy(void **state)
{
	struct vm *vm = *state;

	time_passes(7000);
	forget_calls();
	time_passes(30000);
	expect_calls("");
	assert_non_null(strstr(vm->supervisor.container->health.log[0].output, "timed out starting health check"));
	time_passes(7000);
	expect_calls("");
	expect_health(vm, MVM_HEALTH_UNHEALTHY, 2, -1, "the health check before this one has not ended yet");
	time_passes(7000);
	expect_health(vm, MVM_HEALTH_UNHEALTHY, 3, -1, "the health check before this one has not ended yet");
	/* It wakes up: what was ordered so long ago is not wanted any more. */
	exec_starts();
	expect_calls("signal:2:9");
	exec_exits(137);
	expect_calls("left");
	time_passes(7000);
	expect_calls("run:probe");
}

static void one_that_cannot_be_started_says_why(void **state)
{
	struct vm *vm = *state;

	time_passes(7000);
	exec_is_refused(MVM_ERR_NO_PROGRAM, "/bin/sh: not found");
	expect_health(vm, MVM_HEALTH_STARTING, 1, -1,
		      "/bin/sh: not found; this check is run by a shell, which the image lacks: HEALTHCHECK CMD "
		      "[\"program\"] does without");
	time_passes(7000);
	exec_is_refused(MVM_ERR_CANNOT_RUN, "too many");
	expect_health(vm, MVM_HEALTH_UNHEALTHY, 2, -1, "too many");
	forget_calls();
}

static void time_stands_still_with_the_machine(void **state)
{
	struct vm *vm = *state;

	vm->supervisor.container->config.health_check.start_period = 60000000000;
	/* Between two probes. */
	now_ms += 4000;
	health_pause(&vm->supervisor);
	assert_int_equal(timer.milliseconds, -1);
	now_ms += 1000000;
	health_resume(&vm->supervisor);
	/* The program has run for four seconds only. */
	assert_int_equal(timer.milliseconds, 5000);
	time_passes(5000);
	expect_calls("run:probe");
	/* While one runs: it does not count. */
	exec_starts();
	health_pause(&vm->supervisor);
	expect_calls("signal:2:9");
	assert_int_equal(timer.milliseconds, -1);
	health_resume(&vm->supervisor);
	assert_int_equal(timer.milliseconds, 5000);
	exec_exits(137);
	expect_calls("left");
	assert_int_equal(vm->supervisor.container->health.count, 0);
	time_passes(5000);
	/* While it is on its way. */
	health_pause(&vm->supervisor);
	exec_starts();
	expect_calls("run:probe signal:3:9");
	exec_exits(137);
	assert_int_equal(timer.milliseconds, -1);
	health_resume(&vm->supervisor);
	/* Its last output is on its way. */
	time_passes(5000);
	exec_starts();
	exec_exits(1);
	forget_calls();
	health_pause(&vm->supervisor);
	expect_calls("left");
	assert_int_equal(vm->supervisor.container->health.count, 0);
	health_resume(&vm->supervisor);
	time_passes(5000);
	expect_calls("run:probe");
}

/* The container has ended; what is said of the probe after that is nobody's business. */
static void the_end_may_come_at_any_time(void **state)
{
	struct vm *vm = *state;

	for (int when = 0; when < 4; when++) {
		if (when > 0)
			time_passes(7000);
		if (when > 1)
			exec_starts();
		if (when > 2)
			exec_exits(0);
		forget_calls();
		health_end(&vm->supervisor);
		expect_calls("no-timer");
		assert_null(vm->supervisor.health);
		if (when == 1)
			exec_starts();
		if (when > 0)
			exec.peer->ended(exec.arg, 137, NULL);
		execs_left(&vm->supervisor);
		mvm_close(&exec.ends[0]);
		mvm_close(&exec.ends[1]);
		health_pause(&vm->supervisor);
		health_resume(&vm->supervisor);
		health_start(&vm->supervisor);
	}
	assert_int_equal(vm->supervisor.container->health.count, 0);
}

/* An image may ask for anything. */
static void an_interval_may_be_for_ever(void **state)
{
	struct vm *vm = *state;

	health_end(&vm->supervisor);
	vm->supervisor.container->config.health_check.interval = INT64_MAX;
	vm->supervisor.container->config.health_check.start_period = INT64_MAX;
	vm->supervisor.container->config.health_check.start_interval = INT64_MAX;
	health_start(&vm->supervisor);
	assert_int_equal(timer.milliseconds, INT64_MAX / 1000000 + 1);
}

static void without_a_check_nothing_happens(void **state)
{
	struct vm *vm = *state;

	health_end(&vm->supervisor);
	mvm_strv_finish(&vm->supervisor.container->config.health_check.test);
	health_start(&vm->supervisor);
	assert_null(vm->supervisor.health);
}

#define HEALTH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HEALTH_TEST(a_probe_runs_and_says_something),
		HEALTH_TEST(output_may_come_after_the_exit),
		HEALTH_TEST(much_output_is_cut),
		HEALTH_TEST(one_that_takes_too_long_is_killed),
		HEALTH_TEST(a_guest_that_hangs_is_not_healthy),
		HEALTH_TEST(one_that_cannot_be_started_says_why),
		HEALTH_TEST(time_stands_still_with_the_machine),
		HEALTH_TEST(the_end_may_come_at_any_time),
		HEALTH_TEST(an_interval_may_be_for_ever),
		HEALTH_TEST(without_a_check_nothing_happens),
	};

	mvm_log_open("test", -1, MVM_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
