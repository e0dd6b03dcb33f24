/*
 * The networks of a container, changed after it was made.
 */
#include "internal.h"

#include <string.h>

#include "runtime/base/error.h"
#include "runtime/state/connect.h"

/* Networks of docker's that are none here, with what it says of them. */
static int check_special(const char *network, struct mvm_error **err)
{
	if (!strcmp(network, "none"))
		return mvm_fail(
			err, MVM_ERR_CONFLICT,
			"container cannot be connected to multiple networks with one of the networks in private "
			"(none) mode");
	if (!strcmp(network, "host"))
		return mvm_fail(err, MVM_ERR_CONFLICT,
				"container cannot be disconnected from host network or connected to host network: a "
				"virtual machine has a network stack of its own");
	return 0;
}

static int find(struct mvm_engine *engine, const char *what, struct mvm_network **network, struct mvm_error **err)
{
	const char *name = engine_network_name(what);

	if (!strcmp(name, MVM_NETWORK_DEFAULT) && engine_need_network(engine, name, err) < 0)
		return -1;
	return mvm_network_find(mvm_engine_state(engine), name, network, err);
}

static json_t *connect_request(const void *arg)
{
	return json_pack("{ss}", "endpoint", (const char *)arg);
}

static int write_connect(struct mvm_state *state, const char *id, const void *arg, struct mvm_error **err)
{
	return mvm_state_connect(state, id, arg, err);
}

int mvm_engine_connect_network(struct mvm_engine *engine, const struct mvm_net_endpoint *endpoint,
			       const char *container, struct mvm_error **err)
{
	struct mvm_network *network MVM_CLEAN_NETWORK = NULL;
	struct mvm_net_endpoint place = *endpoint;
	char *text MVM_CLEAN_FREE = NULL;
	struct engine_change change = {.op = "connect", .request = connect_request, .write = write_connect};

	if (check_special(endpoint->network, err) < 0 || engine_check_endpoint(endpoint, err) < 0 ||
	    find(engine, endpoint->network, &network, err) < 0)
		return -1;
	place.network = network->name;
	text = mvm_net_endpoint_format(&place);
	change.arg = text;
	return engine_change(engine, container, &change, err);
}

struct leaving {
	const char *network;
	bool force;
};

static json_t *disconnect_request(const void *arg)
{
	const struct leaving *leaving = arg;

	return json_pack("{ss, sb}", "network", leaving->network, "force", (int)leaving->force);
}

static int write_disconnect(struct mvm_state *state, const char *id, const void *arg, struct mvm_error **err)
{
	const struct leaving *leaving = arg;

	return mvm_state_disconnect(state, id, leaving->network, err);
}

/* What --network none has made is already so. */
static int leave_none(struct mvm_engine *engine, const char *what, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;

	if (mvm_state_find(mvm_engine_state(engine), what, &container, err) < 0)
		return -1;
	if (!container->config.networks.count)
		return 0;
	return mvm_fail(err, MVM_ERR_CONFLICT, "container %s is not connected to network none", container->config.id);
}

int mvm_engine_disconnect_network(struct mvm_engine *engine, const char *what, const char *container, bool force,
				  struct mvm_error **err)
{
	struct mvm_network *network MVM_CLEAN_NETWORK = NULL;
	struct mvm_error *missing MVM_CLEAN_ERROR = NULL;
	struct leaving leaving = {.network = what, .force = force};
	const struct engine_change change = {
		.op = "disconnect", .request = disconnect_request, .write = write_disconnect, .arg = &leaving};

	if (!strcmp(what, "none"))
		return leave_none(engine, container, err);
	if (check_special(what, err) < 0)
		return -1;
	/* A container that is to be on one that has been removed can do without it. */
	if (find(engine, what, &network, &missing) == 0)
		leaving.network = network->name;
	else if (mvm_error_code(missing) != MVM_ERR_NOT_FOUND)
		return mvm_error_move(err, &missing);
	if (engine_change(engine, container, &change, err) == 0)
		return 0;
	if (!missing || mvm_error_code(*err) != MVM_ERR_CONFLICT)
		return -1;
	mvm_error_free(*err);
	*err = NULL;
	return mvm_error_move(err, &missing);
}
