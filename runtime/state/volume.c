#include "volume.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "events.h"
#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"

enum { FORMAT_VERSION = 1, MAX_FILE = 1 << 20, MAX_NAME = 200, RANDOM_NAME = 32 };

#define NEW_PREFIX  ".new-"
#define GONE_PREFIX ".gone-"

void mvm_volume_free(struct mvm_volume *volume)
{
	if (!volume)
		return;
	free(volume->name);
	free(volume->driver);
	mvm_strv_finish(&volume->labels);
	mvm_strv_finish(&volume->options);
	free(volume);
}

bool mvm_volume_is_anonymous(const struct mvm_volume *volume)
{
	return mvm_has_label(&volume->labels, MVM_VOLUME_ANONYMOUS);
}

static char *volumes_folder(const struct mvm_state *state)
{
	return mvm_format("%s/volumes", state->home);
}

char *mvm_volume_path(const struct mvm_state *state, const char *name, const char *file)
{
	return mvm_format("%s/volumes/%s/%s", state->home, name, file);
}

static json_t *to_json(const struct mvm_volume *volume)
{
	char created[MVM_TIME_LENGTH + 1];

	mvm_format_time(&volume->created, created);
	return json_pack("{si, ss, ss, ss, so, so}", "FormatVersion", FORMAT_VERSION, "Name", volume->name, "Driver",
			 volume->driver, "CreatedAt", created, "Labels", mvm_json_from_strings(&volume->labels),
			 "Options", mvm_json_from_strings(&volume->options));
}

static int from_json(const json_t *json, struct mvm_volume *volume, struct mvm_error **err)
{
	const char *name, *driver, *created;

	if (mvm_json_get_string(json, "Name", NULL, &name, err) < 0 ||
	    mvm_json_get_string(json, "Driver", NULL, &driver, err) < 0 ||
	    mvm_json_get_string(json, "CreatedAt", "", &created, err) < 0 ||
	    mvm_json_get_strings(json, "Labels", &volume->labels, err) < 0 ||
	    mvm_json_get_strings(json, "Options", &volume->options, err) < 0)
		return -1;
	if (!name || !driver || !mvm_parse_time(created, &volume->created))
		return mvm_fail(err, MVM_ERR_INVALID, "Name, Driver or CreatedAt is missing");
	if (strcmp(driver, MVM_VOLUME_DISK) != 0 && strcmp(driver, MVM_VOLUME_SHARED) != 0)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "driver %s is not known to this mvm", driver);
	volume->name = mvm_strdup(name);
	volume->driver = mvm_strdup(driver);
	return 0;
}

static bool is_name(const char *name)
{
	size_t length = strlen(name);

	if (!isalnum((unsigned char)*name) || length < 2 || length > MAX_NAME)
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
			return false;
	return true;
}

int mvm_volume_check_name(const char *name, struct mvm_error **err)
{
	if (is_name(name))
		return 0;
	if (strlen(name) == 1)
		return mvm_fail(err, MVM_ERR_USAGE,
				"create %s: volume name is too short, names should be at least two alphanumeric "
				"characters",
				name);
	if (strlen(name) > MAX_NAME)
		return mvm_fail(err, MVM_ERR_USAGE, "create %.40s...: a volume name has at most %d characters", name,
				MAX_NAME);
	return mvm_fail(err, MVM_ERR_USAGE,
			"create %s: \"%s\" includes invalid characters for a local volume name, only "
			"\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use "
			"absolute path",
			name, name);
}

static int fail_not_found(const char *name, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "get %s: no such volume", name);
}

int mvm_volume_load(const struct mvm_state *state, const char *name, struct mvm_volume **out, struct mvm_error **err)
{
	struct mvm_volume *volume MVM_CLEAN_VOLUME = mvm_alloc(sizeof(*volume));
	char *path MVM_CLEAN_FREE = mvm_volume_path(state, name, "config.json");
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	json_t *json MVM_CLEAN_JSON = NULL;

	if (!is_name(name))
		return fail_not_found(name, err);
	if (mvm_json_load(path, MAX_FILE, &json, &cause) < 0)
		return mvm_error_code(cause) == MVM_ERR_NOT_FOUND ? fail_not_found(name, err)
								  : mvm_error_move(err, &cause);
	if (from_json(json, volume, err) < 0)
		return mvm_error_wrap(err, "%s", path);
	*out = volume;
	volume = NULL;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct mvm_volume *const *)a)->name, (*(struct mvm_volume *const *)b)->name);
}

