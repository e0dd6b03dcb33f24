/*
 * The containers folder. See container.h for what holds after a crash.
 */
#include "container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "events.h"
#include "host_socket.h"
#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/paths.h"
#include "runtime/base/text.h"
#include "volume.h"

#define NEW_PREFIX  ".new-"
#define GONE_PREFIX ".gone-"
/* A state with the longest messages, and what a folder may need for one more name. */
#define RESERVE_SIZE 16384

void mvm_container_free(struct mvm_container *container)
{
	if (!container)
		return;
	mvm_container_config_finish(&container->config);
	mvm_container_state_finish(&container->state);
	mvm_health_finish(&container->health);
	free(container->folder);
	free(container);
}

const char *mvm_state_home(const struct mvm_state *state)
{
	return state->home;
}

const char *mvm_state_runtime_folder(const struct mvm_state *state)
{
	return state->runtime_folder;
}

char *state_folder(const struct mvm_state *state, const char *prefix, const char *id)
{
	return mvm_format("%s/%s%s", state->containers, prefix, id);
}

static char *own_socket_path(const struct mvm_state *state, const char *id)
{
	return mvm_format("%s/%.16s", state->runtime_folder, id);
}

char *mvm_state_socket_path(const struct mvm_state *state, const char *id)
{
	char *folder MVM_CLEAN_FREE = state_folder(state, "", id);
	char *link MVM_CLEAN_FREE = mvm_format("%s/control", folder);
	char target[PATH_MAX];
	ssize_t length = readlink(link, target, sizeof(target));

	if (length > 0 && (size_t)length < sizeof(target))
		return mvm_strndup(target, (size_t)length);
	return own_socket_path(state, id);
}

int mvm_state_place_socket(struct mvm_state *state, const char *id, char **path, struct mvm_error **err)
{
	char *old MVM_CLEAN_FREE = mvm_state_socket_path(state, id);
	char *ours MVM_CLEAN_FREE = own_socket_path(state, id);
	char *folder MVM_CLEAN_FREE = state_folder(state, "", id);
	char *link MVM_CLEAN_FREE = mvm_format("%s/control", folder);

	/* Who gets here holds the lock, so whoever listened there is dead. */
	unlink(old);
	unlink(link);
	if (symlink(ours, link) < 0)
		return mvm_fail_errno(err, errno, "%s", link);
	*path = ours;
	ours = NULL;
	return 0;
}

/* Deletes a half-made folder unless its maker is alive and at work. */
static int collect_new(struct mvm_state *state, const char *name, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = mvm_format("%s/%s", state->containers, name);
	char *lock_path MVM_CLEAN_FREE = mvm_format("%s/lock", folder);
	int names MVM_CLEAN_FD = -1, lock MVM_CLEAN_FD = -1;

	if (state_lock_names(state, &names, err) < 0)
		return -1;
	/* The maker locks before it lets go of the names, so an absent lock means a dead maker. */
	if (access(lock_path, F_OK) == 0 && mvm_lock(lock_path, MVM_LOCK_TRY, &lock, err) != 0)
		return err && *err ? -1 : 0;
	return mvm_remove_tree(folder, err);
}

static int collect_garbage(struct mvm_state *state, struct mvm_error **err)
{
	DIR *folder = opendir(state->containers);
	struct dirent *entry;
	int result = 0;

	if (!folder)
		return mvm_fail_errno(err, errno, "%s", state->containers);
	while (result == 0 && (entry = readdir(folder))) {
		if (!strncmp(entry->d_name, NEW_PREFIX, strlen(NEW_PREFIX))) {
			result = collect_new(state, entry->d_name, err);
		} else if (!strncmp(entry->d_name, GONE_PREFIX, strlen(GONE_PREFIX))) {
			char *path MVM_CLEAN_FREE = mvm_format("%s/%s", state->containers, entry->d_name);

			result = mvm_remove_tree(path, err);
		}
	}
	closedir(folder);
	return result;
}

int mvm_state_open(const char *home, struct mvm_state **out, struct mvm_error **err)
{
	struct mvm_state *state = mvm_alloc(sizeof(*state));

	state->home = mvm_strdup(home);
	state->containers = mvm_format("%s/containers", home);
	if (mvm_make_folders(state->containers, err) < 0 || state_check_version(home, err) < 0 ||
	    mvm_runtime_folder(home, &state->runtime_folder, err) < 0 || collect_garbage(state, err) < 0 ||
	    mvm_volume_collect(state, err) < 0) {
		mvm_state_close(state);
		return -1;
	}
	*out = state;
	return 0;
}

void mvm_state_close(struct mvm_state *state)
{
	if (!state)
		return;
	free(state->home);
	free(state->containers);
	free(state->runtime_folder);
	free(state);
}

int state_load_part(const char *folder, const char *name, json_t **json, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, name);

	return mvm_json_load(path, STATE_MAX_FILE, json, err);
}

