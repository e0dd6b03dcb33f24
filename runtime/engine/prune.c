/*
 * What can go: images and containers that nobody uses, and what killed processes have left.
 */
#include "internal.h"

#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/text.h"

bool engine_labels_fit(const struct mvm_strv *labels, const struct mvm_prune_filter *filter)
{
	for (size_t i = 0; i < filter->labels.count; i++)
		if (!mvm_has_label(labels, filter->labels.items[i]))
			return false;
	for (size_t i = 0; i < filter->other_labels.count; i++)
		if (mvm_has_label(labels, filter->other_labels.items[i]))
			return false;
	return true;
}

static bool old_enough(const struct mvm_prune_filter *filter, time_t created)
{
	return !filter->until || created <= filter->until;
}

static bool image_is_meant(const struct mvm_prune_filter *filter, const struct mvm_image *image)
{
	for (size_t i = 0; i < filter->labels.count; i++)
		if (!mvm_image_has_label(image, filter->labels.items[i]))
			return false;
	for (size_t i = 0; i < filter->other_labels.count; i++)
		if (mvm_image_has_label(image, filter->other_labels.items[i]))
			return false;
	return old_enough(filter, mvm_image_created(image));
}

static bool container_is_meant(const struct mvm_prune_filter *filter, const struct mvm_container *container)
{
	return engine_labels_fit(&container->config.labels, filter) &&
	       old_enough(filter, container->config.created.tv_sec);
}

/* One that another process has just taken charge of, or has removed, is left alone. */
static int prune_containers(struct mvm_engine *engine, const struct mvm_prune_filter *filter, struct mvm_strv *deleted,
			    struct mvm_error **err)
{
	struct mvm_strv damaged MVM_CLEAN_STRV = {0};
	struct mvm_container **list;
	size_t count;
	int result = 0;

	if (mvm_state_list_readable(mvm_engine_state(engine), &list, &count, &damaged, err) < 0)
		return -1;
	for (size_t i = 0; i < count && result == 0; i++) {
		struct mvm_error *local MVM_CLEAN_ERROR = NULL;
		const char *id = list[i]->config.id;

		if (mvm_status_alive(list[i]->state.status) || list[i]->config.login.user ||
		    !container_is_meant(filter, list[i]))
			continue;
		if (mvm_engine_remove(engine, id, false, false, &local) == 0)
			mvm_strv_add(deleted, id);
		else if (mvm_error_code(local) != MVM_ERR_CONFLICT && mvm_error_code(local) != MVM_ERR_NOT_FOUND)
			result = mvm_error_move(err, &local);
	}
	mvm_container_list_free(list, count);
	return result;
}

/* What the steps of a prune share. */
struct prune {
	struct mvm_engine *engine;
	struct mvm_store *store;
	struct engine_users users;
	void (*report)(void *arg, const struct mvm_store_removed *removed);
	void *arg;
};

/* What somebody has begun to use meanwhile, or has removed, is no failure. */
static int remove_reference(const struct prune *prune, const struct mvm_image *image, const char *text,
			    struct mvm_error **err)
{
	struct mvm_store_removed removed MVM_CLEAN_REMOVED = {0};
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;

	if (mvm_store_remove(prune->store, text, false, &prune->users.rule, &removed, &local) < 0) {
		if (mvm_error_code(local) == MVM_ERR_CONFLICT || mvm_error_code(local) == MVM_ERR_NOT_FOUND)
			return 0;
		return mvm_error_move(err, &local);
	}
	engine_note_removed(prune->engine, image, &removed);
	prune->report(prune->arg, &removed);
	return 0;
}

static int remove_image(const struct prune *prune, const struct mvm_image *image, struct mvm_error **err)
{
	const struct mvm_strv *names = mvm_image_names(image), *digests = mvm_image_repo_digests(image);

	for (size_t i = 0; i < names->count; i++)
		if (remove_reference(prune, image, names->items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < digests->count; i++)
		if (remove_reference(prune, image, digests->items[i], err) < 0)
			return -1;
	if (names->count || digests->count)
		return 0;
	return remove_reference(prune, image, mvm_image_id(image)->text, err);
}

static int prune_images(struct mvm_engine *engine, bool all, const struct mvm_prune_filter *filter,
			void (*report)(void *arg, const struct mvm_store_removed *removed), void *arg,
			struct mvm_error **err)
{
	struct mvm_image_list images MVM_CLEAN_IMAGE_LIST = {0};
	struct prune prune = {.engine = engine, .report = report, .arg = arg};
	char user[MVM_IMAGE_USER + 1];
	int lock MVM_CLEAN_FD = -1;
	int result = 0;

	if (mvm_engine_store(engine, &prune.store, err) < 0 || engine_lock_images(engine, 0, &lock, err) < 0 ||
	    mvm_store_list(prune.store, &images, err) < 0 || engine_users_init(engine, &prune.users, err) < 0)
		return -1;
	for (size_t i = 0; i < images.count && result == 0; i++) {
		const struct mvm_image *image = images.items[i];

		if ((!all && mvm_image_names(image)->count) || !image_is_meant(filter, image) ||
		    prune.users.rule.find(&prune.users, mvm_image_id(image), user) != MVM_IMAGE_UNUSED)
			continue;
		result = remove_image(&prune, image, err);
	}
	engine_users_finish(&prune.users);
	/* Also what no image was ever made of: downloads and builds that were killed. */
	if (result < 0 || mvm_store_collect(prune.store, err) < 0)
		return -1;
	return engine_collect_disks(engine, err);
}

/* What is allocated now and was before; another process may have taken more meanwhile. */
int engine_finish_prune(struct mvm_engine *engine, const char *type, uint64_t before, uint64_t *reclaimed, int result)
{
	uint64_t after = mvm_engine_allocated(engine);

	*reclaimed = before > after ? before - after : 0;
	if (result == 0)
		mvm_event_prune(mvm_engine_state(engine), type, *reclaimed);
	return result;
}

int mvm_engine_prune_containers(struct mvm_engine *engine, const struct mvm_prune_filter *filter,
				struct mvm_strv *deleted, uint64_t *reclaimed, struct mvm_error **err)
{
	uint64_t before = mvm_engine_allocated(engine);
	int result = prune_containers(engine, filter, deleted, err);

	return engine_finish_prune(engine, "container", before, reclaimed, result);
}

int mvm_engine_prune_images(struct mvm_engine *engine, bool all, const struct mvm_prune_filter *filter,
			    void (*report)(void *arg, const struct mvm_store_removed *removed), void *arg,
			    uint64_t *reclaimed, struct mvm_error **err)
{
	uint64_t before = mvm_engine_allocated(engine);
	int result = prune_images(engine, all, filter, report, arg, err);

	return engine_finish_prune(engine, "image", before, reclaimed, result);
}

void mvm_prune_filter_finish(struct mvm_prune_filter *filter)
{
	mvm_strv_finish(&filter->labels);
	mvm_strv_finish(&filter->other_labels);
}
