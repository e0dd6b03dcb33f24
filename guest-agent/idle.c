#include "idle.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "cgroup.h"
#include "failure.h"
#include "loop.h"

enum {
	PERIOD_MS = 30000,
	BUSY_US = PERIOD_MS * 1000 / 20, /* of processor time in a period, and it is not idle */
	STEP_MS = 100,			 /* between two steps, so that nothing else waits for long */
	STEP = 16 << 20,		 /* bytes at a time; less than that is not worth it */
};

static struct watch timer = {.fd = -1};
static uint64_t used;	/* microseconds of processor time, when last looked at */
static uint64_t budget; /* bytes that are still to be given back */

static void look_again(unsigned milliseconds)
{
	struct itimerspec when = {
		.it_value = {.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000}};

	timerfd_settime(timer.fd, 0, &when, NULL);
}

static bool is_idle(void)
{
	uint64_t now = cgroup_value("cpu.stat", "usage_usec"), before = used;

	used = now;
	return now - before < BUSY_US;
}

/* What has become too little on the way is refused, and that is enough. */
static void tick(struct watch *watch, uint32_t events)
{
	uint64_t times;

	if (read(watch->fd, &times, sizeof(times)) < 0)
		return;
	if (!budget && is_idle())
		budget = cgroup_value("memory.stat", "inactive_file");
	if (budget < STEP || cgroup_reclaim(STEP)) {
		budget = 0;
		look_again(PERIOD_MS);
		return;
	}
	budget -= STEP;
	look_again(STEP_MS);
}

void idle_watch(void)
{
	if (timer.fd >= 0)
		return;
	timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	timer.ready = tick;
	if (timer.fd < 0 || loop_add(&timer, EPOLLIN)) {
		complain("cannot watch for idleness: %s", strerror(errno));
		return;
	}
	look_again(PERIOD_MS);
}
