/*
 * Containers that run: supervisors started and met, signals, stop, removal.
 */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "runtime/backend/backend.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"
#include "runtime/base/text.h"
#include "runtime/state/control.h"
#include "runtime/state/events.h"
#include "runtime/state/host_socket.h"

#define CONNECT_LIMIT_MS    5000
#define DESTROY_PATIENCE_MS 3000 /* twice that before it is killed */
#define DESTROY_LIMIT_S	    30
#define END_MS		    2000

int engine_start_supervisor(struct mvm_engine *engine, const struct mvm_container *container, int lock,
			    enum engine_role role, struct mvm_client **client, struct mvm_error **err)
{
	static const char *const roles[] = {
		[ENGINE_SUPERVISOR] = NULL, [ENGINE_READER] = "reader", [ENGINE_WRITER] = "writer"};
	int owned MVM_CLEAN_FD = lock, ours MVM_CLEAN_FD = -1, theirs MVM_CLEAN_FD = -1;
	const char *home = mvm_state_home(mvm_engine_state(engine));
	char *argv[] = {(char *)"mvm-supervisor", (char *)home, container->config.id, (char *)roles[role], NULL};
	char *program MVM_CLEAN_FREE = NULL;
	int pair[2];
	pid_t pid;

	if (mvm_backend_program(&program, err) < 0)
		return -1;
	if (mvm_socketpair(SOCK_STREAM, pair) < 0)
		return mvm_fail_errno(err, errno, "cannot make a socket");
	ours = pair[0];
	theirs = pair[1];
	const struct mvm_spawn_fd fds[] = {{theirs, 3}, {owned, 4}};
	const struct mvm_spawn spawn = {
		.program = program, .argv = argv, .fds = fds, .fd_count = MVM_COUNT(fds), .new_session = true};
	if (mvm_spawn(&spawn, &pid, err) < 0)
		return -1;
	*client = mvm_client_create(ours);
	ours = -1;
	return 0;
}

int mvm_engine_supervise(struct mvm_engine *engine, const struct mvm_container *container, int lock,
			 struct mvm_client **client, struct mvm_error **err)
{
	return engine_start_supervisor(engine, container, lock, ENGINE_SUPERVISOR, client, err);
}

static void pause_ms(int milliseconds)
{
	poll(NULL, 0, milliseconds);
}

/* Whoever is in charge may just be starting (no socket yet) or ending (no socket any more); neither
 * announces it, so it is tried again for a moment. 0 connected, 1 nobody is in charge. */
int engine_reach(struct mvm_engine *engine, const char *id, struct mvm_client **client, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_state_socket_path(mvm_engine_state(engine), id);
	uint64_t deadline = mvm_now_ns() + CONNECT_LIMIT_MS * 1000000ULL;
	int fd, lock MVM_CLEAN_FD = -1;

	for (;;) {
		struct mvm_error *local MVM_CLEAN_ERROR = NULL;
		int busy;

		if (mvm_control_connect(path, &fd, &local) == 0) {
			*client = mvm_client_create(fd);
			return 0;
		}
		busy = mvm_state_lock(mvm_engine_state(engine), id, &lock, NULL);
		if (busy <= 0)
			return 1;
		if (mvm_now_ns() > deadline) {
			mvm_error_move(err, &local);
			return mvm_error_wrap(err,
					      "the supervisor of container %.12s does not answer; "
					      "'mvm rm -f' ends it",
					      id);
		}
		pause_ms(20);
	}
}

int engine_fail_not_running(const struct mvm_container *container, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_CONFLICT, "container %s is not running", container->config.id);
}

int mvm_engine_connect(struct mvm_engine *engine, const struct mvm_container *container, struct mvm_client **client,
		       struct mvm_error **err)
{
	int result =
		mvm_status_alive(container->state.status) ? engine_reach(engine, container->config.id, client, err) : 1;

	return result > 0 ? engine_fail_not_running(container, err) : result;
}

/* With a supervisor that goes away its machine does, too. */
static int call(struct mvm_client *client, const struct mvm_container *container, const char *op, json_t *fields,
		struct mvm_error **err)
{
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;

