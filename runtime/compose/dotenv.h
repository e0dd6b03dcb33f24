/*
 * The syntax of .env files, as docker compose reads them: NAME=value, NAME: value, "export", comments, values in single
 * or double quotes that may go over lines, variables in values. Bytes are untrusted.
 */
#ifndef MVM_COMPOSE_DOTENV_H
#define MVM_COMPOSE_DOTENV_H

#include "substitute.h"

/* Sets the file's variables in `out`, the last one of a name wins. A name alone gets the value that `how` finds for it,
 * and is left out where there is none. In values `how` comes first, then what is in `out`. INVALID: "line N: ...". */
int dotenv_parse(const char *text, const struct substitution *how, struct mvm_strv *out, struct mvm_error **err);

/* Lines of NAME=value as they are, as docker's --env-file has them; a name alone as above. */
int dotenv_read_raw(const char *path, const struct substitution *how, struct mvm_strv *out, struct mvm_error **err);

/* As dotenv_parse() with a file, which errors name. NOT_FOUND where it is not there. */
int dotenv_read(const char *path, const struct substitution *how, struct mvm_strv *out, struct mvm_error **err);

#endif
