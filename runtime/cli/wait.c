#include "cli.h"

static const struct cli_option options[] = {CLI_OPTIONS_END};

static int wait_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	int exit_code;

	if (mvm_engine_wait(engine, arg, &exit_code, err) < 0)
		return -1;
	printf("%d\n", exit_code);
	fflush(stdout);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	return cli_for_each(args, wait_one, NULL, err);
}

const struct cli_command cli_wait = {
	.name = "wait",
	.names = {"container wait", "wait"},
	.usage = "CONTAINER [CONTAINER...]",
	.summary = "Wait until containers have stopped, and print their exit codes",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_running,
	.values_size = 1,
	.run = run,
};
