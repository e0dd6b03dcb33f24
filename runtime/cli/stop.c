#include "cli.h"

#include <stddef.h>

#include "runtime/base/text.h"

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

static int stop_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	const struct order *order = context;

	if (mvm_engine_stop(engine, arg, order->signo, order->timeout, err) < 0)
		return -1;
	puts(arg);
	return 0;
}

int cli_parse_stop(const char *signal, const char *time, int *signo, int64_t *timeout, struct mvm_error **err)
{
	*signo = 0;
	*timeout = MVM_STOP_DEFAULT;
	if (signal && !mvm_parse_signal(signal, signo))
		return mvm_fail(err, MVM_ERR_USAGE, "invalid signal: %s", signal);
	if (time && !mvm_parse_int(time, -1, 1 << 30, timeout))
		return mvm_fail(err, MVM_ERR_USAGE, "invalid argument \"%s\" for --time: a number of seconds", time);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct order order;

	if (cli_parse_stop(values->signal, values->time, &order.signo, &order.timeout, err) < 0)
		return -1;
	return cli_for_each(args, stop_one, &order, err);
}

const struct cli_command cli_stop = {
	.name = "stop",
	.names = {"container stop", "stop"},
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Stop containers: their stop signal, then after a while SIGKILL",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.values_size = sizeof(struct values),
	.run = run,
};
