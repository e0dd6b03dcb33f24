/*
 * Options as docker parses them: --name value, --name=value, -n value, -nvalue, -abc, --flag=false, "--".
 */
#include "cli.h"

#include <string.h>

#include "guess.h"

struct parser {
	const struct cli_command *command;
	char *values;
	int argc;
	char **argv;
	int at;
};

bool cli_has_option(const struct cli_command *command, const struct cli_option *option)
{
	for (const char *const *name = command->without; name && *name; name++)
		if (!strcmp(*name, option->name))
			return false;
	return true;
}

const struct cli_option *cli_option_named(const struct cli_command *command, const char *name, size_t length)
{
	for (const struct cli_option *option = command->options; option->name; option++)
		if (!strncmp(option->name, name, length) && !option->name[length] && cli_has_option(command, option))
			return option;
	return NULL;
}

const struct cli_option *cli_option_lettered(const struct cli_command *command, char letter)
{
	for (const struct cli_option *option = command->options; option->name; option++)
		if (option->letter == letter && cli_has_option(command, option))
			return option;
	return NULL;
}

/* Go's strconv.ParseBool(). */
static int parse_bool(const char *text, bool *value)
{
	static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"}, *const no[] = {"0",	  "f",
												 "F",	  "false",
												 "FALSE", "False"};

	for (size_t i = 0; i < MVM_COUNT(yes); i++) {
		if (strcmp(text, yes[i]) != 0 && strcmp(text, no[i]) != 0)
			continue;
		*value = !strcmp(text, yes[i]);
		return 0;
	}
	return -1;
}

static int fail_bool(const struct cli_option *option, const char *value, struct mvm_error **err)
{
	char letter[] = {'-', option->letter, ',', ' ', '\0'};

	return mvm_fail(
		err, MVM_ERR_USAGE,
		"invalid argument \"%s\" for \"%s--%s\" flag: strconv.ParseBool: parsing \"%s\": invalid syntax", value,
		option->letter ? letter : "", option->name, value);
}

/* `value` NULL: none was given with the option. */
static int store(struct parser *parser, const struct cli_option *option, const char *value, struct mvm_error **err)
{
	void *member = parser->values + option->offset;

	switch (option->kind) {
	case CLI_FLAG:
		*(bool *)member = true;
		if (option->given)
			*(bool *)(parser->values + option->given) = true;
		if (value && parse_bool(value, member) < 0)
			return fail_bool(option, value, err);
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
		return mvm_fail(err, MVM_ERR_USAGE, "flag needs an argument: %s", shown);
	*value = parser->argv[++parser->at];
	return 0;
}

static int fail_unknown(const struct cli_command *command, const char *shown, struct mvm_error **err)
{
	struct cli_guess guess = {.typed = shown + 2};

	for (const struct cli_option *option = command->options; option->name; option++)
		if (cli_has_option(command, option))
			cli_consider(&guess, option->name);
	if (guess.nearest)
		return mvm_fail(err, MVM_ERR_USAGE, "unknown flag: %s; did you mean --%s?", shown, guess.nearest);
	return mvm_fail(err, MVM_ERR_USAGE, "unknown flag: %s", shown);
}

static int parse_long(struct parser *parser, const char *text, struct mvm_error **err)
{
	size_t length = strcspn(text + 2, "=");
	const struct cli_option *option = cli_option_named(parser->command, text + 2, length);
	const char *value = text[2 + length] ? text + 2 + length + 1 : NULL;
	char *shown MVM_CLEAN_FREE = mvm_strndup(text, length + 2);

	if (!length || text[2] == '-')
		return mvm_fail(err, MVM_ERR_USAGE, "bad flag syntax: %s", text);
	if (!strcmp(shown, "--help"))
		return 1;
	if (!option)
		return fail_unknown(parser->command, shown, err);
	if (option->kind != CLI_FLAG && !value)
		value = option->implied;
	if (option->kind != CLI_FLAG && !value && next_value(parser, shown, &value, err) < 0)
		return -1;
	return store(parser, option, value, err);
}

/* One letter and what belongs to it; `rest` is its word from there on. How many bytes that was, 0 for help, or -1. */
static int parse_letter(struct parser *parser, const char *rest, struct mvm_error **err)
{
	const struct cli_option *option = cli_option_lettered(parser->command, rest[0]);
	/* "-e=x" has the value "x", but "-e=" the value "=". */
	bool given = rest[1] == '=' && rest[2];
	char *shown MVM_CLEAN_FREE = mvm_format("'%c' in -%s", rest[0], rest);
	const char *value = rest + 1 + given;

	if (!option && rest[0] == 'h')
		return 0;
	if (!option)
		return mvm_fail(err, MVM_ERR_USAGE, "unknown shorthand flag: %s", shown);
	if (option->kind == CLI_FLAG && !given)
		return store(parser, option, NULL, err) < 0 ? -1 : 1;
	if (!rest[1] && next_value(parser, shown, &value, err) < 0)
		return -1;
	return store(parser, option, value, err) < 0 ? -1 : (int)strlen(rest);
}

static int parse_letters(struct parser *parser, const char *text, struct mvm_error **err)
{
	int length;

	for (const char *rest = text + 1; *rest; rest += length) {
		length = parse_letter(parser, rest, err);
		if (length <= 0)
			return length < 0 ? -1 : 1;
	}
	return 0;
}

static int check_count(const struct cli_command *command, size_t count, struct mvm_error **err)
{
	size_t wanted;

	if (count >= command->min_args && count <= command->max_args)
		return 0;
	if (!command->max_args)
		return mvm_fail(err, MVM_ERR_USAGE, "\"mvm %s\" accepts no arguments.", command->name);
	wanted = count < command->min_args ? command->min_args : command->max_args;
	return mvm_fail(err, MVM_ERR_USAGE, "\"mvm %s\" requires %s %zu argument%s.", command->name,
			command->min_args == command->max_args ? "exactly"
			: count < command->min_args	       ? "at least"
							       : "at most",
			wanted, wanted == 1 ? "" : "s");
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

		if (over || text[0] != '-' || !text[1] || (command->all_are_args && strcmp(text, "--help") != 0)) {
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
