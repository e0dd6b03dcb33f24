/*
 * Text that users write and read: sizes, numbers, times, identifiers.
 */
#ifndef MVM_BASE_TEXT_H
#define MVM_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* "512m", "1g", "1.5GiB", "1024": docker's sizes, units of 1024, result in bytes. False where malformed. */
bool mvm_parse_size(const char *text, uint64_t *bytes);
/* The same in units of 1000, which docker counts log files in. */
bool mvm_parse_decimal_size(const char *text, uint64_t *bytes);
/* Whole text, decimal, within [min, max]. */
bool mvm_parse_int(const char *text, int64_t min, int64_t max, int64_t *value);
/* "TERM", "SIGTERM", "sigterm", "15": a signal's number on Linux, the guest's. False where unknown. */
bool mvm_parse_signal(const char *text, int *signo);
/* "TERM"; NULL for a number that has no name. */
const char *mvm_signal_name(int signo);

/* "1.5kB", "24.3MB": powers of 1000 and three or four digits, as docker prints sizes. */
char *mvm_format_size(uint64_t bytes);
/* "5 seconds", "About a minute", "3 weeks": as docker prints ages. */
char *mvm_format_age(int64_t seconds);
/* "2026-11-21T06:18:03.123456789Z"; `out` holds MVM_TIME_LENGTH + 1 bytes. */
enum { MVM_TIME_LENGTH = 30 };
void mvm_format_time(const struct timespec *time, char *out);
bool mvm_parse_time(const char *text, struct timespec *time);

/* Whether a path is that folder or below it, by its text: both are absolute, without "." and "..". */
bool mvm_is_within(const char *path, const char *folder);

/* Labels are "name=value" each; wanted is "name" or "name=value". */
struct mvm_strv;
bool mvm_has_label(const struct mvm_strv *labels, const char *wanted);

/* Control characters, those of UTF-8's C1 too, become '?': what others wrote shall not speak to a terminal. */
void mvm_mask_controls(char *text);

/* Random bytes from the kernel. */
void mvm_random(void *data, size_t length);
void mvm_hex(const void *data, size_t length, char *out);

#endif
