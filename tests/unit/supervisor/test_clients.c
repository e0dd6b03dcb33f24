/*
 * The control socket's side of the supervisor, with clients of the test's own on it. Guest and state machine are
 * fakes that write down what they are asked for.
 */
#include "calls.h"

#include <signal.h>
#include <sys/socket.h>

#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/state/control.h"
#include "runtime/state/update.h"
#include "runtime/supervisor/internal.h"

/* The parts that clients.c calls */

static struct {
	agent_done_fn done; /* of the last order to the guest */
	void *done_arg;
	int attached[STREAM_COUNT];
	struct relay *archive; /* the last one asked for */
	int archives_left;     /* how often */
	struct relay *exec;    /* the same */
} fake;

void supervisor_event(struct supervisor *supervisor, enum event event)
{
	static const char *const names[EVENT_COUNT] = {
		[EVENT_START] = "start",     [EVENT_PAUSE] = "pause",	      [EVENT_RESUME] = "resume",
		[EVENT_DESTROY] = "destroy", [EVENT_ABANDONED] = "abandoned", [EVENT_RELEASED] = "released"};

	called("%s", names[event] ? names[event] : "other");
}

void supervisor_stop(struct supervisor *supervisor, int signo, int64_t timeout)
{
	called("stop:%d:%lld", signo, (long long)timeout);
}

void supervisor_killed(struct supervisor *supervisor)
{
	called("killed");
}

bool supervisor_has_process(const struct supervisor *supervisor)
{
	return supervisor->phase >= PHASE_RUNNING && supervisor->phase <= PHASE_RESUMING;
}

bool rounds_restarting(const struct supervisor *supervisor)
{
	return supervisor->container->state.status == MVM_STATUS_RESTARTING;
}

void rounds_stop_by_user(struct supervisor *supervisor, bool final)
{
	supervisor->final = supervisor->final || final;
	supervisor->container->state.stopped_by_user = true;
}

void supervisor_signal(struct supervisor *supervisor, int signo, agent_done_fn done, void *arg)
{
	called("signal:%d", signo);
	fake.done = done;
	fake.done_arg = arg;
}

void execs_add(struct supervisor *supervisor, json_t *request, struct relay *relay)
{
	called("exec:%s", json_string_value(json_object_get(request, "user")));
	fake.exec = relay;
}

void stats_answer(struct supervisor *supervisor, struct relay *relay)
{
	called("stats");
	relayed(relay, NULL);
}

void update_apply(struct supervisor *supervisor, const struct mvm_container_update *update, struct relay *relay)
{
	called("update:%llu:%d", (unsigned long long)update->memory, update->has_pids_limit);
	relayed(relay, NULL);
}

void connect_apply(struct supervisor *supervisor, const char *endpoint, struct relay *relay)
{
	called("connect:%s", endpoint);
	relayed(relay, NULL);
}

void disconnect_apply(struct supervisor *supervisor, const char *network, bool force, struct relay *relay)
{
	called("disconnect:%s:%d", network, force);
	relayed(relay, NULL);
}

bool execs_running(const struct supervisor *supervisor, uint32_t process)
{
	return process == 7;
}

void execs_detached(struct supervisor *supervisor, uint32_t process)
{
	called("detached:%u", process);
}

/* What `events` tells, checked where it is about that. */
static struct mvm_buf notes;

void events_note(struct supervisor *supervisor, const char *action, const char *const *more)
{
	mvm_buf_addf(&notes, "%s ", action);
}

void events_note_resize(struct supervisor *supervisor, int rows, int cols)
{
	mvm_buf_addf(&notes, "resize:%dx%d ", rows, cols);
}

void execs_left(struct supervisor *supervisor)
{
	if (fake.exec && relay_is_dead(fake.exec)) {
		called("exec-left");
		relay_release(fake.exec);
		fake.exec = NULL;
	}
}

void agent_resize(struct agent *agent, uint32_t process, int rows, int cols, agent_done_fn done, void *arg)
{
	called("resize:%u:%dx%d", process, rows, cols);
	fake.done = done;
	fake.done_arg = arg;
}

void streams_attach(struct streams *streams, enum stream_kind kind, int fd)
{
	fake.attached[kind] = fd;
}

void archives_add(struct supervisor *supervisor, const struct archive_order *order, struct relay *relay)
{
	static const char *const kinds[] = {[ARCHIVE_SEND] = "archive",
					    [ARCHIVE_UNPACK] = "unpack",
					    [ARCHIVE_STAT] = "stat",
					    [ARCHIVE_PROCESSES] = "processes"};
	static const char *const changes[] = {"", ":list", ":layer"};

	called("%s:%s:%s%s%s%s", kinds[order->kind], order->path, order->name, changes[order->changes],
	       order->freeze ? ":freeze" : "", order->mounted ? ":mounted" : "");
	if (order->user && *order->user)
		called("user:%s", order->user);
	free(order->path);
	free(order->name);
	free(order->user);
	fake.archive = relay;
}

void archives_left(struct supervisor *supervisor)
{
	fake.archives_left++;
}

/* The world: a supervisor without a machine, and clients */

struct world {
	struct supervisor supervisor;
	struct mvm_container container;
	struct mvm_timer *timer;
};

static void stop_loop(void *arg)
{
	mvm_loop_stop(arg);
}

