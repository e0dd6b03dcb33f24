/*
 * Finds out what may stand at the cursor: the words before it are read as the parser of options reads them, but what
 * is wrong with them does not matter.
 */
#include "complete.h"

#include <string.h>
#include <strings.h>

#include "commands.h"

enum { NO_SPACE = 2, NO_FILES = 4 };

struct cli_completion {
	const char *typed;
	const char *before; /* what of the same word stands before that: "--pull=" */
	char *const *args;
	size_t arg_count;
	bool is_argument; /* and no option's value */
	unsigned directive;
	FILE *out;
};

size_t cli_completed_args(const struct cli_completion *completion)
{
	return completion->arg_count;
}

const char *cli_typed(const struct cli_completion *completion)
{
	return completion->typed;
}

static void put(struct cli_completion *completion, const char *word, const char *description)
{
	size_t length = strlen(word);

	for (size_t i = 0; completion->is_argument && i < completion->arg_count; i++)
		if (!strcmp(completion->args[i], word))
			return;
	if (length && strchr("=:-", word[length - 1]))
		completion->directive |= NO_SPACE;
	fprintf(completion->out, "%s%s", completion->before, word);
	if (description)
		fprintf(completion->out, "\t%s", description);
	putc('\n', completion->out);
}

void cli_offer(struct cli_completion *completion, const char *word, const char *description)
{
	if (!strncmp(word, completion->typed, strlen(completion->typed)))
		put(completion, word, description);
}

void cli_offer_capitals(struct cli_completion *completion, const char *word)
{
	if (!strncasecmp(word, completion->typed, strlen(completion->typed)))
		put(completion, word, NULL);
}

void cli_offer_words(struct cli_completion *completion, const char *const *words)
{
	const char *last = "";

	for (; *words; words++) {
		size_t key = strcspn(*words, "=");
		char *shown MVM_CLEAN_FREE = NULL;

		/* The values of a key come when it stands there. */
		if (!(*words)[key] || strchr(completion->typed, '=')) {
			cli_offer(completion, *words, NULL);
			continue;
		}
		shown = mvm_strndup(*words, key + 1);
		if (strncmp(last, shown, key + 1))
			cli_offer(completion, shown, NULL);
		last = *words;
	}
}

void cli_complete_files(struct cli_completion *completion)
{
	completion->directive &= ~(unsigned)NO_FILES;
}

void cli_complete_file(struct cli_completion *completion)
{
	if (!completion->arg_count)
		cli_complete_files(completion);
}

/* What the words before the cursor come to. */
struct walk {
	const struct cli_command *command;
	bool *given;		       /* which of its options stand there */
	const struct cli_option *open; /* wants its value in the next word */
	bool over;		       /* what comes are arguments */
	char **args;
	size_t arg_count;
};

static void note(struct walk *walk, const struct cli_option *option)
{
	if (option)
		walk->given[option - walk->command->options] = true;
}

static void walk_long(struct walk *walk, const char *word)
{
	size_t length = strcspn(word + 2, "=");
	const struct cli_option *option = cli_option_named(walk->command, word + 2, length);

	note(walk, option);
	if (option && option->kind != CLI_FLAG && !option->implied && !word[2 + length])
		walk->open = option;
}

/* The option whose value is the rest of the word, at *value, or the next word where that is "". */
static const struct cli_option *walk_letters(struct walk *walk, const char *word, const char **value)
{
	for (const char *letter = word + 1; *letter; letter++) {
		const struct cli_option *option = cli_option_lettered(walk->command, *letter);

		note(walk, option);
		if (!option || letter[1] == '=' || option->kind == CLI_FLAG) {
			if (letter[1] != '=')
				continue;
			*value = letter + 2;
			return option;
		}
		*value = letter + 1;
		return option;
	}
	return NULL;
}

static void walk_word(struct walk *walk, char *word)
{
	const char *value = NULL;

	if (walk->open) {
		walk->open = NULL;
	} else if (walk->over || word[0] != '-' || !word[1]) {
		walk->args[walk->arg_count++] = word;
		walk->over = walk->over || walk->command->options_first;
	} else if (!strcmp(word, "--")) {
		walk->over = true;
	} else if (word[1] == '-') {
		walk_long(walk, word);
	} else {
		const struct cli_option *option = walk_letters(walk, word, &value);

		if (option && option->kind != CLI_FLAG && !*value && value[-1] != '=')
			walk->open = option;
	}
}

static void walk_init(struct walk *walk, const struct cli_command *command, char *const *words, size_t count)
{
	size_t options = 0;

	while (command->options[options].name)
		options++;
	*walk = (struct walk){.command = command,
			      .given = mvm_alloc(options + 1),
			      .args = mvm_alloc((count + 1) * sizeof(*walk->args))};
	for (size_t i = 0; i < count; i++)
		walk_word(walk, words[i]);
}

static void walk_finish(struct walk *walk)
{
	free(walk->given);
	free(walk->args);
}
#define CLEAN_WALK __attribute__((cleanup(walk_finish)))

