#include <stddef.h>

#include "filter.h"
#include "prune.h"

struct values {
	bool all, force, volumes;
	struct mvm_strv filters;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"all", 'a', CLI_FLAG, AT(all), NULL, "Remove all unused images, not just dangling ones"},
	{"filter", 0, CLI_LIST, AT(filters), "FILTER", "until=TIME, label=NAME[=VALUE] or label!=NAME[=VALUE]",
	 CLI_PRUNE_FILTERS},
	{"force", 'f', CLI_FLAG, AT(force), NULL, "Do not prompt for confirmation"},
	{"volumes", 0, CLI_FLAG, AT(volumes), NULL, "Remove unused anonymous volumes, too"},
	CLI_OPTIONS_END,
};

static int confirm(const struct values *values, struct mvm_error **err)
{
	struct mvm_buf warning MVM_CLEAN_BUF = {0};

	mvm_buf_addf(&warning,
		     "This will remove:\n  - all stopped containers\n"
		     "  - all networks not used by at least one container\n%s  - all %s\n"
		     "  - what interrupted pulls have left\n",
		     values->volumes ? "  - all anonymous volumes not used by at least one container\n" : "",
		     values->all ? "images without at least one container associated to them" : "dangling images");
	if (values->filters.count)
		mvm_buf_addf(&warning, "\n  Items to be pruned will be filtered with:\n");
	for (size_t i = 0; i < values->filters.count; i++)
		mvm_buf_addf(&warning, "  - %s\n", values->filters.items[i]);
	return cli_confirm(warning.data, "system prune", err);
}

static int prune(struct mvm_engine *engine, const struct values *values, const struct mvm_prune_filter *filter,
		 struct mvm_error **err)
{
	uint64_t of_containers, of_images = 0, of_volumes = 0;
	int result = cli_prune_containers(engine, filter, &of_containers, err);

	if (result == 0)
		result = cli_prune_networks(engine, filter, err);
	if (result == 0)
		result = cli_prune_images(engine, values->all, filter, &of_images, err);
	if (result == 0 && values->volumes)
		result = cli_prune_volumes(engine, false, filter, &of_volumes, err);
	cli_print_reclaimed(of_containers + of_images + of_volumes);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_prune_filter filter MVM_CLEAN_PRUNE_FILTER = {0};
	struct mvm_engine *engine;
	int result;

	if (cli_prune_filter(&values->filters, &filter, err) < 0)
		return -1;
	if (values->volumes && filter.until)
		return mvm_fail(err, MVM_ERR_USAGE, "The \"until\" filter is not supported with \"--volumes\"");
	if ((!values->force && confirm(values, err) < 0) || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = prune(engine, values, &filter, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_system_prune = {
	.name = "system prune",
	.usage = "[OPTIONS]",
	.summary = "Remove unused data",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