static int setup(void **state)
{
	struct world *world = mvm_alloc(sizeof(*world));

	world->container.config.id = (char *)"0123456789abcdef";
	world->supervisor = (struct supervisor){
		.loop = mvm_loop_create(),
		.container = &world->container,
		.streams = (struct streams *)world, /* only handed on */
		.listen_fd = -1,
	};
	world->timer = mvm_loop_timer(world->supervisor.loop, stop_loop, world->supervisor.loop);
	for (int i = 0; i < STREAM_COUNT; i++)
		fake.attached[i] = -1;
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	clients_destroy(&world->supervisor);
	mvm_loop_destroy(world->supervisor.loop);
	mvm_buf_finish(&calls);
	mvm_buf_finish(&notes);
	for (int i = 0; i < STREAM_COUNT; i++)
		mvm_close(&fake.attached[i]);
	free(world);
	return 0;
}

/* Lets the supervisor read what clients sent. */
static void turn(struct world *world)
{
	struct mvm_error *err = NULL;

	for (int i = 0; i < 3; i++) {
		mvm_timer_start(world->timer, 0);
		assert_ok(mvm_loop_run(world->supervisor.loop, &err));
	}
}

static void add_client(struct world *world, struct mvm_control *client)
{
	int pair[2];

	assert_int_equal(mvm_socketpair(SOCK_STREAM, pair), 0);
	assert_int_equal(mvm_set_nonblock(pair[1], true), 0);
	clients_add(&world->supervisor, pair[0]);
	mvm_control_init(client, pair[1]);
}

static void ask(struct world *world, struct mvm_control *client, json_t *request)
{
	struct mvm_error *err = NULL;

	assert_non_null(request);
	assert_ok(mvm_control_send(client, request, NULL, 0, &err));
	turn(world);
}

/* The next message of a client, as one line of JSON with sorted keys; "" where there is none, "end" at the end. */
static char *hear(struct mvm_control *client)
{
	json_t *message MVM_CLEAN_JSON = NULL;
	struct mvm_error *err = NULL;
	int result = mvm_control_receive(client, &message, &err);

	assert_null(err);
	if (result)
		return mvm_strdup(result == MVM_CONTROL_CLOSED ? "end" : "");
	return json_dumps(message, JSON_COMPACT | JSON_SORT_KEYS);
}

static void assert_hears(struct mvm_control *client, const char *expected)
{
	char *text MVM_CLEAN_FREE = hear(client);

	assert_string_equal(text, expected);
}

static void assert_says(struct mvm_control *client, const char *part)
{
	char *text MVM_CLEAN_FREE = hear(client);

	assert_non_null(strstr(text, part));
}

/* Start, exit and who is told */

static void a_start_is_answered_when_the_program_runs(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	add_client(world, &client);
	ask(world, &client, json_pack("{ss, si}", "op", "start", "id", 7));
	expect_calls("start");
	assert_hears(&client, "");
	clients_started(&world->supervisor, NULL);
	assert_hears(&client, "{\"id\":7,\"ok\":true}");
	clients_started(&world->supervisor, NULL);
	assert_hears(&client, "");
	mvm_control_finish(&client);
}

static void a_refused_start_is_answered_with_the_reason(void **state)
{
	struct mvm_error *refusal MVM_CLEAN_ERROR = NULL;
	struct world *world = *state;
	struct mvm_control client;

	add_client(world, &client);
	ask(world, &client, json_pack("{ss, si}", "op", "start", "id", 1));
	mvm_fail(&refusal, MVM_ERR_NO_PROGRAM, "\xff: not found");
	clients_started(&world->supervisor, refusal);
	assert_hears(&client, "{\"error\":{\"code\":\"no-program\",\"message\":\"\xef\xbf\xbd: not found\"},\"id\":1}");
	mvm_control_finish(&client);
	expect_calls("start");
}

static void a_start_of_one_that_runs_is_a_success(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	add_client(world, &client);
	world->supervisor.phase = PHASE_RUNNING;
	ask(world, &client, json_pack("{ss, si}", "op", "start", "id", 1));
	expect_calls("");
	assert_hears(&client, "{\"id\":1,\"ok\":true}");
	mvm_control_finish(&client);
}

static void a_paused_one_is_treated_as_docker_does(void **state)
{
	static const struct {
		const char *op;
		int signo;
		const char *says, *calls;
	} cases[] = {
		{"start", 0, "cannot start a paused container, try unpause instead", ""},
		{"pause", 0, "Container 0123456789abcdef is already paused", ""},
		{"archive", 0, "Container 0123456789abcdef is paused, unpause the container first", ""},
		{"changes", 0, "Container 0123456789abcdef is paused, unpause the container first", ""},
		{"signal", 10, "\"ok\":true", "signal:10"},
		{"signal", 15, "\"ok\":true", "signal:15 resume"},
	};
	struct world *world = *state;

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_control client;

		add_client(world, &client);
		world->supervisor.phase = PHASE_PAUSED;
		ask(world, &client,
		    json_pack("{ss, si, si, ss}", "op", cases[i].op, "id", 1, "signo", cases[i].signo, "path", "/"));
		expect_calls(cases[i].calls);
		assert_says(&client, cases[i].says);
		mvm_control_finish(&client);
	}
}

