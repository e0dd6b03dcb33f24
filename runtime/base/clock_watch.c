#include "clock_watch.h"

#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "loop.h"
#include "mem.h"

/* On macOS CLOCK_MONOTONIC goes on while the host sleeps. */
#ifdef __APPLE__
#define CLOCK_AWAKE CLOCK_UPTIME_RAW
#else
#define CLOCK_AWAKE CLOCK_MONOTONIC
#endif

struct mvm_clock_watch {
	struct mvm_timer *timer;
	void (*jumped)(void *arg);
	void *arg;
	int64_t apart;
};

bool mvm_clock_has_jumped(int64_t wall, int64_t awake, int64_t *apart)
{
	int64_t now = wall - awake, limit = (int64_t)MVM_CLOCK_JUMP_MS * 1000000;

	if (now - *apart < limit && *apart - now < limit)
		return false;
	*apart = now;
	return true;
}

static int64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool look(struct mvm_clock_watch *watch)
{
	int64_t awake = read_clock(CLOCK_AWAKE);

	return mvm_clock_has_jumped(read_clock(CLOCK_REALTIME), awake, &watch->apart);
}

static void tick(void *arg)
{
	struct mvm_clock_watch *watch = arg;

	mvm_timer_start(watch->timer, MVM_CLOCK_WATCH_MS);
	if (look(watch))
		watch->jumped(watch->arg);
}

struct mvm_clock_watch *mvm_clock_watch_create(struct mvm_loop *loop, void (*jumped)(void *arg), void *arg)
{
	struct mvm_clock_watch *watch = mvm_alloc(sizeof(*watch));

	watch->timer = mvm_loop_timer(loop, tick, watch);
	watch->jumped = jumped;
	watch->arg = arg;
	look(watch);
	mvm_timer_start(watch->timer, MVM_CLOCK_WATCH_MS);
	return watch;
}

void mvm_clock_watch_destroy(struct mvm_clock_watch *watch)
{
	if (!watch)
		return;
	mvm_timer_remove(watch->timer);
	free(watch);
}
