/*
 * What becomes of a container's output: `--log-driver` and `--log-opt`, docker's words. "json-file" (the default) and
 * "local" both mean container.log, in the format of logfile.h; they differ in when it is rotated. "none" keeps nothing.
 *
 * Rotated files are container.log.1, the youngest, to container.log.<max_files - 1>.
 */
#ifndef MVM_STATE_LOG_POLICY_H
#define MVM_STATE_LOG_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct mvm_error;
struct mvm_strv;

struct mvm_log_policy {
	bool kept;
	uint64_t max_size; /* bytes after which a file is full; 0: never */
	int64_t max_files; /* container.log included */
};

/* `driver` NULL is the default; `options` are KEY=VALUE and may be NULL. USAGE with docker's words where malformed. */
int mvm_log_policy_parse(const char *driver, const struct mvm_strv *options, struct mvm_log_policy *policy,
			 struct mvm_error **err);

#endif