static void one_that_is_restarting_is_treated_as_docker_does(void **state)
{
	static const char wait[] = "Container 0123456789abcdef is restarting, wait until the container is running";
	static const struct {
		const char *op;
		int signo;
		const char *says, *calls;
		bool final;
	} cases[] = {
		{"start", 0, "\"ok\":true", "", false},
		{"attach", 0, wait, "", false},
		{"exec", 0, wait, "", false},
		{"pause", 0, wait, "", false},
		{"archive", 0, wait, "", false},
		{"follow", 0, wait, "", false},
		{"unpause", 0, "is not paused", "", false},
		{"signal", 9, "", "destroy", true},
		/* Its stop signal is the usual one: then any means the end. */
		{"signal", 10, "", "destroy", true},
		{"stop", 15, "", "stop:15:10", true},
		{"destroy", 0, "", "destroy", true},
		{"wait", 0, "", "", false},
	};
	struct world *world = *state;

	world->container.state.status = MVM_STATUS_RESTARTING;
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_control client;

		add_client(world, &client);
		world->supervisor.phase = i % 2 ? PHASE_WAITING : PHASE_BOOTING;
		world->supervisor.final = false;
		ask(world, &client,
		    json_pack("{ss, si, si, ss}", "op", cases[i].op, "id", 1, "signo",
			      cases[i].signo ? cases[i].signo : 15, "path", "/"));
		expect_calls(cases[i].calls);
		assert_says(&client, cases[i].says);
		assert_int_equal(world->supervisor.final, cases[i].final);
		mvm_control_finish(&client);
		turn(world);
		forget_calls();
	}
}

/* Docker's rule: where the container has a stop signal of its own, other signals leave its policy alone, but the user
 * has had a word in it. */
static void other_signals_leave_the_policy_alone(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	add_client(world, &client);
	world->container.config.stop_signal = (char *)"SIGQUIT";
	world->supervisor.phase = PHASE_RUNNING;
	ask(world, &client, json_pack("{ss, si, si}", "op", "signal", "id", 1, "signo", 10));
	expect_calls("signal:10");
	assert_false(world->supervisor.final);
	assert_true(world->container.state.stopped_by_user);
	fake.done(fake.done_arg, NULL);
	ask(world, &client, json_pack("{ss, si, si}", "op", "signal", "id", 2, "signo", 3));
	assert_true(world->supervisor.final);
	fake.done(fake.done_arg, NULL);
	expect_calls("signal:3");
	mvm_control_finish(&client);
}

/* What ends with the host is not what the user has stopped. */
static void a_shutdown_is_no_wish_of_the_user(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	add_client(world, &client);
	world->supervisor.phase = PHASE_RUNNING;
	ask(world, &client, json_pack("{ss, si, sb}", "op", "stop", "id", 1, "system", 1));
	expect_calls("stop:15:10");
	assert_true(world->supervisor.final);
	assert_false(world->container.state.stopped_by_user);
	ask(world, &client, json_pack("{ss, si}", "op", "stop", "id", 2));
	expect_calls("stop:15:10");
	assert_true(world->container.state.stopped_by_user);
	mvm_control_finish(&client);
}

/* Each end is told, and once: who was attached or followed has left then. */
static void an_end_between_rounds_is_told_once(void **state)
{
	struct world *world = *state;
	struct mvm_control attached, follower, starter;

	add_client(world, &attached);
	add_client(world, &follower);
	add_client(world, &starter);
	world->supervisor.phase = PHASE_RUNNING;
	ask(world, &attached, json_pack("{ss, si}", "op", "attach", "id", 1));
	ask(world, &follower, json_pack("{ss, si}", "op", "follow", "id", 1));
	world->supervisor.phase = PHASE_DRAINING;
	ask(world, &starter, json_pack("{ss, si}", "op", "start", "id", 1));
	expect_calls("start stop:15:10");
	assert_hears(&attached, "{\"id\":1,\"ok\":true}");
	assert_hears(&follower, "{\"id\":1,\"ok\":true}");
	clients_between_rounds(&world->supervisor);
	assert_hears(&attached, "{\"event\":\"exit\",\"exit_code\":0}");
	assert_hears(&follower, "{\"event\":\"exit\",\"exit_code\":0}");
	assert_hears(&starter, "{\"id\":1,\"ok\":true}");
	clients_logged(&world->supervisor);
	clients_between_rounds(&world->supervisor);
	assert_hears(&attached, "");
	assert_hears(&follower, "");
	mvm_control_finish(&attached);
	mvm_control_finish(&follower);
	mvm_control_finish(&starter);
}

static void pause_and_unpause_are_answered_when_it_is_so(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	add_client(world, &client);
	world->supervisor.phase = PHASE_RUNNING;
	ask(world, &client, json_pack("{ss, si}", "op", "unpause", "id", 1));
	assert_says(&client, "Container 0123456789abcdef is not paused");
	ask(world, &client, json_pack("{ss, si}", "op", "pause", "id", 2));
	expect_calls("pause");
	assert_hears(&client, "");
	clients_answer(&world->supervisor, WAIT_PAUSED, NULL);
	assert_hears(&client, "{\"id\":2,\"ok\":true}");
	world->supervisor.phase = PHASE_PAUSED;
	ask(world, &client, json_pack("{ss, si}", "op", "unpause", "id", 3));
	expect_calls("resume");
	clients_answer(&world->supervisor, WAIT_RESUMED, NULL);
	assert_hears(&client, "{\"id\":3,\"ok\":true}");
	mvm_control_finish(&client);
}

