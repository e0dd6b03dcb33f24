/*
 * Images as containers need them: found or pulled, unpacked into a disk, and removed when nothing uses them.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/platform.h"
#include "image/pull.h"
#include "image/reference.h"
#include "image/registry.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"

/* What an environment variable or the configuration says, and which of them. */
static int find_default(struct mvm_engine *engine, const char **text, const char **source, struct mvm_error **err)
{
	static const char *const variables[] = {"MVM_PLATFORM", "DOCKER_DEFAULT_PLATFORM"};

	for (size_t i = 0; i < MVM_COUNT(variables); i++) {
		*source = variables[i];
		*text = getenv(variables[i]);
		if (*text && **text)
			return 0;
	}
	*source = NULL;
	return mvm_config_string(mvm_engine_config(engine), "platform", text, err);
}

int mvm_engine_platform(struct mvm_engine *engine, const char *given, struct mvm_platform *platform,
			struct mvm_error **err)
{
	const char *text = given, *source = "--platform";
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (!given && find_default(engine, &text, &source, err) < 0)
		return -1;
	if (!text || !*text)
		return 1;
	if (mvm_platform_parse(text, platform, &cause) == 0)
		return 0;
	if (!source)
		return mvm_config_fail(mvm_engine_config(engine), err, "\"platform\": %s", mvm_error_message(cause));
	mvm_error_move(err, &cause);
	return mvm_error_wrap(err, "error parsing specified platform: %s", source);
}

/* One that was killed between unpacking and giving the name has left a disk that nobody asks for. Not worth failing or
 * waiting for. */
void engine_drop_lost_disks(struct mvm_engine *engine)
{
	int lock MVM_CLEAN_FD = -1;

	if (engine_lock_images(engine, MVM_LOCK_TRY, &lock, NULL) == 0)
		engine_collect_disks(engine, NULL);
}

static int pull(struct mvm_engine *engine, const struct mvm_image_request *request,
		const struct mvm_reference *reference, const struct mvm_platform *platform, struct mvm_image **image,
		struct mvm_error **err)
{
	struct mvm_pull_options options = {.platform = platform,
					   .progress = request->progress,
					   .config = mvm_engine_config(engine),
					   .downloads = request->downloads,
					   .interrupted = request->interrupted};
	struct mvm_store *store;
	int result;

	if (mvm_engine_store(engine, &store, err) < 0)
		return -1;
	result = mvm_image_pull(store, reference, &options, image, err);
	if (result == 0)
		mvm_engine_note_reference(engine, reference, "pull");
	engine_drop_lost_disks(engine);
	return result;
}

int mvm_engine_pull_tags(struct mvm_engine *engine, const struct mvm_image_request *request,
			 struct mvm_image_list *images, struct mvm_error **err)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_platform platform;
	struct mvm_pull_options options = {.progress = request->progress,
					   .config = mvm_engine_config(engine),
					   .downloads = request->downloads,
					   .interrupted = request->interrupted};
	struct mvm_store *store;
	int result;

	result = mvm_engine_platform(engine, request->platform, &platform, err);
	if (result < 0 || mvm_reference_parse(request->reference, &reference, err) < 0 ||
	    mvm_engine_store(engine, &store, err) < 0)
		return -1;
	options.platform = result == 0 ? &platform : NULL;
	result = mvm_image_pull_tags(store, &reference, &options, images, err);
	engine_drop_lost_disks(engine);
	if (result == 0) {
		char *repository MVM_CLEAN_FREE = mvm_reference_familiar_repository(&reference);

		mvm_event_image(mvm_engine_state(engine), repository, repository, NULL, "pull");
	}
	return result;
}

/* 0 found; 1 not here, and *why. */
static int find_local(struct mvm_engine *engine, const struct mvm_image_request *request,
		      const struct mvm_platform *platform, struct mvm_image **out, struct mvm_error **why,
		      struct mvm_error **err)
{
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;
	struct mvm_store *store;

	if (mvm_engine_store(engine, &store, err) < 0)
		return -1;
	if (mvm_store_find(store, request->reference, &image, &local) < 0) {
		if (mvm_error_code(local) != MVM_ERR_NOT_FOUND)
			return mvm_error_move(err, &local);
		mvm_fail(why, MVM_ERR_NOT_FOUND, "No such image: %s; pull it first, or leave out --pull never",
			 request->reference);
		return 1;
	}
	/* The name may stand for another platform's image from an earlier pull. */
	if (platform && mvm_image_check_platform(image, request->reference, platform, why) < 0)
		return 1;
	*out = image;
	image = NULL;
	return 0;
}

