#include "compose.h"

#include <jansson.h>
#include <stddef.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/state/port.h"
#include "volume.h"

struct values {
	bool all, no_trunc, orphans, quiet, services;
	const char *filter, *format;
	struct mvm_strv status;
};

#define AT(member) offsetof(struct values, member)
#define STATES	   "created", "exited", "paused", "restarting", "running"

static const struct cli_option options[] = {
	{"all", 'a', CLI_FLAG, AT(all), NULL,
	 "Show all stopped containers (including those created by the run command)"},
	{"filter", 0, CLI_STRING, AT(filter), "FILTER", "Filter services by a property: status=",
	 CLI_WORDS("status=created", "status=exited", "status=paused", "status=restarting", "status=running")},
	{"format", 0, CLI_STRING, AT(format), "FORMAT", CLI_FORMAT_HELP, CLI_WORDS("json", "table")},
	{"no-trunc", 0, CLI_FLAG, AT(no_trunc), NULL, "Don't truncate output"},
	{"orphans", 0, CLI_FLAG, AT(orphans), NULL,
	 "Include orphaned services, not declared by project (default true)"},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Only display IDs"},
	{"services", 0, CLI_FLAG, AT(services), NULL, "Display services"},
	{"status", 0, CLI_LIST, AT(status), "STATUS", "Filter services by status", CLI_WORDS(STATES)},
	CLI_OPTIONS_END,
};

static const struct cli_column columns[] = {
	{"NAME", "Name"},
	{"IMAGE", "Image"},
	{"COMMAND", "Command"},
	{"SERVICE", "Service"},
	{"CREATED", "RunningFor"},
	{"STATUS", "Status"},
	{"PORTS", "Ports"},
	{"CONTAINER ID", "ID", true},
	{"Names", "Names", true},
	{"PROJECT", "Project", true},
	{"CREATED AT", "CreatedAt", true},
	{"STATE", "State", true},
	{"Health", "Health", true},
	{"ExitCode", "ExitCode", true, true},
	{"Publishers", "Publishers", true, true},
	{"LABELS", "Labels", true},
	{"MOUNTS", "Mounts", true},
	{"LOCAL VOLUMES", "LocalVolumes", true},
	{"NETWORKS", "Networks", true},
	{"SIZE", "Size", true},
};

/* Docker compose's words for what is published, and for what is exposed only: no address and port 0. */
static char *publishers_text(const struct mvm_container *container)
{
	json_t *list MVM_CLEAN_JSON = json_array();

	for (size_t i = 0; mvm_fleet_runs(container) && i < container->state.ports.count; i++) {
		struct mvm_port port;

		if (mvm_port_read(container->state.ports.items[i], &port))
			json_array_append_new(list, json_pack("{ss, si, si, ss}", "URL", port.ip, "TargetPort",
							      (int)port.guest, "PublishedPort", (int)port.first,
							      "Protocol", mvm_port_protocol_name(port.protocol)));
	}
	return json_dumps(list, JSON_COMPACT);
}

static const char *health_of(const struct mvm_container *container)
{
	bool told = container->state.status == MVM_STATUS_RUNNING && container->health.status != MVM_HEALTH_NONE;

	return told ? mvm_health_name(container->health.status) : "";
}

static void add_row(struct cli_table *table, struct mvm_engine *engine, const struct mvm_container *container,
		    bool no_trunc)
{
	const struct mvm_container_config *config = &container->config;
	bool ended = container->state.status == MVM_STATUS_EXITED;
	struct mvm_strv *cells = &table->cells;

	mvm_strv_add(cells, config->name);
	mvm_strv_add(cells, config->image);
	mvm_strv_take(cells, cli_command_text(container, no_trunc));
	mvm_strv_add(cells, mvm_fleet_service(container));
	mvm_strv_take(cells, cli_ago(config->created.tv_sec));
	mvm_strv_take(cells, cli_status_text(container));
	mvm_strv_take(cells, cli_ports_text(container));
	mvm_strv_take(cells, mvm_strndup(config->id, no_trunc ? MVM_ID_LENGTH : MVM_SHORT_ID_LENGTH));
	mvm_strv_add(cells, config->name);
	mvm_strv_add(cells, mvm_label_value(&config->labels, MVM_LABEL_PROJECT));
	mvm_strv_take(cells, cli_moment_text(config->created.tv_sec));
	mvm_strv_add(cells, cli_state_text(container));
	mvm_strv_add(cells, health_of(container));
	mvm_strv_addf(cells, "%lld", ended ? (long long)container->state.exit_code : 0);
	mvm_strv_take(cells, publishers_text(container));
	mvm_strv_take(cells, mvm_strv_join(&config->labels, ","));
	mvm_strv_take(cells, cli_mounts_text(container, no_trunc));
	mvm_strv_addf(cells, "%zu", config->volume_names.count);
	mvm_strv_take(cells, cli_networks_text(container));
	mvm_strv_take(cells, cli_container_size_text(engine, container));
}