/* It comes to its end within bounds, and then somebody else may start it. */
static void a_start_of_one_that_is_ending_waits_for_the_end(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	add_client(world, &client);
	world->supervisor.phase = PHASE_DRAINING;
	ask(world, &client, json_pack("{ss, si}", "op", "start", "id", 1));
	expect_calls("start stop:15:10");
	assert_hears(&client, "");
	clients_ended(&world->supervisor);
	assert_hears(&client, "{\"error\":{\"code\":\"interrupted\",\"message\":\"the container has just "
			      "ended\"},\"id\":1}");
	mvm_control_finish(&client);
}

static void a_stop_may_keep_one_that_was_to_be_removed(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	add_client(world, &client);
	world->supervisor.phase = PHASE_RUNNING;
	ask(world, &client, json_pack("{ss, si}", "op", "stop", "id", 1));
	assert_false(world->supervisor.kept);
	ask(world, &client, json_pack("{ss, si, sb}", "op", "stop", "id", 2, "keep", 1));
	assert_true(world->supervisor.kept);
	expect_calls("stop:15:10 stop:15:10");
	mvm_control_finish(&client);
}

static void the_end_is_told_to_who_waits_and_who_is_attached(void **state)
{
	struct world *world = *state;
	struct mvm_control waiter, attached, other;

	add_client(world, &waiter);
	add_client(world, &attached);
	add_client(world, &other);
	ask(world, &waiter, json_pack("{ss, si}", "op", "wait", "id", 5));
	ask(world, &attached, json_pack("{ss, si}", "op", "attach", "id", 1));
	assert_hears(&attached, "{\"id\":1,\"ok\":true}");
	world->container.state.exit_code = 42;
	clients_exited(&world->supervisor);
	assert_hears(&waiter, "{\"exit_code\":42,\"id\":5,\"ok\":true}");
	assert_hears(&attached, "{\"event\":\"exit\",\"exit_code\":42}");
	assert_hears(&other, "");
	world->container.state.error = (char *)"the VM died";
	ask(world, &waiter, json_pack("{ss, si}", "op", "wait", "id", 6));
	clients_exited(&world->supervisor);
	assert_hears(&waiter, "{\"error\":\"the VM died\",\"exit_code\":42,\"id\":6,\"ok\":true}");
	mvm_control_finish(&waiter);
	mvm_control_finish(&attached);
	mvm_control_finish(&other);
}

static void a_client_that_left_is_told_nothing(void **state)
{
	struct world *world = *state;
	struct mvm_control leaver, stayer;

	add_client(world, &stayer);
	add_client(world, &leaver);
	ask(world, &leaver, json_pack("{ss, si}", "op", "start", "id", 1));
	ask(world, &leaver, json_pack("{ss, si}", "op", "wait", "id", 2));
	mvm_control_finish(&leaver);
	turn(world);
	assert_null(world->supervisor.waiters);
	clients_started(&world->supervisor, NULL);
	clients_exited(&world->supervisor);
	expect_calls("start");
	mvm_control_finish(&stayer);
}

static void the_last_client_that_leaves_is_noticed(void **state)
{
	struct world *world = *state;
	struct mvm_control first, second;

	add_client(world, &first);
	add_client(world, &second);
	mvm_control_finish(&first);
	turn(world);
	expect_calls("");
	mvm_control_finish(&second);
	turn(world);
	expect_calls("abandoned");
	assert_null(world->supervisor.clients);
}

/* Attach */

static void streams_come_in_order_and_only_those_asked_for(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_control client;
	int fds[2];
	char byte;

	add_client(world, &client);
	ask(world, &client,
	    json_pack("{ss, si, sb, sb, sb}", "op", "attach", "id", 1, "stdin", 1, "stdout", 0, "stderr", 1));
	assert_hears(&client, "{\"id\":1,\"ok\":true}");
	assert_int_equal(client.fd_count, 2);
	assert_ok(mvm_control_steal_fds(&client, fds, 2, &err));
	assert_int_equal(fake.attached[STREAM_STDOUT], -1);
	assert_int_equal(write(fds[0], "i", 1), 1);
	assert_int_equal(read(fake.attached[STREAM_STDIN], &byte, 1), 1);
	assert_int_equal(byte, 'i');
	assert_int_equal(write(fake.attached[STREAM_STDERR], "e", 1), 1);
	assert_int_equal(read(fds[1], &byte, 1), 1);
	assert_int_equal(byte, 'e');
	close(fds[0]);
	/* Nothing of ours keeps the client's end open. */
	assert_int_equal(recv(fake.attached[STREAM_STDIN], &byte, 1, MSG_DONTWAIT), 0);
	close(fds[1]);
	mvm_control_finish(&client);
}

static void attaching_to_one_that_was_not_set_up_says_why(void **state)
{
	struct mvm_error *refusal MVM_CLEAN_ERROR = NULL;
	struct world *world = *state;
	struct mvm_control client;

	mvm_fail(&refusal, MVM_ERR_UNSUPPORTED, "no such backend");
	world->supervisor.streams = NULL;
	world->supervisor.refusal = refusal;
	add_client(world, &client);
	ask(world, &client, json_pack("{ss, si, sb}", "op", "attach", "id", 1, "stdout", 1));
	assert_hears(&client, "{\"error\":{\"code\":\"unsupported\",\"message\":\"no such backend\"},\"id\":1}");
	assert_int_equal(client.fd_count, 0);
	mvm_control_finish(&client);
}

