#include "cli.h"

#include <stddef.h>

#include "runtime/base/text.h"

struct values {
	const char *signal;
};

static const struct cli_option options[] = {
	{"signal", 's', CLI_STRING, offsetof(struct values, signal), "SIGNAL", "Send this one (default KILL)",
	 .complete = cli_complete_signals},
	CLI_OPTIONS_END,
};

static int kill_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	if (mvm_engine_kill(engine, arg, *(int *)context, err) < 0)
		return -1;
	puts(arg);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	int signo = 9;

	if (values->signal && !mvm_parse_signal(values->signal, &signo))
		return mvm_fail(err, MVM_ERR_INVALID, "invalid signal: %s", values->signal);
	return cli_at_once(args, kill_one, &signo, err);
}

const struct cli_command cli_kill = {
	.name = "kill",
	.names = {"container kill", "kill"},
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Send containers a signal",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_running,
	.values_size = sizeof(struct values),
	.run = run,
};
