/*
 * What docker's flags for a container's rights and limits mean: capabilities, --security-opt, --ulimit, --sysctl and
 * --tmpfs. The engine checks them when a container is made, the supervisor applies them when it starts.
 *
 * Pure. Errors are USAGE, in docker's words. Untrusted: all texts.
 */
#ifndef MVM_STATE_CONFINEMENT_H
#define MVM_STATE_CONFINEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mvm_error;
struct mvm_strv;

/* Adds "CAP_CHOWN" for each of `given`, in any case and with or without CAP_, or "ALL"; sorted, each once. `flag` names
 * the list in errors. */
int mvm_capabilities_normalize(const struct mvm_strv *given, const char *flag, struct mvm_strv *names,
			       struct mvm_error **err);
/* "CAP_CHOWN", by number; NULL after the last. */
const char *mvm_capability_name(size_t number);
/* Bits of those that a container has, from normalized lists; all 64 for a privileged one. */
uint64_t mvm_capabilities_of(bool privileged, const struct mvm_strv *add, const struct mvm_strv *drop);

struct mvm_security {
	bool no_new_privileges;
	bool unmasked; /* systempaths=unconfined */
};
int mvm_security_parse(const struct mvm_strv *options, struct mvm_security *security, struct mvm_error **err);

/* "nofile=1024:2048". The numbers are Linux's, on every host. */
struct mvm_ulimit {
	unsigned resource;
	int64_t soft, hard; /* -1: unlimited */
};
int mvm_ulimit_parse(const char *text, struct mvm_ulimit *limit, struct mvm_error **err);

/* "name=value", of those that are a container's own. */
int mvm_sysctl_check(const char *text, struct mvm_error **err);
/* "/path[:option,option]" */
int mvm_tmpfs_check(const char *text, struct mvm_error **err);

#endif
