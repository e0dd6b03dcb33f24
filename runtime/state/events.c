#include "events.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "events_internal.h"
#include "internal.h"
#include "network.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"

#define HISTORY_MAX   (1 << 20) /* bytes, at which a new file is begun */
#define ACTION_MAX    16384
#define LOCK_TRIES    20 /* of a millisecond */
#define WATCHER_AGE_S 10 /* until then one that nobody reads may be about to be opened */
#define NS_PER_SECOND 1000000000LL

char *events_path(const struct mvm_state *state, const char *name)
{
	return mvm_format("%s/events/%s", state->home, name);
}

int events_make_folders(const struct mvm_state *state, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = events_path(state, "watchers");

	return mvm_make_folders(path, err);
}

/* Whoever holds it otherwise does so for microseconds, or has been stopped. */
void events_hold(const struct mvm_state *state, int *fd)
{
	char *path MVM_CLEAN_FREE = events_path(state, "lock");

	for (int tries = 0; tries < LOCK_TRIES && mvm_lock(path, MVM_LOCK_SHARED | MVM_LOCK_TRY, fd, NULL) > 0; tries++)
		poll(NULL, 0, 1);
}

/* The older file makes room for the one that is full. Where others are just writing, the next writer sees to it. */
static void rotate(const struct mvm_state *state, const char *path)
{
	char *lock MVM_CLEAN_FREE = events_path(state, "lock");
	char *older MVM_CLEAN_FREE = events_path(state, "history.1");
	int fd MVM_CLEAN_FD = -1;
	struct stat now;

	if (mvm_lock(lock, MVM_LOCK_TRY, &fd, NULL) == 0 && stat(path, &now) == 0 && now.st_size >= HISTORY_MAX)
		rename(path, older);
}

static void wake(int folder, const char *name)
{
	int fd MVM_CLEAN_FD = openat(folder, name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	struct stat info;

	/* A pipe that is full says so already. */
	if (fd >= 0 && write(fd, "", 1) < 0)
		return;
	if (fd < 0 && errno == ENXIO && fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
	    time(NULL) - info.st_mtime > WATCHER_AGE_S)
		unlinkat(folder, name, 0);
}

static void wake_watchers(const struct mvm_state *state)
{
	char *path MVM_CLEAN_FREE = events_path(state, "watchers");
	DIR *folder = opendir(path);
	struct dirent *entry;

	if (!folder)
		return;
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			wake(dirfd(folder), entry->d_name);
	closedir(folder);
}

/* One write, all of it or nothing of worth. */
static int append(const struct mvm_state *state, const struct mvm_buf *line, bool *full, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = events_path(state, "history");
	int hold MVM_CLEAN_FD = -1, fd MVM_CLEAN_FD = -1;
	ssize_t n;

	events_hold(state, &hold);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 && errno == ENOENT) {
		if (events_make_folders(state, err) < 0)
			return -1;
		events_hold(state, &hold);
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	}
	if (fd < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	do
		n = write(fd, line->data, line->length);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	if ((size_t)n < line->length)
		return mvm_fail_errno(err, ENOSPC, "%s", path);
	*full = lseek(fd, 0, SEEK_CUR) >= HISTORY_MAX;
	return 0;
}

/* Takes the reference; false where the line would be too long. */
static bool make_line(const char *type, const char *action, const char *id, json_t *attributes, struct mvm_buf *line)
{
	char *bounded MVM_CLEAN_FREE = mvm_strndup(action, strnlen(action, ACTION_MAX));
	char *text MVM_CLEAN_FREE = NULL;
	json_t *json MVM_CLEAN_JSON = NULL;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	json = json_pack("{ss, so, s{so, so}, sI}", "Type", type, "Action", mvm_json_message(bounded), "Actor", "ID",
			 mvm_json_message(id), "Attributes", attributes, "timeNano",
			 (json_int_t)(now.tv_sec * NS_PER_SECOND + now.tv_nsec));
	text = json_dumps(json, JSON_COMPACT);
	if (!text || strlen(text) >= EVENT_LINE_MAX)
		return false;
	mvm_buf_addf(line, "\n%s\n", text);
	return true;
}

/* Takes the line's content. */
static void note(struct mvm_state *state, const char *action, struct mvm_buf *line)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	bool full = false;

	if (append(state, line, &full, &err) < 0) {
		mvm_log(MVM_LOG_WARN, "the event %s is not noted: %s", action, mvm_error_message(err));
	} else {
		if (full) {
			char *path MVM_CLEAN_FREE = events_path(state, "history");

			rotate(state, path);
		}
		wake_watchers(state);
	}
	mvm_buf_finish(line);
}

