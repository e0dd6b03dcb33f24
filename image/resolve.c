#include "resolve.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "image_internal.h"
#include "registry.h"
#include "runtime/base/error.h"
#include "store_internal.h"

int mvm_resolve_entry(struct mvm_registry *registry, const struct mvm_index_entry *entry,
		      struct mvm_registry_manifest *document, struct mvm_error **err)
{
	struct mvm_registry_manifest next MVM_CLEAN_REGISTRY_MANIFEST = {0};
	const struct mvm_descriptor *descriptor = &entry->descriptor;

	if (mvm_registry_get_manifest(registry, descriptor->digest.text, &next, err) < 0)
		return -1;
	if (next.body.length != descriptor->size)
		return mvm_fail(err, MVM_ERR_CORRUPT, "manifest %.12s has %zu bytes, and its index says %llu",
				mvm_digest_hex(&descriptor->digest), next.body.length,
				(unsigned long long)descriptor->size);
	free(next.media_type);
	next.media_type = mvm_strdup(descriptor->media_type);
	mvm_registry_manifest_finish(document);
	*document = next;
	next = (struct mvm_registry_manifest){0};
	return 0;
}

/* From what the name stands for down to an image's manifest. */
static int find_manifest(struct mvm_registry *registry, const char *name, const struct mvm_platform *platform,
			 struct mvm_registry_manifest *document, struct mvm_manifest *manifest,
			 struct mvm_digest *source, struct mvm_error **err)
{
	if (mvm_registry_get_manifest(registry, name, document, err) < 0)
		return -1;
	*source = document->digest;
	for (int depth = 0; depth <= MVM_INDEX_DEPTH; depth++) {
		struct mvm_manifest parsed MVM_CLEAN_MANIFEST = {0};
		const struct mvm_index_entry *entry;

		if (mvm_manifest_parse(document->body.data, document->body.length, document->media_type, &parsed, err) <
		    0)
			return strstr(document->media_type, "html")
				       ? mvm_error_wrap(err, "the server sent a web page; is it a registry?")
				       : -1;
		if (!parsed.is_index) {
			*manifest = parsed;
			parsed = (struct mvm_manifest){0};
			return 0;
		}
		if (mvm_manifest_choose(&parsed, platform, &entry, err) < 0 ||
		    mvm_resolve_entry(registry, entry, document, err) < 0)
			return -1;
	}
	return mvm_fail(err, MVM_ERR_INVALID, "an index within an index, more than %d deep", MVM_INDEX_DEPTH);
}

int mvm_resolve_blob(struct mvm_store *store, struct mvm_registry *registry, const struct mvm_descriptor *descriptor,
		     size_t max, const volatile sig_atomic_t *interrupted, struct mvm_buf *blob, struct mvm_error **err)
{
	struct mvm_fetch fetch = {0};
	int result = mvm_ingest_begin(store, descriptor, true, interrupted, &fetch.ingest, err);

	if (result == 0)
		result = mvm_registry_fetch(registry, &fetch, 1, 1, err);
	mvm_ingest_destroy(fetch.ingest);
	if (result < 0)
		return -1;
	return mvm_store_read_blob(store, descriptor, max, blob, err);
}

static int check_system(const struct mvm_image *image, struct mvm_error **err)
{
	const struct mvm_platform *its = &image->blob.platform;

	if (!strcasecmp(its->os, "linux"))
		return 0;
	return mvm_fail(err, MVM_ERR_UNSUPPORTED,
			"image operating system \"%s\" cannot be used on this platform: the machines run Linux",
			its->os);
}

int mvm_image_resolve(struct mvm_store *store, struct mvm_registry *registry, const struct mvm_reference *reference,
		      const struct mvm_platform *platform, const volatile sig_atomic_t *interrupted,
		      struct mvm_image **out, struct mvm_error **err)
{
	struct mvm_registry_manifest document MVM_CLEAN_REGISTRY_MANIFEST = {0};
	struct mvm_manifest manifest MVM_CLEAN_MANIFEST = {0};
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	struct mvm_buf config MVM_CLEAN_BUF = {0};
	struct mvm_descriptor descriptor = {0};
	struct mvm_digest source;

	if (find_manifest(registry, reference->tag ? reference->tag : reference->digest.text, platform, &document,
			  &manifest, &source, err) < 0 ||
	    mvm_resolve_blob(store, registry, &manifest.config, MVM_IMAGE_CONFIG_MAX, interrupted, &config, err) < 0)
		return -1;
	descriptor.digest = document.digest;
	descriptor.size = document.body.length;
	descriptor.media_type = manifest.media_type;
	if (mvm_image_create(&descriptor, &document.body, &config, &image, err) < 0 || check_system(image, err) < 0 ||
	    mvm_store_write_blob(store, &descriptor, document.body.data, document.body.length, err) < 0)
		return -1;
	image->repo_digest = source;
	*out = image;
	image = NULL;
	return 0;
}
