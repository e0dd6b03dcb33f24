/*
 * Limits that change. Whoever is in charge of the container does it: its supervisor or helper, or else we, with its
 * lock, so that nobody starts it meanwhile with what it had.
 */
#include "internal.h"

#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/state/update.h"

#define TRIES 10 /* a container that starts or ends each time before we get a word in */

/* 1: who was in charge has just gone; it is to be looked at again. */
static int try_update(struct mvm_engine *engine, const char *what, const struct mvm_container_update *update,
		      struct mvm_error **err)
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
		return mvm_state_update(state, container->config.id, update, err);
	result = engine_reach(engine, container->config.id, &client, err);
	if (result)
		return result;
	if (mvm_client_call(client, "update", mvm_container_update_to_json(update), NULL, &local) == 0)
		return 0;
	/* It went without an answer. */
	return mvm_error_code(local) == MVM_ERR_MACHINE ? 1 : mvm_error_move(err, &local);
}

int mvm_engine_update(struct mvm_engine *engine, const char *what, const struct mvm_container_update *update,
		      struct mvm_error **err)
{
	int result = engine_check_limits(update, err);

	if (result < 0)
		return -1;
	for (int tries = 0; tries < TRIES; tries++) {
		result = try_update(engine, what, update, err);
		if (result <= 0)
			break;
	}
	if (result > 0)
		mvm_fail(err, MVM_ERR_CONFLICT, "other commands start and end it all the time");
	if (result == 0) {
		engine_note_container(engine, what, "update");
		return 0;
	}
	return mvm_error_code(*err) == MVM_ERR_NOT_FOUND ? -1 : mvm_error_wrap(err, "cannot update container %s", what);
}
