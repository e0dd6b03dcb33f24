/* stop and restart: the same words about how a container is to end. */
#include "cli.h"

#include <stddef.h>

#include "runtime/base/text.h"

struct values {
	const char *time, *signal;
};

static const struct cli_option options[] = {
	{"signal", 's', CLI_STRING, offsetof(struct values, signal), "SIGNAL",
	 "Send this instead of the container's stop signal", .complete = cli_complete_signals},
	{"time", 't', CLI_STRING, offsetof(struct values, time), "SECONDS",
	 "Wait so long before killing it, -1 for ever (default 10)"},
	{"timeout", 0, CLI_STRING, offsetof(struct values, time), "SECONDS", "The same"},
	CLI_OPTIONS_END,
};

struct order {
	int signo;
	int64_t timeout;
};

static int stop_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	const struct order *order = context;

	if (mvm_engine_stop(engine, arg, order->signo, order->timeout, err) < 0)
		return -1;
	puts(arg);
	return 0;
}

static int restart_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	const struct order *order = context;

	if (mvm_engine_restart(engine, arg, order->signo, order->timeout, cli_print_event, err) < 0)
		return -1;
	puts(arg);
	return 0;
}

static int parse_order(const struct values *values, struct order *order, struct mvm_error **err)
{
	*order = (struct order){.timeout = MVM_STOP_DEFAULT};
	if (values->signal && !mvm_parse_signal(values->signal, &order->signo))
		return mvm_fail(err, MVM_ERR_INVALID, "invalid signal: %s", values->signal);
	if (values->time && !mvm_parse_int(values->time, -1, 1 << 30, &order->timeout))
		return mvm_fail(err, MVM_ERR_USAGE, "invalid argument \"%s\" for --time: a number of seconds",
				values->time);
	return 0;
}

static int run_stop(const void *given, char **args, struct mvm_error **err)
{
	struct order order;

	return parse_order(given, &order, err) < 0 ? -1 : cli_at_once(args, stop_one, &order, err);
}

static int run_restart(const void *given, char **args, struct mvm_error **err)
{
	struct order order;

	return parse_order(given, &order, err) < 0 ? -1 : cli_for_each(args, restart_one, &order, err);
}

const struct cli_command cli_stop = {
	.name = "stop",
	.names = {"container stop", "stop"},
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Stop containers: their stop signal, then after a while SIGKILL",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_running,
	.values_size = sizeof(struct values),
	.run = run_stop,
};

const struct cli_command cli_restart = {
	.name = "restart",
	.names = {"container restart", "restart"},
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Stop containers and start them again",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_containers,
	.values_size = sizeof(struct values),
	.run = run_restart,
};
