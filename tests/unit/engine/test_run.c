/* Containers that run, or do not: reached, signalled, stopped and removed. Supervisors are child processes. */
#include "world.h"

#include <fcntl.h>

/* Kill */

static int take_signal(struct world *world, const char *id, struct mvm_control *client)
{
	json_t *request = world_request(client, "signal");

	if (!request || json_integer_value(json_object_get(request, "signo")) != 12)
		return 1;
	return world_answer(client, request) < 0 ? 2 : 0;
}

static void a_signal_reaches_the_supervisor(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	pid_t pid = world_supervise(world, id, take_signal);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_ok(mvm_engine_kill(world->engine, "web", 12, &err));
	assert_int_equal(wait_for_exit(pid), 0);
}

static int refuse(struct world *world, const char *id, struct mvm_control *client)
{
	json_t *request = world_request(client, "signal");

	return mvm_control_send(client,
				json_pack("{sO, s{ss, ss}}", "id", json_object_get(request, "id"), "error", "code",
					  "conflict", "message", "Container x is not running"),
				NULL, 0, NULL) < 0;
}

static void what_does_not_run_cannot_be_killed(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	pid_t pid;

	assert_error(mvm_engine_kill(world->engine, "web", 9, &err), MVM_ERR_CONFLICT, "cannot kill container: web");
	assert_error(mvm_engine_kill(world->engine, "web", 9, &err), MVM_ERR_CONFLICT, "is not running");
	assert_error(mvm_engine_kill(world->engine, "nope", 9, &err), MVM_ERR_NOT_FOUND, "No such container: nope");
	pid = world_supervise(world, id, refuse);
	assert_error(mvm_engine_kill(world->engine, "web", 9, &err), MVM_ERR_CONFLICT, "x is not running");
	assert_int_equal(wait_for_exit(pid), 0);
}

/* Stop */

static int take_stop(struct world *world, const char *id, struct mvm_control *client)
{
	json_t *request = world_request(client, "stop");
	char *seen MVM_CLEAN_FREE = NULL, *path MVM_CLEAN_FREE = mvm_format("%s/seen", world->home);

	if (!request)
		return 1;
	seen = mvm_format("%lld %lld", json_integer_value(json_object_get(request, "signo")),
			  json_integer_value(json_object_get(request, "timeout")));
	if (mvm_replace_file(path, seen, strlen(seen), 0600, NULL) < 0)
		return 2;
	return world_answer(client, request) < 0 ? 3 : 0;
}

static void assert_stop(struct world *world, int signo, int64_t timeout, const char *expected)
{
	char *id MVM_CLEAN_FREE = world_add(world, NULL, false, NULL);
	char *seen MVM_CLEAN_FREE = NULL, *path MVM_CLEAN_FREE = mvm_format("%s/seen", world->home);
	pid_t pid = world_supervise(world, id, take_stop);
	struct mvm_error *err = NULL;

	assert_ok(mvm_engine_stop(world->engine, id, signo, timeout, &err));
	assert_int_equal(wait_for_exit(pid), 0);
	assert_ok(mvm_read_file(path, 100, &seen, NULL, &err));
	assert_string_equal(seen, expected);
}

static void stop_uses_the_containers_own_signal_and_patience(void **state)
{
	assert_stop(*state, 0, MVM_STOP_DEFAULT, "3 7");
	assert_stop(*state, 15, MVM_STOP_DEFAULT, "15 7");
	assert_stop(*state, 0, 0, "3 0");
	assert_stop(*state, 0, -1, "3 -1");
}

static void stopping_what_does_not_run_is_success(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_ok(mvm_engine_stop(world->engine, "web", 0, MVM_STOP_DEFAULT, &err));
	world_set_status(world, id, MVM_STATUS_EXITED, 0);
	assert_ok(mvm_engine_stop(world->engine, "web", 0, MVM_STOP_DEFAULT, &err));
	/* Its supervisor was killed. */
	world_set_status(world, id, MVM_STATUS_RUNNING, 4242);
	assert_ok(mvm_engine_stop(world->engine, "web", 0, MVM_STOP_DEFAULT, &err));
	assert_error(mvm_engine_stop(world->engine, "nope", 0, 0, &err), MVM_ERR_NOT_FOUND, "nope");
}

/* Remove */

static void what_does_not_run_is_removed(void **state)
{
	static const enum mvm_status statuses[] = {MVM_STATUS_CREATED, MVM_STATUS_EXITED, MVM_STATUS_RUNNING};
	struct world *world = *state;

	for (size_t i = 0; i < MVM_COUNT(statuses) * 2; i++) {
		char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;

		world_set_status(world, id, statuses[i / 2], 0);
		assert_ok(mvm_engine_remove(world->engine, "web", i % 2, false, &err));
		assert_int_equal(world_count(world), 0);
		assert_error(mvm_engine_remove(world->engine, "web", i % 2, false, &err), MVM_ERR_NOT_FOUND, "web");
	}
}

static int obey(struct world *world, const char *id, struct mvm_control *client)
{
	json_t *request = world_request(client, "destroy");

	if (!request)
		return 1;
	/* As a supervisor ends: the state first, then the word. The lock goes with the process. */
	world_set_status(world, id, MVM_STATUS_EXITED, 0);
	return world_answer(client, request) < 0 ? 2 : 0;
}

