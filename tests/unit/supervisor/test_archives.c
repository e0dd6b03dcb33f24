/* Archives between a client and the guest, both of them fakes that write down what reaches them. */
#include "calls.h"

#include <sys/socket.h>

#include "runtime/supervisor/internal.h"

struct relay {
	int number;
	bool dead;
};

static struct {
	bool connected, listen_fails;
	agent_done_fn done[40];
	void *done_arg[40];
	size_t orders;
} fake;

/* The parts that archives.c calls */

void relayed(void *arg, const struct mvm_error *error)
{
	struct relay *relay = arg;

	called("answer%d:%s", relay->number, error ? mvm_error_code_name(mvm_error_code(error)) : "ok");
}

void relay_message(struct relay *relay, json_t *message, const int *fds, size_t count)
{
	char *text MVM_CLEAN_FREE = json_dumps(message, JSON_COMPACT);

	called("message%d:%s", relay->number, text);
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

void relay_stream(struct relay *relay, int fd)
{
	called("stream%d", relay->number);
	close(fd);
}

static void ordered(agent_done_fn done, void *arg)
{
	fake.done[fake.orders] = done;
	fake.done_arg[fake.orders++] = arg;
}

void agent_archive(struct agent *agent, const struct mvm_proto_archive *order, agent_done_fn done, void *arg)
{
	called("order:%s:%s:%u", order->path, order->name, order->port);
	ordered(done, arg);
}

void agent_unpack(struct agent *agent, const struct mvm_proto_unpack *order, agent_done_fn done, void *arg)
{
	called("unpack:%s:%s:%u%s", order->path, order->user, order->port, order->sync ? ":sync" : "");
	ordered(done, arg);
}

void agent_stat(struct agent *agent, const struct mvm_proto_stat *order, agent_done_fn done, void *arg)
{
	called("stat:%s", order->path);
	ordered(done, arg);
}

const struct mvm_proto_reply *agent_reply(const struct agent *agent)
{
	static const struct mvm_proto_reply reply = {
		.mode = 0120777, .size = 7, .mtime = (uint64_t)-1, .link_target = "/a\xff"};

	return &reply;
}

bool agent_is_connected(const struct agent *agent)
{
	return fake.connected;
}

void agent_processes(struct agent *agent, unsigned port, agent_done_fn done, void *arg)
{
	called("processes:%u", port);
	fake.done[fake.orders] = done;
	fake.done_arg[fake.orders++] = arg;
}

int mvm_vsock_listen(struct mvm_vsock *vsock, uint32_t port, struct mvm_error **err)
{
	if (fake.listen_fails)
		return mvm_fail(err, MVM_ERR_IO, "no descriptors");
	called("listen:%u", port);
	return 0;
}

void mvm_vsock_unlisten(struct mvm_vsock *vsock, uint32_t port)
{
	called("unlisten:%u", port);
}

/* The world */

struct world {
	struct supervisor supervisor;
	struct mvm_container container;
	struct relay relays[40];
};

static int setup(void **state)
{
	struct world *world = mvm_alloc(sizeof(*world));

	world->container.config.name = (char *)"name";
	world->supervisor = (struct supervisor){
		.container = &world->container,
		.vsock = (struct mvm_vsock *)world, /* only handed on */
		.phase = PHASE_RUNNING,
	};
	for (int i = 0; i < 40; i++)
		world->relays[i].number = i;
	fake.connected = true;
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	assert_null(world->supervisor.archives);
	mvm_buf_finish(&calls);
	memset(&fake, 0, sizeof(fake));
	free(world);
	return 0;
}

static void add(struct world *world, const char *path, const char *name, struct relay *relay)
{
	const struct archive_order order = {
		.kind = ARCHIVE_SEND, .path = mvm_strdup(path), .name = mvm_strdup(name), .user = mvm_strdup("")};

	archives_add(&world->supervisor, &order, relay);
}

static void add_other(struct world *world, enum archive_kind kind, const char *path, const char *user,
		      struct relay *relay)
{
	const struct archive_order order = {.kind = kind, .path = mvm_strdup(path), .user = mvm_strdup(user)};

	archives_add(&world->supervisor, &order, relay);
}

static void guest_answers(size_t order, const struct mvm_error *error)
{
	fake.done[order](fake.done_arg[order], error);
}

static int any_descriptor(void)
{
	return dup(STDERR_FILENO);
}

static void complete_after_stream_and_word(void **state)
{
	struct world *world = *state;

	add(world, "/etc", "etc", &world->relays[1]);
	expect_calls("listen:1028 order:/etc:etc:1028");
	archives_connected(&world->supervisor, 1028, any_descriptor());
	expect_calls("stream1");
	guest_answers(0, NULL);
	expect_calls("answer1:ok");
}

static void the_word_may_be_seen_before_the_stream(void **state)
{
	struct world *world = *state;

	add(world, "/", "", &world->relays[1]);
	guest_answers(0, NULL);
	expect_calls("listen:1028 order:/::1028");
	archives_connected(&world->supervisor, 1028, any_descriptor());
	expect_calls("stream1 answer1:ok");
}

static void what_the_guest_cannot_begin_needs_no_stream(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct world *world = *state;

	mvm_fail(&err, MVM_ERR_MACHINE, "no such file");
	add(world, "/nowhere", "", &world->relays[1]);
	guest_answers(0, err);
	expect_calls("listen:1028 order:/nowhere::1028 unlisten:1028 answer1:machine");
}

/* The stream's end is what its reader waits for: where the guest hangs it has to come from here. */
static void a_stream_that_will_not_be_completed_ends(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct world *world = *state;
	int pair[2];
	char byte;

	assert_int_equal(mvm_socketpair(SOCK_STREAM, pair), 0);
	add(world, "/", "", &world->relays[1]);
	archives_connected(&world->supervisor, 1028, dup(pair[1]));
	assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), -1);
	mvm_fail(&err, MVM_ERR_TIMEOUT, "the VM hangs");
	guest_answers(0, err);
	expect_calls("listen:1028 order:/::1028 stream1 answer1:timeout");
	assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), 0);
	close(pair[0]);
	close(pair[1]);
}

