#include "cli.h"

#include <stddef.h>

struct values {
	bool force, volumes;
};

static const struct cli_option options[] = {
	{"force", 'f', CLI_FLAG, offsetof(struct values, force), NULL, "End those that run"},
	{"volumes", 'v', CLI_FLAG, offsetof(struct values, volumes), NULL, "Remove its anonymous volumes, too"},
	CLI_OPTIONS_END,
};

static int remove_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	const struct values *values = context;
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;

	if (mvm_engine_remove(engine, arg, values->force, values->volumes, &local) < 0) {
		/* As docker: with --force it does not matter that there is none. */
		if (values->force && mvm_error_code(local) == MVM_ERR_NOT_FOUND) {
			cli_print_error(local);
			return 0;
		}
		*err = local;
		local = NULL;
		return -1;
	}
	puts(arg);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct values values = *(const struct values *)given;

	return cli_at_once(args, remove_one, &values, err);
}

const struct cli_command cli_rm = {
	.name = "rm",
	.names = {"container rm", "container remove", "rm"},
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Remove containers",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_containers,
	.values_size = sizeof(struct values),
	.run = run,
};
