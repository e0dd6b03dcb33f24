/*
 * A root file system in a tar archive as an image of one layer (bring.c).
 */
#include <time.h>

#include "archive_internal.h"
#include "change.h"
#include "disk.h"
#include "image_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"

/* OCI image-spec config.md. */
static int make_config(const struct mvm_import *import, const struct mvm_archive_options *options, json_t **out,
		       struct mvm_error **err)
{
	json_t *config MVM_CLEAN_JSON = json_object();
	char created[MVM_TIME_LENGTH + 1];
	struct mvm_platform platform;
	struct timespec now;
	json_t *root;

	if (import->changes && mvm_changes_apply(config, import->changes, err) < 0)
		return -1;
	mvm_platform_default(&platform);
	if (options->platform)
		platform = *options->platform;
	clock_gettime(CLOCK_REALTIME, &now);
	mvm_format_time(&now, created);
	root = json_pack("{s:s, s:s, s:s, s:O, s:[{s:s, s:s}]}", "created", created, "architecture",
			 platform.architecture, "os", platform.os, "config", config, "history", "created", created,
			 "comment", import->message ? import->message : "Imported from -");
	if (!root)
		return mvm_fail(err, MVM_ERR_INVALID, "the message is not UTF-8");
	if (*platform.variant)
		json_object_set_new(root, "variant", json_string(platform.variant));
	*out = root;
	return 0;
}

static int import_locked(struct mvm_store *store, int fd, const struct mvm_import *import,
			 const struct mvm_archive_options *options, struct mvm_digest *id, struct mvm_error **err)
{
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	struct mvm_descriptor config_blob;
	json_t *config MVM_CLEAN_JSON = NULL;
	struct archive_layer layer;
	int lock MVM_CLEAN_FD = -1;

	/* For as long as this is held nothing is collected that we have brought. */
	if (make_config(import, options, &config, err) < 0 ||
	    mvm_store_lock_use(store, MVM_LOCK_SHARED, &lock, err) < 0 ||
	    archive_bring_layer(store, fd, options, &layer, err) < 0)
		return -1;
	if (layer.empty)
		return mvm_fail(err, MVM_ERR_INVALID, "there is nothing in it");
	json_object_set_new(config, "rootfs",
			    json_pack("{s:s, s:[s]}", "type", "layers", "diff_ids", layer.diff_id.text));
	if (archive_write_config(store, config, &config_blob, err) < 0 ||
	    archive_make_image(store, &config_blob, &layer.blob, 1, &image, err) < 0 ||
	    archive_unpack(store, image, options, err) < 0 ||
	    archive_give_name(store, image, import->reference, err) < 0)
		return -1;
	*id = *mvm_image_id(image);
	return 0;
}

int mvm_image_import(struct mvm_store *store, int fd, const struct mvm_import *import,
		     const struct mvm_archive_options *options, struct mvm_digest *id, struct mvm_error **err)
{
	int result;

	if (import->reference && mvm_digest_is_set(&import->reference->digest))
		return mvm_fail(err, MVM_ERR_INVALID, "cannot import digest reference");
	result = import_locked(store, fd, import, options, id, err);
	/* What a failure or a kill has left; not worth failing for. */
	mvm_store_collect(store, NULL);
	mvm_disk_collect(mvm_store_home(store), NULL);
	return result;
}
