#include "compose.h"

#include <stddef.h>
#include <string.h>

#include "volume.h"

struct values {
	bool quiet;
	const char *format;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"format", 0, CLI_STRING, AT(format), "FORMAT", CLI_FORMAT_HELP, CLI_WORDS("json", "table")},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Only display volume names"},
	CLI_OPTIONS_END,
};

static bool is_mounted(const struct mvm_fleet *fleet, const char *volume)
{
	for (size_t i = 0; i < fleet->count; i++) {
		const struct mvm_strv *names = &fleet->items[i]->config.volume_names;

		for (size_t j = 0; j < names->count; j++)
			if (!strcmp(names->items[j], volume))
				return true;
	}
	return false;
}

/* Of named services only those that their containers mount. */
static int show(struct mvm_engine *engine, const struct mvm_fleet_request *request, const struct values *values,
		struct mvm_error **err)
{
	struct mvm_fleet fleet MVM_CLEAN_FLEET = {0};
	struct mvm_volume **volumes, **meant MVM_CLEAN_FREE = NULL;
	size_t count, meant_count = 0;
	int result;

	if (cli_compose_fleet(engine, request, &fleet, err) < 0 ||
	    mvm_fleet_volumes(mvm_engine_state(engine), request->project, &volumes, &count, err) < 0)
		return -1;
	meant = mvm_alloc((count + 1) * sizeof(*meant));
	for (size_t i = 0; i < count; i++)
		if (!*request->services || is_mounted(&fleet, volumes[i]->name))
			meant[meant_count++] = volumes[i];
	result = cli_print_volumes(engine, meant, meant_count, values->quiet, values->format, err);
	mvm_volume_list_free(volumes, count);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_compose_options load = {.services = args, .no_env_resolution = true};
	struct mvm_fleet_request request = {.services = args, .oneoff = MVM_ONEOFF_INCLUDE};
	struct mvm_compose *compose MVM_CLEAN_COMPOSE = NULL;
	char *name MVM_CLEAN_FREE = NULL;
	struct mvm_engine *engine;
	int result;

	if (cli_check_format(values->format, err) < 0 || cli_compose_project_or_name(&load, &compose, &name, err) < 0 ||
	    mvm_engine_open(&engine, err) < 0)
		return -1;
	request.project = name;
	result = show(engine, &request, values, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_compose_volumes = {
	.name = "compose volumes",
	.usage = "[OPTIONS] [SERVICE...]",
	.summary = "List volumes",
	.options = options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.run = run,
};
