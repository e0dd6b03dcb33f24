/*
 * Trying credentials at a registry, as `login` does before it keeps them.
 *
 * Blocks; errors as in registry.h: AUTH where the registry refuses them.
 */
#ifndef MVM_IMAGE_LOGIN_H
#define MVM_IMAGE_LOGIN_H

#include <stdbool.h>

#include "credentials.h"

struct mvm_config;

/* `domain` as in credentials.h. A registry that gives an identity token for the password has it put into `credential`,
 * to be kept in place of that. `stopped` may be NULL. */
int mvm_registry_login(const char *domain, const struct mvm_config *config, struct mvm_credential *credential,
		       bool (*stopped)(void *arg), void *arg, struct mvm_error **err);

#endif
