#include "cli.h"

#include <stddef.h>
#include <unistd.h>

struct values {
	bool interactive, tty, detach, privileged;
	const char *user, *workdir, *detach_keys;
	struct mvm_strv env, env_files;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"detach", 'd', CLI_FLAG, AT(detach), NULL, "Leave it running in the background"},
	{"detach-keys", 0, CLI_STRING, AT(detach_keys), "KEYS", "Leave by these keys (default ctrl-p,ctrl-q)",
	 CLI_WORDS("ctrl-")},
	{"env", 'e', CLI_LIST, AT(env), "NAME[=VALUE]", "Set a variable, or pass one of yours on",
	 .complete = cli_complete_env},
	{"env-file", 0, CLI_LIST, AT(env_files), "FILE", "Read variables from a file", .complete = cli_complete_files},
	{"interactive", 'i', CLI_FLAG, AT(interactive), NULL, "Give it our stdin"},
	{"privileged", 0, CLI_FLAG, AT(privileged), NULL, "With all capabilities"},
	{"tty", 't', CLI_FLAG, AT(tty), NULL, "Give it a terminal"},
	{"user", 'u', CLI_STRING, AT(user), "USER[:GROUP]", "Run as this user, by name or number"},
	{"workdir", 'w', CLI_STRING, AT(workdir), "FOLDER", "Working folder inside"},
	CLI_OPTIONS_END,
};

int cli_exec_in(struct mvm_engine *engine, const struct mvm_container *container,
		const struct mvm_exec_request *request, const struct cli_detach *detach, int *exit_code,
		struct mvm_error **err)
{
	const struct cli_attach attach = {.tty = request->tty, .stdin_on = request->open_stdin, .detach = *detach};
	struct mvm_exec exec;
	int result = 0;

	if (mvm_engine_exec(engine, container, request, &exec, err) < 0)
		return -1;
	if (!request->detach)
		result = cli_attach_exec(&exec, &attach, exit_code, err);
	mvm_exec_finish(&exec);
	/* Docker's status for leaving. */
	if (result == CLI_DETACHED)
		*exit_code = 1;
	return result < 0 ? -1 : 0;
}

int cli_exec_container(struct mvm_engine *engine, const struct mvm_container *container,
		       struct mvm_exec_request *request, const struct cli_detach *detach, int *exit_code,
		       struct mvm_error **err)
{
	if (request->tty && request->open_stdin && !request->detach && !isatty(STDIN_FILENO))
		return mvm_fail(err, MVM_ERR_CONFLICT, "the input device is not a TTY");
	if (request->tty)
		cli_window_size(&request->rows, &request->cols);
	return cli_exec_in(engine, container, request, detach, exit_code, err);
}

/* Docker's order: first whether there is such a container, then our terminal, then whether it runs. */
static int find_and_run(struct mvm_engine *engine, const char *what, struct mvm_exec_request *request,
			const struct cli_detach *detach, int *exit_code, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;

	if (mvm_state_find(mvm_engine_state(engine), what, &container, err) < 0)
		return -1;
	return cli_exec_container(engine, container, request, detach, exit_code, err);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_strv env MVM_CLEAN_STRV = {0}, command MVM_CLEAN_STRV = {0};
	struct mvm_exec_request request = {
		.command = &command,
		.env = &env,
		.user = values->user,
		.working_dir = values->workdir,
		.tty = values->tty,
		.open_stdin = values->interactive,
		.detach = values->detach,
		.privileged = values->privileged,
	};
	struct cli_detach detach;
	struct mvm_engine *engine;
	int exit_code = 0, result;

	if (cli_detach_init(&detach, values->detach_keys, err) < 0 ||
	    cli_read_env(&values->env_files, &values->env, &env, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	for (char **arg = args + 1; *arg; arg++)
		mvm_strv_add(&command, *arg);
	result = find_and_run(engine, args[0], &request, &detach, &exit_code, err);
	mvm_engine_close(engine);
	return result < 0 ? -1 : exit_code;
}

int cli_exec_status(const struct mvm_error *err)
{
	switch (mvm_error_code(err)) {
	case MVM_ERR_NO_PROGRAM:
	case MVM_ERR_CANNOT_RUN:
	case MVM_ERR_USAGE:
		return mvm_error_run_status(err);
	default:
		return 1;
	}
}

const struct cli_command cli_exec = {
	.name = "exec",
	.names = {"container exec", "exec"},
	.common = true,
	.usage = "[OPTIONS] CONTAINER COMMAND [ARG...]",
	.summary = "Run a program in a container that runs",
	.options = options,
	.min_args = 2,
	.max_args = SIZE_MAX,
	.options_first = true,
	.complete = cli_complete_unpaused_one,
	.values_size = sizeof(struct values),
	.run = run,
	.status = cli_exec_status,
};
