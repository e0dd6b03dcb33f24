/*
 * Theory of operation. Each folder has a watch (watch_source.h), which tells of what is in it, and folders are found by
 * a scan, a few at a time. A folder is watched before it is read, so that nothing that appears in it falls between the
 * two; of one that has just appeared all that is found counts as changed. A folder that has moved is forgotten with all
 * that is below it, and found again where it has come to. Folders are opened from the one that is shared, whatever it
 * is called by now, and without links, which a guest may put in place of one at any time.
 *
 * Where the kernel's queue overflows nobody knows what was lost: all folders are read again, and what has changed since
 * the queue was last empty, by its ctime, counts as changed. What is gone is not found that way but by its folder,
 * whose ctime has moved.
 */
#include "watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "watch_set.h"
#include "watch_source.h"

enum {
	FOLDER_BUCKETS = 1024,
	FOLDERS_AT_ONCE = 32, /* of a scan, before the loop goes on */
	READS_AT_ONCE = 16,
	MARGIN_S = 1,		    /* of ctime, which the kernel takes from a coarse clock */
	KEPT_MAX = 4 * 1024 * 1024, /* of paths that nobody takes */
};

struct folder {
	struct folder *chain;
	struct watch_key key;
	char *path;
};

/* What of the content of a folder counts as changed. */
enum look { LOOK_NONE, LOOK_ALL, LOOK_SINCE };

struct scan {
	struct scan *next;
	enum look look;
	char *path;
};

struct mvm_watcher {
	struct mvm_watcher_events events;
	void *arg;
	char *source;
	int place;
	struct watch_source from;
	struct mvm_watch *watch;
	struct mvm_timer *scan_timer;
	struct scan *scans;
	time_t emptied; /* when the kernel's queue was last empty */
	bool limit_told, overflow_told;
	struct folder *folders[FOLDER_BUCKETS];
	struct watch_set changed;
};

static void mark(struct mvm_watcher *watcher, const char *path)
{
	char *folder MVM_CLEAN_FREE = NULL;
	bool first = !watcher->changed.first;
	const char *slash;

	if (watcher->changed.size > KEPT_MAX) {
		slash = watcher->changed.size > 2 * KEPT_MAX ? NULL : strrchr(path, '/');
		path = folder = mvm_strndup(path, slash ? (size_t)(slash - path) : 0);
	}
	watch_set_add(&watcher->changed, path);
	if (first)
		watcher->events.changed(watcher->arg);
}

static char *join(const char *folder, const char *name)
{
	return *folder && *name ? mvm_format("%s/%s", folder, name) : mvm_strdup(*folder ? folder : name);
}

/* The folders. */

static struct folder **bucket_of(struct mvm_watcher *watcher, const struct watch_key *key)
{
	size_t hash = 5381;

	for (uint32_t i = 0; i < key->size; i++)
		hash = hash * 33 + key->bytes[i];
	return &watcher->folders[hash % FOLDER_BUCKETS];
}

static bool is_of(const struct folder *folder, const struct watch_key *key)
{
	return folder->key.size == key->size && !memcmp(folder->key.bytes, key->bytes, key->size);
}

static struct folder *find(struct mvm_watcher *watcher, const struct watch_key *key)
{
	struct folder *folder = *bucket_of(watcher, key);

	while (folder && !is_of(folder, key))
		folder = folder->chain;
	return folder;
}

static void remember(struct mvm_watcher *watcher, const struct watch_key *key, const char *path)
{
	struct folder *folder = find(watcher, key), **bucket = bucket_of(watcher, key);

	if (folder) {
		free(folder->path);
	} else {
		folder = mvm_alloc(sizeof(*folder));
		folder->key = *key;
		folder->chain = *bucket;
		*bucket = folder;
	}
	folder->path = mvm_strdup(path);
}

static void forget(struct folder **at)
{
	struct folder *folder = *at;

	*at = folder->chain;
	free(folder->path);
	free(folder);
}

static void forget_one(struct mvm_watcher *watcher, const struct watch_key *key)
{
	for (struct folder **at = bucket_of(watcher, key); *at; at = &(*at)->chain)
		if (is_of(*at, key)) {
			forget(at);
			return;
		}
}

