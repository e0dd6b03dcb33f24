/*
 * Events read back: a line, the history, and what is added to it.
 *
 * A watcher has its pipe before it looks for the end of the history, so that nothing falls between. It reads the file
 * that it has open to its end; when that is not the newest any more, it goes on with the next one. While it looks which
 * that is, no file changes its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "events.h"
#include "events_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"

#define CHUNK 65536

static bool is_object_of_strings(const json_t *object)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return false;
	json_object_foreach((json_t *)object, key, value) if (!json_is_string(value)) return false;
	return true;
}

bool mvm_event_parse(const char *line, size_t length, struct mvm_event *event)
{
	json_t *json MVM_CLEAN_JSON = NULL;
	const json_t *actor, *time;

	if (!length || length > EVENT_LINE_MAX || mvm_json_parse(line, length, "event", &json, NULL) < 0)
		return false;
	actor = json_object_get(json, "Actor");
	time = json_object_get(json, "timeNano");
	*event = (struct mvm_event){
		.type = json_string_value(json_object_get(json, "Type")),
		.action = json_string_value(json_object_get(json, "Action")),
		.id = json_string_value(json_object_get(actor, "ID")),
		.attributes = json_object_get(actor, "Attributes"),
		.time_ns = json_integer_value(time),
	};
	if (!event->type || !event->action || !event->id || !json_is_integer(time) || event->time_ns < 0 ||
	    !is_object_of_strings(event->attributes))
		return false;
	event->json = json;
	json = NULL;
	return true;
}

const char *mvm_event_attribute(const struct mvm_event *event, const char *name)
{
	return json_string_value(json_object_get(event->attributes, name));
}

void mvm_event_finish(struct mvm_event *event)
{
	json_decref(event->json);
	*event = (struct mvm_event){0};
}

struct mvm_event_watch {
	const struct mvm_state *state;
	bool past;   /* no file is open yet, and the oldest is to be the first */
	char *pipe;  /* its name, NULL: none */
	int wake_fd; /* its reading end */
	int keep_fd; /* its writing end: without one it would be at its end */
	int fd;	     /* the file that is read, -1: there is none yet */
	struct mvm_buf in;
	size_t at;     /* how much of it has been taken */
	bool skipping; /* a line that is too long */
};

