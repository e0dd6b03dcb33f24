/*
 * container.log, written: full records go in, files are rotated by the container's policy.
 *
 * A disk that is full, or any other failure, never ends the container: whole records that have no room are left out,
 * with a warning when that begins and word of how many bytes when it ends. A file never keeps a part of a record.
 */
#ifndef MVM_SUPERVISOR_LOGGER_H
#define MVM_SUPERVISOR_LOGGER_H

#include <stddef.h>

#include "runtime/state/log_policy.h"

struct mvm_error;
struct logger;

/* Appends to the file at `path`, which is made where it is missing; a policy that keeps nothing makes none. */
int logger_create(const char *path, const struct mvm_log_policy *policy, struct logger **out, struct mvm_error **err);
void logger_destroy(struct logger *logger);
/* `data` is any number of complete records. */
void logger_append(struct logger *logger, const char *data, size_t length);

#endif
