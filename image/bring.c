/*
 * A layer that comes as a tar, and what makes an image of it.
 *
 * Theory of operation: the tar goes into the store as it comes, while it is inflated, hashed and read for being a tar,
 * which gives the diff_id; unpacking it into a disk then looks at every entry before the image becomes visible. It is
 * not compressed, which would take many times as long as all the rest.
 */
#include <string.h>
#include <sys/socket.h>

#include "archive_internal.h"
#include "budget.h"
#include "image_internal.h"
#include "layer_stream.h"
#include "runtime/base/error.h"
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

static int read_tar(struct layer_stream *stream, struct mvm_budget *budget, bool *empty, struct mvm_error **err)
{
	static const struct mvm_tar_ops ops = {.entry = on_entry, .data = on_data, .end = on_end};
	bool found = false;
	struct mvm_tar *tar = mvm_tar_create(&ops, &found);
	const void *data;
	ssize_t got;
	int result = 0;

	while (result == 0 && (got = layer_stream_next(stream, &data, err)) > 0) {
		result = mvm_budget_take_size(budget, (uint64_t)got, err);
		if (result == 0)
			result = mvm_tar_feed(tar, data, (size_t)got, err);
	}
	if (result == 0)
		result = got < 0 ? -1 : mvm_tar_finish(tar, err);
	mvm_tar_destroy(tar);
	*empty = !found;
	return result;
}

static int read_layer(struct reader *reader, struct archive_layer *layer, struct mvm_error **err)
{
	struct layer_stream_costs costs;
	struct layer_stream *stream;
	struct mvm_budget budget;
	int result;

	if (mvm_budget_init(&budget, reader->options->config, err) < 0 ||
	    layer_stream_open((struct mvm_source){.read = read_and_keep, .arg = reader}, &stream, err) < 0)
		return -1;
	result = read_tar(stream, &budget, &layer->empty, err);
	if (result == 0)
		layer_stream_finish(stream, &layer->diff_id, &costs);
	else
		shutdown(reader->fd, SHUT_RDWR); /* whoever sends, if it is a socket, may have nothing more to say */
	layer_stream_close(stream);
	return result;
}

int archive_bring_layer(struct mvm_store *store, int fd, const struct mvm_archive_options *options,
			struct archive_layer *layer, struct mvm_error **err)
{
	struct reader reader = {.options = options, .fd = fd};
	int result;

	if (mvm_ingest_begin_unknown(store, &reader.ingest, err) < 0)
		return -1;
	result = read_layer(&reader, layer, err);
	if (result == 0)
		result = mvm_ingest_commit(reader.ingest, err);
	if (result == 0)
		layer->blob = (struct mvm_descriptor){
			.digest = reader.ingest->descriptor.digest,
			.size = reader.ingest->descriptor.size,
			.media_type = (char *)archive_layer_type(reader.magic, sizeof(reader.magic)),
		};
	mvm_ingest_destroy(reader.ingest);
	return result;
}

int archive_write_config(struct mvm_store *store, const json_t *config, struct mvm_descriptor *blob,
			 struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = json_dumps(config, JSON_COMPACT);

	*blob = (struct mvm_descriptor){.size = strlen(text)};
	mvm_digest_of(text, strlen(text), &blob->digest);
	return mvm_store_write_blob(store, blob, text, strlen(text), err);
}

int archive_give_name(struct mvm_store *store, const struct mvm_image *image, const struct mvm_reference *reference,
		      struct mvm_error **err)
{
	char *name MVM_CLEAN_FREE = NULL;

	if (!reference)
		return archive_put_nameless(store, image, err);
	name = mvm_reference_full(reference);
	return mvm_store_put(store, &image->descriptor, &image->blob.platform, name, NULL, err);
}
