#include "cli.h"

#include <signal.h>
#include <stddef.h>

struct values {
	bool follow;
};

static const struct cli_option options[] = {
	{"follow", 'f', CLI_FLAG, offsetof(struct values, follow), NULL,
	 "Go on with what comes, until the container ends"},
	CLI_OPTIONS_END,
};

static void write_piece(void *arg, bool is_stderr, const char *text, size_t length)
{
	FILE *out = is_stderr ? stderr : stdout;

	fwrite(text, 1, length, out);
	fflush(out);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	const struct mvm_log_sink sink = {.write = write_piece};
	struct mvm_engine *engine;
	int result;

	/* Without a reader there is nothing left to do, and following would not notice. */
	signal(SIGPIPE, SIG_DFL);
	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = mvm_engine_logs(engine, args[0], values->follow, &sink, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_logs = {
	.name = "logs",
	.names = {"container logs", "logs"},
	.usage = "[OPTIONS] CONTAINER",
	.summary = "Show what a container has written",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.values_size = sizeof(struct values),
	.run = run,
};
