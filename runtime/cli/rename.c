#include "cli.h"

static const struct cli_option options[] = {CLI_OPTIONS_END};

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct mvm_engine *engine;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = mvm_engine_rename(engine, args[0], args[1], err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_rename = {
	.name = "rename",
	.names = {"container rename", "rename"},
	.usage = "CONTAINER NEW_NAME",
	.summary = "Rename a container",
	.options = options,
	.min_args = 2,
	.max_args = 2,
	.complete = cli_complete_container,
	.values_size = 1,
	.run = run,
};
