/*
 * Which containers there are, and which one is meant.
 */
#include "container.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

bool state_is_id(const char *name)
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

		if (!state_is_id(entry->d_name))
			continue;
		result = state_load_settled(state, entry->d_name, &container, &local);
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

int mvm_state_find_damaged(struct mvm_state *state, const char *what, char **id, struct mvm_error **err)
{
	DIR *folder = opendir(state->containers);
	char *found MVM_CLEAN_FREE = NULL;
	struct dirent *entry;

	if (!folder)
		return mvm_fail_errno(err, errno, "%s", state->containers);
	while (*what && !found && (entry = readdir(folder))) {
		struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;

		if (state_is_id(entry->d_name) && !strncmp(entry->d_name, what, strlen(what)) &&
		    state_load_settled(state, entry->d_name, &container, NULL) < 0)
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

/* Those whose IDs begin so. 1: there is none. */
static int find_by_prefix(struct mvm_state *state, const char *what, struct mvm_container **out, struct mvm_error **err)
{
	DIR *folder = opendir(state->containers);
	struct mvm_container *found MVM_CLEAN_CONTAINER = NULL;
	bool ambiguous = false;
	struct dirent *entry;

	if (!folder)
		return mvm_fail_errno(err, errno, "%s", state->containers);
	while (*what && !ambiguous && (entry = readdir(folder))) {
		struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;

		if (!state_is_id(entry->d_name) || strncmp(entry->d_name, what, strlen(what)) ||
		    state_load_settled(state, entry->d_name, &container, NULL) != 0)
			continue;
		ambiguous = found != NULL;
		if (!found) {
			found = container;
			container = NULL;
		}
	}
	closedir(folder);
	if (ambiguous)
		return mvm_fail(err, MVM_ERR_INVALID, "'%s' fits several containers; give more of the ID", what);
	*out = found;
	found = NULL;
	return *out ? 0 : 1;
}

/* Only those are read that may be meant: there may be a thousand others. */
int mvm_state_find(struct mvm_state *state, const char *what, struct mvm_container **out, struct mvm_error **err)
{
	char *owner MVM_CLEAN_FREE = NULL;
	int result;

	if (state_is_id(what) && state_load_settled(state, what, out, NULL) == 0)
		return 0;
	if (state_name_owner(state, *what == '/' ? what + 1 : what, &owner, err) < 0)
		return -1;
	if (owner && state_load_settled(state, owner, out, NULL) == 0)
		return 0;
	result = find_by_prefix(state, what, out, err);
	return result > 0 ? fail_not_found(state, what, err) : result;
}
