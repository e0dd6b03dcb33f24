/*
 * What --help prints, laid out as docker's.
 */
#include "cli.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { USUAL_WIDTH = 80, LEAST_TEXT = 24 };

/* Columns of the terminal that we are used from, or the usual. */
static size_t screen_width(void)
{
	struct winsize size = {0};

	return ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : USUAL_WIDTH;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct cli_option *const *)a)->name, (*(const struct cli_option *const *)b)->name);
}

const struct cli_option **cli_sorted_options(const struct cli_command *command)
{
	const struct cli_option **sorted;
	size_t count = 0;

	while (command->options[count].name)
		count++;
	sorted = mvm_alloc((count + 1) * sizeof(*sorted));
	count = 0;
	for (const struct cli_option *option = command->options; option->name; option++)
		if (cli_has_option(command, option))
			sorted[count++] = option;
	if (count)
		qsort(sorted, count, sizeof(*sorted), by_name);
	return sorted;
}

/* "  -e, --env NAME[=VALUE]" */
static char *left_side(const struct cli_option *option)
{
	char letter[] = {'-', option->letter, ',', '\0'};

	return mvm_format("  %3s --%s%s%s", option->letter ? letter : "", option->name,
			  option->argument && !option->implied ? " " : "", option->argument ? option->argument : "");
}

/* The words of a text from a column on, on as many lines as they need; the first has begun. */
static void print_wrapped(FILE *out, const char *text, size_t column, size_t width)
{
	size_t room = column + LEAST_TEXT < width ? width - column : LEAST_TEXT;

	while (strlen(text) > room) {
		size_t cut = room;

		while (cut && text[cut] != ' ')
			cut--;
		if (!cut)
			break;
		fprintf(out, "%.*s\n%*s", (int)cut, text, (int)column, "");
		text += cut + 1;
	}
	fprintf(out, "%s\n", text);
}

void cli_print_options(const struct cli_command *command, FILE *out)
{
	const struct cli_option **sorted MVM_CLEAN_FREE = cli_sorted_options(command);
	size_t column = 0, width = screen_width() - 1;

	for (size_t i = 0; sorted[i]; i++) {
		char *left MVM_CLEAN_FREE = left_side(sorted[i]);

		column = strlen(left) > column ? strlen(left) : column;
	}
	column += strlen("   ");
	for (size_t i = 0; sorted[i]; i++) {
		char *left MVM_CLEAN_FREE = left_side(sorted[i]);

		fprintf(out, "%-*s", (int)column, left);
		print_wrapped(out, sorted[i]->help, column, width);
	}
}

void cli_print_help(const struct cli_command *command, FILE *out)
{
	fprintf(out, "Usage:  mvm %s %s\n\n%s\n", command->name, command->usage, command->summary);
	if (command->names[0])
		fputs("\nAliases:\n  ", out);
	for (size_t i = 0; i < CLI_NAMES && command->names[i]; i++)
		fprintf(out, "%smvm %s", i ? ", " : "", command->names[i]);
	if (command->names[0])
		fputs("\n", out);
	if (!command->options->name)
		return;
	fputs("\nOptions:\n", out);
	cli_print_options(command, out);
}
