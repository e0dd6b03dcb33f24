/*
 * Credential helpers: programs docker-credential-NAME that keep passwords in a keychain (docker-credential-helpers,
 * "Development").
 *
 * An action is the only argument; the rest goes through stdin and stdout, so that no secret is ever seen in a list of
 * processes. A helper is trusted with secrets but not with our time and memory: it has a minute, in which the user may
 * have to unlock something, and its output is limited. Blocks; SIGPIPE must be ignored.
 */
#ifndef MVM_IMAGE_HELPER_H
#define MVM_IMAGE_HELPER_H

struct mvm_buf;
struct mvm_error;

enum { MVM_HELPER_SECONDS = 60 };

/* Runs docker-credential-`name` with `action` ("get", "store", "erase", "list") and `input`. 0: `output` is what it
 * printed; 1: it has no such credentials. NOT_FOUND where it is not installed, INVALID for a name that is none,
 * TIMEOUT, else AUTH with what it said. */
int mvm_helper_run(const char *name, const char *action, const char *input, int seconds, struct mvm_buf *output,
		   struct mvm_error **err);

#endif
