/*
 * Durations as Go, and so docker, reads and writes them: "1h30m", "1.5s", "500ms".
 */
#ifndef MVM_BASE_DURATION_H
#define MVM_BASE_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds, which may be negative ("-10m"). False where malformed, or longer than Go's 292 years. */
bool mvm_parse_duration(const char *text, int64_t *nanoseconds);
/* "1m30s", "1.5s", "500ms", "0s"; the caller's. */
char *mvm_format_duration(int64_t nanoseconds);

#endif