/* Docker takes what `pull` brought, with a warning, and `run` does not. */
static int pull_missing(struct mvm_engine *engine, const struct mvm_image_request *request,
			const struct mvm_reference *reference, const struct mvm_platform *platform,
			struct mvm_image **out, struct mvm_error **err)
{
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;

	if (request->missing)
		request->missing(request->arg, request->reference);
	if (pull(engine, request, reference, platform, &image, err) < 0 ||
	    (platform && mvm_image_check_platform(image, request->reference, platform, err) < 0))
		return -1;
	*out = image;
	image = NULL;
	return 0;
}

int mvm_engine_get_image(struct mvm_engine *engine, const struct mvm_image_request *request, struct mvm_image **image,
			 struct mvm_error **err)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_error *why MVM_CLEAN_ERROR = NULL;
	struct mvm_platform given, *platform = NULL;
	int missing = mvm_engine_platform(engine, request->platform, &given, err);

	if (missing < 0)
		return -1;
	if (missing == 0)
		platform = &given;
	if (request->pull != MVM_PULL_ALWAYS) {
		missing = find_local(engine, request, platform, image, &why, err);
		if (missing <= 0)
			return missing;
	}
	if (request->pull == MVM_PULL_NEVER)
		return mvm_error_move(err, &why);
	if (mvm_reference_parse(request->reference, &reference, err) < 0)
		return -1;
	if (request->pull == MVM_PULL_MISSING)
		return pull_missing(engine, request, &reference, platform, image, err);
	return pull(engine, request, &reference, platform, image, err);
}

struct blobs {
	struct mvm_store *store;
};

static int open_blob(void *arg, const struct mvm_layer *layer, int *fd, struct mvm_error **err)
{
	struct blobs *blobs = arg;
	char *path MVM_CLEAN_FREE = NULL;
	struct mvm_digest digest;

	if (mvm_digest_parse(layer->digest, &digest, err) < 0)
		return -1;
	path = mvm_store_blob_path(blobs->store, &digest);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	return 0;
}

int engine_image_disk(struct mvm_engine *engine, const struct mvm_image *image, uint64_t size, char **key, char **path,
		      struct mvm_error **err)
{
	struct mvm_layer *layers MVM_CLEAN_FREE = mvm_image_disk_layers(image);
	struct mvm_disk_spec spec = {.layers = layers,
				     .layer_count = mvm_image_layer_count(image),
				     .size = size,
				     .config = mvm_engine_config(engine)};
	struct blobs blobs;

	if (mvm_engine_store(engine, &blobs.store, err) < 0 || mvm_disk_key(&spec, key, err) < 0)
		return -1;
	return mvm_disk_ensure(mvm_state_home(mvm_engine_state(engine)), &spec, open_blob, &blobs, path, err);
}

static bool disk_in_use(struct mvm_container **list, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (list[i]->config.disk_key && !strcmp(list[i]->config.disk_key, key))
			return true;
	return false;
}

static bool wanted_by_image(struct mvm_image_list *images, const char *key)
{
	for (size_t i = 0; i < images->count; i++) {
		const struct mvm_image *image = images->items[i];
		struct mvm_layer *layers MVM_CLEAN_FREE = mvm_image_disk_layers(image);
		struct mvm_disk_spec spec = {.layers = layers, .layer_count = mvm_image_layer_count(image)};
		char *theirs MVM_CLEAN_FREE = NULL;

		/* A disk of another size has this key and a suffix. */
		if (mvm_disk_key(&spec, &theirs, NULL) == 0 && !strncmp(key, theirs, strlen(theirs)))
			return true;
	}
	return false;
}