static void forget_below(struct mvm_watcher *watcher, const char *path)
{
	size_t length = strlen(path);

	for (size_t i = 0; i < FOLDER_BUCKETS; i++)
		for (struct folder **at = &watcher->folders[i]; *at;) {
			const char *own = (*at)->path;

			if (strncmp(own, path, length) != 0 || (own[length] && own[length] != '/')) {
				at = &(*at)->chain;
				continue;
			}
			watch_source_remove(&watcher->from, watcher->place, &(*at)->key);
			forget(at);
		}
}

/* Scans. */

static void tell_limit(struct mvm_watcher *watcher)
{
	char *text MVM_CLEAN_FREE = NULL, *limit MVM_CLEAN_FREE = NULL;

	if (watcher->limit_told)
		return;
	watcher->limit_told = true;
	if (mvm_read_file("/proc/sys/fs/inotify/max_user_watches", 32, &limit, NULL, NULL) < 0)
		limit = mvm_strdup("?");
	limit[strcspn(limit, "\n")] = '\0';
	text = mvm_format(
		"not all of %s is watched: this user's inotify watches are used up, and changes in the rest will not "
		"be told to the container; raise the limit, sysctl fs.inotify.max_user_watches (now %s)",
		watcher->source, limit);
	watcher->events.warn(watcher->arg, text);
}

static void add_scan(struct mvm_watcher *watcher, const char *path, enum look look)
{
	struct scan *scan = mvm_alloc(sizeof(*scan));

	*scan = (struct scan){watcher->scans, look, mvm_strdup(path)};
	if (!watcher->scans)
		mvm_timer_start(watcher->scan_timer, 0);
	watcher->scans = scan;
}

static bool is_new(const struct mvm_watcher *watcher, enum look look, const struct stat *status)
{
	return look == LOOK_ALL || (look == LOOK_SINCE && status->st_ctime >= watcher->emptied - MARGIN_S);
}

static void look_at(struct mvm_watcher *watcher, const struct scan *scan, DIR *dir, const struct dirent *entry)
{
	char *path MVM_CLEAN_FREE = join(scan->path, entry->d_name);
	bool is_folder = entry->d_type == DT_DIR;
	struct stat status = {0};

	if ((entry->d_type == DT_UNKNOWN || scan->look == LOOK_SINCE) &&
	    fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
		is_folder = S_ISDIR(status.st_mode);
	if (is_new(watcher, scan->look, &status))
		mark(watcher, path);
	if (is_folder)
		add_scan(watcher, path, scan->look);
}

static void read_folder(struct mvm_watcher *watcher, const struct scan *scan, DIR *dir)
{
	const struct dirent *entry;

	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			look_at(watcher, scan, dir, entry);
}

static DIR *open_folder(const struct mvm_watcher *watcher, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int fd = (int)syscall(SYS_openat2, watcher->place, *path ? path : ".", &how, sizeof(how));
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !dir)
		close(fd);
	return dir;
}

/* What has gone meanwhile, or may not be read, is left out. */
static void scan_folder(struct mvm_watcher *watcher, const struct scan *scan)
{
	DIR *dir = open_folder(watcher, scan->path);
	struct watch_key key;

	if (!dir)
		return;
	if (watch_source_add(&watcher->from, dirfd(dir), &key) == 0) {
		remember(watcher, &key, scan->path);
		read_folder(watcher, scan, dir);
	} else if (errno == ENOSPC) {
		tell_limit(watcher);
	}
	closedir(dir);
}

static void scan_some(void *arg)
{
	struct mvm_watcher *watcher = arg;

	for (int i = 0; i < FOLDERS_AT_ONCE && watcher->scans; i++) {
		struct scan *scan = watcher->scans;

		watcher->scans = scan->next;
		scan_folder(watcher, scan);
		free(scan->path);
		free(scan);
	}
	if (watcher->scans)
		mvm_timer_start(watcher->scan_timer, 0);
}

/* Events. */

static void overflowed(struct mvm_watcher *watcher)
{
	char *text MVM_CLEAN_FREE = mvm_format(
		"more changed in %s at a time than the kernel keeps; looking through all of it", watcher->source);

	if (!watcher->overflow_told)
		watcher->events.warn(watcher->arg, text);
	watcher->overflow_told = true;
	mark(watcher, "");
	add_scan(watcher, "", LOOK_SINCE);
}

/* A change that the guest has made, through its server: its own kernel has told its watchers. */
static bool is_own(const struct mvm_watcher *watcher, const struct watch_event *event)
{
	return event->who > 0 && watcher->events.is_own && watcher->events.is_own(watcher->arg, event->who);
}

