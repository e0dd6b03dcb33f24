#include "manifest.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kernel_manifest.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"

/* Docker stops at 127 layers; an index has one entry a platform and one attestation for each. */
#define MAX_LAYERS  1024
#define MAX_ENTRIES 4096
/* 1 TiB: far beyond any layer, small enough that sums of MAX_LAYERS do not wrap. */
#define MAX_BLOB (1LL << 40)

#define LAYER_DOCKER "application/vnd.docker.image.rootfs.diff.tar"
#define LAYER_OCI    "application/vnd.oci.image.layer.v1.tar"

static bool listed(const char *text, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(text, *list))
			return true;
	return false;
}

static bool is_index_type(const char *type)
{
	static const char *const types[] = {MVM_MEDIA_OCI_INDEX, MVM_MEDIA_DOCKER_LIST, NULL};

	return listed(type, types);
}

static bool is_manifest_type(const char *type)
{
	static const char *const types[] = {MVM_MEDIA_OCI_MANIFEST, MVM_MEDIA_DOCKER_MANIFEST, NULL};

	return listed(type, types);
}

static bool is_schema1_type(const char *type)
{
	static const char *const types[] = {"application/vnd.docker.distribution.manifest.v1+json",
					    "application/vnd.docker.distribution.manifest.v1+prettyjws", NULL};

	return listed(type, types);
}

static bool is_config_type(const char *type)
{
	static const char *const types[] = {"application/vnd.oci.image.config.v1+json",
					    "application/vnd.docker.container.image.v1+json",
					    /* early docker wrote this */
					    "application/octet-stream", NULL};

	return listed(type, types);
}

static bool is_layer_type(const char *type)
{
	static const char *const types[] = {LAYER_OCI,	  LAYER_OCI "+gzip",	LAYER_OCI "+zstd",
					    LAYER_DOCKER, LAYER_DOCKER ".gzip", LAYER_DOCKER ".zstd",
					    NULL};

	return listed(type, types);
}

static bool is_foreign_type(const char *type)
{
	return strstr(type, ".nondistributable.") || strstr(type, ".foreign.");
}

void mvm_descriptor_finish(struct mvm_descriptor *descriptor)
{
	free(descriptor->media_type);
	*descriptor = (struct mvm_descriptor){0};
}

int mvm_descriptor_parse(const json_t *object, struct mvm_descriptor *descriptor, struct mvm_error **err)
{
	const char *digest, *type;
	struct mvm_digest parsed;
	int64_t size;

	if (!json_is_object(object))
		return mvm_fail(err, MVM_ERR_INVALID, "a descriptor is missing or not an object");
	if (mvm_json_get_string(object, "digest", "", &digest, err) < 0 ||
	    mvm_json_get_string(object, "mediaType", "", &type, err) < 0 ||
	    mvm_json_get_int(object, "size", -1, &size, err) < 0 || mvm_digest_parse(digest, &parsed, err) < 0)
		return -1;
	if (size < 0 || size > MAX_BLOB)
		return mvm_fail(err, MVM_ERR_INVALID, "%s has the impossible size %lld", digest, (long long)size);
	descriptor->digest = parsed;
	descriptor->size = (uint64_t)size;
	descriptor->media_type = mvm_strdup(type);
	return 0;
}

static int parse_entry(const json_t *object, struct mvm_index_entry *entry, struct mvm_error **err)
{
	const json_t *platform = json_object_get(object, "platform");
	const char *os, *architecture, *variant;

	if (mvm_descriptor_parse(object, &entry->descriptor, err) < 0)
		return -1;
	if (!platform || json_is_null(platform))
		return 0;
	if (mvm_json_get_string(platform, "os", "", &os, err) < 0 ||
	    mvm_json_get_string(platform, "architecture", "", &architecture, err) < 0 ||
	    mvm_json_get_string(platform, "variant", "", &variant, err) < 0)
		return -1;
	/* An entry for a platform that we cannot even name is not for us, and no reason to refuse the rest. */
	if (mvm_platform_set(os, architecture, variant, &entry->platform, NULL) < 0)
		mvm_platform_set("unknown", "unknown", NULL, &entry->platform, NULL);
	entry->has_platform = true;
	return 0;
}

