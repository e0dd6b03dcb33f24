#include "cli.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "runtime/engine/client.h"

#define AT(member) offsetof(struct cli_attach_wishes, member)

static const struct cli_option options[] = {
	{"detach-keys", 0, CLI_STRING, AT(detach_keys), "KEYS", "Leave by these keys (default ctrl-p,ctrl-q)",
	 CLI_WORDS("ctrl-")},
	{"no-stdin", 0, CLI_FLAG, AT(no_stdin), NULL, "Do not attach stdin"},
	{"sig-proxy", 0, CLI_FLAG, AT(sig_proxy), NULL, "Pass signals on to the process (default true)"},
	CLI_OPTIONS_END,
};

static int check_running(const struct mvm_container *container, struct mvm_error **err)
{
	if (container->state.status == MVM_STATUS_PAUSED)
		return mvm_fail(err, MVM_ERR_CONFLICT, "cannot attach to a paused container, unpause it first");
	if (container->state.status == MVM_STATUS_RESTARTING)
		return mvm_fail(err, MVM_ERR_CONFLICT,
				"cannot attach to a restarting container, wait until it is running");
	if (container->state.status != MVM_STATUS_RUNNING)
		return mvm_fail(err, MVM_ERR_CONFLICT, "cannot attach to a stopped container, start it first");
	return 0;
}

int cli_attach_to(struct mvm_engine *engine, const struct mvm_container *container,
		  const struct cli_attach_wishes *wishes, int *exit_code, struct mvm_error **err)
{
	struct mvm_client *client MVM_CLEAN_CLIENT = NULL;
	struct cli_attach attach = {.runs = true, .only_joins = true};

	if (cli_detach_init(&attach.detach, wishes->detach_keys, err) < 0 || check_running(container, err) < 0)
		return -1;
	attach.tty = container->config.tty;
	attach.stdin_on = container->config.open_stdin && !wishes->no_stdin;
	/* In a terminal the keys say it all. */
	attach.sig_proxy = wishes->sig_proxy && !attach.tty;
	if (attach.tty && attach.stdin_on && !isatty(STDIN_FILENO))
		return mvm_fail(err, MVM_ERR_INVALID, "the input device is not a TTY");
	if (mvm_engine_connect(engine, container, &client, err) < 0)
		return mvm_error_wrap(err, "cannot attach");
	return cli_attach_and_start(client, &attach, exit_code, err);
}

static int attach(struct mvm_engine *engine, const char *what, const struct cli_attach_wishes *wishes, int *exit_code,
		  struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct cli_detach keys;

	if (cli_detach_init(&keys, wishes->detach_keys, err) < 0 ||
	    mvm_state_find(mvm_engine_state(engine), what, &container, err) < 0)
		return -1;
	return cli_attach_to(engine, container, wishes, exit_code, err);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct mvm_engine *engine;
	int exit_code = 0, result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = attach(engine, args[0], given, &exit_code, err);
	mvm_engine_close(engine);
	/* Docker's status for leaving. */
	return result < 0 ? -1 : result == CLI_DETACHED ? 1 : exit_code;
}

static const struct cli_attach_wishes defaults = {.sig_proxy = true};

const struct cli_command cli_attach = {
	.name = "attach",
	.names = {"container attach", "attach"},
	.usage = "[OPTIONS] CONTAINER",
	.summary = "Join the terminal or the pipes of a container that runs",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.complete = cli_complete_unpaused,
	.values_size = sizeof(struct cli_attach_wishes),
	.defaults = &defaults,
	.run = run,
};
