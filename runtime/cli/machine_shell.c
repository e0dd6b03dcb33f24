/*
 * `machine shell`: the user's login shell, or a command, in the folder that the user is in where it is shared.
 */
#include "cli.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/text.h"
#include "share/mount.h"

static const struct cli_option options[] = {
	CLI_OPTIONS_END,
};

/* The shell that the machine's /etc/passwd names. A command is run by the login shell's rules, but for the shell. */
static const char script[] = "SHELL=/bin/sh\n"
			     "while IFS=: read -r name _ _ _ _ _ shell; do\n"
			     "  [ \"$name\" != \"$USER\" ] || { SHELL=${shell:-/bin/sh}; break; }\n"
			     "done </etc/passwd\n"
			     "export SHELL\n"
			     "[ $# = 0 ] || exec /bin/sh -l -c 'exec \"$@\"' sh \"$@\"\n"
			     "exec \"$SHELL\" -l\n";

/* A folder that is at the same place inside. */
static bool is_shared(const struct mvm_container_config *config, const char *path)
{
	struct mvm_mounts mounts MVM_CLEAN_MOUNTS = {0};

	if (mvm_mounts_parse(&config->binds, &config->mounts, &mounts, NULL) < 0)
		return false;
	for (size_t i = 0; i < mounts.count; i++) {
		const struct mvm_mount *mount = &mounts.items[i];

		if (mount->type == MVM_MOUNT_BIND && !strcmp(mount->source, mount->target) &&
		    mvm_is_within(path, mount->target))
			return true;
	}
	return false;
}

static void add_env(const struct mvm_login *login, bool tty, struct mvm_strv *env)
{
	static const char *const passed_on[] = {"TERM", "COLORTERM", "LANG", "LC_ALL", "LC_CTYPE"};

	mvm_strv_addf(env, "USER=%s", login->user);
	mvm_strv_addf(env, "LOGNAME=%s", login->user);
	mvm_strv_addf(env, "HOME=%s", login->home);
	/* That of the machine's first program. */
	mvm_strv_add(env, "container");
	for (size_t i = 0; i < MVM_COUNT(passed_on); i++) {
		const char *value = getenv(passed_on[i]);

		if (value && *value && (tty || i > 1))
			mvm_strv_addf(env, "%s=%s", passed_on[i], value);
	}
}

static int enter(struct mvm_engine *engine, const struct mvm_container *machine, void *context, struct mvm_error **err)
{
	const struct mvm_container_config *config = &machine->config;
	struct mvm_strv words MVM_CLEAN_STRV = {0}, env MVM_CLEAN_STRV = {0};
	char *cwd MVM_CLEAN_FREE = getcwd(NULL, 0);
	bool tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	struct cli_detach detach = {0};
	int exit_code = 0;
	struct mvm_exec_request request = {
		.command = &words,
		.env = &env,
		.user = config->login.user,
		.working_dir = cwd && is_shared(config, cwd) ? cwd : config->login.home,
		.tty = tty,
		.open_stdin = true,
	};

	mvm_strv_add(&words, "/bin/sh");
	mvm_strv_add(&words, "-c");
	mvm_strv_add(&words, script);
	mvm_strv_add(&words, "mvm-shell");
	for (char **word = context; *word; word++)
		mvm_strv_add(&words, *word);
	add_env(&config->login, tty, &env);
	if (tty)
		cli_window_size(&request.rows, &request.cols);
	return cli_exec_in(engine, machine, &request, &detach, &exit_code, err) < 0 ? -1 : exit_code;
}

static int start_and_call(struct mvm_engine *engine, const char *name, cli_machine_fn fn, void *context,
			  struct mvm_error **err)
{
	struct mvm_container *machine MVM_CLEAN_CONTAINER = NULL, *ready MVM_CLEAN_CONTAINER = NULL;

	if (mvm_engine_find_machine(engine, name, &machine, err) < 0 ||
	    mvm_engine_ready_machine(engine, machine, cli_print_event, err) < 0 ||
	    mvm_state_find(mvm_engine_state(engine), machine->config.id, &ready, err) < 0)
		return -1;
	return fn(engine, ready, context, err);
}

int cli_in_machine(const char *name, cli_machine_fn fn, void *context, struct mvm_error **err)
{
	struct mvm_engine *engine;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = start_and_call(engine, name, fn, context, err);
	mvm_engine_close(engine);
	return result;
}

/* "[NAME] [-- COMMAND...]": what is before "--" is a name. */
static int run(const void *given, char **args, struct mvm_error **err)
{
	const char *name = *args && strcmp(*args, "--") != 0 ? *args++ : NULL;

	if (*args && !strcmp(*args, "--"))
		args++;
	return cli_in_machine(name, enter, args, err);
}

const struct cli_command cli_machine_shell = {
	.name = "shell",
	.names = {"machine shell", "shell"},
	.common = true,
	.usage = "[MACHINE] [-- COMMAND [ARG...]]",
	.summary = "A shell of yours in a machine, which is started where it does not run",
	.options = options,
	.max_args = SIZE_MAX,
	.all_are_args = true,
	.complete = cli_complete_machine,
	.values_size = 1,
	.run = run,
	.status = cli_exec_status,
};
