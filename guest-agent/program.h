/*
 * Finding and running a container's program, with docker's words for what can go wrong.
 */
#ifndef AGENT_PROGRAM_H
#define AGENT_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

struct failure;

/* The value of NAME in a list of NAME=value; NULL where it is not. The last one counts, as in a shell. Pure. */
const char *env_get(char *const *env, const char *name);

/* The next candidate of `name` in a PATH: writes it to `buffer`, advances *path, false at the end. An
 * empty part means the current folder. Candidates that do not fit are left out. Pure. */
bool path_next(const char **path, const char *name, char *buffer, size_t size);

/* What to hand to exec for argv[0]; NO_PROGRAM or CANNOT_RUN. */
int program_find(const char *name, const char *path, char *buffer, size_t size, struct failure *failure);
/* Returns only on failure. */
int program_exec(const char *file, char *const *argv, char *const *env, struct failure *failure);

#endif
