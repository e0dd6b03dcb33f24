/*
 * Stands in for the parts of the supervisor that lifecycle.c drives: machine, agent, streams, clients and timers.
 * Each call is written down as one word, in order; nothing happens by itself.
 */
#ifndef MVM_TESTS_UNIT_SUPERVISOR_FAKE_PARTS_H
#define MVM_TESTS_UNIT_SUPERVISOR_FAKE_PARTS_H

#include "runtime/supervisor/internal.h"

struct fake_parts {
	struct mvm_buf calls;
	bool boot_fails, streams_fail;
	bool network_missing; /* it is not known yet where the guest is */
	uint64_t now_ms;      /* on the monotonic clock */
	bool loop_stopped;
	/* Looks at the world at the moment when clients learn of the end. */
	void (*at_exit)(struct supervisor *supervisor);
};
extern struct fake_parts fake_parts;

void fake_parts_reset(void);

/* What the calls were since the last time. */
void fake_parts_expect(const char *calls);

/* A timer's time in milliseconds, -1 where it does not run. */
int64_t fake_timer_ms(const struct mvm_timer *timer);
void fake_timer_fire(struct mvm_timer *timer);

#endif