/* Orders to the guest */

static void a_signal_is_answered_when_the_guest_has_it(void **state)
{
	struct mvm_error *error MVM_CLEAN_ERROR = NULL;
	struct world *world = *state;
	struct mvm_control client;

	world->supervisor.phase = PHASE_RUNNING;
	add_client(world, &client);
	ask(world, &client, json_pack("{ss, si, si}", "op", "signal", "id", 3, "signo", 15));
	expect_calls("signal:15");
	assert_hears(&client, "");
	fake.done(fake.done_arg, NULL);
	assert_hears(&client, "{\"id\":3,\"ok\":true}");
	ask(world, &client, json_pack("{ss, si, si}", "op", "signal", "id", 4, "signo", 12));
	forget_calls();
	mvm_fail(&error, MVM_ERR_CONFLICT, "no such process");
	fake.done(fake.done_arg, error);
	assert_hears(&client, "{\"error\":{\"code\":\"conflict\",\"message\":\"no such process\"},\"id\":4}");
	mvm_control_finish(&client);
}

/* As docker: who kills one may remove it next. */
static void a_kill_is_answered_when_the_container_has_ended(void **state)
{
	static const enum phase phases[] = {PHASE_RUNNING, PHASE_PAUSED};
	struct world *world = *state;

	for (size_t i = 0; i < MVM_COUNT(phases); i++) {
		struct mvm_control client;

		world->supervisor.phase = phases[i];
		add_client(world, &client);
		ask(world, &client, json_pack("{ss, si, si}", "op", "signal", "id", 4, "signo", 9));
		expect_calls("killed signal:9 resume");
		assert_hears(&client, "");
		world->supervisor.container->state.exit_code = 137;
		clients_exited(&world->supervisor);
		assert_says(&client, "\"exit_code\":137");
		mvm_control_finish(&client);
	}
}

static void a_ping_is_answered_in_any_phase(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	add_client(world, &client);
	for (enum phase phase = PHASE_IDLE; phase < PHASE_COUNT; phase++) {
		world->supervisor.phase = phase;
		ask(world, &client, json_pack("{ss, si}", "op", "ping", "id", 5));
		expect_calls("");
		assert_hears(&client, "{\"id\":5,\"ok\":true}");
	}
	mvm_control_finish(&client);
}

/* The guest's answer finds nobody; it must not find freed memory either. */
static void a_client_may_leave_before_the_guest_answers(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	world->supervisor.phase = PHASE_RUNNING;
	add_client(world, &client);
	ask(world, &client, json_pack("{ss, si, si}", "op", "signal", "id", 3, "signo", 15));
	mvm_control_finish(&client);
	turn(world);
	assert_null(world->supervisor.clients);
	fake.done(fake.done_arg, NULL);
	expect_calls("signal:15 abandoned");
}

static void without_a_program_there_is_nothing_to_signal(void **state)
{
	static const enum phase phases[] = {PHASE_IDLE, PHASE_BOOTING, PHASE_STARTING, PHASE_DRAINING, PHASE_ENDING};
	struct world *world = *state;
	struct mvm_control client;

	add_client(world, &client);
	for (size_t i = 0; i < MVM_COUNT(phases); i++) {
		world->supervisor.phase = phases[i];
		ask(world, &client, json_pack("{ss, si, si}", "op", "signal", "id", 1, "signo", 15));
		assert_hears(&client, "{\"error\":{\"code\":\"conflict\",\"message\":"
				      "\"container 0123456789abcdef is not running\"},\"id\":1}");
	}
	expect_calls("");
	mvm_control_finish(&client);
}

static void sizes_are_kept_until_there_is_a_terminal(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	add_client(world, &client);
	ask(world, &client, json_pack("{ss, si, si, si}", "op", "resize", "id", 1, "rows", 50, "cols", 132));
	assert_hears(&client, "{\"id\":1,\"ok\":true}");
	expect_calls("");
	assert_int_equal(world->supervisor.rows, 50);
	assert_int_equal(world->supervisor.cols, 132);
	world->supervisor.phase = PHASE_RUNNING;
	ask(world, &client, json_pack("{ss, si, si, si}", "op", "resize", "id", 2, "rows", 10, "cols", 20));
	expect_calls("resize:1:10x20");
	fake.done(fake.done_arg, NULL);
	assert_hears(&client, "{\"id\":2,\"ok\":true}");
	mvm_control_finish(&client);
}

static void events_tell_of_clients(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	add_client(world, &client);
	ask(world, &client, json_pack("{ss, si, si, si}", "op", "resize", "id", 1, "rows", 50, "cols", 132));
	ask(world, &client, json_pack("{ss, si}", "op", "attach", "id", 2));
	world->supervisor.phase = PHASE_RUNNING;
	ask(world, &client, json_pack("{ss, si, si, si}", "op", "resize", "id", 3, "rows", 10, "cols", 20));
	fake.done(fake.done_arg, NULL);
	ask(world, &client, json_pack("{ss, si}", "op", "detach", "id", 4));
	ask(world, &client, json_pack("{ss, si, si}", "op", "detach", "id", 5, "process", 7));
	assert_string_equal(notes.data, "attach resize:10x20 detach ");
	expect_calls("resize:1:10x20 detached:7");
	mvm_control_finish(&client);
}

