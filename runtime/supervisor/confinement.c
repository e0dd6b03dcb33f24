/* What the container's configuration allows its processes, in the words of the wire protocol. */
#include "internal.h"

#include "runtime/base/mem.h"
#include "runtime/state/confinement.h"

#define DEFAULT_NOFILE 1048576

static void set_limits(const struct mvm_container_config *config, struct confinement *confinement,
		       struct mvm_proto_process *process)
{
	size_t count = 0;

	confinement->limits[count++] = (struct mvm_proto_rlimit){MVM_RLIMIT_NOFILE, DEFAULT_NOFILE, DEFAULT_NOFILE};
	for (size_t i = 0; i < config->ulimits.count && count < MVM_COUNT(confinement->limits); i++) {
		struct mvm_ulimit limit;

		if (mvm_ulimit_parse(config->ulimits.items[i], &limit, NULL) < 0)
			continue;
		/* -1 is unlimited here as there. Later ones count. */
		confinement->limits[count++] =
			(struct mvm_proto_rlimit){limit.resource, (uint64_t)limit.soft, (uint64_t)limit.hard};
	}
	process->rlimits = confinement->limits;
	process->rlimit_count = count;
}

void confine_process(const struct mvm_container_config *config, bool privileged, struct confinement *confinement,
		     struct mvm_proto_process *process)
{
	struct mvm_security security = {0};

	mvm_security_parse(&config->security_opt, &security, NULL);
	set_limits(config, confinement, process);
	process->cap_drop = ~mvm_capabilities_of(config->privileged || privileged, &config->cap_add, &config->cap_drop);
	process->no_new_privs = security.no_new_privileges;
	process->groups = config->group_add.items;
	process->oom_score_adj = config->oom_score_adj;
	process->unmasked = security.unmasked || config->privileged;
	process->privileged = config->privileged;
	process->domainname = config->domainname;
}
