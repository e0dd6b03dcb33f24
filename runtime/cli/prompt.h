/*
 * Questions to the person at the terminal.
 */
#ifndef MVM_CLI_PROMPT_H
#define MVM_CLI_PROMPT_H

#include <stdbool.h>

#include "runtime/base/error.h"

/* Asks on stderr and reads a line of stdin, without blanks around it; the caller's. A secret is not shown while it is
 * typed, and the terminal is as it was again whatever ends us. "" at the end of the input. INTERRUPTED. */
int cli_prompt(const char *question, bool secret, char **answer, struct mvm_error **err);

/* mvm_create_request.install_rosetta: asks, where somebody is at the terminal; no word but y is taken for yes. */
bool cli_install_rosetta(const char *architecture);

#endif
