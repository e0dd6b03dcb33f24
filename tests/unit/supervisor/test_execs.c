/* Execs between a client and the guest, both of them fakes that write down what reaches them. */
#include "calls.h"

#include <sys/socket.h>

#include "runtime/base/io.h"
#include "runtime/supervisor/internal.h"

struct relay {
	int number;
	bool dead;
};

static struct {
	bool connected;
	agent_done_fn done[20];
	void *done_arg[20];
	size_t orders;
} fake;

/* The parts that execs.c calls */

void relayed(void *arg, const struct mvm_error *error)
{
	called("answer%d:%s", ((struct relay *)arg)->number, mvm_error_code_name(mvm_error_code(error)));
}

void relay_message(struct relay *relay, json_t *message, const int *fds, size_t count)
{
	const char *event = json_string_value(json_object_get(message, "event"));

	if (event)
		called("%s%d:%lld", event, relay->number,
		       (long long)json_integer_value(json_object_get(message, "exit_code")));
	else
		called("started%d:%zu", relay->number, count);
	json_decref(message);
}

void relay_release(struct relay *relay)
{
	called("release%d", relay->number);
}

bool relay_is_dead(const struct relay *relay)
{
	return relay->dead;
}

bool supervisor_has_process(const struct supervisor *supervisor)
{
	return supervisor->phase == PHASE_RUNNING;
}

void agent_join(struct agent *agent, struct mvm_proto_process *order, bool privileged, agent_done_fn done, void *arg)
{
	called("join:%u:%s", order->id, order->argv[0]);
	fake.done[fake.orders] = done;
	fake.done_arg[fake.orders++] = arg;
}

bool agent_is_connected(const struct agent *agent)
{
	return fake.connected;
}

int mvm_vsock_listen(struct mvm_vsock *vsock, uint32_t port, struct mvm_error **err)
{
	return 0;
}

void mvm_vsock_unlisten(struct mvm_vsock *vsock, uint32_t port)
{
}

/* What `events` tells, in one line. */
static struct mvm_buf notes;

static void expect_notes(const char *expected)
{
	assert_string_equal(notes.data ? notes.data : "", expected);
	mvm_buf_consume(&notes, notes.length);
}

void events_note(struct supervisor *supervisor, const char *action, const char *const *more)
{
	assert_string_equal(more[0], "execID");
	assert_int_equal(strlen(more[1]), 64);
	mvm_buf_addf(&notes, "%s ", action);
}

void events_note_exec(struct supervisor *supervisor, const char *action, const json_t *args, const char *exec_id)
{
	assert_int_equal(strlen(exec_id), 64);
	mvm_buf_addf(&notes, "%s:%s ", action, json_string_value(json_array_get(args, 0)));
}

void events_note_exec_die(struct supervisor *supervisor, const char *exec_id, int exit_code)
{
	assert_int_equal(strlen(exec_id), 64);
	mvm_buf_addf(&notes, "exec_die:%d ", exit_code);
}

/* The world */

struct world {
	struct supervisor supervisor;
	struct mvm_container container;
	struct relay relays[20];
	int guest[2]; /* its ends of stdout and stderr of the last exec */
};

static int setup(void **state)
{
	struct world *world = mvm_alloc(sizeof(*world));

	world->container.config.id = (char *)"0123";
	world->supervisor = (struct supervisor){
		.loop = mvm_loop_create(),
		.container = &world->container,
		.vsock = (struct mvm_vsock *)world, /* only handed on */
		.phase = PHASE_RUNNING,
	};
	world->guest[0] = world->guest[1] = -1;
	for (int i = 0; i < 20; i++)
		world->relays[i].number = i;
	fake.connected = true;
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	assert_null(world->supervisor.execs);
	mvm_loop_destroy(world->supervisor.loop);
	mvm_close(&world->guest[0]);
	mvm_close(&world->guest[1]);
	mvm_buf_finish(&calls);
	mvm_buf_finish(&notes);
	memset(&fake, 0, sizeof(fake));
	free(world);
	return 0;
}

static void add(struct world *world, int number, bool streams)
{
	json_t *request = json_pack("{s[s], sb, sb}", "args", "true", "stdout", (int)streams, "stderr", (int)streams);

	execs_add(&world->supervisor, request, &world->relays[number]);
	json_decref(request);
}

/* `process` as the guest knows it. */
static void connect_streams(struct world *world, unsigned process)
{
	for (unsigned kind = STREAM_STDOUT; kind < STREAM_COUNT; kind++) {
		int pair[2];

		assert_int_equal(mvm_socketpair(SOCK_STREAM, pair), 0);
		mvm_close(&world->guest[kind - 1]);
		world->guest[kind - 1] = pair[1];
		execs_connected(&world->supervisor, EXEC_PORT + process * STREAM_COUNT + kind, pair[0]);
	}
}

static void guest_answers(size_t order, const struct mvm_error *error)
{
	fake.done[order](fake.done_arg[order], error);
}

static void stop(void *arg)
{
	mvm_loop_stop(arg);
}

/* Lets the loop see what the guest's ends have to say. */
static void run_loop(struct world *world)
{
	struct mvm_timer *timer = mvm_loop_timer(world->supervisor.loop, stop, world->supervisor.loop);

	mvm_timer_start(timer, 20);
	assert_int_equal(mvm_loop_run(world->supervisor.loop, NULL), 0);
	mvm_timer_remove(timer);
}

static void leave(struct world *world, int number)
{
	world->relays[number].dead = true;
	execs_left(&world->supervisor);
}

