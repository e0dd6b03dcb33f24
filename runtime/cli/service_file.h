/*
 * The files by which a host starts containers after a boot: a unit of systemd's user manager, or an agent of launchd.
 * Pure: texts in, text out.
 */
#ifndef MVM_CLI_SERVICE_FILE_H
#define MVM_CLI_SERVICE_FILE_H

#include "runtime/base/mem.h"

struct mvm_error;

struct service_file {
	const char *name;		    /* "mvm", or "mvm-0a1b2c3d" for a home other than the usual */
	const char *program;		    /* of mvm, absolute */
	const struct mvm_strv *environment; /* NAME=value */
};

/* systemd.service(5). The caller's; INVALID where a path cannot be written there. */
int service_unit(const struct service_file *file, char **text, struct mvm_error **err);
/* launchd.plist(5). The same. */
int service_plist(const struct service_file *file, char **text, struct mvm_error **err);

#endif
