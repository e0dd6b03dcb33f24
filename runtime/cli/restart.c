#include "cli.h"

#include <stddef.h>

struct values {
	const char *time, *signal;
};

static const struct cli_option options[] = {
	{"signal", 's', CLI_STRING, offsetof(struct values, signal), "SIGNAL",
	 "Send this instead of the container's stop signal"},
	{"time", 't', CLI_STRING, offsetof(struct values, time), "SECONDS",
	 "Wait so long before killing it, -1 for ever (default 10)"},
	{"timeout", 0, CLI_STRING, offsetof(struct values, time), "SECONDS", "The same"},
	CLI_OPTIONS_END,
};

struct order {
	int signo;
	int64_t timeout;
};

static int restart_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	const struct order *order = context;

	if (mvm_engine_restart(engine, arg, order->signo, order->timeout, cli_print_event, err) < 0)
		return -1;
	puts(arg);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct order order;

	if (cli_parse_stop(values->signal, values->time, &order.signo, &order.timeout, err) < 0)
		return -1;
	return cli_for_each(args, restart_one, &order, err);
}

const struct cli_command cli_restart = {
	.name = "restart",
	.names = {"container restart", "restart"},
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Stop containers and start them again",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.values_size = sizeof(struct values),
	.run = run,
};
