#include "compose.h"

#include <signal.h>
#include <stddef.h>

#include "log_mux.h"
#include "runtime/compose/fleet.h"

struct values {
	bool follow, no_color, no_prefix, timestamps;
	const char *index, *since, *tail, *until;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"follow", 'f', CLI_FLAG, AT(follow), NULL, "Follow log output"},
	{"index", 0, CLI_STRING, AT(index), "N", "Index of the container if service has multiple replicas"},
	{"no-color", 0, CLI_FLAG, AT(no_color), NULL, "Produce monochrome output"},
	{"no-log-prefix", 0, CLI_FLAG, AT(no_prefix), NULL, "Don't print prefix in logs"},
	{"since", 0, CLI_STRING, AT(since), "TIME", "From then on: 2026-11-21T06:00:00Z, or 42m for 42 minutes ago"},
	{"tail", 'n', CLI_STRING, AT(tail), "N",
	 "Number of lines to show from the end of the logs for each container (default all)"},
	{"timestamps", 't', CLI_FLAG, AT(timestamps), NULL, "Show timestamps"},
	{"until", 0, CLI_STRING, AT(until), "TIME", "Up to then, as --since"},
	CLI_OPTIONS_END,
};

/* What is named; else, where there is a file, its services that are attached to. */
static void choose_services(const struct mvm_compose *compose, char *const *given, struct mvm_strv *services)
{
	if (!*given && compose)
		mvm_compose_attached(compose, services);
	for (; *given; given++)
		mvm_strv_add(services, *given);
}

static int add_one(struct cli_log_mux *mux, struct mvm_engine *engine, const struct mvm_fleet_request *request,
		   int64_t index, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;

	if (mvm_fleet_pick(mvm_engine_state(engine), request, index, &container, err) < 0)
		return -1;
	return cli_log_mux_add(mux, container, err);
}

static int add_all(struct cli_log_mux *mux, struct mvm_engine *engine, const struct mvm_fleet_request *request,
		   struct mvm_error **err)
{
	struct mvm_fleet fleet MVM_CLEAN_FLEET = {0};

	if (cli_compose_fleet(engine, request, &fleet, err) < 0)
		return -1;
	for (size_t i = 0; i < fleet.count; i++)
		if (cli_log_mux_add(mux, fleet.items[i], err) < 0)
			return -1;
	return 0;
}

static int show(const struct mvm_fleet_request *request, const struct cli_log_mux_options *wanted, int64_t index,
		struct mvm_error **err)
{
	struct cli_log_mux *mux = NULL;
	struct mvm_engine *engine;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = cli_log_mux_create(engine, wanted, &mux, err);
	if (result == 0)
		result = index > 0 ? add_one(mux, engine, request, index, err) : add_all(mux, engine, request, err);
	if (result == 0)
		result = cli_log_mux_run(mux, err);
	cli_log_mux_destroy(mux);
	mvm_engine_close(engine);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_compose_options load = {.services = args, .no_env_resolution = true};
	struct mvm_compose *compose MVM_CLEAN_COMPOSE = NULL;
	struct mvm_strv services MVM_CLEAN_STRV = {0};
	struct mvm_fleet_request request = {.all = true};
	struct cli_log_mux_options wanted = {
		.prefix = !values->no_prefix, .timestamps = values->timestamps, .follow = values->follow};
	char *name MVM_CLEAN_FREE = NULL;
	struct cli_log_limits limits;
	int64_t index;

	/* Without a reader there is nothing left to do, and following would not notice. */
	signal(SIGPIPE, SIG_DFL);
	if (cli_compose_index(values->index, &index, err) < 0)
		return -1;
	if (index > 0 && (!args[0] || args[1]))
		return mvm_fail(err, MVM_ERR_INVALID, "--index requires one service to be selected");
	if (cli_read_log_limits(values->tail, values->since, values->until, &limits, &wanted.request, err) < 0 ||
	    cli_compose_colors(&wanted.color, err) < 0 || cli_compose_project_or_name(&load, &compose, &name, err) < 0)
		return -1;
	choose_services(compose, args, &services);
	wanted.color = wanted.color && !values->no_color;
	wanted.project = request.project = name;
	wanted.services = request.services = services.items;
	return show(&request, &wanted, index, err);
}

const struct cli_command cli_compose_logs = {
	.name = "compose logs",
	.usage = "[OPTIONS] [SERVICE...]",
	.summary = "View output from containers",
	.options = options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.run = run,
};
