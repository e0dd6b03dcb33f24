/*
 * `completion`: the scripts that teach shells mvm's commands. They lie in completion/ and are installed from there,
 * too.
 */
#include "cli.h"

#include <string.h>

#include "completion/scripts.h"

static const struct cli_option options[] = {CLI_OPTIONS_END};

static void complete(struct cli_completion *completion)
{
	cli_offer_words(completion, CLI_WORDS("bash", "fish", "zsh"));
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	if (!strcmp(args[0], "bash"))
		fputs(completion_bash, stdout);
	else if (!strcmp(args[0], "fish"))
		fputs(completion_fish, stdout);
	else if (!strcmp(args[0], "zsh"))
		fputs(completion_zsh, stdout);
	else
		return mvm_fail(err, MVM_ERR_USAGE, "no completion for '%.200s': bash, fish or zsh", args[0]);
	return 0;
}

const struct cli_command cli_completion = {
	.name = "completion",
	.usage = "SHELL",
	.summary = "Print the completion script for bash, fish or zsh",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.complete = complete,
	.values_size = 1,
	.run = run,
};
