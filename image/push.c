#include "push.h"

#include <stdlib.h>
#include <string.h>

#include "image_internal.h"
#include "registry.h"
#include "runtime/base/config.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "store_internal.h"

/* As docker. */
#define DEFAULT_UPLOADS 5
#define UPLOADS_KEY	"max-concurrent-uploads"

/* A blob that goes up: the config, or one that one or more layers are. */
struct blob {
	struct push *push;
	const struct mvm_descriptor *descriptor;
	const struct mvm_digest *layer; /* what people see of it, docker's: the diff_id; NULL for the config */
	char *path;
	char *from; /* NULL where no other repository may have it */
};

struct push {
	struct mvm_store *store;
	const struct mvm_reference *reference;
	const struct mvm_push_options *options;
	struct mvm_registry *registry;
	struct mvm_image *image;
	struct mvm_image_list known;
	struct blob *blobs;
	size_t blob_count;
};

static void push_finish(struct push *push)
{
	for (size_t i = 0; i < push->blob_count; i++) {
		free(push->blobs[i].path);
		free(push->blobs[i].from);
	}
	free(push->blobs);
	mvm_image_list_finish(&push->known);
	mvm_image_destroy(push->image);
	mvm_registry_close(push->registry);
}

static bool should_stop(void *arg)
{
	const struct push *push = arg;

	return push->options->interrupted && *push->options->interrupted;
}

static bool has_blob(const struct mvm_image *image, const struct mvm_digest *digest)
{
	for (size_t i = 0; i < mvm_image_layer_count(image); i++)
		if (mvm_digest_equal(&mvm_image_layer(image, i)->blob.digest, digest))
			return true;
	return mvm_digest_equal(mvm_image_id(image), digest);
}

/* Another repository of the same registry that the image came from or went to; NULL where there is none. */
static char *other_repository(const struct push *push, const struct mvm_image *image)
{
	const struct mvm_strv *sources = mvm_image_repo_digests(image);

	for (size_t i = 0; i < sources->count; i++) {
		struct mvm_reference source MVM_CLEAN_REFERENCE = {0};

		if (mvm_reference_parse(sources->items[i], &source, NULL) == 0 &&
		    !strcmp(source.domain, push->reference->domain) && strcmp(source.path, push->reference->path) != 0)
			return mvm_strdup(source.path);
	}
	return NULL;
}

/* The image's own repositories first: those have all of it. */
static char *find_source(const struct push *push, const struct mvm_digest *digest)
{
	char *from = other_repository(push, push->image);

	for (size_t i = 0; !from && i < push->known.count; i++)
		if (has_blob(push->known.items[i], digest))
			from = other_repository(push, push->known.items[i]);
	return from;
}

static void add_blob(struct push *push, const struct mvm_descriptor *descriptor, const struct mvm_digest *layer)
{
	for (size_t i = 0; i < push->blob_count; i++)
		if (mvm_digest_equal(&push->blobs[i].descriptor->digest, &descriptor->digest))
			return;
	push->blobs[push->blob_count++] = (struct blob){
		.push = push,
		.descriptor = descriptor,
		.layer = layer,
		.path = mvm_store_blob_path(push->store, &descriptor->digest),
		.from = find_source(push, &descriptor->digest),
	};
}

static void list_blobs(struct push *push)
{
	size_t count = mvm_image_layer_count(push->image);

	push->blobs = mvm_alloc((count + 1) * sizeof(*push->blobs));
	for (size_t i = 0; i < count; i++) {
		const struct mvm_image_layer *layer = mvm_image_layer(push->image, i);

		add_blob(push, &layer->blob, &layer->diff_id);
	}
	add_blob(push, &push->image->manifest.config, NULL);
}

