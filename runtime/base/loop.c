/*
 * Theory of operation: watches, timers and children are linked lists. Removing
 * one while callbacks run only marks it dead; the dead are freed between two
 * rounds, so that no callback can meet a freed watch. Signals are written as
 * one byte each to a pipe that the loop polls like anything else.
 */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "io.h"
#include "mem.h"

struct mvm_watch {
	struct mvm_watch *next;
	mvm_watch_fn fn;
	void *arg;
	int fd;
	short events;
	bool dead;
};

struct mvm_timer {
	struct mvm_timer *next;
	mvm_timer_fn fn;
	void *arg;
	uint64_t due; /* nanoseconds; 0: stopped */
	bool dead;
};

struct child {
	struct child *next;
	mvm_child_fn fn; /* NULL: forgotten */
	void *arg;
	pid_t pid;
	bool dead;
};

struct handler {
	mvm_signal_fn fn;
	void *arg;
};

struct mvm_loop {
	struct mvm_watch *watches;
	struct mvm_timer *timers;
	struct child *children;
	struct handler handlers[NSIG];
	struct pollfd *polls;
	struct mvm_watch **polled; /* NULL: the poller's */
	size_t poll_count, capacity;
	const struct mvm_poller *poller;
	int pipe[2];
	bool stopped;
};

static int signal_pipe = -1;

static void on_signal(int signo)
{
	unsigned char byte = (unsigned char)signo;
	int saved = errno;

	/* Full means that the loop has plenty to wake up for already. */
	if (write(signal_pipe, &byte, 1) < 0)
		errno = saved;
	errno = saved;
}

uint64_t mvm_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void reap_children(struct mvm_loop *loop)
{
	for (struct child *child = loop->children; child; child = child->next) {
		int status;

		if (child->dead || waitpid(child->pid, &status, WNOHANG) != child->pid)
			continue;
		child->dead = true;
		if (child->fn)
			child->fn(child->arg, child->pid, status);
	}
}

static void read_signals(void *arg, int fd, short revents)
{
	struct mvm_loop *loop = arg;
	unsigned char signals[64];
	ssize_t n = read(fd, signals, sizeof(signals));

	(void)revents;
	for (ssize_t i = 0; i < n; i++) {
		struct handler *handler = &loop->handlers[signals[i] % NSIG];

		if (signals[i] == SIGCHLD)
			reap_children(loop);
		if (handler->fn)
			handler->fn(handler->arg, signals[i]);
	}
}

static void catch_signal(int signo)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	sigemptyset(&action.sa_mask);
	sigaction(signo, &action, NULL);
}

struct mvm_loop *mvm_loop_create(void)
{
	struct mvm_loop *loop = mvm_alloc(sizeof(*loop));

	if (mvm_pipe(loop->pipe) < 0)
		abort();
	mvm_set_nonblock(loop->pipe[0], true);
	mvm_set_nonblock(loop->pipe[1], true);
	signal_pipe = loop->pipe[1];
	mvm_loop_watch(loop, loop->pipe[0], POLLIN, read_signals, loop);
	return loop;
}

static void free_dead(struct mvm_loop *loop, bool all)
{
	for (struct mvm_watch **at = &loop->watches; *at;) {
		struct mvm_watch *watch = *at;

		if (!all && !watch->dead) {
			at = &watch->next;
			continue;
		}
		*at = watch->next;
		free(watch);
	}
	for (struct mvm_timer **at = &loop->timers; *at;) {
		struct mvm_timer *timer = *at;

		if (!all && !timer->dead) {
			at = &timer->next;
			continue;
		}
		*at = timer->next;
		free(timer);
	}
	for (struct child **at = &loop->children; *at;) {
		struct child *child = *at;

		if (!all && !child->dead) {
			at = &child->next;
			continue;
		}
		*at = child->next;
		free(child);
	}
}

void mvm_loop_destroy(struct mvm_loop *loop)
{
	if (!loop)
		return;
	for (int signo = 1; signo < NSIG; signo++)
		if (loop->handlers[signo].fn)
			signal(signo, SIG_DFL);
	if (loop->children)
		signal(SIGCHLD, SIG_DFL);
	free_dead(loop, true);
	signal_pipe = -1;
	close(loop->pipe[0]);
	close(loop->pipe[1]);
	free(loop->polls);
	free(loop->polled);
	free(loop);
}

/* Of those that are due at once the oldest, which stands last in the list. */
static struct mvm_timer *next_timer(const struct mvm_loop *loop)
{
	struct mvm_timer *next = NULL;

	for (struct mvm_timer *timer = loop->timers; timer; timer = timer->next)
		if (!timer->dead && timer->due && (!next || timer->due <= next->due))
			next = timer;
	return next;
}

static int poll_timeout(const struct mvm_loop *loop)
{
	const struct mvm_timer *timer = next_timer(loop);
	uint64_t now = mvm_now_ns(), wait;

	if (!timer)
		return -1;
	if (timer->due <= now)
		return 0;
	wait = (timer->due - now + 999999) / 1000000;
	return wait > 60000 ? 60000 : (int)wait;
}

