/* `pause` and `unpause`. */
#include "cli.h"

static const struct cli_option options[] = {CLI_OPTIONS_END};

static int pause_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	if (mvm_engine_pause(engine, arg, err) < 0)
		return -1;
	puts(arg);
	return 0;
}

static int unpause_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	if (mvm_engine_unpause(engine, arg, err) < 0)
		return -1;
	puts(arg);
	return 0;
}

static int run_pause(const void *given, char **args, struct mvm_error **err)
{
	return cli_at_once(args, pause_one, NULL, err);
}

static int run_unpause(const void *given, char **args, struct mvm_error **err)
{
	return cli_at_once(args, unpause_one, NULL, err);
}

const struct cli_command cli_pause = {
	.name = "pause",
	.names = {"container pause", "pause"},
	.usage = "CONTAINER [CONTAINER...]",
	.summary = "Let containers stand still, machine and all",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_unpaused,
	.values_size = 1,
	.run = run_pause,
};

const struct cli_command cli_unpause = {
	.name = "unpause",
	.names = {"container unpause", "unpause"},
	.usage = "CONTAINER [CONTAINER...]",
	.summary = "Let paused containers go on",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_paused,
	.values_size = 1,
	.run = run_unpause,
};
