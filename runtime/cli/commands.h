/*
 * The table of all commands: finding one by the words that were typed, guessing what was meant, and the help that
 * lists them.
 */
#ifndef MVM_CLI_COMMANDS_H
#define MVM_CLI_COMMANDS_H

#include "cli.h"

/* "mvm image", "mvm container", ... */
struct cli_group {
	const char *name, *summary;
	/* What stands between it and its command, with where that goes; NULL: nothing does. */
	const struct cli_command *options;
	void *values;
};

/* What the first words of the command line stand for. */
struct cli_found {
	const struct cli_command *command; /* NULL: a group alone, or nothing */
	const struct cli_group *group;	   /* NULL: the first word is no group's */
	const char *name;		   /* the command's name as it was typed: "image ls" */
	int words;			   /* how many of them it took */
};

/* mvm itself: options that stand before the command's name, with values for main(). */
struct cli_globals {
	bool debug, version;
	const char *config, *log_level;
};
extern const struct cli_command cli_root;

/* 0 a command or a group alone, -1 neither. `words` ends with NULL and has at least one. */
int cli_find(char *const *words, struct cli_found *found);
/* The command's name nearest to what was typed, within the group (NULL: the first word); NULL where none is near. */
const char *cli_nearest(const char *group, const char *typed);

/* One after the other; NULL after the last. */
const struct cli_command *cli_command_at(size_t index);

/* NULL where the word is none. */
const struct cli_group *cli_find_group(const char *word);
/* Commands within the group, or all first words for NULL; each by its first name. */
void cli_offer_commands(struct cli_completion *completion, const char *group);

void cli_print_overview(FILE *out);
void cli_print_group(const struct cli_group *group, FILE *out);

#endif
