/* Images that are made in the store by hand. */
#ifndef MVM_TESTS_UNIT_ENGINE_IMAGE_H
#define MVM_TESTS_UNIT_ENGINE_IMAGE_H

#include "world.h"

#include "image/store_internal.h"

static inline struct mvm_descriptor put_blob(struct mvm_store *store, const char *data, size_t length)
{
	struct mvm_descriptor blob = {.size = length};
	struct mvm_error *err = NULL;

	mvm_digest_of(data, length, &blob.digest);
	assert_ok(mvm_store_write_blob(store, &blob, data, length, &err));
	return blob;
}

/* An image of one empty layer whose configuration has these "config" fields. */
static inline void put_image_for(struct world *world, const char *name, const struct mvm_platform *platform,
				 const char *fields)
{
	static const char empty_tar[1024];
	char *full MVM_CLEAN_FREE = mvm_format("docker.io/library/%s:latest", name);
	char *config MVM_CLEAN_FREE = NULL, *manifest MVM_CLEAN_FREE = NULL;
	struct mvm_descriptor layer, blob, entry;
	struct mvm_error *err = NULL;
	struct mvm_store *store;

	assert_ok(mvm_engine_store(world->engine, &store, &err));
	layer = put_blob(store, empty_tar, sizeof(empty_tar));
	config = mvm_format("{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{%s},\"rootfs\":{\"type\":\"layers\","
			    "\"diff_ids\":[\"%s\"]}}",
			    platform->architecture, fields, layer.digest.text);
	blob = put_blob(store, config, strlen(config));
	manifest = mvm_format(
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
		"\"digest\":\"%s\",\"size\":%zu},\"layers\":[{\"mediaType\":"
		"\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\",\"size\":%zu}]}",
		blob.digest.text, strlen(config), layer.digest.text, sizeof(empty_tar));
	entry = put_blob(store, manifest, strlen(manifest));
	entry.media_type = (char *)"application/vnd.oci.image.manifest.v1+json";
	assert_ok(mvm_store_put(store, &entry, platform, full, NULL, &err));
}

static inline void put_image(struct world *world, const char *name, const char *fields)
{
	struct mvm_platform platform;

	mvm_platform_default(&platform);
	put_image_for(world, name, &platform, fields);
}

#endif
