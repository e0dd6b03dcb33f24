/*
 * What of a container's configuration can change after it was made: its limits and its restart policy.
 *
 * Whoever is in charge of the container changes config.json, and before that what follows from it: the supervisor of
 * one that runs, else the engine while it holds the container's lock.
 */
#ifndef MVM_STATE_UPDATE_H
#define MVM_STATE_UPDATE_H

#include <jansson.h>

#include "container.h"

/* 0 leaves a value as it is. */
struct mvm_container_update {
	uint64_t memory; /* bytes */
	int64_t memory_reservation;
	int64_t nano_cpus;
	int64_t cpu_shares;
	bool has_pids_limit;
	int64_t pids_limit;	    /* 0 or less: none */
	const char *restart_policy; /* one of the names that restart_policy.h hands out; NULL: as it is */
	int64_t restart_max;
};

/* Virtual CPUs for so much of a processor; for no limit, as many as are usual here. */
int64_t mvm_cpus_for(int64_t nano_cpus);

/* As a field of the request "update" (control.h), and back. */
json_t *mvm_container_update_to_json(const struct mvm_container_update *update);
int mvm_container_update_from_json(const json_t *json, struct mvm_container_update *update, struct mvm_error **err);

/* Whether it is the guest's concern, too. */
bool mvm_container_update_limits(const struct mvm_container_update *update);
/* INVALID where what follows cannot be: a reservation above the limit; CONFLICT for a restart policy and --rm. */
int mvm_container_update_check(const struct mvm_container_update *update, const struct mvm_container_config *config,
			       struct mvm_error **err);
void mvm_container_update_apply(const struct mvm_container_update *update, struct mvm_container_config *config);

/* Changes config.json and nothing else of it: another name that is given meanwhile stays. Only for who holds the
 * container's lock. NOT_FOUND where the container has just gone. */
int mvm_state_update(struct mvm_state *state, const char *id, const struct mvm_container_update *update,
		     struct mvm_error **err);

#endif