static void stop_and_destroy_are_answered_at_the_end(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	world->supervisor.phase = PHASE_RUNNING;
	add_client(world, &client);
	ask(world, &client, json_pack("{ss, si, si, si}", "op", "stop", "id", 1, "signo", 3, "timeout", -1));
	ask(world, &client, json_pack("{ss, si}", "op", "stop", "id", 2));
	ask(world, &client, json_pack("{ss, si}", "op", "destroy", "id", 3));
	expect_calls("stop:3:-1 stop:15:10 destroy");
	assert_hears(&client, "");
	clients_exited(&world->supervisor);
	for (int i = 0; i < 3; i++) {
		char *text MVM_CLEAN_FREE = hear(&client);

		assert_non_null(strstr(text, "\"ok\":true"));
	}
	mvm_control_finish(&client);
}

/* Events */

static void followers_hear_of_the_log_and_all_of_notices(void **state)
{
	struct world *world = *state;
	struct mvm_control follower, other;

	add_client(world, &follower);
	add_client(world, &other);
	ask(world, &follower, json_pack("{ss, si}", "op", "follow", "id", 1));
	assert_hears(&follower, "{\"id\":1,\"ok\":true}");
	clients_logged(&world->supervisor);
	assert_hears(&follower, "{\"event\":\"log\"}");
	assert_hears(&other, "");
	clients_notice(&world->supervisor, "emulation is used");
	assert_hears(&other, "{\"event\":\"notice\",\"text\":\"emulation is used\"}");
	mvm_control_finish(&follower);
	mvm_control_finish(&other);
}

/* It is woken when it reads on; meanwhile nothing waits for it and nothing is broken for it. */
static void a_follower_that_lags_is_kept(void **state)
{
	struct world *world = *state;
	struct mvm_control follower;
	char *text;

	add_client(world, &follower);
	ask(world, &follower, json_pack("{ss, si}", "op", "follow", "id", 1));
	for (int i = 0; i < 20000; i++)
		clients_logged(&world->supervisor);
	assert_hears(&follower, "{\"id\":1,\"ok\":true}");
	text = hear(&follower);
	while (*text) {
		assert_string_equal(text, "{\"event\":\"log\"}");
		free(text);
		text = hear(&follower);
	}
	free(text);
	clients_logged(&world->supervisor);
	assert_hears(&follower, "{\"event\":\"log\"}");
	mvm_control_finish(&follower);
}

static void a_client_that_does_not_read_is_dropped(void **state)
{
	struct world *world = *state;
	struct mvm_control client;
	int sent = 0;

	add_client(world, &client);
	while (world->supervisor.clients && sent++ < 1000000)
		clients_notice(&world->supervisor, "a notice");
	assert_null(world->supervisor.clients);
	mvm_control_finish(&client);
	expect_calls("abandoned");
}

/* Archives and helpers */

static void an_archive_is_a_stream_and_then_an_answer(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct world *world = *state;
	struct mvm_control client;
	int pair[2], stream;
	char byte;

	world->supervisor.phase = PHASE_RUNNING;
	add_client(world, &client);
	ask(world, &client, json_pack("{ss, si, ss, ss}", "op", "archive", "id", 3, "path", "/etc", "name", "etc"));
	expect_calls("archive:/etc:etc");
	relay_release(fake.archive);
	ask(world, &client, json_pack("{ss, si}", "op", "changes", "id", 4));
	expect_calls("archive:/::list");
	relay_release(fake.archive);
	ask(world, &client, json_pack("{ss, si, sb, sb}", "op", "changes", "id", 3, "layer", 1, "pause", 1));
	expect_calls("archive:/::layer:freeze");
	assert_hears(&client, "");
	assert_int_equal(mvm_socketpair(SOCK_STREAM, pair), 0);
	relay_stream(fake.archive, pair[1]);
	assert_hears(&client, "{\"event\":\"stream\",\"id\":3}");
	assert_ok(mvm_control_steal_fds(&client, &stream, 1, &err));
	/* The client's is the only one. */
	close(stream);
	assert_int_equal(recv(pair[0], &byte, 1, MSG_DONTWAIT), 0);
	close(pair[0]);
	relayed(fake.archive, NULL);
	assert_hears(&client, "{\"id\":3,\"ok\":true}");
	mvm_control_finish(&client);
}

static void a_stream_for_a_client_that_left_is_closed(void **state)
{
	struct world *world = *state;
	struct mvm_control client, other;
	int pair[2];
	char byte;

	world->supervisor.phase = PHASE_RUNNING;
	add_client(world, &other);
	add_client(world, &client);
	ask(world, &client, json_pack("{ss, si, ss}", "op", "archive", "id", 3, "path", "/"));
	mvm_control_finish(&client);
	turn(world);
	assert_int_equal(mvm_socketpair(SOCK_STREAM, pair), 0);
	relay_stream(fake.archive, pair[1]);
	assert_int_equal(recv(pair[0], &byte, 1, MSG_DONTWAIT), 0);
	close(pair[0]);
	relayed(fake.archive, NULL);
	mvm_control_finish(&other);
	expect_calls("archive:/:");
}

