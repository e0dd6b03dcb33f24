#include "cli.h"

#include <stddef.h>

struct values {
	bool force;
};

static const struct cli_option options[] = {
	{"force", 'f', CLI_FLAG, offsetof(struct values, force), NULL, "Do not complain of volumes that are not there"},
	CLI_OPTIONS_END,
};

static int remove_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	const struct values *values = context;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (mvm_engine_remove_volume(engine, arg, &cause) < 0 &&
	    (!values->force || mvm_error_code(cause) != MVM_ERR_NOT_FOUND))
		return mvm_error_move(err, &cause);
	puts(arg);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct values values = *(const struct values *)given;

	return cli_for_each(args, remove_one, &values, err);
}

const struct cli_command cli_volume_rm = {
	.name = "volume rm",
	.names = {"volume rm", "volume remove"},
	.usage = "[OPTIONS] VOLUME [VOLUME...]",
	.summary = "Remove volumes",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_volumes,
	.values_size = sizeof(struct values),
	.run = run,
};
