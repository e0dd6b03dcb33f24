#include "cli.h"

#include <stddef.h>
#include <unistd.h>

#include "runtime/engine/client.h"

struct values {
	bool attach, interactive, sig_proxy;
	const char *detach_keys;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"attach", 'a', CLI_FLAG, AT(attach), NULL, "Stay with it: its output, signals and exit code"},
	{"detach-keys", 0, CLI_STRING, AT(detach_keys), "KEYS", "Leave by these keys (default ctrl-p,ctrl-q)",
	 CLI_WORDS("ctrl-")},
	{"interactive", 'i', CLI_FLAG, AT(interactive), NULL, "The same, and its stdin where it has one"},
	{"sig-proxy", 0, CLI_FLAG, AT(sig_proxy), NULL, "Pass signals on to the process (default true)"},
	CLI_OPTIONS_END,
};

static int start_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	if (mvm_engine_start(engine, arg, cli_print_event, err) < 0)
		return -1;
	puts(arg);
	return 0;
}

static int attach_once(struct mvm_engine *engine, const struct values *values, const char *arg, int *exit_code,
		       struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_client *client MVM_CLEAN_CLIENT = NULL;
	struct cli_attach attach = {.sig_proxy = values->sig_proxy};
	bool own;

	if (cli_detach_init(&attach.detach, values->detach_keys, err) < 0 ||
	    mvm_engine_open_supervisor(engine, arg, &container, &client, &own, err) < 0)
		return -1;
	attach.runs = !own;
	attach.tty = container->config.tty;
	attach.stdin_on = values->interactive && container->config.open_stdin;
	if (attach.tty && attach.stdin_on && !isatty(STDIN_FILENO))
		return mvm_fail(err, MVM_ERR_INVALID, "the input device is not a TTY");
	return cli_attach_and_start(client, &attach, exit_code, err);
}

static int start_attached(struct mvm_engine *engine, const struct values *values, const char *arg, int *exit_code,
			  struct mvm_error **err)
{
	/* One that was just ending has ended by now. */
	while (attach_once(engine, values, arg, exit_code, err) < 0) {
		if (mvm_error_code(*err) == MVM_ERR_NOT_FOUND)
			return -1;
		if (mvm_error_code(*err) != MVM_ERR_INTERRUPTED)
			return mvm_error_wrap(err, "cannot start container %s", arg);
		mvm_error_clear(err);
	}
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_engine *engine;
	int exit_code = 0, result;

	if (!values->attach && !values->interactive)
		return cli_for_each(args, start_one, NULL, err);
	if (args[1])
		return mvm_fail(err, MVM_ERR_INVALID, "you cannot start and attach multiple containers at once");
	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = start_attached(engine, values, args[0], &exit_code, err);
	mvm_engine_close(engine);
	return result < 0 ? -1 : exit_code;
}

static const struct values defaults = {.sig_proxy = true};

const struct cli_command cli_start = {
	.name = "start",
	.names = {"container start", "start"},
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Start containers that do not run",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_stopped,
	.values_size = sizeof(struct values),
	.defaults = &defaults,
	.run = run,
};
