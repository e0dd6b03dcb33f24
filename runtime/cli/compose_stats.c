#include "compose.h"

#include <stddef.h>
#include <string.h>

#define AT(member) offsetof(struct cli_stats_wishes, member)

static const struct cli_option options[] = {
	{"all", 'a', CLI_FLAG, AT(all), NULL, "Show all containers (default shows just running)"},
	{"format", 0, CLI_STRING, AT(format), "FORMAT", CLI_FORMAT_HELP, CLI_WORDS("json", "table")},
	{"no-stream", 0, CLI_FLAG, AT(once), NULL, "Disable streaming stats and only pull the first result"},
	{"no-trunc", 0, CLI_FLAG, AT(no_trunc), NULL, "Do not truncate output"},
	CLI_OPTIONS_END,
};

struct meant {
	const char *project, *service; /* service NULL: any */
};

static bool takes(void *arg, const struct mvm_container *container)
{
	const char *project = mvm_label_value(&container->config.labels, MVM_LABEL_PROJECT);
	const struct meant *meant = arg;

	return project && !strcmp(project, meant->project) &&
	       (!meant->service || !strcmp(mvm_fleet_service(container), meant->service));
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct cli_stats_wishes wanted = *(const struct cli_stats_wishes *)given;
	struct meant meant = {.service = args[0]};
	char *name MVM_CLEAN_FREE = NULL, *none[] = {NULL};

	if (cli_check_format(wanted.format, err) < 0 || cli_compose_name(&name, err) < 0)
		return -1;
	meant.project = name;
	wanted.names = none;
	wanted.takes = takes;
	wanted.arg = &meant;
	return cli_show_stats(&wanted, err);
}

const struct cli_command cli_compose_stats = {
	.name = "compose stats",
	.usage = "[OPTIONS] [SERVICE]",
	.summary = "Display a live stream of container(s) resource usage statistics",
	.options = options,
	.max_args = 1,
	.complete = cli_complete_services,
	.values_size = sizeof(struct cli_stats_wishes),
	.run = run,
};