static void on_changed(void *arg, enum mvm_upload_event event, uint64_t bytes)
{
	static const enum mvm_progress_state states[] = {[MVM_UPLOAD_SENDING] = MVM_PROGRESS_PUSHING,
							 [MVM_UPLOAD_DONE] = MVM_PROGRESS_PUSHED,
							 [MVM_UPLOAD_EXISTS] = MVM_PROGRESS_PUSHED_EARLIER};
	const struct blob *blob = arg;
	const struct mvm_progress *progress = blob->push->options->progress;

	if (!blob->layer)
		return;
	if (event == MVM_UPLOAD_MOUNTED)
		mvm_progress_mounted(progress, blob->layer, blob->from);
	else
		mvm_progress_layer(progress, blob->layer, states[event], bytes, blob->descriptor->size);
}

/* Tokens are for the repositories to mount from as well. */
static int open_registry(struct push *push, struct mvm_error **err)
{
	struct mvm_strv scopes MVM_CLEAN_STRV = {0};
	struct mvm_registry_access access = {.actions = "pull,push", .also = &scopes};

	for (size_t i = 0; i < push->blob_count; i++) {
		char *scope MVM_CLEAN_FREE =
			push->blobs[i].from ? mvm_format("repository:%s:pull", push->blobs[i].from) : NULL;
		bool listed = !scope;

		for (size_t j = 0; !listed && j < scopes.count; j++)
			listed = !strcmp(scopes.items[j], scope);
		if (!listed)
			mvm_strv_add(&scopes, scope);
	}
	return mvm_registry_open(push->reference, &access, push->options->config, should_stop, push, &push->registry,
				 err);
}

/* A registry that got other bytes than the digest says may be right. */
static int blame(const struct push *push, struct mvm_error **cause, struct mvm_error **err)
{
	for (size_t i = 0; mvm_error_code(*cause) == MVM_ERR_CORRUPT && i < push->blob_count; i++)
		if (mvm_store_check_blob(push->store, push->blobs[i].descriptor, NULL) == 1)
			return mvm_fail(err, MVM_ERR_CORRUPT,
					"blob %.12s was damaged on the disk and has been dropped; pull or load the "
					"image again",
					mvm_digest_hex(&push->blobs[i].descriptor->digest));
	return mvm_error_move(err, cause);
}

static int send_blobs(struct push *push, struct mvm_error **err)
{
	struct mvm_upload *uploads MVM_CLEAN_FREE = mvm_alloc(push->blob_count * sizeof(*uploads));
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	size_t at_once = DEFAULT_UPLOADS;

	if (mvm_config_count(push->options->config, UPLOADS_KEY, &at_once, err) < 0)
		return -1;
	for (size_t i = 0; i < push->blob_count; i++) {
		struct blob *blob = &push->blobs[i];

		uploads[i] = (struct mvm_upload){.descriptor = blob->descriptor,
						 .path = blob->path,
						 .from = blob->from,
						 .changed = on_changed,
						 .arg = blob};
		if (blob->layer)
			mvm_progress_layer(push->options->progress, blob->layer, MVM_PROGRESS_PREPARING, 0, 0);
	}
	if (mvm_registry_upload(push->registry, uploads, push->blob_count, at_once, &cause) < 0)
		return blame(push, &cause, err);
	return 0;
}

static int send_manifest(struct push *push, struct mvm_error **err)
{
	const struct mvm_descriptor *descriptor = &push->image->descriptor;
	struct mvm_buf manifest MVM_CLEAN_BUF = {0};

	if (mvm_store_read_blob(push->store, descriptor, MVM_MANIFEST_MAX, &manifest, err) < 0)
		return -1;
	return mvm_registry_put_manifest(push->registry, push->reference->tag, descriptor, manifest.data, err);
}

int mvm_image_names_of(struct mvm_store *store, const struct mvm_reference *repository, struct mvm_strv *names,
		       struct mvm_error **err)
{
	char *familiar MVM_CLEAN_FREE = mvm_reference_familiar_repository(repository);
	struct mvm_image_list list MVM_CLEAN_IMAGE_LIST = {0};

