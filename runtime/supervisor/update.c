/*
 * The request "update": new limits, for the guest and for config.json.
 */
#include "runtime/state/update.h"

#include <string.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

struct change {
	struct supervisor *supervisor;
	struct relay *relay;
	struct mvm_container_update update;
};

static int commit(struct supervisor *supervisor, const struct mvm_container_update *update, struct mvm_error **err)
{
	struct mvm_container_config *config = &supervisor->container->config;

	if (mvm_state_update(supervisor->state, config->id, update, err) < 0)
		return -1;
	mvm_container_update_apply(update, config);
	return 0;
}

static void done(void *arg, const struct mvm_error *error)
{
	struct change *change = arg;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (!error)
		commit(change->supervisor, &change->update, &err);
	relayed(change->relay, error ? error : err);
	free(change);
}

/* The machine has what it was started with. */
static int check_machine(const struct supervisor *supervisor, const struct mvm_container_update *update,
			 struct mvm_error **err)
{
	const char *advice = "stop the container, update it and start it again";

	if (update->memory > supervisor->booted_memory)
		return mvm_fail(err, MVM_ERR_CONFLICT, "its VM was started for a memory limit of at most %llu MiB: %s",
				(unsigned long long)supervisor->booted_memory >> 20, advice);
	if (update->nano_cpus && mvm_cpus_for(update->nano_cpus) > supervisor->booted_cpus)
		return mvm_fail(err, MVM_ERR_CONFLICT, "its VM was started with %lld CPUs: %s",
				(long long)supervisor->booted_cpus, advice);
	return 0;
}

static bool has_machine(const struct supervisor *supervisor)
{
	return !supervisor->helper && supervisor->phase >= PHASE_BOOTING && supervisor->phase <= PHASE_RESUMING;
}

/* That the guest has to know, and can: one that stands still gets its limits when it goes on. */
static bool concerns_guest(const struct supervisor *supervisor, const struct mvm_container_update *update)
{
	return has_machine(supervisor) && supervisor->phase >= PHASE_STARTING && mvm_container_update_limits(update);
}

void update_apply(struct supervisor *supervisor, const struct mvm_container_update *update, struct relay *relay)
{
	bool waits = supervisor->phase != PHASE_PAUSING && supervisor->phase != PHASE_PAUSED;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct change *change;

	if (mvm_container_update_check(update, &supervisor->container->config, &err) < 0 ||
	    (has_machine(supervisor) && check_machine(supervisor, update, &err) < 0)) {
		relayed(relay, err);
		return;
	}
	if (concerns_guest(supervisor, update) && waits) {
		change = mvm_alloc(sizeof(*change));
		*change = (struct change){supervisor, relay, *update};
		agent_update(supervisor->agent, update, done, change);
		return;
	}
	if (concerns_guest(supervisor, update))
		agent_update(supervisor->agent, update, NULL, NULL);
	commit(supervisor, update, &err);
	relayed(relay, err);
}
