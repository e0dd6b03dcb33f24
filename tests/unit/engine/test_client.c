/*
 * The client's side of the control socket. Answers are written before they are asked for, which a socket allows, so
 * that one process plays both.
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "runtime/base/json.h"
#include "runtime/engine/client.h"
#include "runtime/state/control.h"

struct world {
	struct mvm_client *client;
	struct mvm_control supervisor;
	int events;
	char *last_event;
};

static void heard(void *arg, const json_t *event)
{
	struct world *world = arg;

	world->events++;
	free(world->last_event);
	world->last_event = mvm_strdup(json_string_value(json_object_get(event, "event")));
}

static int setup(void **state)
{
	struct world *world = mvm_alloc(sizeof(*world));
	int pair[2];

	assert_int_equal(mvm_socketpair(SOCK_STREAM, pair), 0);
	world->client = mvm_client_create(pair[0]);
	mvm_control_init(&world->supervisor, pair[1]);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	mvm_client_destroy(world->client);
	mvm_client_destroy(NULL);
	mvm_control_finish(&world->supervisor);
	free(world->last_event);
	free(world);
	return 0;
}

static void say_with(struct world *world, json_t *message, const int *fds, size_t count)
{
	struct mvm_error *err = NULL;

	assert_non_null(message);
	assert_ok(mvm_control_send(&world->supervisor, message, fds, count, &err));
}

static void say(struct world *world, json_t *message)
{
	say_with(world, message, NULL, 0);
}

static void an_answer_is_handed_out(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	json_t *answer MVM_CLEAN_JSON = NULL, *request MVM_CLEAN_JSON = NULL;

	say(world, json_pack("{si, sb, si}", "id", 1, "ok", 1, "exit_code", 42));
	assert_ok(mvm_client_call(world->client, "wait", json_pack("{si}", "extra", 5), &answer, &err));
	assert_int_equal(json_integer_value(json_object_get(answer, "exit_code")), 42);
	assert_ok(mvm_control_receive(&world->supervisor, &request, &err));
	assert_string_equal(json_string_value(json_object_get(request, "op")), "wait");
	assert_int_equal(json_integer_value(json_object_get(request, "id")), 1);
	assert_int_equal(json_integer_value(json_object_get(request, "extra")), 5);
}

static void every_request_has_its_own_number(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	json_int_t id = 0;

	for (json_int_t expected = 1; expected <= 3; expected++) {
		assert_ok(mvm_client_send(world->client, "wait", NULL, &id, &err));
		assert_int_equal(id, expected);
	}
	/* An answer to an earlier one is not ours. */
	say(world, json_pack("{si, s{ss, ss}}", "id", 2, "error", "code", "conflict", "message", "not this one"));
	say(world, json_pack("{si, sb}", "id", 4, "ok", 1));
	assert_ok(mvm_client_call(world->client, "wait", NULL, NULL, &err));
}

static void an_error_in_the_answer_is_ours(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	json_t *answer = NULL;

	say(world, json_pack("{si, s{ss, ss}}", "id", 1, "error", "code", "no-program", "message", "nope: not found"));
	assert_error(mvm_client_call(world->client, "start", NULL, &answer, &err), MVM_ERR_NO_PROGRAM,
		     "nope: not found");
	assert_null(answer);
}

static void events_are_heard_while_waiting(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	say(world, json_pack("{ss}", "event", "notice"));
	say(world, json_pack("{si, sb}", "id", 1, "ok", 1));
	assert_ok(mvm_client_call(world->client, "start", NULL, NULL, &err));
	assert_int_equal(world->events, 0);
	mvm_client_on_event(world->client, heard, world);
	say(world, json_pack("{ss}", "event", "notice"));
	say(world, json_pack("{ss}", "event", "log"));
	say(world, json_pack("{si, sb}", "id", 2, "ok", 1));
	assert_ok(mvm_client_call(world->client, "start", NULL, NULL, &err));
	assert_int_equal(world->events, 2);
	assert_string_equal(world->last_event, "log");
}

static void a_supervisor_that_goes_away_is_told(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	say(world, json_pack("{ss}", "event", "notice"));
	shutdown(world->supervisor.fd, SHUT_WR);
	assert_error(mvm_client_call(world->client, "start", NULL, NULL, &err), MVM_ERR_MACHINE,
		     "the supervisor of the container has gone");
	mvm_control_finish(&world->supervisor);
	world->supervisor.fd = -1;
	assert_error(mvm_client_call(world->client, "start", NULL, NULL, &err), MVM_ERR_IO, "control socket");
}

static json_t *next_request(struct world *world)
{
	json_t *request = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_control_receive(&world->supervisor, &request, &err));
	return request;
}

/* Who says nothing is asked whether it is there, and is given up when it has no answer to that either. */
static void a_supervisor_that_is_stuck_is_not_waited_for(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	json_t *request MVM_CLEAN_JSON = NULL, *ping MVM_CLEAN_JSON = NULL;

	mvm_client_set_patience(world->client, 20);
	assert_error(mvm_client_call(world->client, "start", NULL, NULL, &err), MVM_ERR_TIMEOUT,
		     "the supervisor of the container does not answer; 'mvm rm -f' ends it");
	request = next_request(world);
	assert_string_equal(json_string_value(json_object_get(request, "op")), "start");
	ping = next_request(world);
	assert_string_equal(json_string_value(json_object_get(ping, "op")), "ping");
}