static void it_runs_and_ends(void **state)
{
	struct world *world = *state;

	add(world, 1, true);
	expect_calls("join:2:true");
	guest_answers(0, NULL);
	expect_calls("");
	connect_streams(world, 2);
	expect_calls("started1:2");
	assert_true(execs_running(&world->supervisor, 2));
	execs_detached(&world->supervisor, 2);
	execs_detached(&world->supervisor, 9);
	execs_exited(&world->supervisor, 2, 7);
	expect_calls("exit1:7");
	execs_exited(&world->supervisor, 2, 8);
	expect_notes("exec_create:true exec_start:true exec_detach exec_die:7 ");
	assert_false(execs_running(&world->supervisor, 2));
	leave(world, 1);
	expect_calls("release1");
	shutdown(world->guest[0], SHUT_WR);
	shutdown(world->guest[1], SHUT_WR);
	run_loop(world);
}

static void the_end_may_be_known_before_the_streams(void **state)
{
	struct world *world = *state;

	add(world, 1, true);
	guest_answers(0, NULL);
	execs_exited(&world->supervisor, 2, 0);
	expect_calls("join:2:true");
	connect_streams(world, 2);
	expect_calls("started1:2 exit1:0");
	execs_end(&world->supervisor);
	expect_calls("release1");
}

static void a_refusal_is_126_or_127(void **state)
{
	struct mvm_error *none MVM_CLEAN_ERROR = NULL, *user MVM_CLEAN_ERROR = NULL, *gone MVM_CLEAN_ERROR = NULL;
	struct world *world = *state;

	mvm_fail(&none, MVM_ERR_NO_PROGRAM, "no such file");
	mvm_fail(&user, MVM_ERR_NOT_FOUND, "no such user");
	mvm_fail(&gone, MVM_ERR_CONFLICT, "there is no process 1");
	for (int i = 0; i < 3; i++)
		add(world, i, true);
	expect_calls("join:2:true join:3:true join:4:true");
	expect_notes("exec_create:true exec_start:true exec_create:true exec_start:true exec_create:true "
		     "exec_start:true ");
	guest_answers(0, none);
	expect_notes("exec_die:127 ");
	guest_answers(1, user);
	guest_answers(2, gone);
	expect_calls("answer0:no-program answer1:cannot-run answer2:conflict");
}

static void without_its_client_it_is_drained(void **state)
{
	static char flood[1 << 20];
	struct world *world = *state;
	ssize_t n;

	add(world, 1, true);
	guest_answers(0, NULL);
	connect_streams(world, 2);
	leave(world, 1);
	expect_calls("join:2:true started1:2 release1");
	mvm_set_nonblock(world->guest[0], true);
	for (int i = 0; i < 8; i++) {
		n = write(world->guest[0], flood, sizeof(flood));
		assert_true(n > 0);
		run_loop(world);
	}
	execs_exited(&world->supervisor, 2, 0);
	assert_non_null(world->supervisor.execs);
	mvm_close(&world->guest[0]);
	mvm_close(&world->guest[1]);
	run_loop(world);
	expect_calls("");
}

static void detached_it_says_no_more(void **state)
{
	struct world *world = *state;

	add(world, 1, false);
	guest_answers(0, NULL);
	expect_calls("join:2:true started1:0 release1");
	assert_true(execs_running(&world->supervisor, 2));
	execs_exited(&world->supervisor, 2, 0);
	expect_calls("");
}

static void a_few_at_a_time_in_their_order(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 10; i++)
		add(world, i, false);
	expect_calls("join:2:true join:3:true join:4:true join:5:true join:6:true join:7:true join:8:true join:9:true");
	leave(world, 9);
	expect_calls("release9");
	guest_answers(0, NULL);
	expect_calls("started0:0 release0 join:10:true");
	fake.connected = false;
	execs_end(&world->supervisor);
	expect_calls("answer1:conflict answer2:conflict answer3:conflict answer4:conflict answer5:conflict "
		     "answer6:conflict answer7:conflict answer8:conflict");
}

static void the_machines_end_is_theirs(void **state)
{
	struct world *world = *state;

	add(world, 1, true);
	guest_answers(0, NULL);
	connect_streams(world, 2);
	forget_calls();
	execs_end(&world->supervisor);
	expect_calls("exit1:137 release1");
	world->container.state.error = (char *)"the VM died";
	add(world, 2, true);
	guest_answers(1, NULL);
	connect_streams(world, 3);
	forget_calls();
	execs_end(&world->supervisor);
	expect_calls("exit2:255 release2");
}

static void what_nobody_asked_for_is_ignored(void **state)
{
	struct world *world = *state;
	char byte;

	connect_streams(world, 2);
	assert_int_equal(read(world->guest[0], &byte, 1), 0);
	execs_exited(&world->supervisor, 2, 0);
	add(world, 1, false);
	connect_streams(world, 2);
	assert_int_equal(read(world->guest[0], &byte, 1), 0);
	expect_calls("join:2:true");
	execs_end(&world->supervisor);
	expect_calls("answer1:conflict");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_runs_and_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_may_be_known_before_the_streams, setup, teardown),
		cmocka_unit_test_setup_teardown(a_refusal_is_126_or_127, setup, teardown),
		cmocka_unit_test_setup_teardown(without_its_client_it_is_drained, setup, teardown),
		cmocka_unit_test_setup_teardown(detached_it_says_no_more, setup, teardown),
		cmocka_unit_test_setup_teardown(a_few_at_a_time_in_their_order, setup, teardown),
		cmocka_unit_test_setup_teardown(the_machines_end_is_theirs, setup, teardown),
		cmocka_unit_test_setup_teardown(what_nobody_asked_for_is_ignored, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
