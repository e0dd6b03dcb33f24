/*
 * manual PAGE FRAGMENT: writes a man page in scdoc(5)'s language on stdout. Names, usage and options come from the
 * tables that the program itself runs by, all else from the fragment: sections that begin with DESCRIPTION, behind
 * which the options are put. The page is "run" for mvm-run(1), "container-prune", the
 * name of a group, or "mvm" for mvm(1) itself.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/base/io.h"
#include "runtime/cli/commands.h"

enum { MAX_FRAGMENT = 1 << 20 };

/* main()'s in mvm. */
void cli_print_error(const struct mvm_error *err)
{
	fprintf(stderr, "manual: %s\n", mvm_error_message(err));
}

/* Text that means nothing but itself to scdoc. */
static void put_plain(const char *text)
{
	for (; *text; text++) {
		if (strchr("\\*_`#<>~", *text))
			putchar('\\');
		putchar(*text);
	}
}

/* Words in capitals are for the user to replace, and underlined. */
static void put_usage(const char *text)
{
	while (*text) {
		size_t capitals = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), length = capitals ? capitals : 1;
		char *word MVM_CLEAN_FREE = mvm_strndup(text, length);

		fputs(capitals ? "_" : "", stdout);
		put_plain(word);
		fputs(capitals ? "_" : "", stdout);
		text += length;
	}
}

/* "container prune" is "container-prune". */
static char *page_name(const char *command)
{
	char *name = mvm_strdup(command);

	for (char *at = name; *at; at++)
		if (*at == ' ')
			*at = '-';
	return name;
}

/* A group has a page where it has options. */
static const struct cli_command *find_command(const char *page)
{
	const struct cli_group *group = cli_find_group(page);
	const struct cli_command *command;

	if (group)
		return group->options;

	for (size_t i = 0; (command = cli_command_at(i)); i++) {
		char *name MVM_CLEAN_FREE = page_name(command->name);

		if (!strcmp(name, page))
			return command;
	}
	return NULL;
}

static void put_options(const struct cli_command *command)
{
	const struct cli_option **sorted MVM_CLEAN_FREE = cli_sorted_options(command);

	for (size_t i = 0; sorted[i]; i++) {
		const struct cli_option *option = sorted[i];

		if (option->letter)
			printf("*-%c*, ", option->letter);
		printf("*--%s*", option->name);
		if (option->argument && !option->implied)
			putchar(' ');
		put_usage(option->argument ? option->argument : "");
		fputs("\n\t", stdout);
		put_plain(option->help);
		fputs(".\n\n", stdout);
	}
}

/* In the order of the first names that they have. */
static void put_command_list(bool common)
{
	const struct cli_command *command;

	for (size_t i = 0; (command = cli_command_at(i)); i++) {
		char *page MVM_CLEAN_FREE = page_name(command->name);

		if (command->common != common)
			continue;
		printf("*mvm-%s*(1)\n\t", page);
		put_plain(command->summary);
		fputs(".\n\n", stdout);
	}
}

static void put_root_options(void)
{
	fputs("# COMMON COMMANDS\n\n", stdout);
	put_command_list(true);
	fputs("# COMMANDS\n\n", stdout);
	put_command_list(false);
	fputs("# OPTIONS\n\nThese stand before the command.\n\n", stdout);
	put_options(&cli_root);
}

static void put_command_options(const struct cli_command *command)
{
	if (!command->options->name)
		return;
	fputs("# OPTIONS\n\n", stdout);
	put_options(command);
}

static void put_head(const struct cli_command *command, const char *page)
{
	const char *dash = *page ? "-" : "", *blank = *command->name ? " " : "";

	printf("mvm%s%s(1) \"mvm %s\" \"mvm\"\n\n# NAME\n\nmvm%s%s", dash, page, MVM_VERSION, dash, page);
	for (size_t i = 0; i < CLI_NAMES && command->names[i]; i++) {
		char *name MVM_CLEAN_FREE = page_name(command->names[i]);

		if (strcmp(name, page) != 0)
			printf(", mvm-%s", name);
	}
	fputs(" - ", stdout);
	put_plain(command->summary);
	printf("\n\n# SYNOPSIS\n\n*mvm%s%s* ", blank, command->name);
	put_usage(command->usage);
	fputs("\n\n", stdout);
}

/* Puts the options before the second section. */
static int put_page(const struct cli_command *command, const char *page, const char *fragment)
{
	static const char section[] = "\n# ";
	const char *second = strstr(fragment, section);

	if (strncmp(fragment, "# DESCRIPTION\n", strlen("# DESCRIPTION\n")) != 0) {
		fprintf(stderr, "manual: the text of %s does not begin with the section DESCRIPTION\n", page);
		return 1;
	}
	put_head(command, command == &cli_root ? "" : page);
	fwrite(fragment, 1, second ? (size_t)(second - fragment) : strlen(fragment), stdout);
	fputs("\n", stdout);
	if (command == &cli_root)
		put_root_options();
	else
		put_command_options(command);
	fputs(second ? second + 1 : "", stdout);
	return 0;
}

int main(int argc, char **argv)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	const struct cli_command *command;
	char *fragment MVM_CLEAN_FREE = NULL;

	if (argc != 3) {
		fputs("usage: manual PAGE FRAGMENT\n", stderr);
		return 125;
	}
	command = strcmp(argv[1], "mvm") ? find_command(argv[1]) : &cli_root;
	if (!command) {
		fprintf(stderr, "manual: no command has the page %s\n", argv[1]);
		return 1;
	}
	if (mvm_read_file(argv[2], MAX_FRAGMENT, &fragment, NULL, &err) < 0) {
		cli_print_error(err);
		return 1;
	}
	return put_page(command, argv[1], fragment);
}