static int parse_index(const json_t *root, struct mvm_manifest *manifest, struct mvm_error **err)
{
	const json_t *entries = json_object_get(root, "manifests");
	size_t count = json_array_size(entries);

	if (!json_is_array(entries))
		return mvm_fail(err, MVM_ERR_INVALID, "an index without a list of manifests");
	if (count > MAX_ENTRIES)
		return mvm_fail(err, MVM_ERR_INVALID, "an index of %zu manifests, more than %d", count, MAX_ENTRIES);
	manifest->entries = mvm_alloc(count * sizeof(*manifest->entries));
	for (manifest->entry_count = 0; manifest->entry_count < count;) {
		struct mvm_index_entry *entry = &manifest->entries[manifest->entry_count++];

		if (parse_entry(json_array_get(entries, manifest->entry_count - 1), entry, err) < 0)
			return mvm_error_wrap(err, "entry %zu of the index", manifest->entry_count);
	}
	return 0;
}

static int check_layer(const struct mvm_descriptor *layer, struct mvm_error **err)
{
	if (is_foreign_type(layer->media_type))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"layer %s may not be distributed by registries (%s), as in Windows images; such images "
				"cannot be pulled",
				layer->digest.text, layer->media_type);
	if (strstr(layer->media_type, "+encrypted"))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "layer %s is encrypted; mvm has no keys for it",
				layer->digest.text);
	if (!is_layer_type(layer->media_type))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "layer %s is of the unknown type \"%.100s\"",
				layer->digest.text, layer->media_type);
	return 0;
}

static int parse_layers(const json_t *layers, struct mvm_manifest *manifest, struct mvm_error **err)
{
	size_t count = json_array_size(layers);

	if (count > MAX_LAYERS)
		return mvm_fail(err, MVM_ERR_INVALID, "a manifest of %zu layers, more than %d", count, MAX_LAYERS);
	manifest->layers = mvm_alloc(count * sizeof(*manifest->layers));
	for (manifest->layer_count = 0; manifest->layer_count < count;) {
		struct mvm_descriptor *layer = &manifest->layers[manifest->layer_count++];

		if (mvm_descriptor_parse(json_array_get(layers, manifest->layer_count - 1), layer, err) < 0)
			return mvm_error_wrap(err, "layer %zu", manifest->layer_count);
		if (check_layer(layer, err) < 0)
			return -1;
	}
	return 0;
}

static int parse_image(const json_t *root, struct mvm_manifest *manifest, struct mvm_error **err)
{
	const json_t *layers = json_object_get(root, "layers");

	if (mvm_descriptor_parse(json_object_get(root, "config"), &manifest->config, err) < 0)
		return mvm_error_wrap(err, "config");
	if (!strcmp(manifest->config.media_type, MVM_MEDIA_KERNEL_CONFIG))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"not a container image but a kernel; `mvm kernel pull` takes it");
	if (!is_config_type(manifest->config.media_type))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"not a container image but an artifact with a config of type \"%.100s\"",
				manifest->config.media_type);
	if (manifest->config.size > MVM_IMAGE_CONFIG_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "a config of %llu bytes, more than %d",
				(unsigned long long)manifest->config.size, MVM_IMAGE_CONFIG_MAX);
	if (!json_is_array(layers))
		return mvm_fail(err, MVM_ERR_INVALID, "a manifest without a list of layers");
	return parse_layers(layers, manifest, err);
}

/* The type that the document claims for itself or its sender claims for it; "" where neither tells. */
static int claimed_type(const json_t *root, const char *content_type, const char **type, struct mvm_error **err)
{
	const char *inside;

	if (mvm_json_get_string(root, "mediaType", "", &inside, err) < 0)
		return -1;
	if (!*inside)
		inside = content_type && (is_index_type(content_type) || is_manifest_type(content_type) ||
					  is_schema1_type(content_type))
				 ? content_type
				 : "";
	*type = inside;
	return 0;
}

/* A document that reads as either would mean different images to different readers (CVE-2021-41190). */
static int find_kind(const json_t *root, const char *content_type, struct mvm_manifest *manifest,
		     struct mvm_error **err)
{
	bool index = json_object_get(root, "manifests") != NULL;
	bool image = json_object_get(root, "layers") || json_object_get(root, "config");
	const char *type;
	int64_t version;

