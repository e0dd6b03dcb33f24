/* What is done to machines that is done to containers, too: without a name to the default one, and to no container. */
#include "inspect.h"

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/json.h"
#include "runtime/state/update.h"

struct values {
	bool force;
	const char *format, *cpus, *memory;
};

static const struct cli_option no_options[] = {
	CLI_OPTIONS_END,
};

static const struct cli_option rm_options[] = {
	{"force", 'f', CLI_FLAG, offsetof(struct values, force), NULL, "End those that run"},
	CLI_OPTIONS_END,
};

static const struct cli_option inspect_options[] = {
	{"format", 'f', CLI_STRING, offsetof(struct values, format), "FORMAT", CLI_DOCUMENT_FORMAT_HELP},
	CLI_OPTIONS_END,
};

static const struct cli_option set_options[] = {
	{"cpus", 0, CLI_STRING, offsetof(struct values, cpus), "N", "Processors"},
	{"memory", 'm', CLI_STRING, offsetof(struct values, memory), "SIZE", "Memory it can use"},
	CLI_OPTIONS_END,
};

struct order {
	cli_machine_fn action;
	void *context;
};

static int act(struct mvm_engine *engine, const char *name, void *context, struct mvm_error **err)
{
	struct mvm_container *machine MVM_CLEAN_CONTAINER = NULL;
	const struct order *order = context;

	if (mvm_engine_find_machine(engine, name, &machine, err) < 0)
		return -1;
	return order->action(engine, machine, order->context, err);
}

static int for_each(char **args, cli_machine_fn action, void *context, struct mvm_error **err)
{
	struct order order = {action, context};
	struct mvm_engine *engine;
	int result;

	if (*args)
		return cli_for_each(args, act, &order, err);
	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = act(engine, NULL, &order, err);
	mvm_engine_close(engine);
	return result;
}

static int say(const struct mvm_container *machine, int result)
{
	if (result == 0)
		puts(machine->config.name);
	return result;
}

static int start_one(struct mvm_engine *engine, const struct mvm_container *machine, void *context,
		     struct mvm_error **err)
{
	return say(machine, mvm_engine_ready_machine(engine, machine, cli_print_event, err));
}

static int stop_one(struct mvm_engine *engine, const struct mvm_container *machine, void *context,
		    struct mvm_error **err)
{
	return say(machine, mvm_engine_stop(engine, machine->config.id, 0, MVM_STOP_DEFAULT, err));
}

static int remove_one(struct mvm_engine *engine, const struct mvm_container *machine, void *context,
		      struct mvm_error **err)
{
	const struct values *values = context;

	return say(machine, mvm_engine_remove(engine, machine->config.id, values->force, true, err));
}

static int describe_one(struct mvm_engine *engine, const struct mvm_container *machine, void *context,
			struct mvm_error **err)
{
	json_array_append_new(context, cli_describe_container(engine, machine, false));
	return 0;
}

static int choose_one(struct mvm_engine *engine, const struct mvm_container *machine, void *context,
		      struct mvm_error **err)
{
	return say(machine, mvm_engine_set_default_machine(engine, machine->config.name, err));
}

static int show_one(struct mvm_engine *engine, const struct mvm_container *machine, void *context,
		    struct mvm_error **err)
{
	return say(machine, 0);
}

static int set_one(struct mvm_engine *engine, const struct mvm_container *machine, void *context,
		   struct mvm_error **err)
{
	return say(machine, mvm_engine_update(engine, machine->config.id, context, err));
}

static int run_start(const void *given, char **args, struct mvm_error **err)
{
	return for_each(args, start_one, NULL, err);
}

static int run_stop(const void *given, char **args, struct mvm_error **err)
{
	return for_each(args, stop_one, NULL, err);
}

static int run_rm(const void *given, char **args, struct mvm_error **err)
{
	struct values values = *(const struct values *)given;

	return for_each(args, remove_one, &values, err);
}

static int run_set(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_container_update update = {0};

	if (!values->cpus && !values->memory)
		return mvm_fail(err, MVM_ERR_USAGE, "nothing to set; give --cpus, --memory or both");
	if (cli_parse_cpus(values->cpus, &update.nano_cpus, err) < 0 ||
	    cli_parse_bytes("memory", values->memory, &update.memory, err) < 0)
		return -1;
	return for_each(args, set_one, &update, err);
}

static int run_default(const void *given, char **args, struct mvm_error **err)
{
	return for_each(args, *args ? choose_one : show_one, NULL, err);
}

/* Those that there are, also where one is not. */
static int run_inspect(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	json_t *documents MVM_CLEAN_JSON = json_array();
	struct mvm_error *local = NULL;
	int result;

	if (cli_check_document_format(values->format, err) < 0)
		return -1;
	result = for_each(args, describe_one, documents, err);
	if (cli_print_documents(documents, values->format, &local) < 0)
		result = cli_note_failure(local, err);
	return result;
}

const struct cli_command cli_machine_start = {
	.name = "machine start",
	.names = {"machine start"},
	.usage = "[MACHINE...]",
	.summary = "Start machines",
	.options = no_options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_machines,
	.values_size = 1,
	.run = run_start,
};

const struct cli_command cli_machine_stop = {
	.name = "machine stop",
	.names = {"machine stop"},
	.usage = "[MACHINE...]",
	.summary = "Shut machines down",
	.options = no_options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_machines,
	.values_size = 1,
	.run = run_stop,
};

const struct cli_command cli_machine_set = {
	.name = "machine set",
	.names = {"machine set"},
	.usage = "[OPTIONS] [MACHINE...]",
	.summary = "Give machines more or less of the host",
	.options = set_options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_machines,
	.values_size = sizeof(struct values),
	.run = run_set,
};

const struct cli_command cli_machine_rm = {
	.name = "machine rm",
	.names = {"machine rm", "machine remove"},
	.usage = "[OPTIONS] MACHINE [MACHINE...]",
	.summary = "Remove machines with all that is on their disks; your home folder is not there",
	.options = rm_options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_machines,
	.values_size = sizeof(struct values),
	.run = run_rm,
};

const struct cli_command cli_machine_inspect = {
	.name = "machine inspect",
	.names = {"machine inspect"},
	.usage = "[OPTIONS] [MACHINE...]",
	.summary = "Show all that is known of machines",
	.options = inspect_options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_machines,
	.values_size = sizeof(struct values),
	.run = run_inspect,
};

const struct cli_command cli_machine_default = {
	.name = "machine default",
	.names = {"machine default"},
	.usage = "[MACHINE]",
	.summary = "Choose the machine that is meant where none is named, or show which it is",
	.options = no_options,
	.max_args = 1,
	.complete = cli_complete_machine,
	.values_size = 1,
	.run = run_default,
};
