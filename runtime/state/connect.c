#include "connect.h"

#include <string.h>

#include "events.h"
#include "internal.h"
#include "net_endpoint.h"
#include "network.h"
#include "runtime/base/error.h"

/* config->networks.count: on none of that name. */
static size_t find(const struct mvm_container_config *config, const char *network)
{
	size_t i = 0;

	for (; i < config->networks.count; i++) {
		struct mvm_net_endpoint place MVM_CLEAN_NET_ENDPOINT = {0};

		if (mvm_net_endpoint_parse(config->networks.items[i], &place, NULL) == 0 &&
		    !strcmp(place.network, network))
			break;
	}
	return i;
}

void mvm_container_connect(struct mvm_container_config *config, const char *endpoint)
{
	struct mvm_net_endpoint place MVM_CLEAN_NET_ENDPOINT = {0};
	size_t i = config->networks.count;

	if (mvm_net_endpoint_parse(endpoint, &place, NULL) == 0)
		i = find(config, place.network);
	if (i == config->networks.count) {
		mvm_strv_add(&config->networks, endpoint);
		return;
	}
	free(config->networks.items[i]);
	config->networks.items[i] = mvm_strdup(endpoint);
}

int mvm_container_disconnect(struct mvm_container_config *config, const char *network, struct mvm_error **err)
{
	size_t i = find(config, network);
	struct mvm_strv *networks = &config->networks;

	if (i == networks->count)
		return mvm_fail(err, MVM_ERR_CONFLICT, "container %s is not connected to the network %s", config->id,
				network);
	free(networks->items[i]);
	/* The NULL behind the last one, too. */
	memmove(&networks->items[i], &networks->items[i + 1], (networks->count - i) * sizeof(char *));
	networks->count--;
	return 0;
}

static int connect_it(struct mvm_container_config *config, const void *arg, struct mvm_error **err)
{
	mvm_container_connect(config, arg);
	return 0;
}

static int disconnect_it(struct mvm_container_config *config, const void *arg, struct mvm_error **err)
{
	return mvm_container_disconnect(config, arg, err);
}

int mvm_state_connect(struct mvm_state *state, const char *id, const char *endpoint, struct mvm_error **err)
{
	return state_change_config(state, id, connect_it, endpoint, err);
}

int mvm_state_disconnect(struct mvm_state *state, const char *id, const char *network, struct mvm_error **err)
{
	struct mvm_network *left MVM_CLEAN_NETWORK = NULL;

	if (state_change_config(state, id, disconnect_it, network, err) < 0)
		return -1;
	if (mvm_network_load(state, network, &left, NULL) == 0)
		mvm_event_network(state, left, "disconnect", id);
	return 0;
}
