/*
 * Containers that were made before: start, restart, wait, another name.
 *
 * Several processes may ask for different things at once. The container's lock decides who starts the supervisor, and
 * the supervisor's one loop decides about all that is said to it; whoever finds that it has just ended looks again.
 */
#include "internal.h"

#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/state/events.h"

#define TRIES 10 /* a container that ends each time before we get a word in */

int mvm_engine_open_supervisor(struct mvm_engine *engine, const char *what, struct mvm_container **out,
			       struct mvm_client **client, bool *own, struct mvm_error **err)
{
	struct mvm_state *state = mvm_engine_state(engine);

	for (int tries = 0; tries < TRIES; tries++) {
		struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
		struct mvm_error *local MVM_CLEAN_ERROR = NULL;
		int lock = -1, result;

		if (mvm_state_find(state, what, &container, err) < 0)
			return -1;
		if (container->state.status == MVM_STATUS_PAUSED)
			return mvm_fail(err, MVM_ERR_CONFLICT, "cannot start a paused container, try unpause instead");
		result = mvm_state_lock(state, container->config.id, &lock, &local);
		*own = result == 0;
		if (result == 0)
			result = mvm_engine_supervise(engine, container, lock, client, err);
		else if (result > 0)
			result = engine_reach(engine, container->config.id, client, err);
		else if (access(container->folder, F_OK) == 0)
			result = mvm_error_move(err, &local);
		else
			result = 1; /* removed just now: to be looked up again, for a prefix may fit another */
		if (result > 0)
			continue;
		if (result == 0) {
			*out = container;
			container = NULL;
		}
		return result;
	}
	return mvm_fail(err, MVM_ERR_CONFLICT, "other commands start and end it all the time");
}

static int try_start(struct mvm_engine *engine, const char *what, void (*notice)(void *arg, const json_t *event),
		     struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_client *client MVM_CLEAN_CLIENT = NULL;
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;
	bool own;

	if (mvm_engine_open_supervisor(engine, what, &container, &client, &own, err) < 0)
		return -1;
	mvm_client_on_event(client, notice, NULL);
	if (mvm_client_call(client, "start", NULL, NULL, &local) == 0)
		return 0;
	/* One that we found was about to go. */
	if (!own && mvm_client_is_lost(client))
		return mvm_fail(err, MVM_ERR_INTERRUPTED, "%s", mvm_error_message(local));
	return mvm_error_move(err, &local);
}

int mvm_engine_start(struct mvm_engine *engine, const char *what, void (*notice)(void *arg, const json_t *event),
		     struct mvm_error **err)
{
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;

	for (int tries = 0; tries < TRIES; tries++) {
		mvm_error_clear(&local);
		if (try_start(engine, what, notice, &local) == 0)
			return 0;
		if (mvm_error_code(local) != MVM_ERR_INTERRUPTED)
			break;
	}
	mvm_error_move(err, &local);
	return mvm_error_code(*err) == MVM_ERR_NOT_FOUND ? -1 : mvm_error_wrap(err, "cannot start container %s", what);
}

int mvm_engine_restart(struct mvm_engine *engine, const char *what, int signo, int64_t timeout,
		       void (*notice)(void *arg, const json_t *event), struct mvm_error **err)
{
	const struct engine_stop order = {.signo = signo, .timeout = timeout, .keep = true};

	if (engine_stop(engine, what, &order, err) < 0 || mvm_engine_start(engine, what, notice, err) < 0)
		return -1;
	engine_note_container(engine, what, "restart");
	return 0;
}

/* 1: its supervisor has gone without an answer; what became of it is to be looked up. */
static int wait_once(struct mvm_engine *engine, const struct mvm_container *container, int *exit_code,
		     struct mvm_error **err)
{
	struct mvm_client *client MVM_CLEAN_CLIENT = NULL;
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;
	json_t *answer MVM_CLEAN_JSON = NULL;
	int64_t code;
	int result;

	if (!mvm_status_alive(container->state.status)) {
		*exit_code = (int)container->state.exit_code;
		return 0;
	}
	result = engine_reach(engine, container->config.id, &client, err);
	if (result != 0)
		return result;
	if (mvm_client_call(client, "wait", NULL, &answer, &local) < 0)
		return mvm_error_code(local) == MVM_ERR_MACHINE ? 1 : mvm_error_move(err, &local);
	if (mvm_json_get_int(answer, "exit_code", 0, &code, err) < 0)
		return -1;
	*exit_code = (int)code;
	return 0;
}

int mvm_engine_wait(struct mvm_engine *engine, const char *what, int *exit_code, struct mvm_error **err)
{
	char *id MVM_CLEAN_FREE = NULL;
	int result = 1;

	while (result > 0) {
		struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;

		if (mvm_state_find(mvm_engine_state(engine), id ? id : what, &container, err) < 0)
			return -1;
		if (!id)
			id = mvm_strdup(container->config.id);
		result = wait_once(engine, container, exit_code, err);
	}
	return result < 0 ? mvm_error_wrap(err, "cannot wait for container %s", what) : 0;
}

int mvm_engine_rename(struct mvm_engine *engine, const char *what, const char *name, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	char *old_name MVM_CLEAN_FREE = NULL;

	if (mvm_state_find(mvm_engine_state(engine), what, &container, err) < 0)
		return -1;
	old_name = mvm_format("/%s", container->config.name);
	if (mvm_state_rename(mvm_engine_state(engine), container->config.id, name, err) < 0)
		return mvm_error_wrap(err, "cannot rename container %s", what);
	mvm_event_container(mvm_engine_state(engine), &container->config, "rename",
			    (const char *const[]){"oldName", old_name, NULL});
	return 0;
}
