/* What the files of change.h share. */
#ifndef MVM_IMAGE_CHANGE_INTERNAL_H
#define MVM_IMAGE_CHANGE_INTERNAL_H

#include <stdbool.h>

#include "change.h"
#include "runtime/base/mem.h"

/* change_words.c: splits at blanks outside of quotes; what quotes and backslashes there are stays. */
void change_split(const char *text, struct mvm_strv *words);
/* A word without its quotes and backslashes, and with variables put in; the caller's. */
int change_expand(const json_t *config, const char *word, char **value, struct mvm_error **err);

/* change_health.c: the HealthConfig object for what follows HEALTHCHECK. */
int change_health(const char *text, json_t **health, struct mvm_error **err);
/* change.c: a list of strings in JSON, NULL for all else; the caller's. */
json_t *change_list(const char *text);

static inline bool change_is_blank(char letter)
{
	return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r';
}

#endif
