/*
 * Options as docker parses them: --name value, --name=value, -n value, -nvalue, -abc, --flag=false, "--".
 */
#include "cli.h"

#include <string.h>
#include <strings.h>

struct parser {
	const struct cli_command *command;
	char *values;
	int argc;
	char **argv;
	int at;
};

static int see_help(const struct cli_command *command, struct mvm_error **err, const char *format, const char *what)
{
	char *text MVM_CLEAN_FREE = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	text = mvm_format(format, what);
#pragma GCC diagnostic pop
	return mvm_fail(err, MVM_ERR_USAGE, "%s; see 'mvm %s --help'", text, command->name);
}

static bool has_option(const struct cli_command *command, const struct cli_option *option)
{
	for (const char *const *name = command->without; name && *name; name++)
		if (!strcmp(*name, option->name))
			return false;
	return true;
}

static const struct cli_option *find_name(const struct cli_command *command, const char *name, size_t length)
{
	for (const struct cli_option *option = command->options; option->name; option++)
		if (!strncmp(option->name, name, length) && !option->name[length] && has_option(command, option))
			return option;
	return NULL;
}

static const struct cli_option *find_letter(const struct cli_command *command, char letter)
{
	for (const struct cli_option *option = command->options; option->name; option++)
		if (option->letter == letter && has_option(command, option))
			return option;
	return NULL;
}

static int parse_bool(const char *text, bool *value)
{
	static const char *const yes[] = {"1", "t", "true"}, *const no[] = {"0", "f", "false"};

	for (size_t i = 0; i < MVM_COUNT(yes); i++) {
		if (strcasecmp(text, yes[i]) && strcasecmp(text, no[i]))
			continue;
		*value = !strcasecmp(text, yes[i]);
		return 0;
	}
	return -1;
}

/* `value` NULL: none was given with the option. */
static int store(struct parser *parser, const struct cli_option *option, const char *value, struct mvm_error **err)
{
	void *member = parser->values + option->offset;

	switch (option->kind) {
	case CLI_FLAG:
		*(bool *)member = true;
		if (value && parse_bool(value, member) < 0)
			return mvm_fail(err, MVM_ERR_USAGE, "invalid value \"%s\" for --%s: true or false", value,
					option->name);
		return 0;
	case CLI_STRING:
		*(const char **)member = value;
		return 0;
	case CLI_LIST:
		mvm_strv_add(member, value);
		return 0;
	}
	return 0;
}

/* The value that stands in the next argument. */
static int next_value(struct parser *parser, const char *shown, const char **value, struct mvm_error **err)
{
	if (parser->at + 1 >= parser->argc)
		return see_help(parser->command, err, "flag needs an argument: %s", shown);
	*value = parser->argv[++parser->at];
	return 0;
}

static int parse_long(struct parser *parser, const char *text, struct mvm_error **err)
{
	size_t length = strcspn(text + 2, "=");
	const struct cli_option *option = find_name(parser->command, text + 2, length);
	const char *value = text[2 + length] ? text + 2 + length + 1 : NULL;
	char *shown MVM_CLEAN_FREE = mvm_strndup(text, length + 2);

	if (!strcmp(shown, "--help"))
		return 1;
	if (!option)
		return see_help(parser->command, err, "unknown flag: %s", shown);
	if (option->kind != CLI_FLAG && !value && next_value(parser, shown, &value, err) < 0)
		return -1;
	return store(parser, option, value, err);
}

static int parse_letters(struct parser *parser, const char *text, struct mvm_error **err)
{
	for (const char *letter = text + 1; *letter; letter++) {
		const struct cli_option *option = find_letter(parser->command, *letter);
		char shown[3] = {'-', *letter, '\0'};
		const char *value = NULL;

		if (!option && *letter == 'h')
			return 1;
		if (!option)
			return see_help(parser->command, err, "unknown shorthand flag: %s", shown);
		if (option->kind != CLI_FLAG) {
			value = letter + 1 + (letter[1] == '=');
			if (!letter[1] && next_value(parser, shown, &value, err) < 0)
				return -1;
			return store(parser, option, value, err);
		}
		if (letter[1] == '=')
			return store(parser, option, letter + 2, err);
		if (store(parser, option, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int check_count(const struct cli_command *command, size_t count, struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = NULL;

	if (count >= command->min_args && count <= command->max_args)
		return 0;
	if (!command->max_args)
		text = mvm_format("\"mvm %s\" accepts no arguments", command->name);
	else
		text = mvm_format("\"mvm %s\" requires %s %zu argument%s", command->name,
				  command->min_args == command->max_args ? "exactly"
				  : count < command->min_args		 ? "at least"
									 : "at most",
				  count < command->min_args ? command->min_args : command->max_args,
				  (count < command->min_args ? command->min_args : command->max_args) == 1 ? "" : "s");
	return see_help(command, err, "%s", text);
}

int cli_parse(const struct cli_command *command, int argc, char **argv, void *values, int *first,
	      struct mvm_error **err)
{
	struct parser parser = {.command = command, .values = values, .argc = argc, .argv = argv, .at = 0};
	int kept = 0, result;
	bool over = false;

	/* Arguments are moved to the front as they are found, and then stand at argv[0...kept). */
	for (; parser.at < argc; parser.at++) {
		char *text = argv[parser.at];

		if (over || text[0] != '-' || !text[1]) {
			argv[kept++] = text;
			over = over || command->options_first;
			continue;
		}
		if (!strcmp(text, "--")) {
			over = true;
			continue;
		}
		result = text[1] == '-' ? parse_long(&parser, text, err) : parse_letters(&parser, text, err);
		if (result)
			return result;
	}
	argv[kept] = NULL;
	*first = 0;
	return check_count(command, (size_t)kept, err);
}

void cli_values_finish(const struct cli_command *command, void *values)
{
	for (const struct cli_option *option = command->options; option->name; option++)
		if (option->kind == CLI_LIST)
			mvm_strv_finish((struct mvm_strv *)((char *)values + option->offset));
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
	if (command->options->name)
		fputs("\nOptions:\n", out);
	for (const struct cli_option *option = command->options; option->name; option++) {
		char *name MVM_CLEAN_FREE = mvm_format("--%s%s%s", option->name, option->argument ? " " : "",
						       option->argument ? option->argument : "");

		if (!has_option(command, option))
			continue;
		if (option->letter)
			fprintf(out, "  -%c, %-24s %s\n", option->letter, name, option->help);
		else
			fprintf(out, "      %-24s %s\n", name, option->help);
	}
}