void mvm_volume_list_free(struct mvm_volume **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mvm_volume_free(list[i]);
	free(list);
}

int mvm_volume_list(const struct mvm_state *state, struct mvm_volume ***out, size_t *count, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = volumes_folder(state);
	DIR *folder = opendir(path);
	struct mvm_volume **list = NULL;
	struct dirent *entry;
	size_t n = 0;
	int result = 0;

	if (!folder && errno != ENOENT)
		return mvm_fail_errno(err, errno, "%s", path);
	while (folder && result == 0 && (entry = readdir(folder))) {
		struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
		struct mvm_volume *volume = NULL;

		if (!is_name(entry->d_name))
			continue;
		if (mvm_volume_load(state, entry->d_name, &volume, &cause) == 0) {
			list = mvm_realloc(list, n + 1, sizeof(struct mvm_volume *));
			list[n++] = volume;
		} else if (mvm_error_code(cause) != MVM_ERR_NOT_FOUND) {
			result = mvm_error_move(err, &cause);
		}
	}
	if (folder)
		closedir(folder);
	if (result < 0) {
		mvm_volume_list_free(list, n);
		return -1;
	}
	if (n)
		qsort(list, n, sizeof(struct mvm_volume *), by_name);
	*out = list;
	*count = n;
	return 0;
}

int mvm_volume_lock_all(const struct mvm_state *state, unsigned flags, int *lock, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = volumes_folder(state);
	char *path MVM_CLEAN_FREE = mvm_format("%s/.lock", folder);

	return mvm_make_folders(folder, err) < 0 ? -1 : mvm_lock(path, flags, lock, err);
}

int mvm_volume_lock(const struct mvm_state *state, const char *name, unsigned flags, int *lock, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_volume_path(state, name, "lock");

	return mvm_lock(path, flags, lock, err);
}

static int fill_folder(const char *folder, const struct mvm_volume *volume,
		       int (*fill)(const struct mvm_volume *volume, const char *folder, struct mvm_error **err),
		       struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/config.json", folder);
	json_t *json MVM_CLEAN_JSON = to_json(volume);

	if (!json)
		return mvm_fail(err, MVM_ERR_USAGE, "a label or option of the volume holds bytes that are not UTF-8");
	/* What a killed maker has left is nobody's. */
	if (mvm_remove_tree(folder, err) < 0)
		return -1;
	if (mkdir(folder, 0700) < 0)
		return mvm_fail_errno(err, errno, "cannot make %s", folder);
	return fill(volume, folder, err) < 0 ? -1 : mvm_json_save(path, json, err);
}

static void pick_name(struct mvm_volume *volume)
{
	unsigned char random[RANDOM_NAME];

	mvm_random(random, sizeof(random));
	volume->name = mvm_alloc(2 * sizeof(random) + 1);
	mvm_hex(random, sizeof(random), volume->name);
}

int mvm_volume_create(const struct mvm_state *state, struct mvm_volume *volume,
		      int (*fill)(const struct mvm_volume *volume, const char *folder, struct mvm_error **err),
		      struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = volumes_folder(state), *from MVM_CLEAN_FREE = NULL, *to MVM_CLEAN_FREE = NULL;

	if (!volume->name)
		pick_name(volume);
	if (mvm_volume_check_name(volume->name, err) < 0)
		return -1;
	from = mvm_format("%s/" NEW_PREFIX "%s", folder, volume->name);
	to = mvm_format("%s/%s", folder, volume->name);
	if (access(to, F_OK) == 0)
		return mvm_fail(err, MVM_ERR_EXISTS, "create %s: volume name must be unique", volume->name);
	clock_gettime(CLOCK_REALTIME, &volume->created);
	if (fill_folder(from, volume, fill, err) < 0 || mvm_sync_folder(from, err) < 0) {
		mvm_remove_tree(from, NULL);
		return -1;
	}
	if (rename(from, to) < 0)
		return mvm_fail_errno(err, errno, "%s", to);
	return mvm_sync_folder(folder, err);
}

