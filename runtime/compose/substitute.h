/*
 * Variables in text, as docker compose has them: $NAME, ${NAME}, ${NAME:-default}, ${NAME-default}, ${NAME:?error},
 * ${NAME?error}, ${NAME:+value}, ${NAME+value}, nested, and $$ for a dollar. Names are letters, digits and "_".
 * Texts are untrusted: nesting and what comes out are bounded.
 */
#ifndef MVM_COMPOSE_SUBSTITUTE_H
#define MVM_COMPOSE_SUBSTITUTE_H

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

struct substitution {
	/* The value, borrowed; NULL where there is none of that name. */
	const char *(*find)(void *arg, const char *name);
	/* One that is not there, and nothing else was given; NULL: nobody asks. */
	void (*unset)(void *arg, const char *name);
	void *arg;
};

enum { SUBSTITUTE_MAX = 1 << 20 };

/* INVALID where it is malformed, or a variable is required and missing. */
int substitute(const char *text, const struct substitution *how, struct mvm_buf *out, struct mvm_error **err);

/* One of a text, as it is written. */
struct variable {
	const char *name;
	char operation;	  /* '-', '?' or '+', with or without ':' before it; 0: none */
	const char *rest; /* what stands behind it; "" */
};
/* Tells of each variable in the text, but for those within others; what is malformed is passed over. */
void each_variable(const char *text, void (*found)(void *arg, const struct variable *variable), void *arg);

/* "NAME=value" each. The value of the first one of that name, borrowed; NULL where there is none. */
const char *environment_find(const struct mvm_strv *environment, const char *name);
/* In the place of the one that is there. */
void environment_set(struct mvm_strv *environment, const char *name, const char *value);

#endif
