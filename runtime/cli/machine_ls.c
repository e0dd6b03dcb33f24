#include "cli.h"

#include <stddef.h>
#include <string.h>

#include "runtime/base/text.h"

struct values {
	bool quiet;
	const char *format;
};

static const struct cli_option options[] = {
	{"format", 0, CLI_STRING, offsetof(struct values, format), "FORMAT", CLI_FORMAT_HELP,
	 CLI_WORDS("json", "table")},
	{"quiet", 'q', CLI_FLAG, offsetof(struct values, quiet), NULL, "Show names only"},
	CLI_OPTIONS_END,
};

static const char *status_word(enum mvm_status status)
{
	switch (status) {
	case MVM_STATUS_CREATED:
	case MVM_STATUS_EXITED:
		return "Stopped";
	case MVM_STATUS_PAUSED:
		return "Paused";
	default:
		return "Running";
	}
}

static void add_row(struct cli_table *table, const struct mvm_container *machine, bool chosen)
{
	const struct mvm_container_config *config = &machine->config;

	mvm_strv_add(&table->cells, config->name);
	mvm_strv_add(&table->cells, chosen ? "*" : "");
	mvm_strv_add(&table->cells, status_word(machine->state.status));
	mvm_strv_add(&table->cells, config->image);
	mvm_strv_addf(&table->cells, "%lld", (long long)config->cpus);
	mvm_strv_take(&table->cells, mvm_format_size(config->memory));
	mvm_strv_take(&table->cells, mvm_format_size(mvm_engine_container_size(machine)));
	mvm_strv_take(&table->cells, cli_ago(config->created.tv_sec));
	mvm_strv_add(&table->cells, config->login.user);
	mvm_strv_addf(&table->cells, "%.12s", config->id);
	mvm_strv_add(&table->cells, mvm_status_name(machine->state.status));
}

static int list(struct mvm_engine *engine, const struct values *values, struct mvm_error **err)
{
	static const struct cli_column columns[] = {
		{"NAME", "Name"},	  {"DEFAULT", "Default"},
		{"STATUS", "Status"},	  {"IMAGE", "Image"},
		{"CPUS", "CPUs"},	  {"MEMORY", "Memory"},
		{"DISK", "Disk"},	  {"CREATED", "CreatedSince"},
		{"USER", "User", true},	  {"MACHINE ID", "ID", true},
		{"STATE", "State", true},
	};
	struct cli_table table = {.columns = columns, .column_count = MVM_COUNT(columns), .type = "machine"};
	struct mvm_container *chosen MVM_CLEAN_CONTAINER = NULL;
	struct mvm_container **machines;
	size_t count;
	int result = 0;

	if (mvm_engine_list_machines(engine, &machines, &count, err) < 0)
		return -1;
	if (mvm_engine_find_machine(engine, NULL, &chosen, NULL) < 0)
		chosen = NULL;
	for (size_t i = 0; i < count; i++) {
		if (values->quiet)
			puts(machines[i]->config.name);
		else
			add_row(&table, machines[i], chosen && !strcmp(chosen->config.id, machines[i]->config.id));
	}
	if (!values->quiet)
		result = cli_table_print(&table, values->format, err);
	cli_table_finish(&table);
	mvm_container_list_free(machines, count);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_engine *engine;
	int result;

	if (cli_check_format(values->format, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = list(engine, values, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_machine_ls = {
	.name = "machine ls",
	.names = {"machine ls", "machine list"},
	.usage = "[OPTIONS]",
	.summary = "List machines",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
