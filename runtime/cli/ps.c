
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "container_filter.h"
#include "image/reference.h"
#include "runtime/base/text.h"
#include "runtime/state/net_endpoint.h"
#include "runtime/state/port.h"
#include "volume.h"

#define COMMAND_WIDTH 20

struct values {
	bool all, latest, quiet, size, no_trunc;
	const char *format, *last;
	struct mvm_strv filters;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"all", 'a', CLI_FLAG, AT(all), NULL, "Show those that do not run too"},
	{"filter", 'f', CLI_LIST, AT(filters), "FILTER",
	 "name=, id=, status=, health=, label=, exited=, ancestor=, before= or since=",
	 CLI_WORDS("ancestor=", "before=", "exited=", "health=healthy", "health=none", "health=starting",
		   "health=unhealthy", "id=", "label=", "name=", "since=", "status=created", "status=exited",
		   "status=paused", "status=restarting", "status=running")},
	{"format", 0, CLI_STRING, AT(format), "FORMAT", CLI_FORMAT_HELP, CLI_WORDS("json", "table")},
	{"last", 'n', CLI_STRING, AT(last), "N", "Show the last N made, whether they run or not"},
	{"latest", 'l', CLI_FLAG, AT(latest), NULL, "Show the last one made"},
	{"no-trunc", 0, CLI_FLAG, AT(no_trunc), NULL, "Show IDs and commands in full"},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Show IDs only"},
	{"size", 's', CLI_FLAG, AT(size), NULL, "Show what each takes of the disk"},
	CLI_OPTIONS_END,
};

static bool shown_running(const struct mvm_container *container)
{
	return mvm_status_alive(container->state.status) && container->state.status != MVM_STATUS_STARTING;
}

static const char *health_text(const struct mvm_health *health)
{
	static const char *const texts[] = {
		[MVM_HEALTH_NONE] = "",
		[MVM_HEALTH_STARTING] = " (health: starting)",
		[MVM_HEALTH_HEALTHY] = " (healthy)",
		[MVM_HEALTH_UNHEALTHY] = " (unhealthy)",
	};

	return texts[health->status];
}

char *cli_status_text(const struct mvm_container *container)
{
	const struct mvm_container_state *state = &container->state;
	int64_t now = time(NULL);
	char *age MVM_CLEAN_FREE = NULL;

	switch (state->status) {
	case MVM_STATUS_CREATED:
	case MVM_STATUS_STARTING:
		return mvm_strdup("Created");
	case MVM_STATUS_RUNNING:
	case MVM_STATUS_PAUSED:
		age = mvm_format_age(now - state->started.tv_sec);
		return mvm_format("Up %s%s", age,
				  state->status == MVM_STATUS_PAUSED ? " (Paused)" : health_text(&container->health));
	case MVM_STATUS_RESTARTING:
	case MVM_STATUS_EXITED:
		break;
	}
	age = mvm_format_age(now - state->finished.tv_sec);
	return mvm_format("%s (%lld) %s ago", state->status == MVM_STATUS_EXITED ? "Exited" : "Restarting",
			  (long long)state->exit_code, age);
}

const char *cli_state_text(const struct mvm_container *container)
{
	return container->state.status == MVM_STATUS_STARTING ? "created" : mvm_status_name(container->state.status);
}

/* The bytes of the first `count` characters, or of all there are. */
static size_t characters(const char *text, size_t count)
{
	size_t at = 0;

	while (text[at] && count--)
		do
			at++;
		while (((unsigned char)text[at] & 0xc0) == 0x80);
	return at;
}

char *cli_command_text(const struct mvm_container *container, bool no_trunc)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};

	for (size_t i = 0; i < container->config.args.count; i++)
		mvm_buf_addf(&text, "%s%s", i ? " " : "", container->config.args.items[i]);
	/* A command may hold anything; the table is one line a container. */
	for (size_t i = 0; i < text.length; i++)
		if ((unsigned char)text.data[i] < ' ')
			text.data[i] = ' ';
	if (!no_trunc && text.length && text.data[characters(text.data, COMMAND_WIDTH)])
		return mvm_format("\"%.*s…\"", (int)characters(text.data, COMMAND_WIDTH - 1), text.data);
	return mvm_format("\"%s\"", text.data ? text.data : "");
}

static char *id_text(const struct mvm_container *container, bool no_trunc)
{
	return no_trunc ? mvm_strdup(container->config.id) : mvm_strndup(container->config.id, MVM_SHORT_ID_LENGTH);
}

/* Docker's: what is its own, and that with its image. */
char *cli_container_size_text(struct mvm_engine *engine, const struct mvm_container *container)
{
	uint64_t own = mvm_engine_container_size(container);
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	char *own_text MVM_CLEAN_FREE = mvm_format_size(own), *all MVM_CLEAN_FREE = NULL;
	struct mvm_store *store;

	if (mvm_engine_store(engine, &store, NULL) == 0 &&
	    mvm_store_find(store, container->config.image_id, &image, NULL) == 0)
		own += mvm_engine_image_size(engine, image);
	all = mvm_format_size(own);
	return mvm_format("%s (virtual %s)", own_text, all);
}

char *cli_networks_text(const struct mvm_container *container)
{
	struct mvm_strv names MVM_CLEAN_STRV = {0};

	for (size_t i = 0; i < container->config.networks.count; i++) {
		struct mvm_net_endpoint place MVM_CLEAN_NET_ENDPOINT = {0};

		if (mvm_net_endpoint_parse(container->config.networks.items[i], &place, NULL) == 0)
			mvm_strv_add(&names, place.network);
	}
	return names.count ? mvm_strv_join(&names, ",") : mvm_strdup("none");
}