static bool mounts_it(const struct mvm_container_config *config, const char *name)
{
	for (size_t i = 0; i < config->volume_names.count; i++)
		if (!strcmp(config->volume_names.items[i], name))
			return true;
	return false;
}

int mvm_volume_users(struct mvm_state *state, const char *name, struct mvm_strv *ids, struct mvm_error **err)
{
	DIR *folder = opendir(state->containers);
	struct dirent *entry;

	if (!folder)
		return mvm_fail_errno(err, errno, "%s", state->containers);
	while ((entry = readdir(folder))) {
		struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;

		/* A damaged one cannot start. */
		if (state_is_id(entry->d_name) && mvm_state_load(state, entry->d_name, &container, NULL) == 0 &&
		    mounts_it(&container->config, name))
			mvm_strv_add(ids, entry->d_name);
	}
	closedir(folder);
	return 0;
}

static int check_unused(struct mvm_state *state, const char *name, struct mvm_error **err)
{
	struct mvm_strv ids MVM_CLEAN_STRV = {0};
	char *list MVM_CLEAN_FREE = NULL;

	if (mvm_volume_users(state, name, &ids, err) < 0)
		return -1;
	if (!ids.count)
		return 0;
	list = mvm_strv_join(&ids, ", ");
	return mvm_fail(err, MVM_ERR_CONFLICT, "remove %s: volume is in use - [%s]", name, list);
}

int mvm_volume_remove(struct mvm_state *state, const char *name, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = volumes_folder(state);
	char *from MVM_CLEAN_FREE = mvm_format("%s/%s", folder, name);
	char *to MVM_CLEAN_FREE = mvm_format("%s/" GONE_PREFIX "%s", folder, name);
	struct mvm_volume *volume MVM_CLEAN_VOLUME = NULL;
	int lock MVM_CLEAN_FD = -1;
	int busy;

	if (mvm_volume_load(state, name, &volume, err) < 0 || check_unused(state, name, err) < 0)
		return -1;
	/* Of a container that has just been removed by force the machine may be about to go. */
	busy = mvm_volume_lock(state, name, MVM_LOCK_TRY, &lock, err);
	if (busy < 0)
		return -1;
	if (busy)
		return mvm_fail(err, MVM_ERR_CONFLICT, "remove %s: volume is in use by a VM that is about to end",
				name);
	if (state_remove_tree(to, err) < 0)
		return -1;
	if (rename(from, to) < 0)
		return mvm_fail_errno(err, errno, "cannot remove %s", from);
	mvm_event_volume(state, name, "destroy", (const char *const[]){"driver", volume->driver, NULL});
	return state_remove_tree(to, err);
}

void mvm_volume_remove_anonymous(struct mvm_state *state, const struct mvm_container_config *gone, unsigned flags)
{
	int all MVM_CLEAN_FD = -1;

	if (!gone->anonymous_volumes.count || mvm_volume_lock_all(state, flags, &all, NULL))
		return;
	for (size_t i = 0; i < gone->anonymous_volumes.count; i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;

		if (mvm_volume_remove(state, gone->anonymous_volumes.items[i], &err) < 0)
			mvm_log(MVM_LOG_INFO, "%s", mvm_error_message(err));
	}
}

int mvm_volume_collect(const struct mvm_state *state, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = volumes_folder(state);
	DIR *folder = opendir(path);
	struct dirent *entry;
	int result = 0;

	if (!folder)
		return errno == ENOENT ? 0 : mvm_fail_errno(err, errno, "%s", path);
	while (result == 0 && (entry = readdir(folder))) {
		char *left MVM_CLEAN_FREE = mvm_format("%s/%s", path, entry->d_name);
		int all MVM_CLEAN_FD = -1;

		if (strncmp(entry->d_name, NEW_PREFIX, strlen(NEW_PREFIX)) != 0 &&
		    strncmp(entry->d_name, GONE_PREFIX, strlen(GONE_PREFIX)) != 0)
			continue;
		result = mvm_volume_lock_all(state, 0, &all, err) < 0 ? -1 : state_remove_tree(left, err);
	}
	closedir(folder);
	return result;
}
