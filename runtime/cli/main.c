/*
 * mvm: finds the command, parses its options, runs it, prints its error.
 */
#include "commands.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/log.h"

#define STATUS_USAGE 125

void cli_print_error(const struct mvm_error *err)
{
	fprintf(stderr, "mvm: %s\n", mvm_error_message(err));
}

static int unknown_command(char *const *words, const struct cli_found *found)
{
	const char *group = found->group ? found->group->name : NULL, *typed = words[found->words - 1];
	const char *nearest = cli_nearest(group, typed);

	fprintf(stderr, "mvm: '%s%s%.200s' is not a mvm command; ", group ? group : "", group ? " " : "", typed);
	if (nearest)
		fprintf(stderr, "did you mean '%s'?\n", nearest);
	else
		fprintf(stderr, "see 'mvm %s%s--help'\n", group ? group : "", group ? " " : "");
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
	if (result == 1) {
		cli_print_help(&command, stdout);
		result = 0;
	} else if (result == 0) {
		result = command.run(values, argv + first, &err);
	}
	cli_values_finish(&command, values);
	if (result >= 0)
		return finish_stdout(result);
	fflush(stdout);
	cli_print_error(err);
	return status_of(&command, err);
}

/* "mvm help", "mvm help image", "mvm help image ls". */
static int run_help(char **words)
{
	struct cli_command command;
	struct cli_found found;

	if (!words[0]) {
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

static bool asks_for_help(const char *word)
{
	return !strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h");
}

/* A group is no command; alone it is a question. */
static int run_group(const struct cli_group *group, char **words)
{
	if (words[0] && !asks_for_help(words[0])) {
		fprintf(stderr, "mvm: unknown flag: %.200s; see 'mvm %s --help'\n", words[0], group->name);
		return STATUS_USAGE;
	}
	cli_print_group(group, words[0] ? stdout : stderr);
	return words[0] ? finish_stdout(0) : STATUS_USAGE;
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

int main(int argc, char **argv)
{
	static const char *const version_flags[] = {"--version", "-v"};
	struct cli_found found;

	open_standard_streams();
	signal(SIGPIPE, SIG_IGN);
	mvm_log_open("mvm", STDERR_FILENO, MVM_LOG_ERROR);
	if (argc < 2) {
		cli_print_overview(stderr);
		return STATUS_USAGE;
	}
	for (size_t i = 0; i < MVM_COUNT(version_flags); i++) {
		if (strcmp(argv[1], version_flags[i]))
			continue;
		printf("mvm version %s\n", MVM_VERSION);
		return finish_stdout(0);
	}
	if (asks_for_help(argv[1]))
		return run_help(argv + 2);
	if (cli_find(argv + 1, &found) < 0)
		return unknown_command(argv + 1, &found);
	if (!found.command)
		return run_group(found.group, argv + 2);
	return run_command(&found, argc - 1 - found.words, argv + 1 + found.words);
}
