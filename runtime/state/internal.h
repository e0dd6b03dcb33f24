/* What the files of this folder share: containers as JSON. */
#ifndef MVM_STATE_INTERNAL_H
#define MVM_STATE_INTERNAL_H

#include <jansson.h>

#include "container.h"

/* USAGE where a text is not UTF-8. */
int mvm_container_config_to_json(const struct mvm_container_config *config, json_t **json, struct mvm_error **err);
int mvm_container_config_from_json(const json_t *json, struct mvm_container_config *config, struct mvm_error **err);
void mvm_container_config_finish(struct mvm_container_config *config);

json_t *mvm_container_state_to_json(const struct mvm_container_state *state);
int mvm_container_state_from_json(const json_t *json, struct mvm_container_state *state, struct mvm_error **err);

/* A name for who gave none: adjective_noun. The caller owns it. */
char *mvm_random_name(void);

#endif
