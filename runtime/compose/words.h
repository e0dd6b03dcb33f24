/* A command that is one text, as words: what docker compose takes for a shell's rules. */
#ifndef MVM_COMPOSE_WORDS_H
#define MVM_COMPOSE_WORDS_H

#include <stdbool.h>

#include "runtime/base/mem.h"

/* False where a quote or bracket is open. *rest: where the words end before the text does, at one of ";&|<>"; NULL:
 * they do not. */
bool split_words(const char *text, struct mvm_strv *words, const char **rest);

#endif
