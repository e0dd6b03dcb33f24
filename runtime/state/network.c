#include "network.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"

enum { FORMAT_VERSION = 1, MAX_FILE = 1 << 20 };

#define NEW_PREFIX  ".new-"
#define GONE_PREFIX ".gone-"

void mvm_network_free(struct mvm_network *network)
{
	if (!network)
		return;
	free(network->name);
	free(network->id);
	free(network->subnet);
	free(network->gateway);
	free(network->subnet6);
	free(network->gateway6);
	mvm_strv_finish(&network->labels);
	free(network);
}

static char *networks_folder(const struct mvm_state *state)
{
	return mvm_format("%s/networks", state->home);
}

char *mvm_network_path(const struct mvm_state *state, const char *name, const char *file)
{
	return mvm_format("%s/networks/%s/%s", state->home, name, file);
}

char *mvm_network_socket(const struct mvm_state *state, const struct mvm_network *network)
{
	return mvm_format("%s/net-%.12s", state->runtime_folder, network->id);
}

static json_t *to_json(const struct mvm_network *network)
{
	char created[MVM_TIME_LENGTH + 1];

	mvm_format_time(&network->created, created);
	return json_pack("{si, ss, ss, ss, ss, ss, ss*, ss*, sI, sb, so}", "FormatVersion", FORMAT_VERSION, "Name",
			 network->name, "Id", network->id, "Created", created, "Subnet", network->subnet, "Gateway",
			 network->gateway, "Subnet6", network->subnet6, "Gateway6", network->gateway6, "Mtu",
			 (json_int_t)network->mtu, "Internal", (int)network->internal, "Labels",
			 mvm_json_from_strings(&network->labels));
}

static int take_text(const json_t *json, const char *key, char **text, struct mvm_error **err)
{
	const char *value;

	if (mvm_json_get_string(json, key, NULL, &value, err) < 0)
		return -1;
	*text = mvm_strdup(value);
	return 0;
}

static int from_json(const json_t *json, struct mvm_network *network, struct mvm_error **err)
{
	const char *created;

	if (take_text(json, "Name", &network->name, err) < 0 || take_text(json, "Id", &network->id, err) < 0 ||
	    take_text(json, "Subnet", &network->subnet, err) < 0 ||
	    take_text(json, "Gateway", &network->gateway, err) < 0 ||
	    take_text(json, "Subnet6", &network->subnet6, err) < 0 ||
	    take_text(json, "Gateway6", &network->gateway6, err) < 0 ||
	    mvm_json_get_string(json, "Created", "", &created, err) < 0 ||
	    mvm_json_get_int(json, "Mtu", 1500, &network->mtu, err) < 0 ||
	    mvm_json_get_bool(json, "Internal", false, &network->internal, err) < 0 ||
	    mvm_json_get_strings(json, "Labels", &network->labels, err) < 0)
		return -1;
	if (!network->name || !network->id || !network->subnet || !network->gateway ||
	    !mvm_parse_time(created, &network->created))
		return mvm_fail(err, MVM_ERR_INVALID, "Name, Id, Created, Subnet or Gateway is missing");
	return 0;
}

static bool is_name(const char *name)
{
	if (!isalnum((unsigned char)*name) || strlen(name) > 200)
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
			return false;
	return true;
}

int mvm_network_load(const struct mvm_state *state, const char *name, struct mvm_network **out, struct mvm_error **err)
{
	struct mvm_network *network MVM_CLEAN_NETWORK = mvm_alloc(sizeof(*network));
	char *path MVM_CLEAN_FREE = mvm_network_path(state, name, "config.json");
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	json_t *json MVM_CLEAN_JSON = NULL;

	if (!is_name(name))
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "network %s not found", name);
	if (mvm_json_load(path, MAX_FILE, &json, &cause) < 0) {
		if (mvm_error_code(cause) != MVM_ERR_NOT_FOUND)
			return mvm_error_move(err, &cause);
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "network %s not found", name);
	}
	if (from_json(json, network, err) < 0)
		return mvm_error_wrap(err, "%s", path);
	*out = network;
	network = NULL;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct mvm_network *const *)a)->name, (*(struct mvm_network *const *)b)->name);
}

void mvm_network_list_free(struct mvm_network **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mvm_network_free(list[i]);
	free(list);
}

int mvm_network_list(const struct mvm_state *state, struct mvm_network ***out, size_t *count, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = networks_folder(state);
	DIR *folder = opendir(path);
	struct mvm_network **list = NULL;
	struct dirent *entry;
	size_t n = 0;
	int result = 0;

	if (!folder && errno != ENOENT)
		return mvm_fail_errno(err, errno, "%s", path);
	while (folder && result == 0 && (entry = readdir(folder))) {
		struct mvm_error *cause = NULL;
		struct mvm_network *network = NULL;

		if (!is_name(entry->d_name))
			continue;
		if (mvm_network_load(state, entry->d_name, &network, &cause) == 0) {
			list = mvm_realloc(list, n + 1, sizeof(struct mvm_network *));
			list[n++] = network;
		} else if (mvm_error_code(cause) == MVM_ERR_NOT_FOUND) {
			mvm_error_free(cause); /* it has just been removed */
		} else {
			result = mvm_error_move(err, &cause);
		}
	}
	if (folder)
		closedir(folder);
	if (result < 0) {
		mvm_network_list_free(list, n);
		return -1;
	}
	if (n)
		qsort(list, n, sizeof(struct mvm_network *), by_name);
	*out = list;
	*count = n;
	return 0;
}