static int load_state(struct mvm_container *container, struct mvm_error **err)
{
	struct mvm_container_state fresh = {0};
	json_t *json MVM_CLEAN_JSON = NULL;

	if (state_load_part(container->folder, "state.json", &json, err) < 0)
		return -1;
	if (mvm_container_state_from_json(json, &fresh, err) < 0) {
		mvm_container_state_finish(&fresh);
		return mvm_error_wrap(err, "%s/state.json", container->folder);
	}
	mvm_container_state_finish(&container->state);
	container->state = fresh;
	return 0;
}

int mvm_state_load(struct mvm_state *state, const char *id, struct mvm_container **out, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = mvm_alloc(sizeof(*container));
	json_t *json MVM_CLEAN_JSON = NULL;

	container->folder = state_folder(state, "", id);
	if (state_load_part(container->folder, "config.json", &json, err) < 0)
		return -1;
	if (mvm_container_config_from_json(json, &container->config, err) < 0)
		return mvm_error_wrap(err, "%s/config.json", container->folder);
	if (load_state(container, err) < 0)
		return -1;
	if (mvm_health_has_probe(&container->config.health_check))
		mvm_health_load(&container->health, container->folder);
	*out = container;
	container = NULL;
	return 0;
}

int state_save_part(const char *folder, const char *name, json_t *json, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, name);
	int result = mvm_json_save(path, json, err);

	json_decref(json);
	return result;
}

static char *reserve_path(const struct mvm_container *container)
{
	return mvm_format("%s/reserve", container->folder);
}

int mvm_state_reserve(const struct mvm_container *container, struct mvm_error **err)
{
	static const char nothing[RESERVE_SIZE];
	char *path MVM_CLEAN_FREE = reserve_path(container);
	int fd MVM_CLEAN_FD = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || mvm_pwrite_full(fd, nothing, sizeof(nothing), 0) < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	return 0;
}

static int save_state(const struct mvm_container *container, struct mvm_error **err)
{
	return state_save_part(container->folder, "state.json", mvm_container_state_to_json(&container->state), err);
}

int mvm_state_save(struct mvm_container *container, struct mvm_error **err)
{
	char *reserve MVM_CLEAN_FREE = reserve_path(container);
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;

	if (save_state(container, &local) == 0)
		return 0;
	if (mvm_error_code(local) == MVM_ERR_NO_SPACE && !mvm_status_alive(container->state.status) &&
	    unlink(reserve) == 0)
		return save_state(container, err);
	return mvm_error_move(err, &local);
}

/* A failure to read or write it is no more than that it has been removed meanwhile, if it has. */
static int fail_gone(const struct mvm_state *state, const char *id, struct mvm_error **cause, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = state_folder(state, "", id);

	if (access(folder, F_OK) == 0)
		return mvm_error_move(err, cause);
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "No such container: %s", id);
}

/* The folder may leave under our hands; then nothing of it comes back, for files in it are replaced, never made anew.
 */
int state_change_config(struct mvm_state *state, const char *id, state_change_fn change, const void *arg,
			struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;
	int names MVM_CLEAN_FD = -1;
	json_t *json = NULL;

	if (state_lock_names(state, &names, err) < 0)
		return -1;
	if (mvm_state_load(state, id, &container, &local) < 0)
		return fail_gone(state, id, &local, err);
	if (change(&container->config, arg, err) < 0 ||
	    mvm_container_config_to_json(&container->config, &json, err) < 0)
		return -1;
	if (state_save_part(container->folder, "config.json", json, &local) < 0)
		return fail_gone(state, id, &local, err);
	return 0;
}

int mvm_state_lock(struct mvm_state *state, const char *id, int *lock, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s/lock", state->containers, id);

	return mvm_lock(path, MVM_LOCK_TRY, lock, err);
}

static void note_crash(struct mvm_container_state *state)
{
	bool ran = state->status != MVM_STATUS_STARTING;
	/* How that one ended is known. */
	bool between_runs = state->status == MVM_STATUS_RESTARTING;

	state->status = ran || state->started.tv_sec ? MVM_STATUS_EXITED : MVM_STATUS_CREATED;
	if (!between_runs)
		state->exit_code = ran ? 255 : 125;
	state->pid = 0;
	free(state->error);
	state->error = mvm_strdup(ran ? "the supervisor of the VM was killed"
				      : "the supervisor of the VM was killed before the program ran");
	if (ran && !between_runs)
		clock_gettime(CLOCK_REALTIME, &state->finished);
}

/* Its status says that a supervisor keeps it: true unless nobody holds the lock. Returns 1 where
 * the crash took the container with it (--rm). */
