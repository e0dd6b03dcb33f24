/*
 * Points in time as docker's `--since`, `--until` and `until=` take them.
 */
#ifndef MVM_CLI_MOMENT_H
#define MVM_CLI_MOMENT_H

#include <stdbool.h>
#include <time.h>

/* RFC 3339 with or without its fraction, seconds, minutes, time and zone (without: the local one); seconds since 1970
 * with or without a fraction; or a duration of Go's ("10m", "1h30m", "1.5h") into the past. False where it is none. */
bool cli_parse_moment(const char *text, struct timespec *moment);

#endif
