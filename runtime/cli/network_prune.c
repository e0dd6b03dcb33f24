#include <stddef.h>

#include "filter.h"
#include "prune.h"

struct values {
	bool force;
	struct mvm_strv filters;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"filter", 0, CLI_LIST, AT(filters), "FILTER", "until=TIME, label=NAME[=VALUE] or label!=NAME[=VALUE]",
	 CLI_PRUNE_FILTERS},
	{"force", 'f', CLI_FLAG, AT(force), NULL, "Do not prompt for confirmation"},
	CLI_OPTIONS_END,
};

int cli_prune_networks(struct mvm_engine *engine, const struct mvm_prune_filter *filter, struct mvm_error **err)
{
	struct mvm_strv networks MVM_CLEAN_STRV = {0};
	int result = mvm_engine_prune_networks(engine, filter, &networks, err);

	if (networks.count)
		puts("Deleted Networks:");
	for (size_t i = 0; i < networks.count; i++)
		puts(networks.items[i]);
	if (networks.count)
		putchar('\n');
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_prune_filter filter MVM_CLEAN_PRUNE_FILTER = {0};
	struct mvm_engine *engine;
	int result;

	if (cli_prune_filter(&values->filters, &filter, err) < 0 ||
	    (!values->force && cli_confirm("This will remove all custom networks not used by at least one container.",
					   "network prune", err) < 0) ||
	    mvm_engine_open(&engine, err) < 0)
		return -1;
	result = cli_prune_networks(engine, &filter, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_network_prune = {
	.name = "network prune",
	.usage = "[OPTIONS]",
	.summary = "Remove all unused networks",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
