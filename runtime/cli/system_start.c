/* `system start` and `system stop`: what the service of install-service runs at a boot and before the end. */
#include "cli.h"

static const struct cli_option options[] = {CLI_OPTIONS_END};

struct tally {
	size_t failures;
};

static void tell(void *arg, const struct mvm_container *container, const struct mvm_error *error)
{
	struct tally *tally = arg;

	if (!error) {
		puts(container->config.name);
		fflush(stdout);
		return;
	}
	tally->failures++;
	fprintf(stderr, "mvm: container %s: %s\n", container->config.name, mvm_error_message(error));
}

static void tell_damaged(void *arg, const char *text)
{
	fprintf(stderr, "mvm: %s\n", text);
}

static int run_all(int (*action)(struct mvm_engine *engine, const struct mvm_engine_report *report,
				 struct mvm_error **err),
		   struct mvm_error **err)
{
	struct tally tally = {0};
	const struct mvm_engine_report report = {.done = tell, .damaged = tell_damaged, .arg = &tally};
	struct mvm_engine *engine;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = action(engine, &report, err);
	mvm_engine_close(engine);
	return result < 0 ? -1 : tally.failures ? 1 : 0;
}

static int run_start(const void *given, char **args, struct mvm_error **err)
{
	return run_all(mvm_engine_start_after_boot, err);
}

static int run_stop(const void *given, char **args, struct mvm_error **err)
{
	return run_all(mvm_engine_stop_for_shutdown, err);
}

const struct cli_command cli_system_start = {
	.name = "system start",
	.usage = "",
	.summary = "Start what restart policies want to run after a boot",
	.options = options,
	.values_size = 1,
	.run = run_start,
};

const struct cli_command cli_system_stop = {
	.name = "system stop",
	.usage = "",
	.summary = "Stop all containers before a shutdown",
	.options = options,
	.values_size = 1,
	.run = run_stop,
};
