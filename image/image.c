#include "image.h"

#include <stdlib.h>
#include <string.h>

#include "image_internal.h"
#include "layer.h"
#include "runtime/base/error.h"

static int join_layers(struct mvm_image *image, struct mvm_error **err)
{
	size_t count = image->manifest.layer_count;

	if (image->blob.diff_id_count != count)
		return mvm_fail(err, MVM_ERR_INVALID,
				"the manifest has %zu layers and the config %zu: the image is broken", count,
				image->blob.diff_id_count);
	image->layers = mvm_alloc(count * sizeof(*image->layers));
	for (size_t i = 0; i < count; i++) {
		image->layers[i].blob = image->manifest.layers[i];
		image->layers[i].diff_id = image->blob.diff_ids[i];
	}
	return 0;
}

int mvm_image_create(const struct mvm_descriptor *descriptor, const struct mvm_buf *manifest,
		     const struct mvm_buf *config, struct mvm_image **out, struct mvm_error **err)
{
	struct mvm_image *image MVM_CLEAN_IMAGE = mvm_alloc(sizeof(*image));

	image->descriptor = *descriptor;
	image->descriptor.media_type = mvm_strdup(descriptor->media_type);
	if (mvm_manifest_parse(manifest->data, manifest->length, descriptor->media_type, &image->manifest, err) < 0)
		return -1;
	if (image->manifest.is_index)
		return mvm_fail(err, MVM_ERR_INVALID, "%s is an index where an image was expected",
				descriptor->digest.text);
	if (mvm_config_blob_parse(config->data, config->length, &image->blob, err) < 0)
		return mvm_error_wrap(err, "image config %s", image->manifest.config.digest.text);
	if (join_layers(image, err) < 0)
		return -1;
	*out = image;
	image = NULL;
	return 0;
}

void mvm_image_destroy(struct mvm_image *image)
{
	if (!image)
		return;
	mvm_descriptor_finish(&image->descriptor);
	mvm_strv_finish(&image->names);
	mvm_strv_finish(&image->repo_digests);
	mvm_manifest_finish(&image->manifest);
	mvm_config_blob_finish(&image->blob);
	free(image->layers);
	free(image);
}

const struct mvm_digest *mvm_image_id(const struct mvm_image *image)
{
	return &image->manifest.config.digest;
}

const struct mvm_descriptor *mvm_image_manifest(const struct mvm_image *image)
{
	return &image->descriptor;
}

const struct mvm_digest *mvm_image_repo_digest(const struct mvm_image *image)
{
	return &image->repo_digest;
}

const struct mvm_strv *mvm_image_names(const struct mvm_image *image)
{
	return &image->names;
}

const struct mvm_strv *mvm_image_repo_digests(const struct mvm_image *image)
{
	return &image->repo_digests;
}

const struct mvm_platform *mvm_image_platform(const struct mvm_image *image)
{
	return &image->blob.platform;
}

int mvm_image_check_platform(const struct mvm_image *image, const char *name, const struct mvm_platform *wanted,
			     struct mvm_error **err)
{
	char *its MVM_CLEAN_FREE = NULL, *want MVM_CLEAN_FREE = NULL;

	if (mvm_platform_suits(wanted, &image->blob.platform))
		return 0;
	its = mvm_platform_format(&image->blob.platform);
	want = mvm_platform_format(wanted);
	return mvm_fail(err, MVM_ERR_NOT_FOUND,
			"image with reference %s was found but its platform (%s) does not match the specified platform "
			"(%s)",
			name, its, want);
}

time_t mvm_image_created(const struct mvm_image *image)
{
	return image->blob.created;
}

uint64_t mvm_image_size(const struct mvm_image *image)
{
	uint64_t size = image->manifest.config.size;

	for (size_t i = 0; i < image->manifest.layer_count; i++)
		size += image->manifest.layers[i].size;
	return size;
}

size_t mvm_image_layer_count(const struct mvm_image *image)
{
	return image->manifest.layer_count;
}

const struct mvm_image_layer *mvm_image_layer(const struct mvm_image *image, size_t index)
{
	return &image->layers[index];
}

struct mvm_layer *mvm_image_disk_layers(const struct mvm_image *image)
{
	size_t count = image->manifest.layer_count;
	struct mvm_layer *layers = mvm_alloc(count * sizeof(*layers));

	for (size_t i = 0; i < count; i++)
		layers[i] = (struct mvm_layer){
			.media_type = image->layers[i].blob.media_type,
			.digest = image->layers[i].blob.digest.text,
			.size = image->layers[i].blob.size,
			.diff_id = image->layers[i].diff_id.text,
		};
	return layers;
}

const struct mvm_image_config *mvm_image_config(const struct mvm_image *image)
{
	return &image->blob.config;
}

bool mvm_image_has_label(const struct mvm_image *image, const char *wanted)
{
	size_t length = strcspn(wanted, "=");
	char *name MVM_CLEAN_FREE = mvm_strndup(wanted, length);
	const char *value = json_string_value(json_object_get(image->blob.config.labels, name));

	return value && (!wanted[length] || !strcmp(value, wanted + length + 1));
}

const json_t *mvm_image_config_json(const struct mvm_image *image)
{
	return image->blob.json;
}
