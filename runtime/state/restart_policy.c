#include "restart_policy.h"

#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

static const char no[] = "no", always[] = "always", unless_stopped[] = "unless-stopped", on_failure[] = "on-failure";

static const char *find_name(const char *name)
{
	static const char *const known[] = {no, always, unless_stopped, on_failure};

	for (size_t i = 0; i < MVM_COUNT(known); i++)
		if (!strcmp(name, known[i]))
			return known[i];
	return NULL;
}

int mvm_restart_policy_parse(const char *text, const char **name, int64_t *max_retries, struct mvm_error **err)
{
	const char *colon = text ? strchr(text, ':') : NULL, *found;
	char *word MVM_CLEAN_FREE =
		mvm_strndup(text ? text : "", colon ? (size_t)(colon - text) : strlen(text ? text : ""));
	int64_t count = 0;

	if (colon && !*word)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid restart policy format: no policy provided before colon");
	if (colon && colon[1] && !mvm_parse_int(colon + 1, INT32_MIN, INT32_MAX, &count))
		return mvm_fail(err, MVM_ERR_USAGE,
				"invalid restart policy format: maximum retry count must be an integer");
	found = *word ? find_name(word) : no;
	if (!found)
		return mvm_fail(err, MVM_ERR_USAGE,
				"invalid restart policy: unknown policy '%s'; use one of 'no', 'always', 'on-failure', "
				"or 'unless-stopped'",
				word);
	if (count && found != on_failure)
		return mvm_fail(err, MVM_ERR_USAGE,
				"invalid restart policy: maximum retry count can only be used with 'on-failure'%s",
				count < 0 ? " and cannot be negative" : "");
	if (count < 0)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid restart policy: maximum retry count cannot be negative");
	*name = found;
	*max_retries = count;
	return 0;
}

static const char *policy_of(const struct mvm_container_config *config)
{
	const char *known = config->restart_policy ? find_name(config->restart_policy) : NULL;

	return known ? known : no;
}

bool mvm_restart_policy_set(const struct mvm_container_config *config)
{
	return policy_of(config) != no;
}

bool mvm_restart_wanted(const struct mvm_container_config *config, const struct mvm_container_state *state)
{
	const char *policy = policy_of(config);

	if (policy == on_failure)
		return state->exit_code != 0 && (!config->restart_max || state->restart_count < config->restart_max);
	return policy == always || (policy == unless_stopped && !state->stopped_by_user);
}

uint64_t mvm_restart_delay(uint64_t before_ms, uint64_t ran_ms)
{
	if (!before_ms || ran_ms >= MVM_RESTART_STEADY_MS)
		return MVM_RESTART_FIRST_MS;
	return before_ms < MVM_RESTART_LAST_MS / 2 ? 2 * before_ms : MVM_RESTART_LAST_MS;
}

bool mvm_restart_at_boot(const struct mvm_container_config *config, const struct mvm_container_state *state)
{
	return !mvm_status_alive(state->status) && state->started.tv_sec && mvm_restart_wanted(config, state);
}
