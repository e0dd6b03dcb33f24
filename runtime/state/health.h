/*
 * Health checks: what is to be run, when, and what its results make of a container. Docker's rules.
 *
 * Pure but for the file: containers/<id>/health.json, which the supervisor writes at each result and whoever looks at
 * the container reads. It is replaced without waiting for the disk, for results are many; one that cannot be read, as
 * after a crash of the host, says nothing.
 *
 * Durations are nanoseconds, 0 for docker's default.
 */
#ifndef MVM_STATE_HEALTH_H
#define MVM_STATE_HEALTH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "runtime/base/mem.h"

struct mvm_error;

/* What the user or the image asks for. */
struct mvm_health_check {
	struct mvm_strv
		test; /* empty or "NONE": none; "CMD" and the command's words; "CMD-SHELL" and a line for a shell */
	int64_t interval, timeout, start_period, start_interval;
	int64_t retries; /* 0: docker's default */
};

enum mvm_health_status { MVM_HEALTH_NONE, MVM_HEALTH_STARTING, MVM_HEALTH_HEALTHY, MVM_HEALTH_UNHEALTHY };

/* Of each probe so much output, and so many of them, are kept. */
enum { MVM_HEALTH_OUTPUT = 4096, MVM_HEALTH_LOG = 5 };

struct mvm_health_result {
	struct timespec start, end;
	int64_t exit_code; /* -1: it could not be run, or took too long */
	char *output;	   /* owned */
};

struct mvm_health {
	enum mvm_health_status status;
	int64_t failing_streak;
	struct mvm_health_result log[MVM_HEALTH_LOG]; /* the oldest first */
	size_t count;
};

/* "none", "starting", "healthy", "unhealthy" */
const char *mvm_health_name(enum mvm_health_status status);

/* Docker's object, without what was not asked for. */
json_t *mvm_health_check_to_json(const struct mvm_health_check *check);
/* Whether there is something to run. */
bool mvm_health_has_probe(const struct mvm_health_check *check);
/* The command: with the image's shell, or /bin/sh -c where it names none, for CMD-SHELL. */
void mvm_health_command(const struct mvm_health_check *check, const struct mvm_strv *shell, struct mvm_strv *command);
int64_t mvm_health_timeout(const struct mvm_health_check *check);

/* The container's program has just started. What was logged before stays. */
void mvm_health_begin(struct mvm_health *health);
/* How long to wait from now to the next probe; `age` is how long the program has run. */
int64_t mvm_health_wait(const struct mvm_health *health, const struct mvm_health_check *check, int64_t age);
/* Notes a result, whose output it takes; `age`: when the probe was begun. */
void mvm_health_note(struct mvm_health *health, const struct mvm_health_check *check,
		     const struct mvm_health_result *result, int64_t age);

int mvm_health_save(const struct mvm_health *health, const char *folder, struct mvm_error **err);
/* Empty where there is none. */
void mvm_health_load(struct mvm_health *health, const char *folder);
/* Docker's document, as it stands in the file and in `inspect`. */
json_t *mvm_health_to_json(const struct mvm_health *health);
void mvm_health_finish(struct mvm_health *health);

#endif