static bool is_among(const struct mvm_strv *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i], text))
			return true;
	return false;
}

static void print_services(struct mvm_container *const *list, size_t count)
{
	struct mvm_strv services MVM_CLEAN_STRV = {0};
	char *text MVM_CLEAN_FREE = NULL;

	for (size_t i = 0; i < count; i++)
		if (!is_among(&services, mvm_fleet_service(list[i])))
			mvm_strv_add(&services, mvm_fleet_service(list[i]));
	text = services.count ? mvm_strv_join(&services, "\n") : mvm_strdup("");
	puts(text);
}

static int print_table(struct mvm_engine *engine, struct mvm_container *const *list, size_t count,
		       const struct values *values, struct mvm_error **err)
{
	const struct mvm_strv **labels MVM_CLEAN_FREE = mvm_alloc((count + 1) * sizeof(*labels));
	struct cli_table table = {
		.columns = columns, .column_count = MVM_COUNT(columns), .type = "container", .labels = labels};
	int result;

	for (size_t i = 0; i < count; i++) {
		labels[i] = &list[i]->config.labels;
		add_row(&table, engine, list[i], values->no_trunc);
	}
	result = cli_table_print(&table, values->format, err);
	cli_table_finish(&table);
	return result;
}

static int show(struct mvm_engine *engine, const struct mvm_fleet *fleet, const struct values *values,
		const struct mvm_strv *status, struct mvm_error **err)
{
	struct mvm_container **list MVM_CLEAN_FREE = mvm_alloc((fleet->count + 1) * sizeof(*list));
	size_t count = 0;

	for (size_t i = 0; i < fleet->count; i++)
		if (!status->count || is_among(status, cli_state_text(fleet->items[i])))
			list[count++] = fleet->items[i];
	if (!values->quiet && !values->services)
		return print_table(engine, list, count, values, err);
	for (size_t i = 0; values->quiet && i < count; i++)
		puts(list[i]->config.id);
	if (!values->quiet)
		print_services(list, count);
	return 0;
}

static int add_status(const struct values *values, struct mvm_strv *status, struct mvm_error **err)
{
	const char *filter = values->filter;

	for (size_t i = 0; i < values->status.count; i++)
		mvm_strv_add(status, values->status.items[i]);
	if (!filter || !*filter)
		return 0;
	if (!strchr(filter, '='))
		return mvm_fail(err, MVM_ERR_INVALID, "arguments to --filter should be in form KEY=VAL");
	if (strncmp(filter, "status=", strlen("status=")) != 0)
		return mvm_fail(err, MVM_ERR_INVALID, "unknown filter %.*s", (int)strcspn(filter, "="), filter);
	mvm_strv_add(status, filter + strlen("status="));
	return 0;
}

/* Those that are named; where orphans are not wanted, else, those of the files. */
static void choose_services(const struct mvm_compose *compose, char *const *given, bool orphans,
			    struct mvm_strv *services)
{
	if (!*given && compose && !orphans)
		mvm_compose_names(compose, "services", services);
	for (; *given; given++)
		mvm_strv_add(services, *given);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_compose_options load = {.services = args, .no_env_resolution = true};
	struct mvm_compose *compose MVM_CLEAN_COMPOSE = NULL;
	struct mvm_strv status MVM_CLEAN_STRV = {0}, services MVM_CLEAN_STRV = {0};
	struct mvm_fleet_request request = {0};
	struct mvm_fleet fleet MVM_CLEAN_FLEET = {0};
	char *name MVM_CLEAN_FREE = NULL;
	struct mvm_engine *engine;
	int result;

	if (cli_check_format(values->format, err) < 0 || add_status(values, &status, err) < 0 ||
	    cli_compose_project_or_name(&load, &compose, &name, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	choose_services(compose, args, values->orphans, &services);
	request.project = name;
	request.services = services.items;
	request.all = values->all || status.count;
	request.oneoff = request.all ? MVM_ONEOFF_INCLUDE : MVM_ONEOFF_EXCLUDE;
	result = cli_compose_fleet(engine, &request, &fleet, err);
	if (result == 0)
		result = show(engine, &fleet, values, &status, err);
	mvm_engine_close(engine);
	return result;
}

static const struct values defaults = {.orphans = true};

const struct cli_command cli_compose_ps = {
	.name = "compose ps",
	.usage = "[OPTIONS] [SERVICE...]",
	.summary = "List containers",
	.options = options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.defaults = &defaults,
	.run = run,
};