static void nothing_is_archived_while_it_ends(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	add_client(world, &client);
	for (int phase = PHASE_DRAINING; phase < PHASE_COUNT; phase++) {
		char *text MVM_CLEAN_FREE = NULL;

		world->supervisor.phase = (enum phase)phase;
		ask(world, &client, json_pack("{ss, si, ss}", "op", "archive", "id", 1, "path", "/"));
		text = hear(&client);
		assert_non_null(strstr(text, "\"code\":\"interrupted\""));
	}
	expect_calls("");
	mvm_control_finish(&client);
}

static void paths_are_bytes(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	world->supervisor.phase = PHASE_RUNNING;
	add_client(world, &client);
	ask(world, &client,
	    json_pack("{ss, si, so, ss, sb}", "op", "archive", "id", 1, "path", mvm_json_octets("/\xff\x80"), "name",
		      "x", "mounted", 1));
	expect_calls("archive:/\xff\x80:x:mounted");
	relayed(fake.archive, NULL);
	mvm_control_finish(&client);
}

static void only_a_writer_changes_the_disk(void **state)
{
	struct world *world = *state;
	struct mvm_control client;
	char *text MVM_CLEAN_FREE = NULL;
	int left;

	world->supervisor.helper = true;
	add_client(world, &client);
	ask(world, &client, json_pack("{ss, si, ss, ss}", "op", "unpack", "id", 1, "path", "/", "user", "me"));
	text = hear(&client);
	assert_non_null(strstr(text, "\"code\":\"interrupted\""));
	expect_calls("");
	world->supervisor.writer = true;
	ask(world, &client, json_pack("{ss, si, ss, ss}", "op", "unpack", "id", 2, "path", "/", "user", "me"));
	expect_calls("unpack:/: user:me start");
	relayed(fake.archive, NULL);
	ask(world, &client, json_pack("{ss, si, ss}", "op", "stat", "id", 3, "path", "/etc"));
	expect_calls("stat:/etc: start");
	relayed(fake.archive, NULL);
	left = fake.archives_left;
	mvm_control_finish(&client);
	turn(world);
	expect_calls("released");
	assert_int_equal(fake.archives_left, left + 1);
}

static void a_helper_boots_for_the_first_archive(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	world->supervisor.helper = true;
	add_client(world, &client);
	ask(world, &client, json_pack("{ss, si, ss}", "op", "archive", "id", 1, "path", "/"));
	expect_calls("archive:/: start");
	relayed(fake.archive, NULL);
	mvm_control_finish(&client);
	turn(world);
	expect_calls("released");
}

static void a_helper_runs_no_container(void **state)
{
	static const char *const ops[] = {"attach", "signal", "stop", "resize", "follow", "wait"};
	struct world *world = *state;
	struct mvm_control client;

	world->supervisor.helper = true;
	add_client(world, &client);
	for (size_t i = 0; i < MVM_COUNT(ops); i++) {
		ask(world, &client, json_pack("{ss, si, si}", "op", ops[i], "id", 1, "signo", 15));
		assert_hears(&client,
			     "{\"error\":{\"code\":\"conflict\",\"message\":\"container 0123456789abcdef is not "
			     "running\"},\"id\":1}");
	}
	expect_calls("");
	mvm_control_finish(&client);
}

static void a_helper_is_released_by_its_last_client(void **state)
{
	struct world *world = *state;
	struct mvm_control first, last;

	world->supervisor.helper = true;
	add_client(world, &first);
	add_client(world, &last);
	ask(world, &first, json_pack("{ss, si}", "op", "release", "id", 1));
	assert_hears(&first, "{\"id\":1,\"ok\":true}");
	mvm_control_finish(&first);
	turn(world);
	expect_calls("");
	ask(world, &last, json_pack("{ss, si}", "op", "release", "id", 2));
	expect_calls("released");
	assert_hears(&last, "");
	clients_exited(&world->supervisor);
	assert_hears(&last, "{\"exit_code\":0,\"id\":2,\"ok\":true}");
	mvm_control_finish(&last);
}

static void a_container_that_runs_is_not_ended_by_a_release(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	world->supervisor.phase = PHASE_RUNNING;
	add_client(world, &client);
	ask(world, &client, json_pack("{ss, si}", "op", "release", "id", 1));
	assert_hears(&client, "{\"id\":1,\"ok\":true}");
	expect_calls("");
	mvm_control_finish(&client);
}

/* Nonsense */