static void add_poll(struct mvm_loop *loop, int fd, short events, struct mvm_watch *watch)
{
	if (loop->poll_count == loop->capacity) {
		loop->capacity = loop->capacity ? loop->capacity * 2 : 16;
		loop->polls = mvm_realloc(loop->polls, loop->capacity, sizeof(*loop->polls));
		loop->polled = mvm_realloc(loop->polled, loop->capacity, sizeof(struct mvm_watch *));
	}
	loop->polls[loop->poll_count] = (struct pollfd){.fd = fd, .events = events};
	loop->polled[loop->poll_count++] = watch;
}

static void gather(struct mvm_loop *loop)
{
	loop->poll_count = 0;
	for (struct mvm_watch *watch = loop->watches; watch; watch = watch->next)
		if (!watch->dead && watch->events)
			add_poll(loop, watch->fd, watch->events, watch);
}

void mvm_loop_set_poller(struct mvm_loop *loop, const struct mvm_poller *poller)
{
	loop->poller = poller;
}

int mvm_loop_poll_fd(struct mvm_loop *loop, int fd, short events)
{
	add_poll(loop, fd, events, NULL);
	return (int)loop->poll_count - 1;
}

short mvm_loop_polled(const struct mvm_loop *loop, int index)
{
	return index >= 0 && (size_t)index < loop->poll_count ? loop->polls[index].revents : 0;
}

/* Milliseconds; -1: for ever. */
static int prepare(struct mvm_loop *loop)
{
	int own = poll_timeout(loop);
	uint32_t timeout = own < 0 ? UINT32_MAX : (uint32_t)own;

	if (loop->poller)
		loop->poller->prepare(loop->poller->arg, loop, &timeout);
	return timeout > INT32_MAX ? -1 : (int)timeout;
}

static void fire_timers(struct mvm_loop *loop)
{
	uint64_t now = mvm_now_ns();
	struct mvm_timer *timer;

	/* In the order of their times, however late this round is. */
	while ((timer = next_timer(loop)) && timer->due <= now) {
		timer->due = 0;
		timer->fn(timer->arg);
	}
}

int mvm_loop_run(struct mvm_loop *loop, struct mvm_error **err)
{
	loop->stopped = false;
	while (!loop->stopped) {
		int timeout, ready;

		gather(loop);
		timeout = prepare(loop);
		ready = poll(loop->polls, (nfds_t)loop->poll_count, timeout);
		if (ready < 0 && errno != EINTR)
			return mvm_fail_errno(err, errno, "poll");
		for (size_t i = 0; ready > 0 && i < loop->poll_count; i++) {
			struct mvm_watch *watch = loop->polled[i];

			if (watch && loop->polls[i].revents && !watch->dead && watch->events)
				watch->fn(watch->arg, watch->fd, loop->polls[i].revents);
		}
		if (loop->poller)
			loop->poller->check(loop->poller->arg, loop, ready < 0);
		fire_timers(loop);
		free_dead(loop, false);
	}
	return 0;
}

void mvm_loop_stop(struct mvm_loop *loop)
{
	loop->stopped = true;
}

struct mvm_watch *mvm_loop_watch(struct mvm_loop *loop, int fd, short events, mvm_watch_fn fn, void *arg)
{
	struct mvm_watch *watch = mvm_alloc(sizeof(*watch));

	*watch = (struct mvm_watch){.next = loop->watches, .fn = fn, .arg = arg, .fd = fd, .events = events};
	loop->watches = watch;
	return watch;
}

void mvm_watch_set(struct mvm_watch *watch, short events)
{
	watch->events = events;
}

void mvm_watch_remove(struct mvm_watch *watch)
{
	if (watch)
		watch->dead = true;
}

struct mvm_timer *mvm_loop_timer(struct mvm_loop *loop, mvm_timer_fn fn, void *arg)
{
	struct mvm_timer *timer = mvm_alloc(sizeof(*timer));

	*timer = (struct mvm_timer){.next = loop->timers, .fn = fn, .arg = arg};
	loop->timers = timer;
	return timer;
}

void mvm_timer_start(struct mvm_timer *timer, uint64_t milliseconds)
{
	timer->due = mvm_now_ns() + milliseconds * 1000000;
}

void mvm_timer_stop(struct mvm_timer *timer)
{
	timer->due = 0;
}

void mvm_timer_remove(struct mvm_timer *timer)
{
	if (timer)
		timer->dead = true;
}

void mvm_loop_signal(struct mvm_loop *loop, int signo, mvm_signal_fn fn, void *arg)
{
	loop->handlers[signo] = (struct handler){.fn = fn, .arg = arg};
	catch_signal(signo);
}

void mvm_loop_child(struct mvm_loop *loop, pid_t pid, mvm_child_fn fn, void *arg)
{
	struct child *child = mvm_alloc(sizeof(*child));
	unsigned char byte = SIGCHLD;

	if (!loop->children)
		catch_signal(SIGCHLD);
	*child = (struct child){.next = loop->children, .fn = fn, .arg = arg, .pid = pid};
	loop->children = child;
	/* It may have ended before the handler stood. */
	if (write(loop->pipe[1], &byte, 1) < 0)
		return;
}

void mvm_loop_child_forget(struct mvm_loop *loop, pid_t pid)
{
	for (struct child *child = loop->children; child; child = child->next)
		if (child->pid == pid)
			child->fn = NULL;
}
