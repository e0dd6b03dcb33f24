/*
 * mvm: finds the command, parses its options, runs it, prints its error.
 */
#include "commands.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/log.h"

#define STATUS_USAGE 125

void cli_print_error(const struct mvm_error *err)
{
	fprintf(stderr, "mvm: %s\n", mvm_error_message(err));
}

static int unknown_command(char *const *words, const struct cli_found *found)
{
	const char *group = found->group ? found->group->name : NULL, *typed = words[found->words - 1];
	const char *nearest = cli_nearest(group, typed), *before = group ? group : "", *blank = group ? " " : "";

	fprintf(stderr, "mvm: '%s%s%.200s' is not a mvm command", before, blank, typed);
	if (nearest)
		fprintf(stderr, "; did you mean '%s%s%s'?", before, blank, nearest);
	fprintf(stderr, "%s\nSee 'mvm %s%s--help'\n", nearest ? "" : ".", before, blank);
	return STATUS_USAGE;
}

/* Of what is wrong with the options or the number of arguments; docker's two lines. */
static int wrong_usage(const struct cli_command *command, const struct mvm_error *err)
{
	cli_print_error(err);
	fprintf(stderr, "See 'mvm %s%s--help'.\n", command->name, *command->name ? " " : "");
	return STATUS_USAGE;
}

static int status_of(const struct cli_command *command, const struct mvm_error *err)
{
	if (command->status)
		return command->status(err);
	return mvm_error_code(err) == MVM_ERR_USAGE ? STATUS_USAGE : 1;
}

/* What was asked for and could not be written was not delivered. */
static int finish_stdout(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fputs("mvm: cannot write the output\n", stderr);
	return status ? status : 1;
}

static int run_command(const struct cli_found *found, int argc, char **argv)
{
	struct cli_command command = *found->command;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	void *values MVM_CLEAN_FREE = mvm_alloc(command.values_size);
	int first, result;

	command.name = found->name;
	if (command.defaults)
		memcpy(values, command.defaults, command.values_size);
	result = cli_parse(&command, argc, argv, values, &first, &err);
	if (result < 0) {
		result = wrong_usage(&command, err);
	} else if (result == 1) {
		cli_print_help(&command, stdout);
		result = 0;
	} else {
		result = command.run(values, argv + first, &err);
	}
	cli_values_finish(&command, values);
	if (result >= 0)
		return finish_stdout(result);
	fflush(stdout);
	cli_print_error(err);
	return status_of(&command, err);
}

static bool asks_for_help(const char *word)
{
	return !strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h");
}

/* "mvm help", "mvm help image", "mvm help image ls". */
static int run_help(char **words)
{
	struct cli_command command;
	struct cli_found found;

	if (!words[0] || asks_for_help(words[0])) {
		cli_print_overview(stdout);
		return finish_stdout(0);
	}
	if (cli_find(words, &found) < 0)
		return unknown_command(words, &found);
	if (!found.command) {
		cli_print_group(found.group, stdout);
		return finish_stdout(0);
	}
	command = *found.command;
	command.name = found.name;
	cli_print_help(&command, stdout);
	return finish_stdout(0);
}

/* A group is no command; alone it is a question. */
static int run_group(const struct cli_group *group, char **words)
{
	if (words[0] && !asks_for_help(words[0])) {
		fprintf(stderr, "mvm: unknown flag: %.200s\nSee 'mvm %s --help'.\n", words[0], group->name);
		return STATUS_USAGE;
	}
	cli_print_group(group, words[0] ? stdout : stderr);
	return words[0] ? finish_stdout(0) : 0;
}

/* A descriptor that the caller closed must not become that of a file we open. */
static void open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* What stands before the command; the environment is where all of mvm looks for it. */
static int apply_globals(const struct cli_globals *globals)
{
	static const char *const levels[] = {"error", "warn", "info", "debug"};
	const char *level = globals->debug ? "debug" : globals->log_level;
	size_t known = 0;

	while (level && known < MVM_COUNT(levels) && strcmp(levels[known], level))
		known++;
	if (known == MVM_COUNT(levels)) {
		fprintf(stderr, "mvm: unable to parse logging level: %.200s; use error, warn, info or debug\n", level);
		return STATUS_USAGE;
	}
	if (level)
		setenv("MVM_LOG", level, true);
	if (globals->config)
		setenv("DOCKER_CONFIG", globals->config, true);
	return 0;
}

/* Whatever goes wrong, nobody wants to read it in the middle of a line. */
static int answer_shell(char **words)
{
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (nowhere >= 0)
		dup2(nowhere, STDERR_FILENO);
	mvm_close(&nowhere);
	cli_complete(words, stdout);
	fflush(stdout);
	return 0;
}

/* What stands between a group and its command. -1, or 1 and the exit status; 0: the command follows the group. */
static int take_group_options(char **words, int *count, int *status)
{
	const struct cli_group *group = *count ? cli_find_group(words[0]) : NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int first, result;

	if (!group || !group->options)
		return 0;
	result = cli_parse(group->options, *count - 1, words + 1, group->values, &first, &err);
	if (result < 0)
		*status = wrong_usage(group->options, err);
	if (result > 0) {
		cli_print_group(group, stdout);
		*status = finish_stdout(0);
	}
	for (*count = 0; words[*count];)
		++*count;
	return result;
}

static int run_words(char **words)
{
	struct cli_found found;
	int count = 0, status;

	while (words[count])
		count++;
	if (take_group_options(words, &count, &status) != 0)
		return status;
	if (!count) {
		cli_print_overview(stderr);
		return 0;
	}
	if (asks_for_help(words[0]))
		return run_help(words + 1);
	if (cli_find(words, &found) < 0)
		return unknown_command(words, &found);
	if (!found.command)
		return run_group(found.group, words + 1);
	return run_command(&found, count - found.words, words + found.words);
}

int main(int argc, char **argv)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct cli_globals globals = {0};
	int first, status;

	open_standard_streams();
	signal(SIGPIPE, SIG_IGN);
	if (argc > 2 && !strcmp(argv[1], "__complete"))
		return answer_shell(argv + 2);
	/* "mvm --help run" is "mvm help run". */
	if (argc > 1 && asks_for_help(argv[1]))
		return run_help(argv + 2);
	status = cli_parse(&cli_root, argc - 1, argv + 1, &globals, &first, &err);
	if (status < 0)
		return wrong_usage(&cli_root, err);
	if (status == 1)
		return run_help(argv + argc);
	if (globals.version) {
		printf("mvm version %s\n", MVM_VERSION);
		return finish_stdout(0);
	}
	status = apply_globals(&globals);
	mvm_log_open("mvm", STDERR_FILENO, MVM_LOG_ERROR);
	return status ? status : run_words(argv + 1 + first);
}