static void set(json_t *attributes, const char *name, const char *value)
{
	json_object_set_new(attributes, name, mvm_json_message(value));
}

static json_t *container_attributes(const struct mvm_container_config *config, bool labels, const char *const *more)
{
	json_t *attributes = json_object();

	for (size_t i = 0; labels && i < config->labels.count; i++) {
		const char *label = config->labels.items[i];
		char *key MVM_CLEAN_FREE = mvm_strndup(label, strcspn(label, "="));

		set(attributes, key, label[strlen(key)] ? label + strlen(key) + 1 : "");
	}
	set(attributes, "image", config->image);
	set(attributes, "name", config->name);
	for (; more && *more; more += 2)
		set(attributes, more[0], more[1]);
	return attributes;
}

void mvm_event_container(struct mvm_state *state, struct mvm_container_config *config, const char *action,
			 const char *const *more)
{
	struct mvm_buf line = {0};

	state_refresh_name(state, config);
	if (make_line("container", action, config->id, container_attributes(config, true, more), &line) ||
	    make_line("container", action, config->id, container_attributes(config, false, more), &line))
		note(state, action, &line);
}

void mvm_event_died(struct mvm_state *state, struct mvm_container *container)
{
	const struct mvm_container_state *now = &container->state;
	int64_t ns = (now->finished.tv_sec - now->started.tv_sec) * NS_PER_SECOND + now->finished.tv_nsec -
		     now->started.tv_nsec;
	char exit_code[24], seconds[24];

	snprintf(exit_code, sizeof(exit_code), "%lld", (long long)now->exit_code);
	snprintf(seconds, sizeof(seconds), "%lld", (long long)(ns < 0 ? 0 : ns / NS_PER_SECOND));
	if (now->oom_killed)
		mvm_event_container(state, &container->config, "oom", NULL);
	mvm_event_container(state, &container->config, "die",
			    (const char *const[]){"exitCode", exit_code, "execDuration", seconds, NULL});
}

static json_t *image_attributes(const char *name, const json_t *labels)
{
	json_t *attributes = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)labels, key, value) if (json_is_string(value))
		json_object_set(attributes, key, value);
	set(attributes, "name", name);
	return attributes;
}

void mvm_event_image(struct mvm_state *state, const char *id, const char *name, const json_t *labels,
		     const char *action)
{
	struct mvm_buf line = {0};

	if (make_line("image", action, id, image_attributes(name, labels), &line) ||
	    make_line("image", action, id, image_attributes(name, NULL), &line))
		note(state, action, &line);
}

void mvm_event_volume(struct mvm_state *state, const char *name, const char *action, const char *const *more)
{
	json_t *attributes = json_object();
	struct mvm_buf line = {0};

	for (; more && *more; more += 2)
		set(attributes, more[0], more[1]);
	if (make_line("volume", action, name, attributes, &line))
		note(state, action, &line);
}

void mvm_event_network(struct mvm_state *state, const struct mvm_network *network, const char *action,
		       const char *container)
{
	json_t *attributes = json_object();
	struct mvm_buf line = {0};

	if (container)
		set(attributes, "container", container);
	set(attributes, "name", network->name);
	set(attributes, "type", "bridge");
	if (make_line("network", action, network->id, attributes, &line))
		note(state, action, &line);
}

void mvm_event_prune(struct mvm_state *state, const char *type, uint64_t reclaimed)
{
	char bytes[24];
	json_t *attributes = json_object();
	struct mvm_buf line = {0};

	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)reclaimed);
	set(attributes, "reclaimed", bytes);
	if (make_line(type, "prune", "", attributes, &line))
		note(state, "prune", &line);
}
