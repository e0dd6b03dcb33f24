/*
 * The networks that a container is to be on change after it was made. As with limits (update.h), whoever is in charge
 * of it does it: the supervisor, once it is so, or else the engine, with the container's lock.
 */
#ifndef MVM_STATE_CONNECT_H
#define MVM_STATE_CONNECT_H

#include "container.h"

/* `endpoint` is net_endpoint.h's text, in the place of one of the same network. */
void mvm_container_connect(struct mvm_container_config *config, const char *endpoint);
/* By the network's name. CONFLICT where the container is not on it. */
int mvm_container_disconnect(struct mvm_container_config *config, const char *network, struct mvm_error **err);

/* The same in config.json. NOT_FOUND where the container has just gone. Of a disconnect `events` is told. */
int mvm_state_connect(struct mvm_state *state, const char *id, const char *endpoint, struct mvm_error **err);
int mvm_state_disconnect(struct mvm_state *state, const char *id, const char *network, struct mvm_error **err);

#endif
