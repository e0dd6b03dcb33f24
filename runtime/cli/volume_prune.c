#include <stddef.h>
#include <string.h>

#include "filter.h"
#include "prune.h"

struct values {
	bool all, force;
	struct mvm_strv filters;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"all", 'a', CLI_FLAG, AT(all), NULL, "Those that have a name, too"},
	{"filter", 0, CLI_LIST, AT(filters), "FILTER", "label=NAME[=VALUE] or label!=NAME[=VALUE]",
	 CLI_WORDS("label=", "label!=")},
	{"force", 'f', CLI_FLAG, AT(force), NULL, "Do not prompt for confirmation"},
	CLI_OPTIONS_END,
};

int cli_prune_volumes(struct mvm_engine *engine, bool all, const struct mvm_prune_filter *filter, uint64_t *reclaimed,
		      struct mvm_error **err)
{
	struct mvm_strv volumes MVM_CLEAN_STRV = {0};
	int result = mvm_engine_prune_volumes(engine, all, filter, &volumes, reclaimed, err);

	if (volumes.count)
		puts("Deleted Volumes:");
	for (size_t i = 0; i < volumes.count; i++)
		puts(volumes.items[i]);
	if (volumes.count)
		putchar('\n');
	return result;
}

static int prune(bool all, const struct mvm_prune_filter *filter, struct mvm_error **err)
{
	struct mvm_engine *engine;
	uint64_t reclaimed = 0;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = cli_prune_volumes(engine, all, filter, &reclaimed, err);
	cli_print_reclaimed(reclaimed);
	mvm_engine_close(engine);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_prune_filter filter MVM_CLEAN_PRUNE_FILTER = {0};
	const char *warning = values->all
				      ? "This will remove all local volumes not used by at least one container."
				      : "This will remove anonymous local volumes not used by at least one container.";

	if (cli_prune_filter(&values->filters, &filter, err) < 0)
		return -1;
	if (filter.until)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid filter 'until': volumes are pruned by label");
	if (!values->force && cli_confirm(warning, "volume prune", err) < 0)
		return -1;
	return prune(values->all, &filter, err);
}

const struct cli_command cli_volume_prune = {
	.name = "volume prune",
	.usage = "[OPTIONS]",
	.summary = "Remove unused volumes",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
