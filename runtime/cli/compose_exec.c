#include "compose.h"

#include <stddef.h>
#include <unistd.h>

struct values {
	bool detach, no_tty, no_tty_given, interactive, privileged, tty;
	const char *index, *user, *workdir;
	struct mvm_strv env;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"detach", 'd', CLI_FLAG, AT(detach), NULL, "Detached mode: Run command in the background"},
	{"env", 'e', CLI_LIST, AT(env), "NAME[=VALUE]", "Set environment variables", .complete = cli_complete_env},
	{"index", 0, CLI_STRING, AT(index), "N", "Index of the container if service has multiple replicas"},
	{"interactive", 'i', CLI_FLAG, AT(interactive), NULL, "Give it our stdin (default true)"},
	{"no-tty", 'T', CLI_FLAG, AT(no_tty), NULL, "Give it no terminal (default where stdout is none)",
	 .given = AT(no_tty_given)},
	{"no-TTY", 0, CLI_FLAG, AT(no_tty), NULL, "The same", .given = AT(no_tty_given)},
	{"privileged", 0, CLI_FLAG, AT(privileged), NULL, "Give extended privileges to the process"},
	{"tty", 't', CLI_FLAG, AT(tty), NULL, "Accepted for docker's sake: a terminal is the default"},
	{"user", 'u', CLI_STRING, AT(user), "USER[:GROUP]", "Run the command as this user"},
	{"workdir", 'w', CLI_STRING, AT(workdir), "FOLDER", "Path to workdir directory for this command"},
	CLI_OPTIONS_END,
};

struct run {
	struct mvm_exec_request request;
	int exit_code;
};

static int exec(struct mvm_engine *engine, const struct mvm_container *container, void *context, struct mvm_error **err)
{
	struct run *run = context;
	struct cli_detach detach;

	if (cli_detach_init(&detach, NULL, err) < 0)
		return -1;
	return cli_exec_container(engine, container, &run->request, &detach, &run->exit_code, err);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	const struct mvm_strv no_files = {0};
	struct mvm_strv env MVM_CLEAN_STRV = {0}, command MVM_CLEAN_STRV = {0};
	const struct cli_compose_choice choice = {
		.service = args[0], .index = values->index, .oneoff = MVM_ONEOFF_INCLUDE};
	struct run run = {.request = {
				  .command = &command,
				  .env = &env,
				  .user = values->user,
				  .working_dir = values->workdir,
				  .tty = values->no_tty_given ? !values->no_tty : isatty(STDOUT_FILENO),
				  .open_stdin = values->interactive,
				  .detach = values->detach,
				  .privileged = values->privileged,
			  }};

	if (cli_read_env(&no_files, &values->env, &env, err) < 0)
		return -1;
	for (char **arg = args + 1; *arg; arg++)
		mvm_strv_add(&command, *arg);
	return cli_compose_with_one(&choice, exec, &run, err) < 0 ? -1 : run.exit_code;
}

static const struct values defaults = {.interactive = true, .tty = true};

const struct cli_command cli_compose_exec = {
	.name = "compose exec",
	.usage = "[OPTIONS] SERVICE COMMAND [ARGS...]",
	.summary = "Execute a command in a running container",
	.options = options,
	.min_args = 2,
	.max_args = SIZE_MAX,
	.options_first = true,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.defaults = &defaults,
	.run = run,
	.status = cli_exec_status,
};
