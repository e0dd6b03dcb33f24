/*
 * Names of containers: what they may be, who has which, and giving one another.
 */
#include "container.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"

int state_lock_names(struct mvm_state *state, int *fd, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/.lock", state->containers);

	return mvm_lock(path, 0, fd, err);
}

/* Whether it has that name; `quoted` is the name between quotes. Names need no escapes, so a text in which it does not
 * stand need not be parsed, which would take most of the time. */
static bool has_name(const char *folder, const char *name, const char *quoted)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/config.json", folder);
	char *text MVM_CLEAN_FREE = NULL;
	json_t *json MVM_CLEAN_JSON = NULL;
	const char *theirs;
	size_t length;

	return mvm_read_file(path, STATE_MAX_FILE, &text, &length, NULL) == 0 && strstr(text, quoted) &&
	       mvm_json_parse(text, length, path, &json, NULL) == 0 &&
	       mvm_json_get_string(json, "Name", "", &theirs, NULL) == 0 && !strcmp(theirs, name);
}

/* Reads only the names; with the names' lock held, the answer stays true. */
int state_name_owner(struct mvm_state *state, const char *name, char **owner, struct mvm_error **err)
{
	char *quoted MVM_CLEAN_FREE = mvm_format("\"%s\"", name);
	DIR *folder = opendir(state->containers);
	struct dirent *entry;

	*owner = NULL;
	if (!folder)
		return mvm_fail_errno(err, errno, "%s", state->containers);
	while (!*owner && (entry = readdir(folder))) {
		char *path MVM_CLEAN_FREE = state_folder(state, "", entry->d_name);

		if (state_is_id(entry->d_name) && has_name(path, name, quoted))
			*owner = mvm_strdup(entry->d_name);
	}
	closedir(folder);
	return 0;
}

void state_refresh_name(const struct mvm_state *state, struct mvm_container_config *config)
{
	char *folder MVM_CLEAN_FREE = state_folder(state, "", config->id);
	json_t *json MVM_CLEAN_JSON = NULL;
	const char *name;

	if (state_load_part(folder, "config.json", &json, NULL) < 0 ||
	    mvm_json_get_string(json, "Name", config->name, &name, NULL) < 0 || !strcmp(name, config->name))
		return;
	free(config->name);
	config->name = mvm_strdup(name);
}

static int check_name(struct mvm_state *state, const char *name, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	char *owner MVM_CLEAN_FREE = NULL;

	if (state_name_owner(state, name, &owner, err) < 0)
		return -1;
	if (!owner)
		return 0;
	/* A crash with --rm took its holder with it: then the name is free. */
	if (state_load_settled(state, owner, &container, NULL) == 1)
		return 0;
	return mvm_fail(err, MVM_ERR_EXISTS,
			"Conflict. The container name \"/%s\" is already in use by container \"%s\". You have to "
			"remove (or rename) "
			"that container to be able to reuse that name",
			name, owner);
}

int state_pick_name(struct mvm_state *state, struct mvm_container_config *config, struct mvm_error **err)
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
		if (state_name_owner(state, name, &owner, err) < 0)
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

int state_check_name(const char *name, struct mvm_error **err)
{
	if (valid_name(name))
		return 0;
	return mvm_fail(err, MVM_ERR_USAGE, "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
			name);
}

struct renaming {
	struct mvm_state *state;
	const char *name;
};

static int change_name(struct mvm_container_config *config, const void *arg, struct mvm_error **err)
{
	const struct renaming *renaming = arg;

	if (!strcmp(config->name, renaming->name))
		return mvm_fail(err, MVM_ERR_USAGE, "Renaming a container with the same name as its current name");
	if (check_name(renaming->state, renaming->name, err) < 0)
		return -1;
	free(config->name);
	config->name = mvm_strdup(renaming->name);
	return 0;
}

int mvm_state_rename(struct mvm_state *state, const char *id, const char *name, struct mvm_error **err)
{
	struct renaming renaming = {state, name + (*name == '/')};

	if (!*renaming.name)
		return mvm_fail(err, MVM_ERR_USAGE, "Neither old nor new names may be empty");
	if (state_check_name(renaming.name, err) < 0)
		return -1;
	return state_change_config(state, id, change_name, &renaming, err);
}
