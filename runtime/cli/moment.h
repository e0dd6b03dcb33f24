/*
 * Points in time as docker's `--since`, `--until` and `until=` take them.
 */
#ifndef MVM_CLI_MOMENT_H
#define MVM_CLI_MOMENT_H

#include <stdbool.h>
#include <time.h>

struct mvm_error;

/* RFC 3339 with or without its fraction, seconds, minutes, time and zone (without: the local one); seconds since 1970
 * with or without a fraction; or a duration of Go's ("10m", "1h30m", "1.5h") into the past. False where it is none. */
bool cli_parse_moment(const char *text, struct timespec *moment);
/* The value of `--since` and the like: *limit becomes `moment`, which is filled, or stays where the text is NULL or
 * empty. USAGE where it is no moment. */
int cli_parse_limit(const char *option, const char *text, struct timespec *moment, const struct timespec **limit,
		    struct mvm_error **err);

#endif
