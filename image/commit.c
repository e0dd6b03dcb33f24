/*
 * An image and one more layer (bring.c), which is what has changed in a container of it.
 */
#include <string.h>
#include <time.h>

#include "archive_internal.h"
#include "disk.h"
#include "image_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"

int mvm_image_check_layers(struct mvm_store *store, const struct mvm_image *image, struct mvm_error **err)
{
	size_t count = mvm_image_layer_count(image);

	for (size_t i = 0; i < count; i++) {
		const struct mvm_descriptor *blob = &mvm_image_layer(image, i)->blob;

		if (!mvm_store_has_blob(store, blob))
			return mvm_fail(err, MVM_ERR_NOT_FOUND, "layer %zu of %zu (%.12s) is not in the store any more",
					i + 1, count, mvm_digest_hex(&blob->digest));
	}
	return 0;
}

/* OCI image-spec config.md, "history". */
static json_t *history_entry(const struct mvm_commit *commit, const char *created, bool empty)
{
	json_t *entry = json_pack("{s:s, s:s}", "created", created, "created_by", commit->created_by);

	if (!entry)
		return NULL;
	if (*commit->author)
		json_object_set_new(entry, "author", json_string(commit->author));
	if (*commit->comment)
		json_object_set_new(entry, "comment", json_string(commit->comment));
	if (empty)
		json_object_set_new(entry, "empty_layer", json_true());
	return entry;
}

static json_t *copy_list(const json_t *parent, const char *key)
{
	json_t *list = json_object_get(parent, key);

	return json_is_array(list) ? json_copy(list) : json_array();
}

/* Each layer has a step that has made it: where the base does not say, one without words. */
static void complete_history(json_t *history, size_t layers)
{
	size_t told = 0, i;
	json_t *step;

	json_array_foreach(history, i, step) told += !json_is_true(json_object_get(step, "empty_layer"));
	for (; told < layers; told++)
		json_array_insert_new(history, 0, json_object());
}

static int make_config(const struct mvm_commit *commit, const struct archive_layer *layer, json_t **out,
		       struct mvm_error **err)
{
	static const char *const kept[] = {"architecture", "variant", "os", "os.version", "os.features"};
	const json_t *base = mvm_image_config_json(commit->base);
	json_t *history = copy_list(base, "history");
	json_t *diff_ids = copy_list(json_object_get(base, "rootfs"), "diff_ids");
	json_t *root MVM_CLEAN_JSON = json_pack("{s:O, s:{s:s, s:o}, s:o}", "config", commit->config, "rootfs", "type",
						"layers", "diff_ids", diff_ids, "history", history);
	char created[MVM_TIME_LENGTH + 1];
	struct timespec now;

	complete_history(history, mvm_image_layer_count(commit->base));
	clock_gettime(CLOCK_REALTIME, &now);
	mvm_format_time(&now, created);
	for (size_t i = 0; i < MVM_COUNT(kept); i++)
		json_object_set(root, kept[i], json_object_get(base, kept[i]));
	json_object_set_new(root, "created", json_string(created));
	if (*commit->author && json_object_set_new(root, "author", json_string(commit->author)) < 0)
		return mvm_fail(err, MVM_ERR_INVALID, "the author is not UTF-8");
	if (json_array_append_new(history, history_entry(commit, created, layer->empty)) < 0)
		return mvm_fail(err, MVM_ERR_INVALID, "the command is not UTF-8");
	if (!layer->empty)
		json_array_append_new(diff_ids, json_string(layer->diff_id.text));
	*out = json_incref(root);
	return 0;
}

/* The manifest is an OCI one, whatever the base's is. */
static const char *oci_type(const char *media_type)
{
	if (strstr(media_type, "gzip"))
		return archive_layer_type((const unsigned char *)"\x1f\x8b", 2);
	if (strstr(media_type, "zstd"))
		return archive_layer_type((const unsigned char *)"\x28\xb5\x2f\xfd", 4);
	return archive_layer_type(NULL, 0);
}

static int make_image(struct mvm_store *store, const struct mvm_commit *commit, const struct archive_layer *layer,
		      struct mvm_image **image, struct mvm_error **err)
{
	size_t count = mvm_image_layer_count(commit->base);
	struct mvm_descriptor *layers MVM_CLEAN_FREE = mvm_alloc((count + 1) * sizeof(*layers));
	json_t *config MVM_CLEAN_JSON = NULL;
	struct mvm_descriptor config_blob;

	for (size_t i = 0; i < count; i++) {
		layers[i] = mvm_image_layer(commit->base, i)->blob;
		layers[i].media_type = (char *)oci_type(layers[i].media_type);
	}
	layers[count] = layer->blob;
	if (make_config(commit, layer, &config, err) < 0 || archive_write_config(store, config, &config_blob, err) < 0)
		return -1;
	return archive_make_image(store, &config_blob, layers, count + !layer->empty, image, err);
}

static int commit_locked(struct mvm_store *store, int fd, const struct mvm_commit *commit,
			 const struct mvm_archive_options *options, struct mvm_digest *id, struct mvm_error **err)
{
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	struct archive_layer layer;
	int lock MVM_CLEAN_FD = -1;

	/* For as long as this is held nothing is collected that we have brought. */
	if (mvm_store_lock_use(store, MVM_LOCK_SHARED, &lock, err) < 0 ||
	    mvm_image_check_layers(store, commit->base, err) < 0 ||
	    archive_bring_layer(store, fd, options, &layer, err) < 0 || commit->complete(commit->arg, err) < 0 ||
	    make_image(store, commit, &layer, &image, err) < 0 || archive_unpack(store, image, options, err) < 0 ||
	    archive_give_name(store, image, commit->reference, err) < 0)
		return -1;
	*id = *mvm_image_id(image);
	return 0;
}

int mvm_image_commit(struct mvm_store *store, int fd, const struct mvm_commit *commit,
		     const struct mvm_archive_options *options, struct mvm_digest *id, struct mvm_error **err)
{
	int result = commit_locked(store, fd, commit, options, id, err);

	/* What a failure or a kill has left, and a layer without entries; not worth failing for. */
	mvm_store_collect(store, NULL);
	mvm_disk_collect(mvm_store_home(store), NULL);
	return result;
}
