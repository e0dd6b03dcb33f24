/*
 * The containers folder. See container.h for what holds after a crash.
 */
#include "container.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/paths.h"
#include "runtime/base/text.h"

#define NEW_PREFIX  ".new-"
#define GONE_PREFIX ".gone-"
#define MAX_FILE    (4u << 20)

struct mvm_state {
	char *home;
	char *containers;
	char *runtime_folder;
};

void mvm_container_free(struct mvm_container *container)
{
	if (!container)
		return;
	mvm_container_config_finish(&container->config);
	free(container->state.error);
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

static char *folder_of(const struct mvm_state *state, const char *prefix, const char *id)
{
	return mvm_format("%s/%s%s", state->containers, prefix, id);
}

static char *own_socket_path(const struct mvm_state *state, const char *id)
{
	return mvm_format("%s/%.16s", state->runtime_folder, id);
}

char *mvm_state_socket_path(const struct mvm_state *state, const char *id)
{
	char *folder MVM_CLEAN_FREE = folder_of(state, "", id);
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
	char *folder MVM_CLEAN_FREE = folder_of(state, "", id);
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

static int lock_names(struct mvm_state *state, int *fd, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/.lock", state->containers);

	return mvm_lock(path, 0, fd, err);
}

/* Deletes a half-made folder unless its maker is alive and at work. */
static int collect_new(struct mvm_state *state, const char *name, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = mvm_format("%s/%s", state->containers, name);
	char *lock_path MVM_CLEAN_FREE = mvm_format("%s/lock", folder);
	int names MVM_CLEAN_FD = -1, lock MVM_CLEAN_FD = -1;

	if (lock_names(state, &names, err) < 0)
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
	if (mvm_make_folders(state->containers, err) < 0 || mvm_runtime_folder(home, &state->runtime_folder, err) < 0 ||
	    collect_garbage(state, err) < 0) {
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

static int load_part(const char *folder, const char *name, json_t **json, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, name);

	return mvm_json_load(path, MAX_FILE, json, err);
}

static int load_state(struct mvm_container *container, struct mvm_error **err)
{
	struct mvm_container_state fresh = {0};
	json_t *json MVM_CLEAN_JSON = NULL;

	if (load_part(container->folder, "state.json", &json, err) < 0)
		return -1;
	if (mvm_container_state_from_json(json, &fresh, err) < 0)
		return mvm_error_wrap(err, "%s/state.json", container->folder);
	free(container->state.error);
	container->state = fresh;
	return 0;
}

int mvm_state_load(struct mvm_state *state, const char *id, struct mvm_container **out, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = mvm_alloc(sizeof(*container));
	json_t *json MVM_CLEAN_JSON = NULL;

	container->folder = folder_of(state, "", id);
	if (load_part(container->folder, "config.json", &json, err) < 0)
		return -1;
	if (mvm_container_config_from_json(json, &container->config, err) < 0)
		return mvm_error_wrap(err, "%s/config.json", container->folder);
	if (load_state(container, err) < 0)
		return -1;
	*out = container;
	container = NULL;
	return 0;
}

static int save_json(const char *folder, const char *name, json_t *json, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, name);
	int result = mvm_json_save(path, json, err);

	json_decref(json);
	return result;
}

int mvm_state_save(struct mvm_container *container, struct mvm_error **err)
{
	return save_json(container->folder, "state.json", mvm_container_state_to_json(&container->state), err);
}

int mvm_state_lock(struct mvm_state *state, const char *id, int *lock, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s/lock", state->containers, id);

	return mvm_lock(path, MVM_LOCK_TRY, lock, err);
}

static void note_crash(struct mvm_container_state *state)
{
	bool ran = state->status != MVM_STATUS_STARTING;

	state->status = ran || state->started.tv_sec ? MVM_STATUS_EXITED : MVM_STATUS_CREATED;
	state->exit_code = ran ? 255 : 125;
	state->pid = 0;
	free(state->error);
	state->error = mvm_strdup(ran ? "the supervisor of the VM was killed"
				      : "the supervisor of the VM was killed before the program ran");
	if (ran)
		clock_gettime(CLOCK_REALTIME, &state->finished);
}

/* Its status says that a supervisor keeps it: true unless nobody holds the lock. Returns 1 where
 * the crash took the container with it (--rm). */
static int settle_crash(struct mvm_state *state, struct mvm_container *container, struct mvm_error **err)
{
	char *socket MVM_CLEAN_FREE = mvm_state_socket_path(state, container->config.id);
	int lock MVM_CLEAN_FD = -1;
	int busy = mvm_state_lock(state, container->config.id, &lock, err);

	if (busy)
		return busy < 0 ? -1 : 0;
	/* It may have ended in order between our look at the status and the lock. */
	if (load_state(container, err) < 0)
		return -1;
	if (!mvm_status_alive(container->state.status))
		return 0;
	unlink(socket);
	if (container->config.auto_remove)
		return mvm_state_remove(state, container->config.id, err) < 0 ? -1 : 1;
	note_crash(&container->state);
	return mvm_state_save(container, err);
}

static bool is_id(const char *name)
{
	size_t length = strspn(name, "0123456789abcdef");

	return length == MVM_ID_LENGTH && !name[length];
}

static int newest_first(const void *a, const void *b)
{
	const struct mvm_container *left = *(struct mvm_container *const *)a;
	const struct mvm_container *right = *(struct mvm_container *const *)b;
	const struct timespec *x = &left->config.created, *y = &right->config.created;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? 1 : -1;
	return x->tv_nsec < y->tv_nsec ? 1 : x->tv_nsec > y->tv_nsec ? -1 : 0;
}

/* Loads one for a listing. 1: it vanished meanwhile, or a crash took it with it. */
static int load_settled(struct mvm_state *state, const char *id, struct mvm_container **out, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;
	char *folder MVM_CLEAN_FREE = folder_of(state, "", id);
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

void mvm_container_list_free(struct mvm_container **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mvm_container_free(list[i]);
	free(list);
}

int mvm_state_list(struct mvm_state *state, struct mvm_container ***out, size_t *count, struct mvm_error **err)
{
	return mvm_state_list_readable(state, out, count, NULL, err);
}

int mvm_state_list_readable(struct mvm_state *state, struct mvm_container ***out, size_t *count,
			    struct mvm_strv *damaged, struct mvm_error **err)
{
	DIR *folder = opendir(state->containers);
	struct mvm_container **list = NULL;
	struct dirent *entry;
	size_t n = 0;

	if (!folder)
		return mvm_fail_errno(err, errno, "%s", state->containers);
	while ((entry = readdir(folder))) {
		struct mvm_container *container = NULL;
		struct mvm_error *local MVM_CLEAN_ERROR = NULL;
		int result;

		if (!is_id(entry->d_name))
			continue;
		result = load_settled(state, entry->d_name, &container, &local);
		if (result < 0 && damaged) {
			mvm_strv_addf(damaged, "container %.12s cannot be read: %s; 'mvm rm -f %.12s' removes it",
				      entry->d_name, mvm_error_message(local), entry->d_name);
			continue;
		}
		if (result < 0) {
			mvm_error_move(err, &local);
			break;
		}
		if (result > 0)
			continue;
		list = mvm_realloc(list, n + 1, sizeof(struct mvm_container *));
		list[n++] = container;
	}
	closedir(folder);
	if (entry) {
		mvm_container_list_free(list, n);
		return -1;
	}
	if (n)
		qsort(list, n, sizeof(struct mvm_container *), newest_first);
	*out = list;
	*count = n;
	return 0;
}

/* How well `what` names the container; 0: not at all. */
static int match(const struct mvm_container *container, const char *what)
{
	if (!strcmp(container->config.id, what))
		return 3;
	if (!strcmp(container->config.name, *what == '/' ? what + 1 : what))
		return 2;
	return *what && !strncmp(container->config.id, what, strlen(what)) ? 1 : 0;
}

int mvm_state_find_damaged(struct mvm_state *state, const char *what, char **id, struct mvm_error **err)
{
	DIR *folder = opendir(state->containers);
	char *found MVM_CLEAN_FREE = NULL;
	struct dirent *entry;

	if (!folder)
		return mvm_fail_errno(err, errno, "%s", state->containers);
	while (*what && !found && (entry = readdir(folder))) {
		struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;

		if (is_id(entry->d_name) && !strncmp(entry->d_name, what, strlen(what)) &&
		    load_settled(state, entry->d_name, &container, NULL) < 0)
			found = mvm_strdup(entry->d_name);
	}
	closedir(folder);
	if (!found)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "No such container: %s", what);
	*id = found;
	found = NULL;
	return 0;
}

/* One whose files are damaged has no name any more, but it is there, and there is a way to get rid of it. */
static int fail_not_found(struct mvm_state *state, const char *what, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	char *id MVM_CLEAN_FREE = NULL;

	if (mvm_state_find_damaged(state, what, &id, err) < 0)
		return -1;
	if (mvm_state_load(state, id, &container, err) < 0)
		return mvm_error_wrap(err, "container %.12s cannot be read, 'mvm rm -f %.12s' removes it", id, id);
	return mvm_fail(err, MVM_ERR_CONFLICT, "container %.12s cannot be read just now; try again", id);
}

int mvm_state_find(struct mvm_state *state, const char *what, struct mvm_container **out, struct mvm_error **err)
{
	struct mvm_container **list, *found = NULL;
	struct mvm_strv damaged MVM_CLEAN_STRV = {0};
	bool ambiguous = false;
	size_t count;
	int best = 0;

	if (is_id(what) && load_settled(state, what, out, NULL) == 0)
		return 0;
	if (mvm_state_list_readable(state, &list, &count, &damaged, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		int quality = match(list[i], what);

		ambiguous = quality > best ? false : ambiguous || (quality && quality == best);
		if (quality > best) {
			best = quality;
			mvm_container_free(found);
			found = list[i];
		} else {
			mvm_container_free(list[i]);
		}
	}
	free(list);
	if (ambiguous) {
		mvm_container_free(found);
		return mvm_fail(err, MVM_ERR_INVALID, "'%s' fits several containers; give more of the ID", what);
	}
	if (!found)
		return fail_not_found(state, what, err);
	*out = found;
	return 0;
}

/* A failure to read or write it is no more than that it has been removed meanwhile, if it has. */
static int fail_gone(const struct mvm_state *state, const char *id, struct mvm_error **cause, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = folder_of(state, "", id);

	if (access(folder, F_OK) == 0)
		return mvm_error_move(err, cause);
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "No such container: %s", id);
}

/* Reads only the names; with the names' lock held, the answer stays true. */
static int name_owner(struct mvm_state *state, const char *name, char **owner, struct mvm_error **err)
{
	DIR *folder = opendir(state->containers);
	struct dirent *entry;

	*owner = NULL;
	if (!folder)
		return mvm_fail_errno(err, errno, "%s", state->containers);
	while (!*owner && (entry = readdir(folder))) {
		char *path MVM_CLEAN_FREE = folder_of(state, "", entry->d_name);
		json_t *json MVM_CLEAN_JSON = NULL;
		const char *theirs;

		if (is_id(entry->d_name) && load_part(path, "config.json", &json, NULL) == 0 &&
		    mvm_json_get_string(json, "Name", "", &theirs, NULL) == 0 && !strcmp(theirs, name))
			*owner = mvm_strdup(entry->d_name);
	}
	closedir(folder);
	return 0;
}

static int check_name(struct mvm_state *state, const char *name, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	char *owner MVM_CLEAN_FREE = NULL;

	if (name_owner(state, name, &owner, err) < 0)
		return -1;
	if (!owner)
		return 0;
	/* A crash with --rm took its holder with it: then the name is free. */
	if (load_settled(state, owner, &container, NULL) == 1)
		return 0;
	return mvm_fail(
		err, MVM_ERR_EXISTS,
		"The container name \"/%s\" is already in use by container \"%s\". You have to remove (or rename) "
		"that container to be able to reuse that name",
		name, owner);
}

static int pick_name(struct mvm_state *state, struct mvm_container_config *config, struct mvm_error **err)
{
	if (!config->name_generated)
		return check_name(state, config->name, err);
	for (int tries = 0; tries < 100; tries++) {
		char *owner MVM_CLEAN_FREE = NULL;
		char *name = mvm_random_name();

		if (tries > 9) {
			char *longer = mvm_format("%s%d", name, tries);

			free(name);
			name = longer;
		}
		free(config->name);
		config->name = name;
		if (name_owner(state, name, &owner, err) < 0)
			return -1;
		if (!owner)
			return 0;
	}
	return mvm_fail(err, MVM_ERR_EXISTS, "no free name found; give one with --name");
}

static bool valid_name(const char *name)
{
	size_t length = strlen(name);

	if (length < 2 || length > 255 || !isalnum((unsigned char)*name))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
			return false;
	return true;
}

static int check_name_valid(const char *name, struct mvm_error **err)
{
	if (valid_name(name))
		return 0;
	return mvm_fail(err, MVM_ERR_USAGE, "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
			name);
}

int mvm_state_create(struct mvm_state *state, struct mvm_container_config *config, char **folder, int *lock,
		     struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = NULL, *lock_path MVM_CLEAN_FREE = NULL;
	unsigned char random[MVM_ID_LENGTH / 2];
	char id[MVM_ID_LENGTH + 1];
	int names MVM_CLEAN_FD = -1;

	if (config->name && check_name_valid(config->name, err) < 0)
		return -1;
	config->name_generated = !config->name;
	mvm_random(random, sizeof(random));
	mvm_hex(random, sizeof(random), id);
	if (lock_names(state, &names, err) < 0 || pick_name(state, config, err) < 0)
		return -1;
	path = folder_of(state, NEW_PREFIX, id);
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
	char *from MVM_CLEAN_FREE = folder_of(state, NEW_PREFIX, config->id);
	char *to MVM_CLEAN_FREE = folder_of(state, "", config->id);
	char *owner MVM_CLEAN_FREE = NULL;
	int names MVM_CLEAN_FD = -1;
	json_t *json = NULL;

	if (lock_names(state, &names, err) < 0 || name_owner(state, config->name, &owner, err) < 0 ||
	    (owner && pick_name(state, config, err) < 0))
		return -1;
	clock_gettime(CLOCK_REALTIME, &config->created);
	if (mvm_container_config_to_json(config, &json, err) < 0 || save_json(from, "config.json", json, err) < 0 ||
	    save_json(from, "state.json", mvm_container_state_to_json(&fresh), err) < 0)
		return -1;
	if (rename(from, to) < 0)
		return mvm_fail_errno(err, errno, "%s", to);
	return mvm_sync_folder(state->containers, err);
}

void mvm_state_abort(struct mvm_state *state, const struct mvm_container_config *config)
{
	char *path MVM_CLEAN_FREE = folder_of(state, NEW_PREFIX, config->id);

	mvm_remove_tree(path, NULL);
}

/* The folder may leave under our hands; then nothing of it comes back, for files in it are replaced, never made anew.
 */
int mvm_state_rename(struct mvm_state *state, const char *id, const char *name, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;
	int names MVM_CLEAN_FD = -1;
	json_t *json = NULL;

	name += *name == '/';
	if (!*name)
		return mvm_fail(err, MVM_ERR_USAGE, "Neither old nor new names may be empty");
	if (check_name_valid(name, err) < 0 || lock_names(state, &names, err) < 0)
		return -1;
	if (mvm_state_load(state, id, &container, &local) < 0)
		return fail_gone(state, id, &local, err);
	if (!strcmp(container->config.name, name))
		return mvm_fail(err, MVM_ERR_USAGE, "Renaming a container with the same name as its current name");
	if (check_name(state, name, err) < 0)
		return -1;
	free(container->config.name);
	container->config.name = mvm_strdup(name);
	if (mvm_container_config_to_json(&container->config, &json, err) < 0)
		return -1;
	if (save_json(container->folder, "config.json", json, &local) < 0)
		return fail_gone(state, id, &local, err);
	return 0;
}

int mvm_state_remove(struct mvm_state *state, const char *id, struct mvm_error **err)
{
	char *from MVM_CLEAN_FREE = folder_of(state, "", id);
	char *to MVM_CLEAN_FREE = folder_of(state, GONE_PREFIX, id);
	char *socket MVM_CLEAN_FREE = mvm_state_socket_path(state, id);

	unlink(socket);
	if (rename(from, to) < 0)
		return mvm_fail_errno(err, errno, "cannot remove %s", from);
	return mvm_remove_tree(to, err);
}
