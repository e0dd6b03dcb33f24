/*
 * OCI image layout (image-layout.md) in an archive: index.json names manifests, or indexes of the same image for
 * several platforms, of which one is taken. An entry whose blob is not in the archive is no choice: docker writes the
 * whole index and the blobs that it has.
 */
#include <string.h>

#include "archive_internal.h"
#include "image_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"

static const char *annotation(const json_t *entry, const char *key)
{
	return json_string_value(json_object_get(json_object_get(entry, "annotations"), key));
}

/* containerd's annotation is the whole name; OCI's is any text, and often only the tag where the former is there. NULL
 * for what is no name. The caller owns it. */
static char *name_of(const json_t *entry)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	const char *text = annotation(entry, MVM_ANNOTATION_DOCKER);

	text = text ? text : annotation(entry, MVM_ANNOTATION_NAME);
	if (!text || mvm_reference_parse(text, &reference, NULL) < 0 || mvm_digest_is_set(&reference.digest))
		return NULL;
	return mvm_reference_full(&reference);
}

static int missing(const char *what, const struct mvm_descriptor *descriptor, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "the %s %.12s of %llu bytes is not in the archive", what,
			mvm_digest_hex(&descriptor->digest), (unsigned long long)descriptor->size);
}

static bool is_attestation(const struct mvm_index_entry *entry)
{
	return entry->has_platform && !strcmp(entry->platform.os, "unknown");
}

/* The entry to take of those that are in the archive; unless one was asked for, any platform is better than none. */
static int choose(const struct archive *archive, const struct mvm_manifest *index, const struct mvm_index_entry **entry,
		  struct mvm_error **err)
{
	struct mvm_index_entry *there MVM_CLEAN_FREE = mvm_alloc(index->entry_count * sizeof(*there));
	struct mvm_manifest present = {.is_index = true, .entries = there};
	const struct mvm_platform *wanted = archive->options->platform;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	const struct mvm_index_entry *chosen = NULL;
	struct mvm_platform host;

	for (size_t i = 0; i < index->entry_count; i++)
		if (mvm_store_has_blob(archive->store, &index->entries[i].descriptor))
			there[present.entry_count++] = index->entries[i];
	mvm_platform_default(&host);
	if (!present.entry_count)
		return index->entry_count ? missing("manifest", &index->entries[0].descriptor, err)
					  : mvm_fail(err, MVM_ERR_INVALID, "an index without entries");
	if (mvm_manifest_choose(&present, wanted ? wanted : &host, &chosen, &cause) < 0) {
		for (size_t i = present.entry_count; !wanted && i-- > 0;)
			if (!is_attestation(&there[i]))
				chosen = &there[i];
		if (!chosen)
			return mvm_error_move(err, &cause);
	}
	/* The list is a copy that goes. */
	for (size_t i = 0; i < index->entry_count; i++)
		if (mvm_digest_equal(&index->entries[i].descriptor.digest, &chosen->descriptor.digest)) {
			*entry = &index->entries[i];
			break;
		}
	return 0;
}

static int read_config(struct archive *archive, const struct mvm_descriptor *descriptor, const struct mvm_buf *blob,
		       const struct mvm_manifest *manifest, struct mvm_image **image, struct mvm_error **err)
{
	struct mvm_descriptor typed = *descriptor;
	struct mvm_buf config MVM_CLEAN_BUF = {0};

	if (!mvm_store_has_blob(archive->store, &manifest->config))
		return missing("config", &manifest->config, err);
	if (mvm_store_read_blob(archive->store, &manifest->config, MVM_IMAGE_CONFIG_MAX, &config, err) < 0)
		return -1;
	typed.media_type = manifest->media_type;
	return mvm_image_create(&typed, blob, &config, image, err);
}

/* From an entry down to an image. */
static int follow(struct archive *archive, const struct mvm_descriptor *descriptor, int depth, struct mvm_image **image,
		  struct mvm_error **err)
{
	struct mvm_manifest manifest MVM_CLEAN_MANIFEST = {0};
	const struct mvm_index_entry *entry;
	struct mvm_buf blob MVM_CLEAN_BUF = {0};