	if (mvm_client_call(client, op, fields, NULL, &local) == 0)
		return 0;
	return mvm_client_is_lost(client) ? engine_fail_not_running(container, err) : mvm_error_move(err, &local);
}

int mvm_engine_kill(struct mvm_engine *engine, const char *what, int signo, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_client *client MVM_CLEAN_CLIENT = NULL;

	if (mvm_state_find(mvm_engine_state(engine), what, &container, err) < 0)
		return -1;
	if (mvm_engine_connect(engine, container, &client, err) < 0 ||
	    call(client, container, "signal", json_pack("{si}", "signo", signo), err) < 0)
		return mvm_error_wrap(err, "cannot kill container: %s", what);
	return 0;
}

static int ask(struct mvm_engine *engine, const char *what, const char *op, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_client *client MVM_CLEAN_CLIENT = NULL;

	if (mvm_state_find(mvm_engine_state(engine), what, &container, err) < 0)
		return -1;
	if (mvm_engine_connect(engine, container, &client, err) < 0 || call(client, container, op, NULL, err) < 0)
		return mvm_error_wrap(err, "cannot %s container %s", op, what);
	return 0;
}

int mvm_engine_pause(struct mvm_engine *engine, const char *what, struct mvm_error **err)
{
	return ask(engine, what, "pause", err);
}

/* Docker has its own words for one that does not run. */
int mvm_engine_unpause(struct mvm_engine *engine, const char *what, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;

	if (mvm_state_find(mvm_engine_state(engine), what, &container, err) < 0)
		return -1;
	if (mvm_status_alive(container->state.status))
		return ask(engine, what, "unpause", err);
	return mvm_fail(err, MVM_ERR_CONFLICT, "cannot unpause container %s: Container %s is not paused", what,
			container->config.id);
}

int engine_stop(struct mvm_engine *engine, const char *what, const struct engine_stop *order, struct mvm_error **err)
{
	int64_t timeout = order->timeout;
	int signo = order->signo;
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_client *client MVM_CLEAN_CLIENT = NULL;
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;
	json_t *fields;

	if (mvm_state_find(mvm_engine_state(engine), what, &container, err) < 0)
		return -1;
	if (!signo && !mvm_parse_signal(container->config.stop_signal, &signo))
		signo = 15;
	if (timeout == MVM_STOP_DEFAULT)
		timeout = container->config.stop_timeout;
	fields = json_pack("{si, sI, sb}", "signo", signo, "timeout", (json_int_t)timeout, "keep", (int)order->keep);
	if (mvm_engine_connect(engine, container, &client, &local) < 0) {
		json_decref(fields);
	} else if (call(client, container, "stop", fields, &local) == 0) {
		return 0;
	}
	/* It ended before we asked, or while. */
	if (mvm_error_code(local) == MVM_ERR_CONFLICT)
		return 0;
	mvm_error_move(err, &local);
	return mvm_error_wrap(err, "cannot stop container: %s", what);
}

int mvm_engine_stop(struct mvm_engine *engine, const char *what, int signo, int64_t timeout, struct mvm_error **err)
{
	return engine_stop(engine, what, &(struct engine_stop){signo, timeout, false}, err);
}

/* Where nobody can be reached: the word of the last supervisor about who it is holds as long as the lock is held, since
 * whoever takes the lock next sets the state right before. */
static pid_t noted_supervisor(struct mvm_engine *engine, const char *id)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_state *state = mvm_engine_state(engine);
	int lock MVM_CLEAN_FD = -1;

	if (mvm_state_lock(state, id, &lock, NULL) <= 0 || mvm_state_load(state, id, &container, NULL) < 0)
		return 0;
	return mvm_status_alive(container->state.status) ? (pid_t)container->state.pid : 0;
}

/* Ends what runs: by its supervisor, and where that hangs, by ending the supervisor, with which its machine dies. */
static void end_by_force(struct mvm_engine *engine, const char *id)
{
	struct mvm_client *client MVM_CLEAN_CLIENT = NULL;
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;
	pid_t pid = 0;
	int result = engine_reach(engine, id, &client, NULL);

	if (result < 0) {
		pid = noted_supervisor(engine, id);
	} else if (result == 0) {
		mvm_client_set_patience(client, DESTROY_PATIENCE_MS);
		if (mvm_client_call(client, "destroy", NULL, NULL, &local) < 0 &&
		    mvm_error_code(local) == MVM_ERR_TIMEOUT)
			pid = mvm_client_peer(client);
	}
	if (pid > 1)
		kill(pid, SIGKILL);
}

