/*
 * Theory of operation: the tar goes into the store as it comes, while it is inflated, hashed and read for being a tar,
 * which gives the diff_id; unpacking it into a disk then looks at every entry before the image becomes visible. It is
 * not compressed: that would take many times as long as all the rest, for an image that a push compresses anyway.
 */
#include <string.h>
#include <time.h>

#include "archive_internal.h"
#include "change.h"
#include "disk.h"
#include "image_internal.h"
#include "layer_stream.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"
#include "tar.h"

enum { MAGIC = 4 };

struct reader {
	const struct mvm_archive_options *options;
	int fd;
	struct mvm_ingest *ingest;
	unsigned char magic[MAGIC];
};

/* On the stream's thread. */
static ssize_t read_and_keep(void *arg, void *data, size_t length, struct mvm_error **err)
{
	struct reader *reader = arg;
	ssize_t got = archive_read_fd(reader->fd, data, length, reader->options, err);

	for (ssize_t i = 0; i < got && reader->ingest->received + (uint64_t)i < MAGIC; i++)
		reader->magic[reader->ingest->received + (uint64_t)i] = ((const unsigned char *)data)[i];
	if (got > 0 && mvm_ingest_write(reader->ingest, data, (size_t)got, err) < 0)
		return -1;
	return got;
}

static int on_entry(void *arg, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	*(bool *)arg = true;
	return 0;
}

static int on_data(void *arg, uint64_t offset, const void *data, size_t length, struct mvm_error **err)
{
	return 0;
}

static int on_end(void *arg, struct mvm_error **err)
{
	return 0;
}

static int read_tar(struct layer_stream *stream, struct mvm_error **err)
{
	static const struct mvm_tar_ops ops = {.entry = on_entry, .data = on_data, .end = on_end};
	bool found = false;
	struct mvm_tar *tar = mvm_tar_create(&ops, &found);
	const void *data;
	ssize_t got;
	int result = 0;

	while (result == 0 && (got = layer_stream_next(stream, &data, err)) > 0)
		result = mvm_tar_feed(tar, data, (size_t)got, err);
	if (result == 0)
		result = got < 0 ? -1 : mvm_tar_finish(tar, err);
	mvm_tar_destroy(tar);
	if (result == 0 && !found)
		return mvm_fail(err, MVM_ERR_INVALID, "there is nothing in it");
	return result;
}

static int read_layer(struct reader *reader, struct mvm_digest *diff_id, struct mvm_error **err)
{
	struct layer_stream_costs costs;
	struct layer_stream *stream;
	int result;

	if (layer_stream_open((struct mvm_source){.read = read_and_keep, .arg = reader}, &stream, err) < 0)
		return -1;
	result = read_tar(stream, err);
	if (result == 0)
		layer_stream_finish(stream, diff_id, &costs);
	layer_stream_close(stream);
	return result;
}

static int bring_layer(struct mvm_store *store, int fd, const struct mvm_archive_options *options,
		       struct mvm_descriptor *blob, struct mvm_digest *diff_id, struct mvm_error **err)
{
	struct reader reader = {.options = options, .fd = fd};
	int result;

	if (mvm_ingest_begin_unknown(store, &reader.ingest, err) < 0)
		return -1;
	result = read_layer(&reader, diff_id, err);
	if (result == 0)
		result = mvm_ingest_commit(reader.ingest, err);
	if (result == 0)
		*blob = (struct mvm_descriptor){
			.digest = reader.ingest->descriptor.digest,
			.size = reader.ingest->descriptor.size,
			.media_type = (char *)archive_layer_type(reader.magic, sizeof(reader.magic)),
		};
	mvm_ingest_destroy(reader.ingest);
	return result;
}

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

static int write_config(struct mvm_store *store, json_t *config, const struct mvm_digest *diff_id,
			struct mvm_descriptor *blob, struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = NULL;

	json_object_set_new(config, "rootfs", json_pack("{s:s, s:[s]}", "type", "layers", "diff_ids", diff_id->text));
	text = json_dumps(config, JSON_COMPACT);
	*blob = (struct mvm_descriptor){.size = strlen(text)};
	mvm_digest_of(text, strlen(text), &blob->digest);
	return mvm_store_write_blob(store, blob, text, strlen(text), err);
}

static int give_name(struct mvm_store *store, const struct mvm_image *image, const struct mvm_reference *reference,
		     struct mvm_error **err)
{
	char *name MVM_CLEAN_FREE = NULL;

	if (!reference)
		return archive_put_nameless(store, image, err);
	name = mvm_reference_full(reference);
	return mvm_store_put(store, &image->descriptor, &image->blob.platform, name, NULL, err);
}

static int import_locked(struct mvm_store *store, int fd, const struct mvm_import *import,
			 const struct mvm_archive_options *options, struct mvm_digest *id, struct mvm_error **err)
{
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	struct mvm_descriptor layer, config_blob;
	json_t *config MVM_CLEAN_JSON = NULL;
	struct mvm_digest diff_id;
	int lock MVM_CLEAN_FD = -1;

	/* For as long as this is held nothing is collected that we have brought. */
	if (make_config(import, options, &config, err) < 0 ||
	    mvm_store_lock_use(store, MVM_LOCK_SHARED, &lock, err) < 0 ||
	    bring_layer(store, fd, options, &layer, &diff_id, err) < 0 ||
	    write_config(store, config, &diff_id, &config_blob, err) < 0 ||
	    archive_make_image(store, &config_blob, &layer, 1, &image, err) < 0 ||
	    archive_unpack(store, image, options, err) < 0 || give_name(store, image, import->reference, err) < 0)
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
