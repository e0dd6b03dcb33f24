/*
 * What changes of a container after it was made: its limits, and, by connect.c, its networks. Whoever is in charge of
 * the container does it: its supervisor or helper, or else we, with its lock, so that nobody starts it meanwhile with
 * what it had.
 */
#include "internal.h"

#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/state/update.h"

#define TRIES 10 /* a container that starts or ends each time before we get a word in */

/* 1: who was in charge, or its machine, has just gone; it is to be looked at again. Why is in *last, if known. */
static int try_change(struct mvm_engine *engine, const char *what, const struct engine_change *change,
		      struct mvm_error **last, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_client *client MVM_CLEAN_CLIENT = NULL;
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;
	struct mvm_state *state = mvm_engine_state(engine);
	int lock MVM_CLEAN_FD = -1;
	int result;

	if (mvm_state_find(state, what, &container, err) < 0)
		return -1;
	result = mvm_state_lock(state, container->config.id, &lock, &local);
	if (result < 0)
		return access(container->folder, F_OK) < 0 ? 1 : mvm_error_move(err, &local);
	if (result == 0)
		return change->write(state, container->config.id, change->arg, err);
	result = engine_reach(engine, container->config.id, &client, err);
	if (result)
		return result;
	if (mvm_client_call(client, change->op, change->request(change->arg), NULL, &local) == 0)
		return 0;
	/* It went without an answer, or with that one. */
	if (mvm_error_code(local) != MVM_ERR_MACHINE && mvm_error_code(local) != MVM_ERR_INTERRUPTED)
		return mvm_error_move(err, &local);
	mvm_error_move(last, &local);
	return 1;
}

int engine_change(struct mvm_engine *engine, const char *what, const struct engine_change *change,
		  struct mvm_error **err)
{
	struct mvm_error *last MVM_CLEAN_ERROR = NULL;
	int result = 1;

	for (int tries = 0; result > 0 && tries < TRIES; tries++) {
		mvm_error_free(last);
		last = NULL;
		result = try_change(engine, what, change, &last, err);
	}
	if (result > 0 && last)
		return mvm_error_move(err, &last);
	return result > 0 ? mvm_fail(err, MVM_ERR_CONFLICT, "other commands start and end it all the time") : result;
}

static json_t *limits_request(const void *arg)
{
	return mvm_container_update_to_json(arg);
}

static int write_limits(struct mvm_state *state, const char *id, const void *arg, struct mvm_error **err)
{
	return mvm_state_update(state, id, arg, err);
}

int mvm_engine_update(struct mvm_engine *engine, const char *what, const struct mvm_container_update *update,
		      struct mvm_error **err)
{
	const struct engine_change change = {
		.op = "update", .request = limits_request, .write = write_limits, .arg = update};

	if (engine_check_limits(update, err) < 0)
		return -1;
	if (engine_change(engine, what, &change, err) == 0) {
		engine_note_container(engine, what, "update");
		return 0;
	}
	return mvm_error_code(*err) == MVM_ERR_NOT_FOUND ? -1 : mvm_error_wrap(err, "cannot update container %s", what);
}
