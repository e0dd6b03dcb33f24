#include "cli.h"

#include <string.h>

#include "runtime/base/text.h"

static const struct cli_option options[] = {CLI_OPTIONS_END};

/* "80", "80/udp" */
static int check_port(const char *text, struct mvm_error **err)
{
	char *number MVM_CLEAN_FREE = mvm_strndup(text, strcspn(text, "/"));
	int64_t port;

	if (mvm_parse_int(number, 0, UINT16_MAX, &port))
		return 0;
	return mvm_fail(err, MVM_ERR_INVALID, "invalid port '%s'", number);
}

/* Nothing can be published yet. */
static int show_ports(struct mvm_engine *engine, char **args, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;

	if (mvm_state_find(mvm_engine_state(engine), args[0], &container, err) < 0 ||
	    (args[1] && check_port(args[1], err) < 0))
		return -1;
	if (!args[1])
		return 0;
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "No public port '%s' published for %s", args[1], args[0]);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct mvm_engine *engine;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = show_ports(engine, args, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_port = {
	.name = "port",
	.names = {"container port", "port"},
	.usage = "CONTAINER [PRIVATE_PORT[/PROTO]]",
	.summary = "List the published ports of a container, or one of them",
	.options = options,
	.min_args = 1,
	.max_args = 2,
	.complete = cli_complete_container,
	.values_size = 1,
	.run = run,
};