	if (claimed_type(root, content_type, &type, err) < 0 ||
	    mvm_json_get_int(root, "schemaVersion", 0, &version, err) < 0)
		return -1;
	if (version == 1 || is_schema1_type(type))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"the image is in docker's old schema 1 format, which nothing can verify; ask for it to "
				"be pushed again with a current tool");
	if (version != 2)
		return mvm_fail(err, MVM_ERR_INVALID, "not an image manifest (no \"schemaVersion\": 2)");
	if (index == image || (*type && !is_index_type(type) && !is_manifest_type(type)) ||
	    (is_index_type(type) && !index) || (is_manifest_type(type) && index))
		return mvm_fail(err, MVM_ERR_INVALID, "not an image manifest or index (media type \"%.100s\")", type);
	manifest->is_index = index;
	manifest->media_type = mvm_strdup(*type ? type : index ? MVM_MEDIA_OCI_INDEX : MVM_MEDIA_OCI_MANIFEST);
	return 0;
}

int mvm_manifest_parse(const char *data, size_t length, const char *content_type, struct mvm_manifest *out,
		       struct mvm_error **err)
{
	struct mvm_manifest manifest MVM_CLEAN_MANIFEST = {0};
	json_t *root MVM_CLEAN_JSON = NULL;

	if (length > MVM_MANIFEST_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "a manifest larger than %d bytes", MVM_MANIFEST_MAX);
	if (mvm_json_parse(data, length, "not an image manifest", &root, err) < 0)
		return -1;
	if (!json_is_object(root))
		return mvm_fail(err, MVM_ERR_INVALID, "not an image manifest");
	if (find_kind(root, content_type, &manifest, err) < 0 ||
	    (manifest.is_index ? parse_index(root, &manifest, err) : parse_image(root, &manifest, err)) < 0)
		return -1;
	*out = manifest;
	manifest = (struct mvm_manifest){0};
	return 0;
}

void mvm_manifest_finish(struct mvm_manifest *manifest)
{
	for (size_t i = 0; i < manifest->entry_count; i++)
		mvm_descriptor_finish(&manifest->entries[i].descriptor);
	for (size_t i = 0; i < manifest->layer_count; i++)
		mvm_descriptor_finish(&manifest->layers[i]);
	mvm_descriptor_finish(&manifest->config);
	free(manifest->entries);
	free(manifest->layers);
	free(manifest->media_type);
	*manifest = (struct mvm_manifest){0};
}

/* An entry that does not say its platform may still be it: its config will tell. */
static int score(const struct mvm_index_entry *entry, const struct mvm_platform *wanted)
{
	const char *type = entry->descriptor.media_type;

	if (!is_index_type(type) && !is_manifest_type(type))
		return 0;
	return entry->has_platform ? 2 * mvm_platform_match(wanted, &entry->platform) : 1;
}

static int no_match(const struct mvm_manifest *index, const struct mvm_platform *wanted, struct mvm_error **err)
{
	char *asked MVM_CLEAN_FREE = mvm_platform_format(wanted);
	struct mvm_buf offered MVM_CLEAN_BUF = {0};

	for (size_t i = 0; i < index->entry_count && offered.length < 200; i++) {
		char *text MVM_CLEAN_FREE = mvm_platform_format(&index->entries[i].platform);

		/* "unknown/unknown" is what attestations go by. */
		if (index->entries[i].has_platform && strncmp(text, "unknown", strlen("unknown")) &&
		    !(offered.data && strstr(offered.data, text)))
			mvm_buf_addf(&offered, "%s%s", offered.length ? ", " : "", text);
	}
	return mvm_fail(err, MVM_ERR_UNSUPPORTED,
			"no matching manifest for %s in the manifest list entries: there is %s%s", asked,
			offered.length ? offered.data : "none at all",
			offered.length ? "; choose one with --platform" : "");
}

int mvm_manifest_choose(const struct mvm_manifest *index, const struct mvm_platform *wanted,
			const struct mvm_index_entry **entry, struct mvm_error **err)
{
	const struct mvm_index_entry *best = NULL;
	int best_score = 0;

	for (size_t i = 0; i < index->entry_count; i++) {
		int its = score(&index->entries[i], wanted);

		/* The first of equals, as every other tool. */
		if (its > best_score) {
			best = &index->entries[i];
			best_score = its;
		}
	}
	if (!best)
		return no_match(index, wanted, err);
	*entry = best;
	return 0;
}
