/*
 * docker-archive (moby's image/spec "Combined Image JSON + Filesystem Changeset Format"): manifest.json names the
 * files of each image.
 *
 * Layers are plain tars there, and most writers' are; Go's tools write them compressed. A manifest is made for the
 * files as they are. An image that the store has already keeps the one that it has, and so its ID stands once.
 */
#include <string.h>

#include "archive_internal.h"
#include "image_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"

enum { MAX_LAYERS = 1024 };

/* One element of manifest.json. */
struct item {
	const char *config;
	struct mvm_strv tags;
	struct mvm_strv layers;
	struct mvm_descriptor *blobs; /* of the layers, borrowing their strings */
};

static void item_finish(struct item *item)
{
	mvm_strv_finish(&item->tags);
	mvm_strv_finish(&item->layers);
	free(item->blobs);
}

static int parse_item(const json_t *object, struct item *item, struct mvm_error **err)
{
	if (!json_is_object(object))
		return mvm_fail(err, MVM_ERR_INVALID, "not an object");
	if (mvm_json_get_string(object, "Config", "", &item->config, err) < 0 ||
	    mvm_json_get_strings(object, "RepoTags", &item->tags, err) < 0 ||
	    mvm_json_get_strings(object, "Layers", &item->layers, err) < 0)
		return -1;
	if (!*item->config)
		return mvm_fail(err, MVM_ERR_INVALID, "no \"Config\"");
	if (item->layers.count > MAX_LAYERS)
		return mvm_fail(err, MVM_ERR_INVALID, "%zu layers, more than %d", item->layers.count, MAX_LAYERS);
	return 0;
}

static int find_layers(const struct archive *archive, struct item *item, struct mvm_error **err)
{
	item->blobs = mvm_alloc(item->layers.count * sizeof(*item->blobs));
	for (size_t i = 0; i < item->layers.count; i++) {
		const struct mvm_descriptor *blob;

		if (archive_find(archive, item->layers.items[i], "layer", &blob, err) < 0)
			return -1;
		item->blobs[i] = *blob;
	}
	return 0;
}

/* Before anything is unpacked, and with the file's name. What is compressed shows its digest when it is unpacked. */
static int check_layers(const struct item *item, const struct mvm_image *image, struct mvm_error **err)
{
	for (size_t i = 0; i < item->layers.count; i++) {
		const struct mvm_digest *wanted = &mvm_image_layer(image, i)->diff_id;

		if (!strchr(item->blobs[i].media_type, '+') && !mvm_digest_equal(&item->blobs[i].digest, wanted))
			return mvm_fail(err, MVM_ERR_CORRUPT, "layer %s has the digest %s, and the config says %s",
					item->layers.items[i], item->blobs[i].digest.text, wanted->text);
	}
	return 0;
}

static bool is_complete(const struct mvm_store *store, const struct mvm_image *image)
{
	for (size_t i = 0; i < mvm_image_layer_count(image); i++)
		if (!mvm_store_has_blob(store, &mvm_image_layer(image, i)->blob))
			return false;
	return true;
}

/* The image in the store that has the same ID and all its layers. */
static int find_same(struct mvm_store *store, struct mvm_image **image, struct mvm_error **err)
{
	struct mvm_image_list images MVM_CLEAN_IMAGE_LIST = {0};

	if (mvm_store_list(store, &images, err) < 0)
		return -1;
	for (size_t i = 0; i < images.count; i++) {
		if (!mvm_digest_equal(mvm_image_id(images.items[i]), mvm_image_id(*image)) ||
		    !is_complete(store, images.items[i]))
			continue;
		mvm_image_destroy(*image);
		*image = images.items[i];
		images.items[i] = NULL;
		break;
	}
	return 0;
}

static int add_names(struct archive *archive, const struct item *item, struct mvm_error **err)
{
	struct archive_image *added = &archive->images[archive->image_count - 1];

	for (size_t i = 0; i < item->tags.count; i++) {
		struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};

		if (mvm_reference_parse(item->tags.items[i], &reference, err) < 0)
			return mvm_error_wrap(err, "name \"%.200s\"", item->tags.items[i]);
		if (mvm_digest_is_set(&reference.digest))
			return mvm_fail(err, MVM_ERR_INVALID, "name \"%.200s\" has no tag", item->tags.items[i]);
		mvm_strv_take(&added->names, mvm_reference_full(&reference));
	}
	return 0;
}

static int resolve_item(struct archive *archive, struct item *item, struct mvm_error **err)
{
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	const struct mvm_descriptor *config;

	if (archive_find(archive, item->config, "config", &config, err) < 0)
		return -1;
	if (config->size > MVM_IMAGE_CONFIG_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "the config %s is larger than %d bytes", item->config,
				MVM_IMAGE_CONFIG_MAX);
	if (find_layers(archive, item, err) < 0 ||
	    archive_make_image(archive->store, config, item->blobs, item->layers.count, &image, err) < 0 ||
	    check_layers(item, image, err) < 0 || find_same(archive->store, &image, err) < 0)
		return -1;
	return archive_add_image(archive, &image, NULL, err) < 0 ? -1 : add_names(archive, item, err);
}

int archive_resolve_docker(struct archive *archive, struct mvm_error **err)
{
	json_t *root MVM_CLEAN_JSON = NULL;
	json_t *value;
	size_t i;

	if (mvm_json_parse(archive->manifest_json.data, archive->manifest_json.length, "manifest.json", &root, err) < 0)
		return -1;
	if (!json_is_array(root) || !json_array_size(root))
		return mvm_fail(err, MVM_ERR_INVALID, "manifest.json is no list of images");
	json_array_foreach(root, i, value)
	{
		struct item item __attribute__((cleanup(item_finish))) = {0};

		if (parse_item(value, &item, err) < 0 || resolve_item(archive, &item, err) < 0)
			return mvm_error_wrap(err, "image %zu of manifest.json", i + 1);
	}
	return 0;
}
