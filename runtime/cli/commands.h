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
};

/* What the first words of the command line stand for. */
struct cli_found {
	const struct cli_command *command; /* NULL: a group alone, or nothing */
	const struct cli_group *group;	   /* NULL: the first word is no group's */
	const char *name;		   /* the command's name as it was typed: "image ls" */
	int words;			   /* how many of them it took */
};

/* 0 a command or a group alone, -1 neither. `words` ends with NULL and has at least one. */
int cli_find(char *const *words, struct cli_found *found);
/* The command's name nearest to what was typed, within the group (NULL: the first word); NULL where none is near. */
const char *cli_nearest(const char *group, const char *typed);

void cli_print_overview(FILE *out);
void cli_print_group(const struct cli_group *group, FILE *out);

#endif