static void requests_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		const char *request, *code;
	} cases[] = {
		{"{\"id\":1}", "unsupported"},
		{"{\"id\":1,\"op\":7}", "unsupported"},
		{"{\"id\":1,\"op\":\"dance\"}", "unsupported"},
		{"[]", "unsupported"},
		{"{\"id\":1,\"op\":\"signal\"}", "usage"},
		{"{\"id\":1,\"op\":\"signal\",\"signo\":0}", "usage"},
		{"{\"id\":1,\"op\":\"signal\",\"signo\":65}", "usage"},
		{"{\"id\":1,\"op\":\"signal\",\"signo\":\"TERM\"}", "usage"},
		{"{\"id\":1,\"op\":\"stop\",\"signo\":99}", "usage"},
		{"{\"id\":1,\"op\":\"stop\",\"timeout\":\"x\"}", "usage"},
		{"{\"id\":1,\"op\":\"resize\",\"rows\":-1}", "usage"},
		{"{\"id\":1,\"op\":\"archive\"}", "usage"},
		{"{\"id\":1,\"op\":\"archive\",\"path\":\"etc\"}", "usage"},
		{"{\"id\":1,\"op\":\"archive\",\"path\":7}", "usage"},
		{"{\"id\":1,\"op\":\"unpack\",\"path\":\"/\\u20ac\"}", "usage"},
		{"{\"id\":1,\"op\":\"stat\"}", "usage"},
		{"{\"id\":1,\"op\":\"archive\",\"path\":\"/\",\"name\":[]}", "usage"},
		{"{\"id\":1,\"op\":\"resize\",\"cols\":65536}", "usage"},
	};
	struct world *world = *state;
	struct mvm_control client;

	world->supervisor.phase = PHASE_RUNNING;
	add_client(world, &client);
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *code MVM_CLEAN_FREE = mvm_format("\"code\":\"%s\"", cases[i].code), *text MVM_CLEAN_FREE = NULL;
		struct mvm_error *err = NULL;
		json_t *request = NULL;

		assert_ok(mvm_json_parse(cases[i].request, strlen(cases[i].request), "case", &request, &err));
		ask(world, &client, request);
		text = hear(&client);
		if (!strstr(text, code))
			fail_msg("%s: %s", cases[i].request, text);
	}
	expect_calls("");
	mvm_control_finish(&client);
}

static void a_client_that_talks_nonsense_is_dropped(void **state)
{
	struct world *world = *state;
	struct mvm_control client;

	add_client(world, &client);
	assert_int_equal(write(client.fd, "\xff\xff\xff\xff", 4), 4);
	turn(world);
	assert_null(world->supervisor.clients);
	assert_hears(&client, "end");
	mvm_control_finish(&client);
}

static void several_requests_may_come_at_once(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct world *world = *state;
	struct mvm_control client;

	add_client(world, &client);
	for (int id = 1; id <= 3; id++)
		assert_ok(mvm_control_send(&client, json_pack("{ss, si}", "op", "follow", "id", id), NULL, 0, &err));
	turn(world);
	assert_hears(&client, "{\"id\":1,\"ok\":true}");
	assert_hears(&client, "{\"id\":2,\"ok\":true}");
	assert_hears(&client, "{\"id\":3,\"ok\":true}");
	mvm_control_finish(&client);
}

#define CLIENTS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLIENTS_TEST(a_start_is_answered_when_the_program_runs),
		CLIENTS_TEST(a_refused_start_is_answered_with_the_reason),
		CLIENTS_TEST(a_start_of_one_that_runs_is_a_success),
		CLIENTS_TEST(a_start_of_one_that_is_ending_waits_for_the_end),
		CLIENTS_TEST(a_stop_may_keep_one_that_was_to_be_removed),
		CLIENTS_TEST(a_paused_one_is_treated_as_docker_does),
		CLIENTS_TEST(an_end_between_rounds_is_told_once),
		CLIENTS_TEST(a_shutdown_is_no_wish_of_the_user),
		CLIENTS_TEST(other_signals_leave_the_policy_alone),
		CLIENTS_TEST(one_that_is_restarting_is_treated_as_docker_does),
		CLIENTS_TEST(pause_and_unpause_are_answered_when_it_is_so),
		CLIENTS_TEST(the_end_is_told_to_who_waits_and_who_is_attached),
		CLIENTS_TEST(a_client_that_left_is_told_nothing),
		CLIENTS_TEST(the_last_client_that_leaves_is_noticed),
		CLIENTS_TEST(streams_come_in_order_and_only_those_asked_for),
		CLIENTS_TEST(attaching_to_one_that_was_not_set_up_says_why),
		CLIENTS_TEST(a_signal_is_answered_when_the_guest_has_it),
		CLIENTS_TEST(a_kill_is_answered_when_the_container_has_ended),
		CLIENTS_TEST(a_ping_is_answered_in_any_phase),
		CLIENTS_TEST(a_client_may_leave_before_the_guest_answers),
		CLIENTS_TEST(without_a_program_there_is_nothing_to_signal),
		CLIENTS_TEST(sizes_are_kept_until_there_is_a_terminal),
		CLIENTS_TEST(events_tell_of_clients),
		CLIENTS_TEST(stop_and_destroy_are_answered_at_the_end),
		CLIENTS_TEST(followers_hear_of_the_log_and_all_of_notices),
		CLIENTS_TEST(a_follower_that_lags_is_kept),
		CLIENTS_TEST(a_client_that_does_not_read_is_dropped),
		CLIENTS_TEST(an_archive_is_a_stream_and_then_an_answer),
		CLIENTS_TEST(a_stream_for_a_client_that_left_is_closed),
		CLIENTS_TEST(nothing_is_archived_while_it_ends),
		CLIENTS_TEST(paths_are_bytes),
		CLIENTS_TEST(only_a_writer_changes_the_disk),
		CLIENTS_TEST(a_helper_boots_for_the_first_archive),
		CLIENTS_TEST(a_helper_runs_no_container),
		CLIENTS_TEST(a_helper_is_released_by_its_last_client),
		CLIENTS_TEST(a_container_that_runs_is_not_ended_by_a_release),
		CLIENTS_TEST(requests_that_make_no_sense_are_refused),
		CLIENTS_TEST(a_client_that_talks_nonsense_is_dropped),
		CLIENTS_TEST(several_requests_may_come_at_once),
	};

	signal(SIGPIPE, SIG_IGN);
	mvm_log_open("test", -1, MVM_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