	if (mvm_store_list(store, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++)
		for (size_t j = 0; j < mvm_image_names(list.items[i])->count; j++) {
			const char *name = mvm_image_names(list.items[i])->items[j];
			struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};

			if (mvm_reference_parse(name, &reference, NULL) == 0 &&
			    !strcmp(reference.domain, repository->domain) && !strcmp(reference.path, repository->path))
				mvm_strv_add(names, name);
		}
	if (names->count)
		return 0;
	return mvm_fail(err, MVM_ERR_NOT_FOUND,
			"An image does not exist locally with the tag: %s; `mvm tag` gives an image that name",
			familiar);
}

static int find_image(struct push *push, struct mvm_error **err)
{
	char *familiar MVM_CLEAN_FREE = mvm_reference_familiar(push->reference);
	char *wanted MVM_CLEAN_FREE = NULL, *has MVM_CLEAN_FREE = NULL;
	const struct mvm_platform *platform = push->options->platform;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	struct mvm_strv names MVM_CLEAN_STRV = {0};

	if (!push->reference->tag)
		return mvm_fail(err, MVM_ERR_USAGE, "cannot push a digest reference: %s; give it a tag with `mvm tag`",
				familiar);
	if (mvm_store_find_reference(push->store, push->reference, &push->image, &cause) < 0) {
		if (mvm_error_code(cause) != MVM_ERR_NOT_FOUND)
			return mvm_error_move(err, &cause);
		if (mvm_image_names_of(push->store, push->reference, &names, err) < 0)
			return -1;
		return mvm_fail(err, MVM_ERR_NOT_FOUND,
				"tag does not exist: %s; `mvm images` shows those that are here", familiar);
	}
	if (!platform || mvm_platform_same(platform, mvm_image_platform(push->image)))
		return 0;
	wanted = mvm_platform_format(platform);
	has = mvm_platform_format(mvm_image_platform(push->image));
	return mvm_fail(err, MVM_ERR_UNSUPPORTED,
			"image with reference %s was found but does not provide the specified platform (%s): it is for "
			"%s; pull it with --platform %s first",
			familiar, wanted, has, wanted);
}

static int push_locked(struct push *push, struct mvm_error **err)
{
	const struct mvm_descriptor *descriptor;
	char *name MVM_CLEAN_FREE = mvm_reference_full(push->reference);
	char *repository MVM_CLEAN_FREE = mvm_reference_repository(push->reference);
	char *source MVM_CLEAN_FREE = NULL;
	int lock MVM_CLEAN_FD = -1;

	/* For as long as this is held nothing is collected that we have found. */
	if (mvm_store_lock_use(push->store, MVM_LOCK_SHARED, &lock, err) < 0 || find_image(push, err) < 0 ||
	    mvm_store_list(push->store, &push->known, err) < 0)
		return -1;
	list_blobs(push);
	if (open_registry(push, err) < 0 || send_blobs(push, err) < 0 || send_manifest(push, err) < 0)
		return -1;
	descriptor = &push->image->descriptor;
	source = mvm_format("%s@%s", repository, descriptor->digest.text);
	return mvm_store_set_source(push->store, &descriptor->digest, name, source, err);
}

int mvm_image_push(struct mvm_store *store, const struct mvm_reference *reference,
		   const struct mvm_push_options *options, struct mvm_pushed *pushed, struct mvm_error **err)
{
	struct push push
		__attribute__((cleanup(push_finish))) = {.store = store, .reference = reference, .options = options};
	char *familiar MVM_CLEAN_FREE = mvm_reference_familiar(reference);

	if (push_locked(&push, err) < 0) {
		/* Docker's words stand for themselves where there was nothing to push. */
		return push.registry ? mvm_error_wrap(err, "cannot push %s", familiar) : -1;
	}
	*pushed = (struct mvm_pushed){.digest = push.image->descriptor.digest, .size = push.image->descriptor.size};
	return 0;
}
