#include "forget.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "failure.h"
#include "files.h"
#include "loop.h"

enum { FILES_PER_MS = 40, SOONEST_MS = 20 };

static struct watch timer = {.fd = -1};
static unsigned long limit, left; /* what was left when it was last told to forget */

/* Of all file systems, which is no less than those of the host's. */
static unsigned long known(void)
{
	char text[48];

	return file_read_at(AT_FDCWD, "/proc/sys/fs/inode-nr", text, sizeof(text)) > 0 ? strtoul(text, NULL, 10) : 0;
}

/* What is in use stays, and is not tried again until there is something else. Again before the rest can be used up. */
static void look(void)
{
	struct itimerspec when = {0};
	unsigned long now = known(), wait;

	if (now < left)
		left = now;
	if (now > limit / 4 * 3 && now - left > limit / 16) {
		trace("%lu files are known", now);
		file_set("/proc/sys/vm/drop_caches", "3");
		left = now = known();
	}
	wait = now < limit ? (limit - now) / FILES_PER_MS : 0;
	wait += SOONEST_MS;
	when.it_value.tv_sec = (time_t)(wait / 1000);
	when.it_value.tv_nsec = (long)(wait % 1000) * 1000000;
	timerfd_settime(timer.fd, 0, &when, NULL);
}

static void tick(struct watch *watch, uint32_t events)
{
	uint64_t times;

	if (read(watch->fd, &times, sizeof(times)) > 0)
		look();
}

void forget_watch(char *const *list)
{
	while (list && *list && **list != 'l')
		list++;
	if (!list || !*list || timer.fd >= 0)
		return;
	limit = strtoul(*list + strlen("limit="), NULL, 10);
	timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	timer.ready = tick;
	if (timer.fd < 0 || loop_add(&timer, EPOLLIN)) {
		complain("cannot watch how many files are known: %s", strerror(errno));
		return;
	}
	look();
}