static void what_runs_is_removed_by_force_only(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	pid_t pid = world_supervise(world, id, obey);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_error(mvm_engine_remove(world->engine, "web", false, false, &err), MVM_ERR_CONFLICT,
		     "cannot remove container \"/web\": container is running");
	assert_int_equal(world_count(world), 1);
	assert_ok(mvm_engine_remove(world->engine, "web", true, false, &err));
	assert_int_equal(wait_for_exit(pid), 0);
	assert_int_equal(world_count(world), 0);
}

static int remove_itself(struct world *world, const char *id, struct mvm_control *client)
{
	json_t *request = world_request(client, "destroy");

	if (!request || mvm_state_remove(mvm_engine_state(world->engine), id, NULL) < 0)
		return 1;
	return world_answer(client, request) < 0 ? 2 : 0;
}

static void one_that_removes_itself_meanwhile_is_success(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", true, NULL);
	pid_t pid = world_supervise(world, id, remove_itself);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_ok(mvm_engine_remove(world->engine, "web", true, false, &err));
	assert_int_equal(wait_for_exit(pid), 0);
	assert_int_equal(world_count(world), 0);
}

/* It dies instead of answering. */
static int die(struct world *world, const char *id, struct mvm_control *client)
{
	json_decref(world_request(client, "destroy"));
	kill(getpid(), SIGKILL);
	return 1;
}

static void a_supervisor_that_dies_is_no_obstacle(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	pid_t pid = world_supervise(world, id, die);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_ok(mvm_engine_remove(world->engine, "web", true, false, &err));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(world_count(world), 0);
}

/* It has the request and does nothing, not even say that it is there. */
static int be_stuck(struct world *world, const char *id, struct mvm_control *client)
{
	kill(getpid(), SIGSTOP);
	return 1;
}

static void a_supervisor_that_is_stuck_is_killed(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	pid_t pid = world_supervise(world, id, be_stuck);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int status;

	assert_ok(mvm_engine_remove(world->engine, "web", true, false, &err));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(world_count(world), 0);
}

/* Its socket is gone, or was never there: then its word in the state counts, while the lock is held. */
static void a_supervisor_that_cannot_be_reached_is_killed(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	pid_t pid = world_supervise(world, id, be_stuck);
	char *path MVM_CLEAN_FREE = mvm_state_socket_path(mvm_engine_state(world->engine), id);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int status;

	assert_int_equal(unlink(path), 0);
	assert_ok(mvm_engine_remove(world->engine, "web", true, false, &err));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(world_count(world), 0);
}

/* Somebody is just making it: what holds the lock is no supervisor. */
static void one_that_is_being_started_is_not_removed(void **state)
{
	struct world *world = *state;
	int lock MVM_CLEAN_FD = -1;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	free(world_add(world, "web", false, &lock));
	assert_error(mvm_engine_remove(world->engine, "web", false, false, &err), MVM_ERR_CONFLICT,
		     "another command works with it");
	assert_int_equal(world_count(world), 1);
}

/* Connecting and starting */

static void connecting_needs_somebody_in_charge(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_client *client = NULL;

	container = world_load(world, id);
	assert_error(mvm_engine_connect(world->engine, container, &client, &err), MVM_ERR_CONFLICT, "is not running");
	/* It ended between our look and our call. */
	container->state.status = MVM_STATUS_RUNNING;
	assert_error(mvm_engine_connect(world->engine, container, &client, &err), MVM_ERR_CONFLICT, "is not running");
	assert_null(client);
}

static void without_a_supervisor_program_the_lock_is_let_go(void **state)
{
	struct world *world = *state;
	int lock = -1, again MVM_CLEAN_FD = -1;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, &lock);
	struct mvm_container *container MVM_CLEAN_CONTAINER = world_load(world, id);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_client *client = NULL;

	assert_error(mvm_engine_supervise(world->engine, container, lock, &client, &err), MVM_ERR_NOT_FOUND,
		     "mvm-supervisor");
	assert_null(client);
	assert_int_equal(fcntl(lock, F_GETFD), -1);
	assert_ok(mvm_state_lock(mvm_engine_state(world->engine), id, &again, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_signal_reaches_the_supervisor),
		WORLD_TEST(what_does_not_run_cannot_be_killed),
		WORLD_TEST(stop_uses_the_containers_own_signal_and_patience),
		WORLD_TEST(stopping_what_does_not_run_is_success),
		WORLD_TEST(what_does_not_run_is_removed),
		WORLD_TEST(what_runs_is_removed_by_force_only),
		WORLD_TEST(one_that_removes_itself_meanwhile_is_success),
		WORLD_TEST(a_supervisor_that_dies_is_no_obstacle),
		WORLD_TEST(a_supervisor_that_is_stuck_is_killed),
		WORLD_TEST(a_supervisor_that_cannot_be_reached_is_killed),
		WORLD_TEST(one_that_is_being_started_is_not_removed),
		WORLD_TEST(connecting_needs_somebody_in_charge),
		WORLD_TEST(without_a_supervisor_program_the_lock_is_let_go),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
