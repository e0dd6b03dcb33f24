#include "update.h"

#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "restart_policy.h"

#define DEFAULT_CPUS 4

int64_t mvm_cpus_for(int64_t nano_cpus)
{
	long host = sysconf(_SC_NPROCESSORS_ONLN);

	if (nano_cpus)
		return (nano_cpus + 999999999) / 1000000000;
	return host < 1 ? 1 : host < DEFAULT_CPUS ? host : DEFAULT_CPUS;
}

json_t *mvm_container_update_to_json(const struct mvm_container_update *update)
{
	json_t *json = json_pack("{sI, sI, sI, sI}", "memory", (json_int_t)update->memory, "memory_reservation",
				 (json_int_t)update->memory_reservation, "nano_cpus", (json_int_t)update->nano_cpus,
				 "cpu_shares", (json_int_t)update->cpu_shares);

	if (update->has_pids_limit)
		json_object_set_new(json, "pids_limit", json_integer(update->pids_limit));
	if (update->restart_policy)
		json_object_set_new(json, "restart_policy", json_string(update->restart_policy));
	json_object_set_new(json, "restart_max", json_integer(update->restart_max));
	return json;
}

int mvm_container_update_from_json(const json_t *json, struct mvm_container_update *update, struct mvm_error **err)
{
	struct mvm_container_update fresh = {.has_pids_limit = json_object_get(json, "pids_limit") != NULL};
	int64_t memory, no_number;
	const char *policy;

	if (mvm_json_get_int(json, "memory", 0, &memory, err) < 0 ||
	    mvm_json_get_string(json, "restart_policy", NULL, &policy, err) < 0 ||
	    mvm_json_get_int(json, "restart_max", 0, &fresh.restart_max, err) < 0 ||
	    mvm_json_get_int(json, "memory_reservation", 0, &fresh.memory_reservation, err) < 0 ||
	    mvm_json_get_int(json, "nano_cpus", 0, &fresh.nano_cpus, err) < 0 ||
	    mvm_json_get_int(json, "cpu_shares", 0, &fresh.cpu_shares, err) < 0 ||
	    mvm_json_get_int(json, "pids_limit", 0, &fresh.pids_limit, err) < 0)
		return -1;
	if (memory < 0 || fresh.memory_reservation < 0 || fresh.nano_cpus < 0 || fresh.cpu_shares < 0)
		return mvm_fail(err, MVM_ERR_USAGE, "malformed limits");
	if (policy && mvm_restart_policy_parse(policy, &fresh.restart_policy, &no_number, err) < 0)
		return -1;
	fresh.memory = (uint64_t)memory;
	*update = fresh;
	return 0;
}

bool mvm_container_update_limits(const struct mvm_container_update *update)
{
	return update->memory || update->memory_reservation || update->nano_cpus || update->cpu_shares ||
	       update->has_pids_limit;
}

int mvm_container_update_check(const struct mvm_container_update *update, const struct mvm_container_config *config,
			       struct mvm_error **err)
{
	uint64_t memory = update->memory ? update->memory : config->memory;
	int64_t reservation = update->memory_reservation ? update->memory_reservation : config->memory_reservation;

	if (reservation > 0 && (uint64_t)reservation > memory)
		return mvm_fail(err, MVM_ERR_INVALID,
				"Minimum memory limit can not be less than memory reservation limit, see usage");
	if (update->restart_policy && strcmp(update->restart_policy, "no") && config->auto_remove)
		return mvm_fail(err, MVM_ERR_CONFLICT,
				"Restart policy cannot be updated because AutoRemove is enabled for the container");
	return 0;
}

void mvm_container_update_apply(const struct mvm_container_update *update, struct mvm_container_config *config)
{
	if (update->memory)
		config->memory = update->memory;
	if (update->memory_reservation)
		config->memory_reservation = update->memory_reservation;
	if (update->nano_cpus) {
		config->nano_cpus = update->nano_cpus;
		config->cpus = mvm_cpus_for(update->nano_cpus);
	}
	if (update->cpu_shares)
		config->cpu_shares = update->cpu_shares;
	if (update->has_pids_limit)
		config->pids_limit = update->pids_limit;
	if (update->restart_policy) {
		free(config->restart_policy);
		config->restart_policy = mvm_strdup(update->restart_policy);
		config->restart_max = update->restart_max;
	}
}

static int apply(struct mvm_container_config *config, const void *arg, struct mvm_error **err)
{
	if (mvm_container_update_check(arg, config, err) < 0)
		return -1;
	mvm_container_update_apply(arg, config);
	return 0;
}

int mvm_state_update(struct mvm_state *state, const char *id, const struct mvm_container_update *update,
		     struct mvm_error **err)
{
	return state_change_config(state, id, apply, update, err);
}
