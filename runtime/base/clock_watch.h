/*
 * Tells when the wall clock has jumped: somebody set it, or the host slept, during which the other clocks stand still.
 *
 * Every few seconds it is held against the clock that only counts time awake. A descriptor that tells of it at once is
 * Linux's alone (TFD_TIMER_CANCEL_ON_SET); a look costs some microseconds, and is the same everywhere.
 */
#ifndef MVM_BASE_CLOCK_WATCH_H
#define MVM_BASE_CLOCK_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct mvm_loop;
struct mvm_clock_watch;

enum { MVM_CLOCK_WATCH_MS = 5000, MVM_CLOCK_JUMP_MS = 100 };

/* `jumped` is called from the loop, at most MVM_CLOCK_WATCH_MS after a jump of MVM_CLOCK_JUMP_MS or more, or several
 * that add up to it. */
struct mvm_clock_watch *mvm_clock_watch_create(struct mvm_loop *loop, void (*jumped)(void *arg), void *arg);
/* NULL is fine. */
void mvm_clock_watch_destroy(struct mvm_clock_watch *watch);

/* Pure: whether both clocks are no longer as far apart as at the last jump, in nanoseconds. *apart is kept. */
bool mvm_clock_has_jumped(int64_t wall, int64_t awake, int64_t *apart);

#endif
