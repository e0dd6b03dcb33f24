#include "compose_change.h"

#include <stddef.h>
#include <string.h>

struct values {
	bool volumes, remove_orphans;
	const char *images, *timeout;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"remove-orphans", 0, CLI_FLAG, AT(remove_orphans), NULL,
	 "Remove containers for services not defined in the Compose file"},
	{"rmi", 0, CLI_STRING, AT(images), "WHICH",
	 "Remove images used by services: local (without a name of their own) or all", CLI_WORDS("all", "local")},
	{"timeout", 't', CLI_STRING, AT(timeout), "SECONDS", "Patience with containers that are to stop"},
	{"volumes", 'v', CLI_FLAG, AT(volumes), NULL,
	 "Remove named volumes of the project and anonymous volumes attached to containers"},
	CLI_OPTIONS_END,
};

static int go(const struct mvm_compose_project *project, const void *context, struct mvm_error **err)
{
	return mvm_compose_down(project, context, err);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_compose_down down = {
		.volumes = values->volumes, .remove_orphans = values->remove_orphans, .images = values->images};
	struct mvm_compose_options load = {.no_env_resolution = true};

	if (values->images && strcmp(values->images, "all") != 0 && strcmp(values->images, "local") != 0)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid value for --rmi: \"%s\"", values->images);
	if (cli_parse_timeout(values->timeout, &down.timeout, err) < 0)
		return -1;
	return cli_compose_change(&load, false, args, go, &down, err);
}

const struct cli_command cli_compose_down = {
	.name = "compose down",
	.usage = "[OPTIONS] [SERVICE...]",
	.summary = "Stop and remove containers, networks",
	.options = options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.run = run,
	.status = cli_compose_status,
};
