/* `compose up` without -d: starts a project and stays with its output. */
#ifndef MVM_CLI_COMPOSE_FOREGROUND_H
#define MVM_CLI_COMPOSE_FOREGROUND_H

#include "compose_change.h"

struct cli_foreground {
	char *const *attach; /* services whose output is shown, and whose end is the end; ends with NULL */
	bool color, prefix, timestamps;
	bool abort_on_exit, abort_on_failure; /* all are stopped when one has ended, or has failed */
	const char *exit_code_from;	      /* whose exit code it is; NULL: the first one's */
	struct mvm_compose_timeout timeout;   /* of the end */
};
/* The exit status, or -1. */
int cli_compose_foreground(const struct mvm_compose_project *project, const struct cli_foreground *options,
			   struct mvm_error **err);

#endif
