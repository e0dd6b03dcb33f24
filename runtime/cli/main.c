/*
 * mvm: finds the command, parses its options, runs it, prints its error.
 */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/log.h"

#define STATUS_USAGE 125

static const struct cli_command *const commands[] = {
	&cli_run,    &cli_ps,	&cli_logs, &cli_stop, &cli_kill,    &cli_rm,
	&cli_images, &cli_pull, &cli_rmi,  &cli_info, &cli_version,
};

static const struct cli_command *find_command(const char *name)
{
	for (size_t i = 0; i < MVM_COUNT(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static void print_overview(FILE *out)
{
	fputs("Usage:  mvm COMMAND\n\nContainers, each in a small virtual machine of its own\n\nCommands:\n", out);
	for (size_t i = 0; i < MVM_COUNT(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fputs("  help       Show the help of a command\n\nRun 'mvm COMMAND --help' for more.\n", out);
}

void cli_print_error(const struct mvm_error *err)
{
	fprintf(stderr, "mvm: %s\n", mvm_error_message(err));
}

static int unknown_command(const char *name)
{
	fprintf(stderr, "mvm: '%s' is not a mvm command; see 'mvm --help'\n", name);
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

static int run_command(const struct cli_command *command, int argc, char **argv)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	void *values MVM_CLEAN_FREE = mvm_alloc(command->values_size);
	int first, result = cli_parse(command, argc, argv, values, &first, &err);

	if (result == 1) {
		cli_print_help(command, stdout);
		result = 0;
	} else if (result == 0) {
		result = command->run(values, argv + first, &err);
	}
	cli_values_finish(command, values);
	if (result >= 0)
		return finish_stdout(result);
	fflush(stdout);
	cli_print_error(err);
	return status_of(command, err);
}

static int run_help(char **argv)
{
	const struct cli_command *command;

	if (!argv[0]) {
		print_overview(stdout);
		return finish_stdout(0);
	}
	command = find_command(argv[0]);
	if (!command)
		return unknown_command(argv[0]);
	cli_print_help(command, stdout);
	return finish_stdout(0);
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
	const struct cli_command *command;

	open_standard_streams();
	signal(SIGPIPE, SIG_IGN);
	mvm_log_open("mvm", STDERR_FILENO, MVM_LOG_ERROR);
	if (argc < 2) {
		print_overview(stderr);
		return STATUS_USAGE;
	}
	for (size_t i = 0; i < MVM_COUNT(version_flags); i++) {
		if (strcmp(argv[1], version_flags[i]))
			continue;
		printf("mvm version %s\n", MVM_VERSION);
		return finish_stdout(0);
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return run_help(argv + 2);
	command = find_command(argv[1]);
	return command ? run_command(command, argc - 2, argv + 2) : unknown_command(argv[1]);
}
