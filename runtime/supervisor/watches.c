#include "watches.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "share/mount.h"
#include "share/source.h"
#include "share/watch.h"
#include "shares.h"

enum {
	GATHER_MS = 10,	       /* what changes together is told together */
	ORDER_SIZE = 8 * 1024, /* of paths; the agent has twice the room (guest-agent/control.c) */
};

struct watched {
	struct watches *watches;
	struct mvm_watcher *watcher;
	char *target;
};

struct watches {
	struct supervisor *supervisor;
	struct watched **items;
	size_t count, turn; /* who is to be told of next */
	struct mvm_timer *timer;
	bool running;
	bool gathering; /* the timer runs */
	bool asked;	/* the guest has not answered yet */
};

static void gather(struct watches *watches)
{
	if (!watches->running || watches->gathering || watches->asked)
		return;
	watches->gathering = true;
	mvm_timer_start(watches->timer, GATHER_MS);
}

static void gather_if_any(struct watches *watches)
{
	for (size_t i = 0; i < watches->count; i++)
		if (mvm_watcher_any(watches->items[i]->watcher)) {
			gather(watches);
			return;
		}
}

static void told(void *arg, const struct mvm_error *error)
{
	struct watches *watches = arg;

	watches->asked = false;
	if (error && watches->running)
		mvm_log(MVM_LOG_WARN, "changes on the host: %s", mvm_error_message(error));
	gather_if_any(watches);
}

static void tell(struct watches *watches, const struct watched *watched)
{
	struct mvm_strv paths MVM_CLEAN_STRV = {0};
	struct mvm_proto_refresh order = {.path = watched->target};

	mvm_watcher_take(watched->watcher, ORDER_SIZE, &paths);
	order.changed = paths.items;
	watches->asked = true;
	agent_refresh(watches->supervisor->agent, &order, told, watches);
}

static void gathered(void *arg)
{
	struct watches *watches = arg;

	watches->gathering = false;
	for (size_t i = 0; i < watches->count; i++) {
		const struct watched *watched = watches->items[watches->turn++ % watches->count];

		if (mvm_watcher_any(watched->watcher)) {
			tell(watches, watched);
			return;
		}
	}
}

static void on_changed(void *arg)
{
	const struct watched *watched = arg;

	gather(watched->watches);
}

static void on_warning(void *arg, const char *text)
{
	const struct watched *watched = arg;

	mvm_log(MVM_LOG_WARN, "%s", text);
	clients_notice(watched->watches->supervisor, text);
}

static bool is_own(void *arg, pid_t who)
{
	const struct watched *watched = arg;

	return shares_serves(watched->watches->supervisor->shares, who);
}

struct watches *watches_create(struct supervisor *supervisor)
{
	struct watches *watches = mvm_alloc(sizeof(*watches));

	watches->supervisor = supervisor;
	watches->timer = mvm_loop_timer(supervisor->loop, gathered, watches);
	return watches;
}

void watches_destroy(struct watches *watches)
{
	if (!watches)
		return;
	for (size_t i = 0; i < watches->count; i++) {
		mvm_watcher_stop(watches->items[i]->watcher);
		free(watches->items[i]->target);
		free(watches->items[i]);
	}
	mvm_timer_remove(watches->timer);
	free(watches->items);
	free(watches);
}

/* The one that was checked, or another that is no worse. */
static int watch(struct watches *watches, const struct mvm_mount *mount, const struct mvm_share_roots *roots,
		 struct watched *watched, struct mvm_error **err)
{
	static const struct mvm_watcher_events events = {.changed = on_changed, .warn = on_warning, .is_own = is_own};
	int place = mvm_share_open(mount->source, roots);

	if (place < 0)
		return mvm_fail_errno(err, errno, "cannot open %s", mount->source);
	return mvm_watcher_start(watches->supervisor->loop, place, mount->source, &events, watched, &watched->watcher,
				 err);
}

void watches_add(struct watches *watches, const struct mvm_mount *mount, const struct mvm_share_roots *roots)
{
	struct watched *watched = mvm_alloc(sizeof(*watched));
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	*watched = (struct watched){.watches = watches, .target = mvm_strdup(mount->target)};
	if (watch(watches, mount, roots, watched, &err) < 0) {
		char *text MVM_CLEAN_FREE = mvm_format("%s is not watched: %s", mount->source, mvm_error_message(err));

		on_warning(watched, text);
		free(watched->target);
		free(watched);
		return;
	}
	watches->items = mvm_realloc(watches->items, watches->count + 1, sizeof(struct watched *));
	watches->items[watches->count++] = watched;
}

void watches_run(struct watches *watches, bool on)
{
	watches->running = on;
	if (on)
		gather_if_any(watches);
	else
		mvm_timer_stop(watches->timer);
	if (!on)
		watches->gathering = false;
}