int mvm_network_find(const struct mvm_state *state, const char *what, struct mvm_network **out, struct mvm_error **err)
{
	struct mvm_network **list, *found = NULL;
	size_t count, fits = 0;

	if (mvm_network_load(state, what, out, NULL) == 0)
		return 0;
	if (mvm_network_list(state, &list, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count && *what; i++)
		if (!strncmp(list[i]->id, what, strlen(what))) {
			found = list[i];
			fits++;
		}
	if (fits == 1) {
		for (size_t i = 0; i < count; i++)
			if (list[i] == found)
				list[i] = NULL;
		*out = found;
	}
	mvm_network_list_free(list, count);
	if (fits == 1)
		return 0;
	if (fits)
		return mvm_fail(err, MVM_ERR_INVALID, "'%s' fits several networks; give more of the ID", what);
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "network %s not found", what);
}

int mvm_network_lock_all(const struct mvm_state *state, int *lock, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = networks_folder(state);
	char *path MVM_CLEAN_FREE = mvm_format("%s/.lock", folder);

	return mvm_make_folders(folder, err) < 0 ? -1 : mvm_lock(path, 0, lock, err);
}

int mvm_network_lock(const struct mvm_state *state, const char *name, int *lock, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_network_path(state, name, "lock");

	return mvm_lock(path, MVM_LOCK_TRY, lock, err);
}

void mvm_network_clear_sockets(const struct mvm_state *state, const struct mvm_network *network)
{
	char *path MVM_CLEAN_FREE = mvm_network_socket(state, network);
	const char *name = strrchr(path, '/') + 1;
	DIR *folder = opendir(state->runtime_folder);
	const struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		if (strncmp(entry->d_name, name, strlen(name)) == 0)
			unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder)
		closedir(folder);
}

/* Under the lock on all, so what a dead process has left is nobody's. */
static int fill_folder(const char *folder, const struct mvm_network *network, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/config.json", folder);
	json_t *json MVM_CLEAN_JSON = to_json(network);

	if (!json)
		return mvm_fail(err, MVM_ERR_INVALID, "a label of the network holds bytes that are not UTF-8");
	if (mvm_remove_tree(folder, err) < 0)
		return -1;
	if (mkdir(folder, 0700) < 0)
		return mvm_fail_errno(err, errno, "cannot make %s", folder);
	return mvm_json_save(path, json, err);
}

int mvm_network_create(const struct mvm_state *state, struct mvm_network *network, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = networks_folder(state);
	char *from MVM_CLEAN_FREE = mvm_format("%s/" NEW_PREFIX "%s", folder, network->name);
	char *to MVM_CLEAN_FREE = mvm_format("%s/%s", folder, network->name);
	unsigned char random[32];

	if (!is_name(network->name))
		return mvm_fail(err, MVM_ERR_INVALID,
				"invalid network name: %s: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", network->name);
	if (access(to, F_OK) == 0)
		return mvm_fail(err, MVM_ERR_EXISTS, "network with name %s already exists", network->name);
	mvm_random(random, sizeof(random));
	free(network->id);
	network->id = mvm_alloc(2 * sizeof(random) + 1);
	mvm_hex(random, sizeof(random), network->id);
	clock_gettime(CLOCK_REALTIME, &network->created);
	if (fill_folder(from, network, err) < 0)
		return -1;
	if (rename(from, to) < 0)
		return mvm_fail_errno(err, errno, "%s", to);
	return mvm_sync_folder(folder, err);
}

int mvm_network_remove(const struct mvm_state *state, const char *name, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = networks_folder(state);
	char *from MVM_CLEAN_FREE = mvm_format("%s/%s", folder, name);
	char *to MVM_CLEAN_FREE = mvm_format("%s/" GONE_PREFIX "%s", folder, name);
	int all MVM_CLEAN_FD = -1, lock MVM_CLEAN_FD = -1;
	int busy;

	if (mvm_network_lock_all(state, &all, err) < 0)
		return -1;
	if (access(from, F_OK) < 0)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "network %s not found", name);
	busy = mvm_network_lock(state, name, &lock, err);
	if (busy < 0)
		return -1;
	if (busy)
		return mvm_fail(
			err, MVM_ERR_CONFLICT,
			"error while removing network: network %s has active endpoints; stop the containers on it, or "
			"disconnect them",
			name);
	if (mvm_remove_tree(to, err) < 0)
		return -1;
	if (rename(from, to) < 0)
		return mvm_fail_errno(err, errno, "cannot remove %s", from);
	return mvm_remove_tree(to, err);
}
