/*
 * The poll loop: one a process. Every wait in mvm is a descriptor, a timer, a
 * signal or a child in this loop.
 *
 * Callbacks run on the thread that runs the loop, one at a time. A callback may
 * remove any watch, timer or child, its own included. Works on Linux and macOS
 * (poll() and a self-pipe; there is one loop per process because signals are).
 */
#ifndef MVM_BASE_LOOP_H
#define MVM_BASE_LOOP_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct mvm_error;
struct mvm_loop;
struct mvm_watch;
struct mvm_timer;

struct mvm_loop *mvm_loop_create(void);
/* Frees the watches, timers and children that are left; closes no descriptor of the caller's. */
void mvm_loop_destroy(struct mvm_loop *loop);

/* Runs until mvm_loop_stop(). */
int mvm_loop_run(struct mvm_loop *loop, struct mvm_error **err);
void mvm_loop_stop(struct mvm_loop *loop);

/* `events` and `revents` are poll()'s. With events 0 the watch is asleep:
 * nothing is reported, not even POLLHUP, until mvm_watch_set(). */
typedef void (*mvm_watch_fn)(void *arg, int fd, short revents);
struct mvm_watch *mvm_loop_watch(struct mvm_loop *loop, int fd, short events, mvm_watch_fn fn, void *arg);
void mvm_watch_set(struct mvm_watch *watch, short events);
/* NULL is fine. */
void mvm_watch_remove(struct mvm_watch *watch);

/* A one-shot timer on the monotonic clock; created stopped. */
typedef void (*mvm_timer_fn)(void *arg);
struct mvm_timer *mvm_loop_timer(struct mvm_loop *loop, mvm_timer_fn fn, void *arg);
void mvm_timer_start(struct mvm_timer *timer, uint64_t milliseconds);
void mvm_timer_stop(struct mvm_timer *timer);
void mvm_timer_remove(struct mvm_timer *timer);

/* For a library that has descriptors and timeouts of its own: asked before each round of the poll, and told after it.
 * prepare() may add descriptors and shorten the wait; check() asks what became of them. One a loop. */
struct mvm_poller {
	void (*prepare)(void *arg, struct mvm_loop *loop, uint32_t *timeout_ms);
	void (*check)(void *arg, struct mvm_loop *loop, bool failed);
	void *arg;
};
/* Borrowed; NULL takes it away. */
void mvm_loop_set_poller(struct mvm_loop *loop, const struct mvm_poller *poller);
/* From within prepare(): an index for mvm_loop_polled(), which from within check() gives poll()'s revents. */
int mvm_loop_poll_fd(struct mvm_loop *loop, int fd, short events);
short mvm_loop_polled(const struct mvm_loop *loop, int index);

/* Delivers a signal as a callback from now on. */
typedef void (*mvm_signal_fn)(void *arg, int signo);
void mvm_loop_signal(struct mvm_loop *loop, int signo, mvm_signal_fn fn, void *arg);

/* Reaps `pid` and reports its wait status, once. */
typedef void (*mvm_child_fn)(void *arg, pid_t pid, int status);
void mvm_loop_child(struct mvm_loop *loop, pid_t pid, mvm_child_fn fn, void *arg);
/* Forgets the child; it is still reaped. */
void mvm_loop_child_forget(struct mvm_loop *loop, pid_t pid);

/* Nanoseconds on the monotonic clock. */
uint64_t mvm_now_ns(void);

#endif
