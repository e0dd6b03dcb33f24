#include "compose.h"

#include <stddef.h>

struct values {
	const char *index, *output;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"index", 0, CLI_STRING, AT(index), "N", "Index of the container if service has multiple replicas"},
	{"output", 'o', CLI_STRING, AT(output), "FILE", "Write to this file, not to stdout",
	 .complete = cli_complete_files},
	CLI_OPTIONS_END,
};

static int export(struct mvm_engine *engine, const struct mvm_container *container, void *context,
		  struct mvm_error **err)
{
	const struct values *values = context;

	return cli_export_container(engine, container->config.name, values->output, err);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	const struct cli_compose_choice choice = {
		.service = args[0], .index = values->index, .oneoff = MVM_ONEOFF_INCLUDE};

	return cli_compose_with_one(&choice, export, (void *)values, err);
}

const struct cli_command cli_compose_export = {
	.name = "compose export",
	.usage = "[OPTIONS] SERVICE",
	.summary = "Export a service container's filesystem as a tar archive",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.run = run,
};
