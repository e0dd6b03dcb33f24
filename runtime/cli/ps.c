#include "cli.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#include "image/reference.h"
#include "runtime/base/text.h"

#define COMMAND_WIDTH 20

struct values {
	bool all, quiet, no_trunc;
	const char *format;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"all", 'a', CLI_FLAG, AT(all), NULL, "Show those that do not run too"},
	{"format", 0, CLI_STRING, AT(format), "FORMAT", CLI_FORMAT_HELP},
	{"no-trunc", 0, CLI_FLAG, AT(no_trunc), NULL, "Show IDs and commands in full"},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Show IDs only"},
	CLI_OPTIONS_END,
};

static bool shown_running(const struct mvm_container *container)
{
	return container->state.status == MVM_STATUS_RUNNING || container->state.status == MVM_STATUS_PAUSED;
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
		return mvm_format("Up %s%s", age, state->status == MVM_STATUS_PAUSED ? " (Paused)" : "");
	case MVM_STATUS_EXITED:
		break;
	}
	age = mvm_format_age(now - state->finished.tv_sec);
	return mvm_format("Exited (%lld) %s ago", (long long)state->exit_code, age);
}

static const char *state_text(const struct mvm_container *container)
{
	return container->state.status == MVM_STATUS_STARTING ? "created" : mvm_status_name(container->state.status);
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
	if (!no_trunc && text.length > COMMAND_WIDTH)
		return mvm_format("\"%.*s…\"", COMMAND_WIDTH - 1, text.data);
	return mvm_format("\"%s\"", text.data ? text.data : "");
}

static char *join(const struct mvm_strv *values)
{
	struct mvm_buf text = {0};

	for (size_t i = 0; i < values->count; i++)
		mvm_buf_addf(&text, "%s%s", i ? "," : "", values->items[i]);
	return mvm_buf_steal(&text);
}

static char *id_text(const struct mvm_container *container, bool no_trunc)
{
	return no_trunc ? mvm_strdup(container->config.id) : mvm_strndup(container->config.id, MVM_SHORT_ID_LENGTH);
}

static void add_row(struct cli_table *table, const struct mvm_container *container, bool no_trunc)
{
	mvm_strv_take(&table->cells, id_text(container, no_trunc));
	mvm_strv_add(&table->cells, container->config.image);
	mvm_strv_take(&table->cells, cli_command_text(container, no_trunc));
	mvm_strv_take(&table->cells, cli_ago(container->config.created.tv_sec));
	mvm_strv_take(&table->cells, cli_status_text(container));
	mvm_strv_add(&table->cells, "");
	mvm_strv_add(&table->cells, container->config.name);
	mvm_strv_add(&table->cells, state_text(container));
	mvm_strv_take(&table->cells, cli_moment_text(container->config.created.tv_sec));
	mvm_strv_take(&table->cells, join(&container->config.labels));
	mvm_strv_add(&table->cells, "");
	mvm_strv_add(&table->cells, "0");
	mvm_strv_add(&table->cells, "");
	mvm_strv_take(&table->cells, mvm_format_size(mvm_engine_container_size(container)));
}

static int print_containers(struct mvm_container **list, size_t count, const struct values *values,
			    struct mvm_error **err)
{
	static const struct cli_column columns[] = {
		{"CONTAINER ID", "ID"},
		{"IMAGE", "Image"},
		{"COMMAND", "Command"},
		{"CREATED", "RunningFor"},
		{"STATUS", "Status"},
		{"PORTS", "Ports"},
		{"NAMES", "Names"},
		{"STATE", "State", true},
		{"CREATED AT", "CreatedAt", true},
		{"LABELS", "Labels", true},
		{"MOUNTS", "Mounts", true},
		{"LOCAL VOLUMES", "LocalVolumes", true},
		{"NETWORKS", "Networks", true},
		{"SIZE", "Size", true},
	};
	const struct mvm_strv **labels MVM_CLEAN_FREE = mvm_alloc((count + 1) * sizeof(*labels));
	struct cli_table table = {
		.columns = columns, .column_count = MVM_COUNT(columns), .type = "container", .labels = labels};
	size_t rows = 0;
	int result = 0;

	for (size_t i = 0; i < count; i++) {
		if (!values->all && !shown_running(list[i]))
			continue;
		if (values->quiet) {
			char *id MVM_CLEAN_FREE = id_text(list[i], values->no_trunc);

			puts(id);
		} else {
			add_row(&table, list[i], values->no_trunc);
			labels[rows++] = &list[i]->config.labels;
		}
	}
	if (!values->quiet)
		result = cli_table_print(&table, values->format, err);
	cli_table_finish(&table);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_container **list;
	struct mvm_engine *engine;
	size_t count;
	int result;

	if (cli_check_format(values->format, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = mvm_state_list(mvm_engine_state(engine), &list, &count, err);
	if (result == 0) {
		result = print_containers(list, count, values, err);
		mvm_container_list_free(list, count);
	}
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