/* Docker's: of one that does not run there is nothing to say, and what is not on a network exposes nothing. */
char *cli_ports_text(const struct mvm_container *container)
{
	if (!shown_running(container) || !container->config.networks.count)
		return mvm_strdup("");
	return mvm_port_display(&container->state.ports, &container->config.exposed_ports);
}

static void add_row(struct cli_table *table, struct mvm_engine *engine, const struct mvm_container *container,
		    const struct values *values)
{
	mvm_strv_take(&table->cells, id_text(container, values->no_trunc));
	mvm_strv_add(&table->cells, container->config.image);
	mvm_strv_take(&table->cells, cli_command_text(container, values->no_trunc));
	mvm_strv_take(&table->cells, cli_ago(container->config.created.tv_sec));
	mvm_strv_take(&table->cells, cli_status_text(container));
	mvm_strv_take(&table->cells, cli_ports_text(container));
	mvm_strv_add(&table->cells, container->config.name);
	mvm_strv_take(&table->cells, values->size ? cli_container_size_text(engine, container)
						  : mvm_format_size(mvm_engine_container_size(container)));
	mvm_strv_add(&table->cells, cli_state_text(container));
	mvm_strv_take(&table->cells, cli_moment_text(container->config.created.tv_sec));
	mvm_strv_take(&table->cells, mvm_strv_join(&container->config.labels, ","));
	mvm_strv_take(&table->cells, cli_mounts_text(container, values->no_trunc));
	mvm_strv_addf(&table->cells, "%zu", container->config.volume_names.count);
	mvm_strv_take(&table->cells, cli_networks_text(container));
}

static int print_containers(struct mvm_engine *engine, struct mvm_container **list, size_t count,
			    const struct values *values, struct mvm_error **err)
{
	const struct cli_column columns[] = {
		{"CONTAINER ID", "ID"},
		{"IMAGE", "Image"},
		{"COMMAND", "Command"},
		{"CREATED", "RunningFor"},
		{"STATUS", "Status"},
		{"PORTS", "Ports"},
		{"NAMES", "Names"},
		{"SIZE", "Size", !values->size},
		{"STATE", "State", true},
		{"CREATED AT", "CreatedAt", true},
		{"LABELS", "Labels", true},
		{"MOUNTS", "Mounts", true},
		{"LOCAL VOLUMES", "LocalVolumes", true},
		{"NETWORKS", "Networks", true},
	};
	const struct mvm_strv **labels MVM_CLEAN_FREE = mvm_alloc((count + 1) * sizeof(*labels));
	struct cli_table table = {
		.columns = columns, .column_count = MVM_COUNT(columns), .type = "container", .labels = labels};
	int result = 0;

	for (size_t i = 0; i < count; i++) {
		if (values->quiet) {
			char *id MVM_CLEAN_FREE = id_text(list[i], values->no_trunc);

			puts(id);
		} else {
			add_row(&table, engine, list[i], values);
			labels[i] = &list[i]->config.labels;
		}
	}
	if (!values->quiet)
		result = cli_table_print(&table, values->format, err);
	cli_table_finish(&table);
	return result;
}

/* Puts those to be shown at the front; returns how many they are. */
static size_t choose(struct mvm_container **list, size_t count, const struct cli_container_filter *filter, bool all,
		     size_t limit)
{
	size_t chosen = 0;

	for (size_t i = 0; i < count && (!limit || chosen < limit); i++) {
		struct mvm_container *container = list[i];

		if (container->config.login.user ||
		    (!all && !limit && !filter->any_status && !shown_running(container)) ||
		    !cli_container_filter_takes(filter, container))
			continue;
		/* Those left out only need to be kept for being freed. */
		list[i] = list[chosen];
		list[chosen++] = container;
	}
	return chosen;
}

static int show(struct mvm_engine *engine, const struct values *values, size_t limit, struct mvm_error **err)
{
	struct cli_container_filter filter MVM_CLEAN_CONTAINER_FILTER = {0};
	struct mvm_strv damaged MVM_CLEAN_STRV = {0};
	struct mvm_container **list;
	size_t count;
	int result;

	if (mvm_state_list_readable(mvm_engine_state(engine), &list, &count, &damaged, err) < 0)
		return -1;
	for (size_t i = 0; i < damaged.count; i++)
		fprintf(stderr, "mvm: %s\n", damaged.items[i]);
	result = cli_container_filter_init(&filter, engine, &values->filters, err);
	if (result == 0)
		result = print_containers(engine, list, choose(list, count, &filter, values->all, limit), values, err);
	mvm_container_list_free(list, count);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_engine *engine;
	int64_t last = -1;
	int result;

	if (values->last && !mvm_parse_int(values->last, INT32_MIN, INT32_MAX, &last))
		return mvm_fail(err, MVM_ERR_USAGE, "invalid argument \"%s\" for --last: a number", values->last);
	if (values->latest)
		last = 1;
	if (cli_check_format(values->format, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = show(engine, values, last > 0 ? (size_t)last : 0, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_ps = {
	.name = "ps",
	.names = {"container ls", "container list", "container ps", "ps"},
	.common = true,
	.usage = "[OPTIONS]",
	.summary = "List containers",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