/* Waits for a moment until the one in charge has let go. 1: it has not. */
static int take_charge(struct mvm_engine *engine, const char *id, int *lock, struct mvm_error **err)
{
	uint64_t deadline = mvm_now_ns() + END_MS * 1000000ULL;
	int busy;

	while ((busy = mvm_state_lock(mvm_engine_state(engine), id, lock, err)) > 0 && mvm_now_ns() < deadline)
		pause_ms(10);
	return busy;
}

/* Whatever has charge of it ends. Another command may start it as soon as it has; then it is ended again. */
static int seize(struct mvm_engine *engine, const char *id, int *lock, struct mvm_error **err)
{
	uint64_t deadline = mvm_now_ns() + DESTROY_LIMIT_S * 1000000000ULL;
	int busy = 1;

	while (busy > 0) {
		if (mvm_now_ns() > deadline)
			return mvm_fail(err, MVM_ERR_TIMEOUT, "its processes do not end");
		end_by_force(engine, id);
		busy = take_charge(engine, id, lock, err);
	}
	return busy;
}

/* By its folder alone, whatever is in it. */
static int remove_damaged(struct mvm_engine *engine, const char *what, struct mvm_error **err)
{
	struct mvm_state *state = mvm_engine_state(engine);
	char *id MVM_CLEAN_FREE = NULL;
	int lock MVM_CLEAN_FD = -1;
	int busy;

	if (mvm_state_find_damaged(state, what, &id, err) < 0)
		return -1;
	busy = mvm_state_lock(state, id, &lock, err);
	if (busy > 0)
		busy = seize(engine, id, &lock, err);
	return busy < 0 ? -1 : mvm_state_remove(state, id, err);
}

int mvm_engine_remove(struct mvm_engine *engine, const char *what, bool force, bool volumes, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;
	struct mvm_state *state = mvm_engine_state(engine);
	int lock MVM_CLEAN_FD = -1;
	int busy;

	if (mvm_state_find(state, what, &container, &local) < 0) {
		if (force && remove_damaged(engine, what, NULL) == 0)
			return 0;
		return mvm_error_move(err, &local);
	}
	busy = mvm_state_lock(state, container->config.id, &lock, &local);
	/* Somebody's helper, or a supervisor that has just written down its end: they are about to go. */
	if (busy > 0 && !force && !mvm_status_alive(container->state.status))
		busy = take_charge(engine, container->config.id, &lock, &local);
	if (busy > 0 && !force && !mvm_status_alive(container->state.status))
		return mvm_fail(err, MVM_ERR_CONFLICT,
				"cannot remove container \"/%s\": another command works with it, such as cp or export: "
				"wait for "
				"its end or force remove",
				container->config.name);
	if (busy > 0 && !force && container->state.status == MVM_STATUS_PAUSED)
		return mvm_fail(err, MVM_ERR_CONFLICT,
				"cannot remove container \"/%s\": container is paused and must be unpaused first",
				container->config.name);
	if (busy > 0 && !force)
		return mvm_fail(
			err, MVM_ERR_CONFLICT,
			"cannot remove container \"/%s\": container is %s: stop the container before removing or force "
			"remove",
			container->config.name,
			container->state.status == MVM_STATUS_RESTARTING ? "restarting" : "running");
	if (busy > 0)
		busy = seize(engine, container->config.id, &lock, &local);
	/* One that was to be removed at its end, or that another removes too, is gone by now. */
	if (access(container->folder, F_OK) == 0) {
		if (busy < 0) {
			mvm_error_move(err, &local);
			return mvm_error_wrap(err, "cannot remove container %s", what);
		}
		mvm_host_sockets_clear(&container->config.published_sockets);
		if (mvm_state_remove(state, container->config.id, err) < 0)
			return -1;
		mvm_event_container(state, &container->config, "destroy", NULL);
	}
	if (volumes)
		mvm_volume_remove_anonymous(state, &container->config, 0);
	return 0;
}
