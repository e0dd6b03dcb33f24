#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "archive_internal.h"
#include "disk.h"
#include "image_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "unpack.h"

#define LAYER_TYPE "application/vnd.oci.image.layer.v1.tar"

enum { INTERRUPT_INTERVAL_MS = 200 };

bool archive_interrupted(const struct mvm_archive_options *options)
{
	return options->interrupted && *options->interrupted;
}

ssize_t archive_read_fd(int fd, void *data, size_t length, const struct mvm_archive_options *options,
			struct mvm_error **err)
{
	ssize_t got = -1;

	while (!archive_interrupted(options)) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

		/* The signal may come to another thread than the one that reads. */
		if (options->interrupted && poll(&poll_fd, 1, INTERRUPT_INTERVAL_MS) <= 0)
			continue;
		got = read(fd, data, length);
		if (got >= 0 || errno != EINTR)
			break;
	}
	if (archive_interrupted(options))
		return mvm_fail(err, MVM_ERR_INTERRUPTED, "interrupted");
	if (got < 0)
		return mvm_fail_errno(err, errno, "cannot read the archive");
	return got;
}

const char *archive_layer_type(const unsigned char *magic, size_t length)
{
	if (length >= 2 && !memcmp(magic, "\x1f\x8b", 2))
		return LAYER_TYPE "+gzip";
	if (length >= 4 && !memcmp(magic, "\x28\xb5\x2f\xfd", 4))
		return LAYER_TYPE "+zstd";
	return LAYER_TYPE;
}

static json_t *descriptor_json(const struct mvm_descriptor *descriptor, const char *media_type)
{
	return json_pack("{s:s, s:s, s:I}", "mediaType", media_type, "digest", descriptor->digest.text, "size",
			 (json_int_t)descriptor->size);
}

/* The same bytes for the same content. */
static void write_manifest(const struct mvm_descriptor *config, const struct mvm_descriptor *layers, size_t count,
			   struct mvm_buf *text)
{
	json_t *list = json_array();
	json_t *root MVM_CLEAN_JSON =
		json_pack("{s:i, s:s, s:o, s:o}", "schemaVersion", 2, "mediaType", MVM_MEDIA_OCI_MANIFEST, "config",
			  descriptor_json(config, MEDIA_OCI_CONFIG), "layers", list);
	char *dump MVM_CLEAN_FREE = NULL;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, descriptor_json(&layers[i], layers[i].media_type));
	dump = json_dumps(root, JSON_COMPACT);
	mvm_buf_add(text, dump, strlen(dump));
}

int archive_make_image(struct mvm_store *store, const struct mvm_descriptor *config,
		       const struct mvm_descriptor *layers, size_t count, struct mvm_image **out,
		       struct mvm_error **err)
{
	char media_type[] = MVM_MEDIA_OCI_MANIFEST;
	struct mvm_descriptor descriptor = {.media_type = media_type};
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	struct mvm_buf manifest MVM_CLEAN_BUF = {0};
	struct mvm_buf blob MVM_CLEAN_BUF = {0};

	if (mvm_store_read_blob(store, config, MVM_IMAGE_CONFIG_MAX, &blob, err) < 0)
		return -1;
	write_manifest(config, layers, count, &manifest);
	descriptor.size = manifest.length;
	mvm_digest_of(manifest.data, manifest.length, &descriptor.digest);
	if (mvm_image_create(&descriptor, &manifest, &blob, &image, err) < 0 ||
	    mvm_store_write_blob(store, &descriptor, manifest.data, manifest.length, err) < 0)
		return -1;
	*out = image;
	image = NULL;
	return 0;
}

static int check_layers(struct mvm_store *store, const struct mvm_image *image, struct mvm_error **err)
{
	size_t count = mvm_image_layer_count(image);

	for (size_t i = 0; i < count; i++) {
		const struct mvm_descriptor *blob = &mvm_image_layer(image, i)->blob;

		if (!mvm_store_has_blob(store, blob))
			return mvm_fail(err, MVM_ERR_NOT_FOUND,
					"layer %zu of %zu (%.12s, %llu bytes) is not in the archive", i + 1, count,
					mvm_digest_hex(&blob->digest), (unsigned long long)blob->size);
	}
	return 0;
}

static int feed_layer(struct mvm_store *store, const struct mvm_image *image, size_t index, struct mvm_unpack *unpack,
		      struct mvm_error **err)
{
	const struct mvm_descriptor *blob = &mvm_image_layer(image, index)->blob;
	char *path MVM_CLEAN_FREE = mvm_store_blob_path(store, &blob->digest);
	int fd MVM_CLEAN_FD = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	return mvm_unpack_feed(unpack, index, fd, blob->size, true, err);
}

int archive_unpack(struct mvm_store *store, const struct mvm_image *image, const struct mvm_archive_options *options,
		   struct mvm_error **err)
{
	struct mvm_layer *layers MVM_CLEAN_FREE = mvm_image_disk_layers(image);
	struct mvm_disk_spec spec = {.layers = layers, .layer_count = mvm_image_layer_count(image)};
	const char *home = mvm_store_home(store);
	char *path MVM_CLEAN_FREE = NULL;
	struct mvm_unpack *unpack;
	int result;

	if (check_layers(store, image, err) < 0)
		return -1;
	result = mvm_disk_find(home, &spec, &path, err);
	if (result <= 0)
		return result;
	if (mvm_unpack_start(home, image, options->config, options->progress, &unpack, err) < 0)
		return -1;
	result = 0;
	for (size_t i = 0; result == 0 && i < spec.layer_count; i++)
		result = feed_layer(store, image, i, unpack, err);
	if (result == 0)
		result = mvm_unpack_finish(unpack, options->interrupted, err);
	mvm_unpack_destroy(unpack);
	return result;
}

static bool is_listed(const struct mvm_image_list *images, const struct mvm_image *image)
{
	for (size_t i = 0; i < images->count; i++)
		if (mvm_digest_equal(&images->items[i]->descriptor.digest, &image->descriptor.digest))
			return true;
	return false;
}

int archive_put_nameless(struct mvm_store *store, const struct mvm_image *image, struct mvm_error **err)
{
	struct mvm_image_list images MVM_CLEAN_IMAGE_LIST = {0};

	if (mvm_store_list(store, &images, err) < 0)
		return -1;
	if (is_listed(&images, image))
		return 0;
	return mvm_store_put(store, &image->descriptor, &image->blob.platform, NULL, NULL, err);
}