static void offer_options(struct cli_completion *completion, const struct walk *walk)
{
	const struct cli_option *options = walk->command->options;

	for (size_t i = 0; options[i].name; i++) {
		char *name MVM_CLEAN_FREE = mvm_format("--%s", options[i].name);
		char letter[] = {'-', options[i].letter, '\0'};

		if (!cli_has_option(walk->command, &options[i]) || (walk->given[i] && options[i].kind != CLI_LIST))
			continue;
		if (options[i].letter)
			cli_offer(completion, letter, options[i].help);
		cli_offer(completion, name, options[i].help);
	}
	cli_offer(completion, "--help", "Print usage");
}

static void offer_values(struct cli_completion *completion, const struct cli_option *option, const char *word,
			 const char *value)
{
	char *before MVM_CLEAN_FREE = mvm_strndup(word, (size_t)(value - word));

	completion->typed = value;
	completion->before = before;
	if (option->kind == CLI_FLAG)
		cli_offer_words(completion, CLI_WORDS("true", "false"));
	else if (option->words)
		cli_offer_words(completion, option->words);
	else if (option->complete)
		option->complete(completion);
	completion->before = "";
}

/* A word that begins with "-": an option's name, or its value where that has begun. */
static void offer_option(struct cli_completion *completion, struct walk *walk)
{
	const char *word = completion->typed, *equals = strchr(word, '='), *value = NULL;
	const struct cli_option *option = NULL;

	if (word[1] == '-' && equals) {
		value = equals + 1;
		option = cli_option_named(walk->command, word + 2, (size_t)(equals - word) - 2);
	} else if (word[1] && word[1] != '-') {
		option = walk_letters(walk, word, &value);
		/* "-e": the letter itself may be meant. */
		if (option && !*value && value[-1] != '=') {
			cli_offer(completion, word, option->help);
			return;
		}
	}
	if (option)
		offer_values(completion, option, word, value);
	else if (!value)
		offer_options(completion, walk);
}

static void offer(struct cli_completion *completion, struct walk *walk)
{
	const struct cli_command *command = walk->command;

	if (walk->open) {
		offer_values(completion, walk->open, completion->typed, completion->typed);
	} else if (!walk->over && completion->typed[0] == '-') {
		offer_option(completion, walk);
	} else if (walk->arg_count < command->max_args && command->complete) {
		completion->args = walk->args;
		completion->arg_count = walk->arg_count;
		completion->is_argument = true;
		command->complete(completion);
	}
}

/* A group's words, of which `count` stand before the cursor; they begin with its name. 1: a command of it follows, and
 * `words` and `count` are without what stands between. */
static int complete_group(struct cli_completion *completion, const struct cli_group *group, char **words, size_t *count)
{
	struct walk walk CLEAN_WALK = {0};
	int first;

	if (!group->options) {
		if (*count > 1)
			return 1;
		if (completion->typed[0] == '-')
			cli_offer(completion, "--help", "Print usage");
		else
			cli_offer_commands(completion, group->name);
		return 0;
	}
	walk_init(&walk, group->options, words + 1, *count - 1);
	if (!walk.arg_count) {
		offer(completion, &walk);
		return 0;
	}
	if (cli_parse(group->options, (int)*count - 1, words + 1, group->values, &first, NULL) != 0)
		return 0;
	for (*count = 0; words[*count];)
		++*count;
	return 1;
}

/* The command's own words, of which `count` stand before the cursor; they begin with its name. */
static void complete_command(struct cli_completion *completion, char *const *given, size_t count)
{
	char **words MVM_CLEAN_FREE = mvm_alloc((count + 1) * sizeof(*words));
	const struct cli_group *group = cli_find_group(given[0]);
	struct walk walk CLEAN_WALK = {0};
	struct cli_found found;

	memcpy(words, given, count * sizeof(*words));
	if (!strcmp(words[0], "help")) {
		if (count <= 2)
			cli_offer_commands(completion, count == 2 ? words[1] : NULL);
		return;
	}
	if (group && !complete_group(completion, group, words, &count))
		return;
	words[count] = NULL;
	if (cli_find(words, &found) < 0 || !found.command)
		return;
	walk_init(&walk, found.command, words + found.words, count - (size_t)found.words);
	offer(completion, &walk);
}

void cli_complete_commands(struct cli_completion *completion)
{
	cli_offer_commands(completion, NULL);
}

void cli_complete(char *const *words, FILE *out)
{
	struct cli_completion completion = {.before = "", .directive = NO_FILES, .out = out};
	struct walk walk CLEAN_WALK = {0};
	size_t count = 0;

	while (words[count + 1])
		count++;
	completion.typed = words[count];
	walk_init(&walk, &cli_root, words, count);
	if (!walk.arg_count)
		offer(&completion, &walk);
	else
		complete_command(&completion, words + (count - walk.arg_count), walk.arg_count);
	fprintf(out, ":%u\n", completion.directive);
}