static int make_pipe(struct mvm_event_watch *watch, struct mvm_error **err)
{
	unsigned char random[8];
	char name[sizeof("watchers/") + sizeof(random) * 2] = "watchers/";

	if (events_make_folders(watch->state, err) < 0)
		return -1;
	mvm_random(random, sizeof(random));
	mvm_hex(random, sizeof(random), name + strlen(name));
	watch->pipe = events_path(watch->state, name);
	if (mkfifo(watch->pipe, 0600) < 0)
		return mvm_fail_errno(err, errno, "cannot make the pipe %s", watch->pipe);
	watch->wake_fd = open(watch->pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	watch->keep_fd = open(watch->pipe, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (watch->wake_fd < 0 || watch->keep_fd < 0)
		return mvm_fail_errno(err, errno, "%s", watch->pipe);
	return 0;
}

/* 0 and a descriptor, or 1 where it is not there. */
static int open_file(const struct mvm_event_watch *watch, const char *name, int *fd, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = events_path(watch->state, name);

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd >= 0)
		return 0;
	return errno == ENOENT ? 1 : mvm_fail_errno(err, errno, "%s", path);
}

static bool is_same_file(int a, int b)
{
	struct stat left, right;

	return a >= 0 && b >= 0 && fstat(a, &left) == 0 && fstat(b, &right) == 0 && left.st_ino == right.st_ino &&
	       left.st_dev == right.st_dev;
}

/* The file that follows ours, or 1 where ours is the newest. The names do not change meanwhile. */
static int find_next(const struct mvm_event_watch *watch, int *next, struct mvm_error **err)
{
	int older MVM_CLEAN_FD = -1, newest MVM_CLEAN_FD = -1;
	bool to_older;

	if (open_file(watch, "history.1", &older, err) < 0 || open_file(watch, "history", &newest, err) < 0)
		return -1;
	to_older = older >= 0 && (watch->fd >= 0 ? !is_same_file(watch->fd, older) : watch->past);
	if (watch->fd >= 0 && newest >= 0 && is_same_file(watch->fd, newest))
		return 1;
	/* Just renamed, and nothing new was written yet. */
	if (watch->fd >= 0 && newest < 0 && !to_older)
		return 1;
	*next = to_older ? older : newest;
	if (*next < 0)
		return 1;
	if (to_older)
		older = -1;
	else
		newest = -1;
	return 0;
}

static ssize_t read_some(struct mvm_event_watch *watch)
{
	ssize_t n;

	if (watch->fd < 0)
		return 0;
	mvm_buf_consume(&watch->in, watch->at);
	watch->at = 0;
	n = mvm_read_full(watch->fd, mvm_buf_reserve(&watch->in, CHUNK), CHUNK);
	if (n > 0)
		watch->in.length += (size_t)n;
	return n;
}

static void drain_pipe(const struct mvm_event_watch *watch)
{
	char bytes[512];

	while (watch->wake_fd >= 0 && read(watch->wake_fd, bytes, sizeof(bytes)) > 0)
		;
}

/* More bytes, of this file or of the next. 1: there are none for now. */
static int fill(struct mvm_event_watch *watch, struct mvm_error **err)
{
	int hold MVM_CLEAN_FD = -1, next;
	ssize_t n;

	drain_pipe(watch);
	n = read_some(watch);
	while (n == 0) {
		int result;

		if (hold < 0)
			events_hold(watch->state, &hold);
		result = find_next(watch, &next, err);
		if (result < 0)
			return -1;
		/* What was added before the names were held. */
		n = read_some(watch);
		if (n)
			break;
		if (result > 0)
			return 1;
		mvm_close(&watch->fd);
		watch->fd = next;
		watch->in.length = watch->at = 0;
		watch->skipping = false;
		n = read_some(watch);
	}
	return n < 0 ? mvm_fail_errno(err, errno, "cannot read the history of events") : 0;
}

/* The next whole line, without its end; drops one that has none within its bounds. */
static bool take_line(struct mvm_event_watch *watch, const char **line, size_t *length)
{
	size_t left = watch->in.length - watch->at;
	const char *start = left ? watch->in.data + watch->at : NULL;
	const char *end = left ? memchr(start, '\n', left) : NULL;

	if (!end && left > EVENT_LINE_MAX) {
		watch->at = watch->in.length;
		watch->skipping = true;
	}
	if (!end)
		return false;
	*line = start;
	*length = watch->skipping ? 0 : (size_t)(end - start);
	watch->at += (size_t)(end - start) + 1;
	watch->skipping = false;
	return true;
}

int mvm_event_watch_next(struct mvm_event_watch *watch, struct mvm_event *event, struct mvm_error **err)
{
	const char *line;
	size_t length;
	int result = 0;

	while (result == 0) {
		while (take_line(watch, &line, &length))
			if (mvm_event_parse(line, length, event))
				return 0;
		result = fill(watch, err);
	}
	return result;
}

int mvm_event_watch_fd(const struct mvm_event_watch *watch)
{
	return watch->wake_fd;
}

void mvm_event_watch_close(struct mvm_event_watch *watch)
{
	if (!watch)
		return;
	if (watch->pipe)
		unlink(watch->pipe);
	free(watch->pipe);
	mvm_close(&watch->wake_fd);
	mvm_close(&watch->keep_fd);
	mvm_close(&watch->fd);
	mvm_buf_finish(&watch->in);
	free(watch);
}

int mvm_event_watch_open(struct mvm_state *state, bool past, bool live, struct mvm_event_watch **out,
			 struct mvm_error **err)
{
	struct mvm_event_watch *watch = mvm_alloc(sizeof(*watch));

	*watch = (struct mvm_event_watch){.state = state, .past = past, .wake_fd = -1, .keep_fd = -1, .fd = -1};
	if ((live && make_pipe(watch, err) < 0) || (!past && open_file(watch, "history", &watch->fd, err) < 0)) {
		mvm_event_watch_close(watch);
		return -1;
	}
	if (watch->fd >= 0)
		lseek(watch->fd, 0, SEEK_END);
	*out = watch;
	return 0;
}
