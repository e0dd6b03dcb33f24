/* What the commands share that change a project. */
#ifndef MVM_CLI_COMPOSE_CHANGE_H
#define MVM_CLI_COMPOSE_CHANGE_H

#include "compose.h"
#include "runtime/compose/up.h"

typedef int (*cli_change_fn)(const struct mvm_compose_project *project, const void *context, struct mvm_error **err);
/* Loads the project, and does it with what becomes of things shown on stderr. Without `files` a project that is known
 * by its name alone will do. */
int cli_compose_change(struct mvm_compose_options *load, bool files, char **services, cli_change_fn fn,
		       const void *context, struct mvm_error **err);

/* `-t`; a NULL text leaves each container its own. */
int cli_parse_timeout(const char *text, struct mvm_compose_timeout *timeout, struct mvm_error **err);
/* 130 after Ctrl-C, as docker compose has it. */
int cli_compose_status(const struct mvm_error *err);

#endif