static void they_wait_for_the_guest(void **state)
{
	struct world *world = *state;

	world->supervisor.phase = PHASE_BOOTING;
	add(world, "/a", "", &world->relays[1]);
	add(world, "/b", "", &world->relays[2]);
	expect_calls("");
	world->supervisor.phase = PHASE_SERVING;
	archives_ready(&world->supervisor);
	expect_calls("listen:1028 order:/b::1028 listen:1029 order:/a::1029");
	archives_connected(&world->supervisor, 1029, any_descriptor());
	archives_connected(&world->supervisor, 1028, any_descriptor());
	guest_answers(0, NULL);
	guest_answers(1, NULL);
	expect_calls("stream1 stream2 answer2:ok answer1:ok");
}

static void a_port_is_used_again(void **state)
{
	struct world *world = *state;

	add(world, "/a", "", &world->relays[1]);
	add(world, "/b", "", &world->relays[2]);
	archives_connected(&world->supervisor, 1028, any_descriptor());
	guest_answers(0, NULL);
	forget_calls();
	add(world, "/c", "", &world->relays[3]);
	expect_calls("listen:1028 order:/c::1028");
	archives_end(&world->supervisor);
	expect_calls("unlisten:1028 answer3:interrupted unlisten:1029 answer2:interrupted");
}

static void there_is_a_limit(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 32; i++)
		add(world, "/", "", &world->relays[i]);
	forget_calls();
	add(world, "/", "", &world->relays[32]);
	expect_calls("answer32:conflict");
	archives_end(&world->supervisor);
}

static void a_port_that_cannot_be_had(void **state)
{
	struct world *world = *state;

	fake.listen_fails = true;
	add(world, "/", "", &world->relays[1]);
	expect_calls("answer1:io");
}

/* Why the machine went is known later than that it went. */
static void a_machine_that_dies_under_them(void **state)
{
	struct mvm_error *lost MVM_CLEAN_ERROR = NULL;
	struct world *world = *state;

	mvm_fail(&lost, MVM_ERR_CONFLICT, "the container has ended");
	add(world, "/", "", &world->relays[1]);
	archives_connected(&world->supervisor, 1028, any_descriptor());
	fake.connected = false;
	guest_answers(0, lost);
	expect_calls("listen:1028 order:/::1028 stream1");
	world->supervisor.vsock = NULL;
	world->container.state.error = (char *)"the VM's kernel panicked";
	archives_end(&world->supervisor);
	expect_calls("answer1:machine");
}

static void a_helpers_refusal_is_the_reason(void **state)
{
	struct mvm_error *refusal MVM_CLEAN_ERROR = NULL;
	struct world *world = *state;

	mvm_fail(&refusal, MVM_ERR_NOT_FOUND, "there is no kernel");
	world->supervisor.helper = true;
	world->supervisor.phase = PHASE_IDLE;
	world->supervisor.refusal = refusal;
	add(world, "/", "", &world->relays[1]);
	archives_end(&world->supervisor);
	expect_calls("answer1:not-found");
	world->supervisor.refusal = NULL;
	add(world, "/", "", &world->relays[2]);
	archives_end(&world->supervisor);
	expect_calls("answer2:interrupted");
}