static int settle_crash(struct mvm_state *state, struct mvm_container *container, struct mvm_error **err)
{
	char *socket MVM_CLEAN_FREE = mvm_state_socket_path(state, container->config.id);
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;
	int lock MVM_CLEAN_FD = -1;
	int busy = mvm_state_lock(state, container->config.id, &lock, err);
	bool ran;

	if (busy)
		return busy < 0 ? -1 : 0;
	/* It may have ended in order between our look at the status and the lock. */
	if (load_state(container, err) < 0)
		return -1;
	if (!mvm_status_alive(container->state.status))
		return 0;
	unlink(socket);
	mvm_host_sockets_clear(&container->config.published_sockets);
	/* The end of one between two runs has been told. */
	ran = container->state.status != MVM_STATUS_STARTING && container->state.status != MVM_STATUS_RESTARTING;
	note_crash(&container->state);
	/* Where there is no room to write it down it will be found out again. */
	if (!container->config.auto_remove && mvm_state_save(container, &local) < 0)
		return mvm_error_code(local) == MVM_ERR_NO_SPACE ? 0 : mvm_error_move(err, &local);
	if (ran)
		mvm_event_died(state, container);
	if (!container->config.auto_remove)
		return 0;
	if (mvm_state_remove(state, container->config.id, err) < 0)
		return -1;
	mvm_event_container(state, &container->config, "destroy", NULL);
	/* Our caller may hold that lock, or one that its holder waits for. */
	mvm_volume_remove_anonymous(state, &container->config, MVM_LOCK_TRY);
	return 1;
}

/* Loads one for a listing. 1: it vanished meanwhile, or a crash took it with it. */
int state_load_settled(struct mvm_state *state, const char *id, struct mvm_container **out, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;
	char *folder MVM_CLEAN_FREE = state_folder(state, "", id);
	int gone = 0;

	if (mvm_state_load(state, id, &container, &local) < 0 ||
	    (mvm_status_alive(container->state.status) && (gone = settle_crash(state, container, &local)) < 0)) {
		if (access(folder, F_OK) < 0)
			return 1;
		if (err) {
			*err = local;
			local = NULL;
		}
		return -1;
	}
	if (gone)
		return 1;
	*out = container;
	container = NULL;
	return 0;
}

int mvm_state_create(struct mvm_state *state, struct mvm_container_config *config, char **folder, int *lock,
		     struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = NULL, *lock_path MVM_CLEAN_FREE = NULL;
	unsigned char random[MVM_ID_LENGTH / 2];
	char id[MVM_ID_LENGTH + 1];
	int names MVM_CLEAN_FD = -1;

	if (config->name && state_check_name(config->name, err) < 0)
		return -1;
	config->name_generated = !config->name;
	mvm_random(random, sizeof(random));
	mvm_hex(random, sizeof(random), id);
	if (state_lock_names(state, &names, err) < 0 || state_pick_name(state, config, err) < 0)
		return -1;
	path = state_folder(state, NEW_PREFIX, id);
	lock_path = mvm_format("%s/lock", path);
	if (mkdir(path, 0700) < 0)
		return mvm_fail_errno(err, errno, "cannot make %s", path);
	if (mvm_lock(lock_path, MVM_LOCK_TRY, lock, err) < 0) {
		mvm_remove_tree(path, NULL);
		return -1;
	}
	free(config->id);
	config->id = mvm_strdup(id);
	*folder = path;
	path = NULL;
	return 0;
}

int mvm_state_commit(struct mvm_state *state, struct mvm_container_config *config, struct mvm_error **err)
{
	struct mvm_container_state fresh = {.status = MVM_STATUS_CREATED};
	char *from MVM_CLEAN_FREE = state_folder(state, NEW_PREFIX, config->id);
	char *to MVM_CLEAN_FREE = state_folder(state, "", config->id);
	char *owner MVM_CLEAN_FREE = NULL;
	int names MVM_CLEAN_FD = -1;
	json_t *json = NULL;

	if (state_lock_names(state, &names, err) < 0 || state_name_owner(state, config->name, &owner, err) < 0 ||
	    (owner && state_pick_name(state, config, err) < 0))
		return -1;
	clock_gettime(CLOCK_REALTIME, &config->created);
	if (mvm_container_config_to_json(config, &json, err) < 0 ||
	    state_save_part(from, "config.json", json, err) < 0 ||
	    state_save_part(from, "state.json", mvm_container_state_to_json(&fresh), err) < 0)
		return -1;
	if (rename(from, to) < 0)
		return mvm_fail_errno(err, errno, "%s", to);
	return mvm_sync_folder(state->containers, err);
}

void mvm_state_abort(struct mvm_state *state, const struct mvm_container_config *config)
{
	char *path MVM_CLEAN_FREE = state_folder(state, NEW_PREFIX, config->id);

	mvm_remove_tree(path, NULL);
}

int mvm_state_remove(struct mvm_state *state, const char *id, struct mvm_error **err)
{
	char *from MVM_CLEAN_FREE = state_folder(state, "", id);
	char *to MVM_CLEAN_FREE = state_folder(state, GONE_PREFIX, id);
	char *socket MVM_CLEAN_FREE = mvm_state_socket_path(state, id);

	unlink(socket);
	if (rename(from, to) < 0)
		return mvm_fail_errno(err, errno, "cannot remove %s", from);
	return mvm_remove_tree(to, err);
}