static void got_event(void *arg, const struct watch_event *event)
{
	struct mvm_watcher *watcher = arg;
	struct folder *folder = find(watcher, event->key);
	char *path MVM_CLEAN_FREE = folder ? join(folder->path, event->name) : NULL;
	bool is_folder = event->mask & IN_ISDIR;

	if (event->mask & IN_Q_OVERFLOW)
		overflowed(watcher);
	if (event->mask & IN_IGNORED)
		forget_one(watcher, event->key);
	if (!path || event->mask & IN_IGNORED)
		return;
	/* A folder that has gone is told of by the one that it was in. */
	if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF)) && *path)
		return;
	if (!is_own(watcher, event)) {
		mark(watcher, path);
		if (event->mask & (IN_DELETE | IN_MOVED_FROM))
			mark(watcher, folder->path);
	}
	if (is_folder && (event->mask & (IN_DELETE | IN_MOVED_FROM)))
		forget_below(watcher, path);
	/* Whose what is in a new one is nobody knows. */
	if (is_folder && (event->mask & (IN_CREATE | IN_MOVED_TO)))
		add_scan(watcher, path, LOOK_ALL);
}

static void on_ready(void *arg, int fd, short revents)
{
	struct mvm_watcher *watcher = arg;
	int more = 1;

	for (int i = 0; i < READS_AT_ONCE && more; i++)
		more = watch_source_read(&watcher->from, got_event, watcher);
	if (!more && !watcher->scans)
		watcher->emptied = time(NULL);
}

static int begin(struct mvm_watcher *watcher, struct mvm_error **err)
{
	struct watch_key key;
	struct stat status;
	bool opened = watch_source_open(&watcher->from, watcher->place, watcher->events.is_own) == 0;

	if (!opened && errno == EMFILE)
		return mvm_fail(err, MVM_ERR_IO,
				"this user's inotify instances are used up; raise the limit, sysctl "
				"fs.inotify.max_user_instances");
	if (!opened || fstat(watcher->place, &status) < 0)
		return mvm_fail_errno(err, errno, "cannot watch %s", watcher->source);
	if (S_ISDIR(status.st_mode)) {
		add_scan(watcher, "", LOOK_NONE);
		return 0;
	}
	if (watch_source_add(&watcher->from, watcher->place, &key) < 0)
		return mvm_fail_errno(err, errno, "cannot watch %s", watcher->source);
	remember(watcher, &key, "");
	return 0;
}

int mvm_watcher_start(struct mvm_loop *loop, int place, const char *source, const struct mvm_watcher_events *events,
		      void *arg, struct mvm_watcher **out, struct mvm_error **err)
{
	struct mvm_watcher *watcher = mvm_alloc(sizeof(*watcher));

	watcher->events = *events;
	watcher->arg = arg;
	watcher->place = place;
	watcher->from.fd = -1;
	watcher->emptied = time(NULL);
	watcher->source = mvm_strdup(source);
	watcher->scan_timer = mvm_loop_timer(loop, scan_some, watcher);
	if (begin(watcher, err) < 0) {
		mvm_watcher_stop(watcher);
		return -1;
	}
	watcher->watch = mvm_loop_watch(loop, watcher->from.fd, POLLIN, on_ready, watcher);
	*out = watcher;
	return 0;
}

void mvm_watcher_stop(struct mvm_watcher *watcher)
{
	if (!watcher)
		return;
	mvm_watch_remove(watcher->watch);
	mvm_timer_remove(watcher->scan_timer);
	mvm_close(&watcher->from.fd);
	mvm_close(&watcher->place);
	for (size_t i = 0; i < FOLDER_BUCKETS; i++)
		while (watcher->folders[i])
			forget(&watcher->folders[i]);
	while (watcher->scans) {
		struct scan *scan = watcher->scans;

		watcher->scans = scan->next;
		free(scan->path);
		free(scan);
	}
	watch_set_finish(&watcher->changed);
	free(watcher->source);
	free(watcher);
}

void mvm_watcher_take(struct mvm_watcher *watcher, size_t room, struct mvm_strv *paths)
{
	watch_set_take(&watcher->changed, room, paths);
}

bool mvm_watcher_any(const struct mvm_watcher *watcher)
{
	return watcher->changed.first != NULL;
}