static void files_for_the_guest(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct world *world = *state;

	mvm_fail(&err, MVM_ERR_INVALID, "there is a folder in the way");
	add_other(world, ARCHIVE_UNPACK, "/etc", "me", &world->relays[1]);
	expect_calls("listen:1028 unpack:/etc:me:1028");
	archives_connected(&world->supervisor, 1028, any_descriptor());
	guest_answers(0, err);
	expect_calls("stream1 answer1:invalid");
}

/* What a helper has done shall be there when its machine is not. */
static void a_helpers_files_are_written_to_the_disk(void **state)
{
	struct world *world = *state;

	world->supervisor.helper = world->supervisor.writer = true;
	world->supervisor.phase = PHASE_SERVING;
	add_other(world, ARCHIVE_UNPACK, "/etc", "", &world->relays[1]);
	archives_connected(&world->supervisor, 1028, any_descriptor());
	guest_answers(0, NULL);
	expect_calls("listen:1028 unpack:/etc::1028:sync stream1 answer1:ok");
}

/* The guest would wait for the rest, since the supervisor holds the stream too. */
static void a_client_that_goes_ends_its_stream(void **state)
{
	struct world *world = *state;
	int pair[2], other[2];
	char byte;

	assert_int_equal(mvm_socketpair(SOCK_STREAM, pair), 0);
	assert_int_equal(mvm_socketpair(SOCK_STREAM, other), 0);
	add_other(world, ARCHIVE_UNPACK, "/", "", &world->relays[1]);
	add_other(world, ARCHIVE_UNPACK, "/", "", &world->relays[2]);
	archives_connected(&world->supervisor, 1028, pair[1]);
	archives_connected(&world->supervisor, 1029, other[1]);
	world->relays[1].dead = true;
	archives_left(&world->supervisor);
	assert_int_equal(read(pair[0], &byte, 1), 0);
	mvm_set_nonblock(other[0], true);
	assert_int_equal(read(other[0], &byte, 1), -1);
	guest_answers(0, NULL);
	guest_answers(1, NULL);
	close(pair[0]);
	close(other[0]);
}

static void a_look_needs_no_stream(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct world *world = *state;

	mvm_fail(&err, MVM_ERR_NOT_FOUND, "nothing there");
	add_other(world, ARCHIVE_STAT, "/l", "", &world->relays[1]);
	add_other(world, ARCHIVE_STAT, "/n", "", &world->relays[2]);
	guest_answers(1, err);
	guest_answers(0, NULL);
	expect_calls("stat:/l stat:/n answer2:not-found "
		     "message1:{\"ok\":true,\"mode\":41471,\"size\":7,\"mtime\":-1,\"mtime_nsec\":0,"
		     "\"link_target\":\"/a\xc3\xbf\"} release1");
}

static void a_list_of_processes_comes_as_a_stream(void **state)
{
	struct world *world = *state;

	archives_add(&world->supervisor, &(struct archive_order){.kind = ARCHIVE_PROCESSES}, &world->relays[1]);
	archives_connected(&world->supervisor, 1028, any_descriptor());
	guest_answers(0, NULL);
	expect_calls("listen:1028 processes:1028 stream1 answer1:ok");
}

static void a_connection_nobody_waits_for_is_closed(void **state)
{
	struct world *world = *state;
	int pair[2];
	char byte;

	assert_int_equal(mvm_pipe(pair), 0);
	archives_connected(&world->supervisor, 1028, pair[1]);
	assert_int_equal(read(pair[0], &byte, 1), 0);
	close(pair[0]);
	expect_calls("");
}

#define ARCHIVES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARCHIVES_TEST(complete_after_stream_and_word),
		ARCHIVES_TEST(the_word_may_be_seen_before_the_stream),
		ARCHIVES_TEST(what_the_guest_cannot_begin_needs_no_stream),
		ARCHIVES_TEST(a_stream_that_will_not_be_completed_ends),
		ARCHIVES_TEST(they_wait_for_the_guest),
		ARCHIVES_TEST(a_port_is_used_again),
		ARCHIVES_TEST(there_is_a_limit),
		ARCHIVES_TEST(a_port_that_cannot_be_had),
		ARCHIVES_TEST(a_machine_that_dies_under_them),
		ARCHIVES_TEST(a_helpers_refusal_is_the_reason),
		ARCHIVES_TEST(files_for_the_guest),
		ARCHIVES_TEST(a_helpers_files_are_written_to_the_disk),
		ARCHIVES_TEST(a_client_that_goes_ends_its_stream),
		ARCHIVES_TEST(a_look_needs_no_stream),
		ARCHIVES_TEST(a_list_of_processes_comes_as_a_stream),
		ARCHIVES_TEST(a_connection_nobody_waits_for_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