	if (!mvm_store_has_blob(archive->store, descriptor))
		return missing("manifest", descriptor, err);
	if (mvm_store_read_blob(archive->store, descriptor, MVM_MANIFEST_MAX, &blob, err) < 0)
		return -1;
	if (mvm_manifest_parse(blob.data, blob.length, descriptor->media_type, &manifest, err) < 0)
		return mvm_error_wrap(err, "manifest %.12s", mvm_digest_hex(&descriptor->digest));
	if (!manifest.is_index)
		return read_config(archive, descriptor, &blob, &manifest, image, err);
	if (depth == MVM_INDEX_DEPTH)
		return mvm_fail(err, MVM_ERR_INVALID, "an index within an index, more than %d deep", MVM_INDEX_DEPTH);
	if (choose(archive, &manifest, &entry, err) < 0)
		return -1;
	return follow(archive, &entry->descriptor, depth + 1, image, err);
}

static int add_entry(struct archive *archive, const struct mvm_manifest *group, const char *name,
		     struct mvm_error **err)
{
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	const struct mvm_index_entry *entry;

	if (choose(archive, group, &entry, err) < 0 || follow(archive, &entry->descriptor, 0, &image, err) < 0)
		return -1;
	return archive_add_image(archive, &image, name, err);
}

static bool same_name(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

/* Entries of one name are one image for several platforms. Those without a name are an image each. */
static int add_named(struct archive *archive, const struct mvm_manifest *index, const struct mvm_strv *names, size_t at,
		     struct mvm_error **err)
{
	struct mvm_index_entry *entries MVM_CLEAN_FREE = mvm_alloc(index->entry_count * sizeof(*entries));
	struct mvm_manifest group = {.is_index = true, .entries = entries};
	const char *name = *names->items[at] ? names->items[at] : NULL;

	for (size_t i = 0; i < at; i++)
		if (same_name(names->items[i], name))
			return 0;
	for (size_t i = at; i < index->entry_count; i++)
		if (i == at || same_name(names->items[i], name))
			entries[group.entry_count++] = index->entries[i];
	if (add_entry(archive, &group, name, err) < 0)
		return name ? mvm_error_wrap(err, "image %s", name)
			    : mvm_error_wrap(err, "entry %zu of index.json", at + 1);
	return 0;
}

static int check_version(const struct archive *archive, struct mvm_error **err)
{
	json_t *root MVM_CLEAN_JSON = NULL;
	const char *version;

	if (!archive->oci_layout.data)
		return 0;
	if (mvm_json_parse(archive->oci_layout.data, archive->oci_layout.length, "oci-layout", &root, err) < 0 ||
	    mvm_json_get_string(root, "imageLayoutVersion", "", &version, err) < 0)
		return -1;
	if (strcmp(version, "1.0.0"))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "oci-layout has the version \"%.40s\", and mvm reads 1.0.0",
				version);
	return 0;
}

int archive_resolve_oci(struct archive *archive, struct mvm_error **err)
{
	const struct mvm_buf *text = &archive->index_json;
	struct mvm_manifest index MVM_CLEAN_MANIFEST = {0};
	struct mvm_strv names MVM_CLEAN_STRV = {0};
	json_t *root MVM_CLEAN_JSON = NULL;

	if (check_version(archive, err) < 0)
		return -1;
	if (mvm_json_parse(text->data, text->length, "index.json", &root, err) < 0 ||
	    mvm_manifest_parse(text->data, text->length, MVM_MEDIA_OCI_INDEX, &index, err) < 0)
		return mvm_error_wrap(err, "index.json");
	if (!index.entry_count)
		return mvm_fail(err, MVM_ERR_INVALID, "index.json names no image");
	for (size_t i = 0; i < index.entry_count; i++) {
		char *name = name_of(json_array_get(json_object_get(root, "manifests"), i));

		mvm_strv_take(&names, name ? name : mvm_strdup(""));
	}
	for (size_t i = 0; i < index.entry_count; i++)
		if (add_named(archive, &index, &names, i, err) < 0)
			return -1;
	return 0;
}
