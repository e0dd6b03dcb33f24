/* Names of the content store: giving one. Taking one away is store_remove.c. */
#include <stdlib.h>
#include <string.h>

#include "image_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "store_internal.h"

static bool same_manifest(const struct mvm_entry *entry, const struct mvm_digest *digest)
{
	return mvm_digest_equal(&entry->descriptor.digest, digest);
}

static bool same_text(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

static size_t count_entries(const struct mvm_entries *entries, const struct mvm_digest *digest)
{
	size_t count = 0;

	for (size_t i = 0; i < entries->count; i++)
		count += same_manifest(&entries->items[i], digest);
	return count;
}

/* The entry loses its name. An image that loses its last one stays without, as docker's <none>: containers
 * may stand on it. */
static void strip_name(struct mvm_entries *entries, size_t index)
{
	struct mvm_entry *entry = &entries->items[index];

	if (count_entries(entries, &entry->descriptor.digest) > 1) {
		mvm_entries_remove(entries, index);
		return;
	}
	mvm_entry_set_name(entry, NULL);
}

int mvm_store_put(struct mvm_store *store, const struct mvm_descriptor *descriptor, const struct mvm_platform *platform,
		  const char *name, const char *source, struct mvm_error **err)
{
	struct mvm_entries entries MVM_CLEAN_ENTRIES = {0};
	int lock MVM_CLEAN_FD = -1;

	if (mvm_store_lock_index(store, 0, &lock, err) < 0 || mvm_entries_load(store, &entries, err) < 0)
		return -1;
	for (size_t i = entries.count; i-- > 0;) {
		struct mvm_entry *entry = &entries.items[i];

		if (same_manifest(entry, &descriptor->digest) && (same_text(entry->name, name) || !entry->name))
			mvm_entries_remove(&entries, i);
		else if (same_text(entry->name, name))
			strip_name(&entries, i);
	}
	mvm_entries_add(&entries, descriptor, platform, name, source);
	return mvm_entries_save(store, &entries, err);
}

int mvm_store_set_source(struct mvm_store *store, const struct mvm_digest *manifest, const char *name,
			 const char *source, struct mvm_error **err)
{
	struct mvm_entries entries MVM_CLEAN_ENTRIES = {0};
	int lock MVM_CLEAN_FD = -1;

	if (mvm_store_lock_index(store, 0, &lock, err) < 0 || mvm_entries_load(store, &entries, err) < 0)
		return -1;
	for (size_t i = 0; i < entries.count; i++) {
		struct mvm_entry *entry = &entries.items[i];
		json_t *annotations = json_object_get(entry->json, "annotations");

		if (same_manifest(entry, manifest) && same_text(entry->name, name))
			json_object_set_new(annotations, MVM_ANNOTATION_SOURCE, json_string(source));
	}
	return mvm_entries_save(store, &entries, err);
}

int mvm_store_tag(struct mvm_store *store, const struct mvm_image *image, const struct mvm_reference *reference,
		  struct mvm_error **err)
{
	char *name MVM_CLEAN_FREE = mvm_reference_full(reference);
	int lock MVM_CLEAN_FD = -1;

	if (mvm_digest_is_set(&reference->digest))
		return mvm_fail(err, MVM_ERR_INVALID, "refusing to create a tag with a digest reference: %s", name);
	if (mvm_store_lock_use(store, MVM_LOCK_SHARED, &lock, err) < 0)
		return -1;
	if (!mvm_store_has_blob(store, &image->descriptor))
		return mvm_store_no_such_image(mvm_image_id(image)->text, err);
	return mvm_store_put(store, &image->descriptor, &image->blob.platform, name, NULL, err);
}
