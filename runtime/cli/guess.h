/*
 * The word that somebody may have meant: set `typed`, consider each that there is, and look at `nearest`.
 */
#ifndef MVM_CLI_GUESS_H
#define MVM_CLI_GUESS_H

#include <stddef.h>

struct cli_guess {
	const char *typed;
	const char *nearest; /* borrowed; NULL: none is near */
	size_t distance;
};
void cli_consider(struct cli_guess *guess, const char *name);

#endif
