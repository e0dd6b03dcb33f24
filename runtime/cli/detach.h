/*
 * The keys that leave a terminal without ending what runs in it: docker's `--detach-keys`.
 */
#ifndef MVM_CLI_DETACH_H
#define MVM_CLI_DETACH_H

#include <stdbool.h>
#include <stddef.h>

struct mvm_error;

enum { CLI_DETACH_KEYS = 32 };

/* Zeroed, it finds nothing. */
struct cli_detach {
	char keys[CLI_DETACH_KEYS];
	size_t length;
	size_t matched; /* of the keys, the last bytes seen, which are held back */
};

/* "ctrl-p,ctrl-q", "a,ctrl-\\,DEL"; NULL or "" is `detachKeys` of docker's configuration file, else ctrl-p ctrl-q.
 * USAGE where malformed. */
int cli_detach_init(struct cli_detach *detach, const char *given, struct mvm_error **err);
/* Puts what goes on to the container into `out`, which has room for `length` + CLI_DETACH_KEYS bytes. True where the
 * keys are complete: they and what is behind them stay here. */
bool cli_detach_filter(struct cli_detach *detach, const char *data, size_t length, char *out, size_t *out_length);

#endif