int engine_collect_disks(struct mvm_engine *engine, struct mvm_error **err)
{
	const char *home = mvm_state_home(mvm_engine_state(engine));
	struct mvm_image_list images MVM_CLEAN_IMAGE_LIST = {0};
	struct mvm_strv keys MVM_CLEAN_STRV = {0};
	struct mvm_container **list;
	int pulls MVM_CLEAN_FD = -1;
	struct mvm_store *store;
	size_t count;
	int result;

	if (mvm_engine_store(engine, &store, err) < 0)
		return -1;
	result = mvm_store_keep_pulls_out(store, &pulls, err);
	if (result)
		return result < 0 ? -1 : 0;
	if (mvm_store_list(store, &images, err) < 0 || mvm_disk_list(home, &keys, err) < 0 ||
	    mvm_state_list(mvm_engine_state(engine), &list, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < keys.count && result == 0; i++)
		if (!disk_in_use(list, count, keys.items[i]) && !wanted_by_image(&images, keys.items[i]))
			result = mvm_disk_remove(home, keys.items[i], err);
	mvm_container_list_free(list, count);
	return result < 0 ? -1 : mvm_disk_collect(home, err);
}

static enum mvm_image_use find_user(void *arg, const struct mvm_digest *id, char container[MVM_IMAGE_USER + 1])
{
	const struct engine_users *users = arg;
	enum mvm_image_use use = MVM_IMAGE_UNUSED;

	for (size_t i = 0; i < users->count && use != MVM_IMAGE_RUNNING; i++) {
		const struct mvm_container *user = users->list[i];

		if (strcmp(user->config.image_id, id->text) != 0)
			continue;
		use = mvm_status_alive(user->state.status) ? MVM_IMAGE_RUNNING : MVM_IMAGE_STOPPED;
		snprintf(container, MVM_IMAGE_USER + 1, "%s", user->config.id);
	}
	return use;
}

int engine_users_init(struct mvm_engine *engine, struct engine_users *users, struct mvm_error **err)
{
	users->rule = (struct mvm_image_users){.find = find_user, .arg = users};
	return mvm_state_list(mvm_engine_state(engine), &users->list, &users->count, err);
}

void engine_users_finish(struct engine_users *users)
{
	mvm_container_list_free(users->list, users->count);
}

int mvm_engine_remove_image(struct mvm_engine *engine, const char *text, bool force, struct mvm_store_removed *removed,
			    struct mvm_error **err)
{
	int lock MVM_CLEAN_FD = -1;
	struct mvm_store *store;
	struct engine_users users;
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	int result;

	if (mvm_engine_store(engine, &store, err) < 0 || engine_lock_images(engine, 0, &lock, err) < 0 ||
	    engine_users_init(engine, &users, err) < 0)
		return -1;
	mvm_store_find(store, text, &image, NULL);
	result = mvm_store_remove(store, text, force, &users.rule, removed, err);
	engine_users_finish(&users);
	if (result == 0 && image)
		engine_note_removed(engine, image, removed);
	return result == 0 ? engine_collect_disks(engine, err) : -1;
}

int mvm_engine_layer_sizes(struct mvm_engine *engine, const struct mvm_image *image, uint64_t *sizes,
			   struct mvm_error **err)
{
	size_t count = mvm_image_layer_count(image);
	struct mvm_layer *layers MVM_CLEAN_FREE = mvm_image_disk_layers(image);
	struct mvm_disk_spec spec = {.layers = layers, .layer_count = count};
	int status = mvm_disk_layer_sizes(mvm_state_home(mvm_engine_state(engine)), &spec, sizes, err);

	for (size_t i = 0; status == 1 && i < count; i++)
		sizes[i] = mvm_image_layer(image, i)->blob.size;
	return status < 0 ? -1 : 0;
}

uint64_t mvm_engine_image_size(struct mvm_engine *engine, const struct mvm_image *image)
{
	size_t count = mvm_image_layer_count(image);
	uint64_t *sizes MVM_CLEAN_FREE = mvm_alloc((count + 1) * sizeof(*sizes)), total = 0;

	if (mvm_engine_layer_sizes(engine, image, sizes, NULL) < 0)
		return mvm_image_size(image);
	for (size_t i = 0; i < count; i++)
		total += sizes[i];
	return total;
}

int mvm_engine_remote_digest(struct mvm_engine *engine, const struct mvm_reference *reference,
			     struct mvm_digest *digest, struct mvm_error **err)
{
	struct mvm_registry_manifest manifest MVM_CLEAN_REGISTRY_MANIFEST = {0};
	struct mvm_registry *registry;
	int result;

	if (mvm_registry_open(reference, NULL, mvm_engine_config(engine), NULL, NULL, &registry, err) < 0)
		return -1;
	result = mvm_registry_head_manifest(registry, reference->tag, digest, err);
	/* Where the server does not say it is counted here. */
	if (result > 0) {
		result = mvm_registry_get_manifest(registry, reference->tag, &manifest, err);
		if (result == 0)
			*digest = manifest.digest;
	}
	mvm_registry_close(registry);
	return result;
}