/* The supervisor: takes its time, but is there. */
static int slow_supervisor(struct mvm_control *control)
{
	json_t *start = NULL;
	int pings = 0;

	if (mvm_control_receive(control, &start, NULL) != 0)
		return 1;
	while (pings < 3) {
		json_t *ping MVM_CLEAN_JSON = NULL;

		if (mvm_control_receive(control, &ping, NULL) != 0 ||
		    strcmp(json_string_value(json_object_get(ping, "op")), "ping") ||
		    mvm_control_send(control, json_pack("{sO, sb}", "id", json_object_get(ping, "id"), "ok", 1), NULL,
				     0, NULL) < 0)
			return 2;
		pings++;
	}
	return mvm_control_send(control, json_pack("{sO, sb}", "id", json_object_get(start, "id"), "ok", 1), NULL, 0,
				NULL) < 0;
}

static void a_supervisor_that_is_slow_is_waited_for(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	pid_t pid = fork();

	if (pid == 0)
		_exit(slow_supervisor(&world->supervisor));
	mvm_client_set_patience(world->client, 200);
	assert_ok(mvm_client_call(world->client, "start", NULL, NULL, &err));
	assert_int_equal(wait_for_exit(pid), 0);
}

static void a_supervisor_that_does_not_read_is_not_waited_for(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *large MVM_CLEAN_FREE = mvm_alloc(1000001);
	json_int_t id;

	memset(large, 'x', 1000000);
	mvm_client_set_patience(world->client, 20);
	assert_error(mvm_client_send(world->client, "exec", json_pack("{ss}", "args", large), &id, &err),
		     MVM_ERR_TIMEOUT, "does not answer");
}

static void an_answer_that_makes_no_sense_is_an_error(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_int_equal(write(world->supervisor.fd, "\3\0\0\0{\"x", 7), 7);
	assert_error(mvm_client_call(world->client, "start", NULL, NULL, &err), MVM_ERR_INVALID, "control message");
}

static void attached_streams_stand_where_they_were_asked_for(void **state)
{
	static const bool wishes[][3] = {{true, true, true},
					 {false, true, true},
					 {false, true, false},
					 {true, false, true},
					 {false, false, false}};

	for (size_t i = 0; i < MVM_COUNT(wishes); i++) {
		struct world *world;
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		json_t *request MVM_CLEAN_JSON = NULL;
		int pipes[3][2], theirs[3], fds[3] = {-7, -7, -7};
		size_t count = 0;

		assert_int_equal(setup((void **)&world), 0);
		for (int kind = 0; kind < 3; kind++) {
			assert_int_equal(mvm_pipe(pipes[kind]), 0);
			if (wishes[i][kind])
				theirs[count++] = pipes[kind][1];
		}
		say_with(world, json_pack("{si, sb}", "id", 1, "ok", 1), theirs, count);
		assert_ok(mvm_client_attach(world->client, wishes[i], fds, &err));
		assert_ok(mvm_control_receive(&world->supervisor, &request, &err));
		assert_int_equal(json_is_true(json_object_get(request, "stderr")), wishes[i][2]);
		for (int kind = 0; kind < 3; kind++) {
			char mark = (char)('0' + kind), byte;

			if (!wishes[i][kind])
				assert_int_equal(fds[kind], -1);
			else
				assert_true(fds[kind] >= 0);
			if (fds[kind] >= 0) {
				assert_int_equal(write(fds[kind], &mark, 1), 1);
				assert_int_equal(read(pipes[kind][0], &byte, 1), 1);
				assert_int_equal(byte, mark);
			}
			mvm_close(&fds[kind]);
			close(pipes[kind][0]);
			close(pipes[kind][1]);
		}
		teardown((void **)&world);
	}
}

static void too_few_streams_are_an_error(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	const bool wanted[3] = {true, true, true};
	int fds[3];

	say(world, json_pack("{si, sb}", "id", 1, "ok", 1));
	assert_error(mvm_client_attach(world->client, wanted, fds, &err), MVM_ERR_CORRUPT, "expected 1 descriptors");
}

#define CLIENT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLIENT_TEST(an_answer_is_handed_out),
		CLIENT_TEST(every_request_has_its_own_number),
		CLIENT_TEST(an_error_in_the_answer_is_ours),
		CLIENT_TEST(events_are_heard_while_waiting),
		CLIENT_TEST(a_supervisor_that_goes_away_is_told),
		CLIENT_TEST(a_supervisor_that_is_stuck_is_not_waited_for),
		CLIENT_TEST(a_supervisor_that_is_slow_is_waited_for),
		CLIENT_TEST(a_supervisor_that_does_not_read_is_not_waited_for),
		CLIENT_TEST(an_answer_that_makes_no_sense_is_an_error),
		cmocka_unit_test(attached_streams_stand_where_they_were_asked_for),
		CLIENT_TEST(too_few_streams_are_an_error),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
