/*
 * The stream of events, from the history and as they come, and what is added to it by the engine itself.
 */
#include "internal.h"

#include <poll.h>
#include <string.h>

#include "image/reference.h"
#include "runtime/base/error.h"

#define NS_PER_SECOND 1000000000LL

static int compare(int64_t time_ns, const struct timespec *limit)
{
	int64_t seconds = time_ns / NS_PER_SECOND, rest = time_ns % NS_PER_SECOND;

	if (seconds != limit->tv_sec)
		return seconds < limit->tv_sec ? -1 : 1;
	return (rest > limit->tv_nsec) - (rest < limit->tv_nsec);
}

static bool is_within(const struct mvm_events_request *request, const struct mvm_event *event)
{
	return (!request->since || compare(event->time_ns, request->since) >= 0) &&
	       (!request->until || compare(event->time_ns, request->until) <= 0);
}

static int show_all(struct mvm_event_watch *watch, const struct mvm_events_request *request,
		    const struct mvm_event_sink *sink, struct mvm_error **err)
{
	int result = 0;

	while (result == 0) {
		struct mvm_event event MVM_CLEAN_EVENT = {0};

		result = mvm_event_watch_next(watch, &event, err);
		if (result == 0 && is_within(request, &event))
			result = sink->show(sink->arg, &event, err);
	}
	if (result > 0)
		sink->flush(sink->arg);
	return result < 0 ? -1 : 0;
}

static int check_limits(const struct mvm_events_request *request, struct mvm_error **err)
{
	const struct timespec *since = request->since, *until = request->until;

	if (!since || !until || until->tv_sec > since->tv_sec ||
	    (until->tv_sec == since->tv_sec && until->tv_nsec >= since->tv_nsec))
		return 0;
	return mvm_fail(err, MVM_ERR_INVALID, "`since` time (%lld.%09ld) cannot be after `until` time (%lld.%09ld)",
			(long long)since->tv_sec, since->tv_nsec, (long long)until->tv_sec, until->tv_nsec);
}

int mvm_engine_events(struct mvm_engine *engine, const struct mvm_events_request *request,
		      const struct mvm_event_sink *sink, struct mvm_error **err)
{
	bool past = request->since || request->until;
	int left = engine_time_left(request->until), result;
	struct mvm_event_watch *watch;

	if (check_limits(request, err) < 0 ||
	    mvm_event_watch_open(mvm_engine_state(engine), past, left != 0, &watch, err) < 0)
		return -1;
	result = show_all(watch, request, sink, err);
	while (result == 0 && (left = engine_time_left(request->until)) != 0) {
		struct pollfd poll_fd = {.fd = mvm_event_watch_fd(watch), .events = POLLIN};

		if (poll(&poll_fd, 1, left) > 0)
			result = show_all(watch, request, sink, err);
	}
	mvm_event_watch_close(watch);
	return result;
}

void engine_note_container(struct mvm_engine *engine, const char *what, const char *action)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;

	if (mvm_state_find(mvm_engine_state(engine), what, &container, NULL) == 0)
		mvm_event_container(mvm_engine_state(engine), &container->config, action, NULL);
}

void engine_note_image(struct mvm_engine *engine, const struct mvm_image *image, const char *action)
{
	const char *id = mvm_image_id(image)->text;

	mvm_event_image(mvm_engine_state(engine), id, id, mvm_image_config(image)->labels, action);
}

void mvm_engine_note_image(struct mvm_engine *engine, const char *what, const char *action)
{
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	struct mvm_store *store;

	if (mvm_engine_store(engine, &store, NULL) == 0 && mvm_store_find(store, what, &image, NULL) == 0)
		engine_note_image(engine, image, action);
}

/* A tag is told as the image's, with its new name; a pull and a push as the name's, without its tag. */
void mvm_engine_note_reference(struct mvm_engine *engine, const struct mvm_reference *reference, const char *action)
{
	char *familiar MVM_CLEAN_FREE = mvm_reference_familiar(reference);
	char *repository MVM_CLEAN_FREE = mvm_reference_familiar_repository(reference);
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	bool tagged = !strcmp(action, "tag");
	struct mvm_store *store;

	if (mvm_engine_store(engine, &store, NULL) < 0 || mvm_store_find_reference(store, reference, &image, NULL) < 0)
		return;
	mvm_event_image(mvm_engine_state(engine), tagged ? mvm_image_id(image)->text : familiar,
			tagged ? familiar : repository, mvm_image_config(image)->labels, action);
}

/* Docker tells of digests only where no tag goes with them. */
void engine_note_removed(struct mvm_engine *engine, const struct mvm_image *image,
			 const struct mvm_store_removed *removed)
{
	size_t tags = 0;

	for (size_t i = 0; i < removed->untagged.count; i++)
		tags += !strchr(removed->untagged.items[i], '@');
	for (size_t i = 0; i < (tags ? tags : removed->untagged.count); i++)
		engine_note_image(engine, image, "untag");
	if (removed->deleted.count)
		engine_note_image(engine, image, "delete");
}
