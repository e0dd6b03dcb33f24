/*
 * When a container that has ended is started again: `--restart`, docker's rules to the letter.
 *
 * Pure: the supervisor asks when the container has ended, the engine after a boot of the host.
 */
#ifndef MVM_STATE_RESTART_POLICY_H
#define MVM_STATE_RESTART_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "container.h"

/* Milliseconds between an end and the next start: the first doubles up to the last, and is the first again for who ran
 * MVM_RESTART_STEADY_MS. */
enum { MVM_RESTART_FIRST_MS = 100, MVM_RESTART_LAST_MS = 60000, MVM_RESTART_STEADY_MS = 10000 };

/* "no", "always", "unless-stopped", "on-failure" or "on-failure:3"; NULL and "" are "no". *name is static. USAGE with
 * docker's words where malformed. */
int mvm_restart_policy_parse(const char *text, const char **name, int64_t *max_retries, struct mvm_error **err);
/* Whether it has one at all. */
bool mvm_restart_policy_set(const struct mvm_container_config *config);
/* Whether one that has run and ended as its state says is to be started again. */
bool mvm_restart_wanted(const struct mvm_container_config *config, const struct mvm_container_state *state);
/* How long to wait after a run of `ran_ms`; `before_ms` is the wait before that run, 0 for none. */
uint64_t mvm_restart_delay(uint64_t before_ms, uint64_t ran_ms);
/* Whether one that runs no more is to be started after a boot of the host: what a docker daemon does when it starts. */
bool mvm_restart_at_boot(const struct mvm_container_config *config, const struct mvm_container_state *state);

#endif
