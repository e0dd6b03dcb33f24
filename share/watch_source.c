#include "watch_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/io.h"

enum {
	EVENTS = IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |
		 IN_MOVE_SELF,
	ROOM = 65536,
};

/* NOLINTBEGIN(misc-redundant-expression): that they are the same is what is asserted. */
_Static_assert(FAN_MODIFY == IN_MODIFY && FAN_ATTRIB == IN_ATTRIB && FAN_CREATE == IN_CREATE &&
		       FAN_DELETE == IN_DELETE && FAN_MOVED_FROM == IN_MOVED_FROM && FAN_MOVED_TO == IN_MOVED_TO &&
		       FAN_DELETE_SELF == IN_DELETE_SELF && FAN_MOVE_SELF == IN_MOVE_SELF &&
		       (unsigned)FAN_ONDIR == (unsigned)IN_ISDIR && FAN_Q_OVERFLOW == IN_Q_OVERFLOW,
	       "masks");
/* NOLINTEND(misc-redundant-expression) */

static void name_place(int place, char self[32])
{
	snprintf(self, 32, "/proc/self/fd/%d", place);
}

/* fanotify. A key is the handle of a file, as events have it: its size, its type, and what only its file system knows.
 */

static int open_fanotify(void)
{
	const unsigned flags =
		FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME | FAN_UNLIMITED_MARKS;

	return fanotify_init(flags, O_RDONLY);
}

static int add_fanotify(int fd, int place, struct watch_key *key)
{
	union {
		struct file_handle handle;
		unsigned char room[WATCH_KEY_MAX];
	} found = {.handle.handle_bytes = WATCH_KEY_MAX - sizeof(struct file_handle)};
	char self[32];
	int mount;

	name_place(place, self);
	if (name_to_handle_at(place, "", &found.handle, &mount, AT_EMPTY_PATH) < 0 ||
	    fanotify_mark(fd, FAN_MARK_ADD, EVENTS | FAN_EVENT_ON_CHILD | FAN_ONDIR, AT_FDCWD, self) < 0)
		return -1;
	key->size = (uint32_t)sizeof(found.handle) + found.handle.handle_bytes;
	memcpy(key->bytes, &found, key->size);
	return 0;
}

static void remove_fanotify(int fd, int within, const struct watch_key *key)
{
	union {
		struct file_handle handle;
		unsigned char room[WATCH_KEY_MAX];
	} found;
	int place MVM_CLEAN_FD = -1;
	char self[32];

	memcpy(&found, key->bytes, key->size);
	place = open_by_handle_at(within, &found.handle, O_PATH | O_CLOEXEC);
	if (place < 0)
		return;
	name_place(place, self);
	fanotify_mark(fd, FAN_MARK_REMOVE, EVENTS | FAN_EVENT_ON_CHILD | FAN_ONDIR, AT_FDCWD, self);
}

/* The folder that a file is in, and the file's name there. Events lie one after another, aligned to nothing. */
static bool read_place(const char *from, const struct fanotify_event_metadata *event, struct watch_key *key,
		       const char **name)
{
	const char *at = from + event->metadata_len, *end = from + event->event_len;
	struct fanotify_event_info_header header;
	struct file_handle handle;

	for (; at + sizeof(header) <= end; at += header.len) {
		const char *handle_at = at + sizeof(struct fanotify_event_info_fid);

		memcpy(&header, at, sizeof(header));
		if (header.len < sizeof(header))
			return false;
		if (header.info_type != FAN_EVENT_INFO_TYPE_DFID_NAME)
			continue;
		memcpy(&handle, handle_at, sizeof(handle));
		key->size = (uint32_t)sizeof(handle) + handle.handle_bytes;
		if (key->size > WATCH_KEY_MAX)
			return false;
		memcpy(key->bytes, handle_at, key->size);
		*name = handle_at + key->size;
		if (!strcmp(*name, "."))
			*name = "";
		return true;
	}
	return false;
}

static void take_fanotify(const char *from, ssize_t size, void (*got)(void *, const struct watch_event *), void *arg)
{
	struct fanotify_event_metadata event;
	struct watch_key key;

	for (const char *at = from; at + sizeof(event) <= from + size; at += event.event_len) {
		struct watch_event out = {.key = &key, .name = ""};

		memcpy(&event, at, sizeof(event));
		if (event.event_len < sizeof(event))
			return;
		key.size = 0;
		out.mask = (uint32_t)event.mask;
		out.who = event.pid;
		if (read_place(at, &event, &key, &out.name) || (out.mask & IN_Q_OVERFLOW))
			got(arg, &out);
	}
}

/* inotify. A key is a watch's number. */

static int add_inotify(int fd, int place, struct watch_key *key)
{
	char self[32];
	int wd;

	name_place(place, self);
	wd = inotify_add_watch(fd, self, EVENTS | IN_EXCL_UNLINK);
	if (wd < 0)
		return -1;
	key->size = sizeof(wd);
	memcpy(key->bytes, &wd, sizeof(wd));
	return 0;
}

static void take_inotify(const char *from, ssize_t size, void (*got)(void *, const struct watch_event *), void *arg)
{
	struct inotify_event event;
	struct watch_key key = {.size = sizeof(event.wd)};

	for (const char *at = from; at < from + size; at += sizeof(event) + event.len) {
		struct watch_event out = {.key = &key};

		memcpy(&event, at, sizeof(event));
		memcpy(key.bytes, &event.wd, sizeof(event.wd));
		out.mask = event.mask;
		out.name = event.len ? at + sizeof(event) : "";
		got(arg, &out);
	}
}

/* A file is told of by its folder there, which is not what is watched. */
static bool is_folder(int place)
{
	struct stat status;

	return fstat(place, &status) == 0 && S_ISDIR(status.st_mode);
}

int watch_source_open(struct watch_source *source, int place, bool who)
{
	int fd = who && is_folder(place) ? open_fanotify() : -1;
	struct watch_key key;

	if (fd >= 0 && add_fanotify(fd, place, &key) < 0)
		mvm_close(&fd);
	source->knows_who = fd >= 0;
	source->fd = fd >= 0 ? fd : inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return source->fd < 0 ? -1 : 0;
}

int watch_source_add(const struct watch_source *source, int place, struct watch_key *key)
{
	return source->knows_who ? add_fanotify(source->fd, place, key) : add_inotify(source->fd, place, key);
}

void watch_source_remove(const struct watch_source *source, int within, const struct watch_key *key)
{
	int wd;

	if (source->knows_who) {
		remove_fanotify(source->fd, within, key);
		return;
	}
	memcpy(&wd, key->bytes, sizeof(wd));
	inotify_rm_watch(source->fd, wd);
}

int watch_source_read(const struct watch_source *source, void (*got)(void *, const struct watch_event *), void *arg)
{
	static _Alignas(8) char buffer[ROOM];
	ssize_t n = read(source->fd, buffer, sizeof(buffer));

	if (n <= 0)
		return 0;
	(source->knows_who ? take_fanotify : take_inotify)(buffer, n, got, arg);
	return 1;
}
