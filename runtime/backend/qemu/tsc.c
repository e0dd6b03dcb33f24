/*
 * Theory of operation: the counter is read between two readings of the clock, and the
 * tightest of several such sandwiches is kept, at the beginning and at the end of an
 * interval. Each end is then known to some 50 ns, which over 10 ms is an error of
 * 0.001 %, a hundred times less than a guest would notice. CPUID leaves 15h and 16h
 * would be quicker but hold nominal values, and nothing at all on most hypervisors.
 */
#include "tsc.h"

#include <poll.h>

#include "runtime/base/loop.h"

#ifdef __x86_64__
#include <cpuid.h>
#include <x86intrin.h>
#endif

enum { INTERVAL_MS = 10, SANDWICHES = 32 };

uint32_t tsc_rate(uint64_t ticks, uint64_t nanoseconds)
{
	double khz = nanoseconds ? (double)ticks * 1e6 / (double)nanoseconds : 0;

	/* Below 100 MHz or above 20 GHz is no processor but a clock that jumped. */
	return khz >= 100e3 && khz <= 20e6 ? (uint32_t)(khz + 0.5) : 0;
}

#ifdef __x86_64__

struct moment {
	uint64_t ticks, nanoseconds, doubt;
};

static bool ticks_evenly(void)
{
	unsigned a, b, c, d;

	/* 80000007h EDX bit 8: invariant TSC. Hypervisors hide it, since it would forbid them to migrate, but
	 * run on processors that have it. Without a told rate boots hang, so their word is taken for it. */
	if (__get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8)))
		return true;
	return __get_cpuid(1, &a, &b, &c, &d) && (c & (1u << 31));
}

static struct moment take_moment(void)
{
	struct moment best = {.doubt = UINT64_MAX};

	for (int i = 0; i < SANDWICHES; i++) {
		uint64_t before = mvm_now_ns(), ticks = __rdtsc(), after = mvm_now_ns();

		if (after - before < best.doubt)
			best = (struct moment){ticks, before + (after - before) / 2, after - before};
	}
	return best;
}

bool tsc_measure(uint32_t *khz)
{
	struct moment from, to;
	uint32_t rate;

	if (!ticks_evenly())
		return false;
	from = take_moment();
	poll(NULL, 0, INTERVAL_MS);
	to = take_moment();
	rate = tsc_rate(to.ticks - from.ticks, to.nanoseconds - from.nanoseconds);
	if (!rate)
		return false;
	*khz = rate;
	return true;
}

#else

bool tsc_measure(uint32_t *khz)
{
	(void)khz;
	return false;
}

#endif
