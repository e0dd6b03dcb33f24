#include <stddef.h>

#include "filter.h"
#include "prune.h"

int cli_prune_containers(struct mvm_engine *engine, const struct mvm_prune_filter *filter, uint64_t *reclaimed,
			 struct mvm_error **err)
{
	struct mvm_strv containers MVM_CLEAN_STRV = {0};
	int result = mvm_engine_prune_containers(engine, filter, &containers, reclaimed, err);

	if (containers.count)
		puts("Deleted Containers:");
	for (size_t i = 0; i < containers.count; i++)
		puts(containers.items[i]);
	if (containers.count)
		putchar('\n');
	return result;
}

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

static int prune(struct mvm_engine *engine, const struct mvm_prune_filter *filter, struct mvm_error **err)
{
	uint64_t reclaimed;
	int result = cli_prune_containers(engine, filter, &reclaimed, err);

	cli_print_reclaimed(reclaimed);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_prune_filter filter MVM_CLEAN_PRUNE_FILTER = {0};
	struct mvm_engine *engine;
	int result;

	if (cli_prune_filter(&values->filters, &filter, err) < 0 ||
	    (!values->force && cli_confirm("This will remove all stopped containers.", "container prune", err) < 0) ||
	    mvm_engine_open(&engine, err) < 0)
		return -1;
	result = prune(engine, &filter, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_container_prune = {
	.name = "container prune",
	.usage = "[OPTIONS]",
	.summary = "Remove all stopped containers",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
