/* Names of the content store: giving one, taking one away. */
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
	json_t *annotations = json_object_get(entry->json, "annotations");

	if (count_entries(entries, &entry->descriptor.digest) > 1) {
		mvm_entries_remove(entries, index);
		return;
	}
	free(entry->name);
	entry->name = NULL;
	json_object_del(annotations, MVM_ANNOTATION_NAME);
	json_object_del(annotations, MVM_ANNOTATION_DOCKER);
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

void mvm_store_removed_finish(struct mvm_store_removed *removed)
{
	mvm_strv_finish(&removed->untagged);
	mvm_strv_finish(&removed->deleted);
	mvm_image_destroy(removed->orphan);
	*removed = (struct mvm_store_removed){0};
}

static bool same_layers(const struct mvm_image *a, const struct mvm_image *b)
{
	size_t count = a->blob.diff_id_count;

	if (count != b->blob.diff_id_count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!mvm_digest_equal(&a->blob.diff_ids[i], &b->blob.diff_ids[i]))
			return false;
	return true;
}

/* What a removal is about to do. */
struct removal {
	struct mvm_entries entries;
	struct mvm_image_list images; /* before it */
	struct mvm_image *image;      /* borrowed from images */
	char *name;		      /* NULL: the image with all its names */
};

static void removal_finish(struct removal *removal)
{
	mvm_entries_finish(&removal->entries);
	mvm_image_list_finish(&removal->images);
	free(removal->name);
}

static size_t count_names(const struct removal *removal)
{
	size_t count = 0;

	for (size_t i = 0; i < removal->images.count; i++)
		if (mvm_digest_equal(mvm_image_id(removal->images.items[i]), mvm_image_id(removal->image)))
			count += removal->images.items[i]->names.count;
	return count;
}

static struct mvm_image *image_of(const struct removal *removal, const struct mvm_entry *entry)
{
	for (size_t i = 0; i < removal->images.count; i++)
		if (same_manifest(entry, &removal->images.items[i]->descriptor.digest))
			return removal->images.items[i];
	return NULL;
}

/* An image that cannot be read has no `image`, but its name can be removed. */
static bool find_name(struct removal *removal, const char *text)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	char *name;

	if (mvm_reference_parse(text, &reference, NULL) < 0)
		return false;
	name = mvm_reference_full(&reference);
	for (size_t i = 0; i < removal->entries.count; i++)
		if (same_text(removal->entries.items[i].name, name)) {
			removal->image = image_of(removal, &removal->entries.items[i]);
			removal->name = name;
			return true;
		}
	free(name);
	return false;
}

/* "alpine@sha256:..." of an image that has the tag: docker takes it for the image. */
static bool find_source(struct removal *removal, const char *text)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	char *name MVM_CLEAN_FREE = NULL;

	if (mvm_reference_parse(text, &reference, NULL) < 0 || !mvm_digest_is_set(&reference.digest))
		return false;
	name = mvm_reference_full(&reference);
	for (size_t i = 0; i < removal->entries.count && !removal->image; i++)
		if (same_text(removal->entries.items[i].source, name))
			removal->image = image_of(removal, &removal->entries.items[i]);
	return removal->image != NULL;
}

static int find_target(struct removal *removal, const char *text, bool force, struct mvm_error **err)
{
	size_t index;

	if (strncmp(text, "sha256:", 7) && find_name(removal, text))
		return 0;
	if (!find_source(removal, text)) {
		if (mvm_store_match_id(&removal->images, text, &index, err) < 0)
			return -1;
		removal->image = removal->images.items[index];
	}
	if (count_names(removal) > 1 && !force)
		return mvm_fail(err, MVM_ERR_CONFLICT,
				"unable to delete %.12s: the image has several names; remove each, or use --force",
				mvm_digest_hex(mvm_image_id(removal->image)));
	return 0;
}

static bool is_target(const struct removal *removal, const struct mvm_entry *entry)
{
	const struct mvm_image *image;

	if (removal->name)
		return same_text(entry->name, removal->name);
	image = image_of(removal, entry);
	return image && mvm_digest_equal(mvm_image_id(image), mvm_image_id(removal->image));
}

static void drop_entries(struct removal *removal, struct mvm_store_removed *removed)
{
	for (size_t i = removal->entries.count; i-- > 0;) {
		struct mvm_entry *entry = &removal->entries.items[i];

		if (!is_target(removal, entry))
			continue;
		if (entry->name)
			mvm_strv_add(&removed->untagged, entry->name);
		mvm_entries_remove(&removal->entries, i);
	}
}

/* Whether an image that is left has the layer too. */
static bool layer_stays(const struct removal *removal, const struct mvm_digest *diff_id)
{
	for (size_t i = 0; i < removal->images.count; i++) {
		const struct mvm_image *other = removal->images.items[i];

		if (!count_entries(&removal->entries, &other->descriptor.digest))
			continue;
		for (size_t j = 0; j < other->blob.diff_id_count; j++)
			if (mvm_digest_equal(&other->blob.diff_ids[j], diff_id))
				return true;
	}
	return false;
}

static void list_deleted(const struct removal *removal, struct mvm_store_removed *removed)
{
	const struct mvm_image *image = removal->image;

	for (size_t i = 0; i < image->repo_digests.count; i++)
		mvm_strv_add(&removed->untagged, image->repo_digests.items[i]);
	mvm_strv_add(&removed->deleted, mvm_image_id(image)->text);
	for (size_t i = image->blob.diff_id_count; i-- > 0;)
		if (!layer_stays(removal, &image->blob.diff_ids[i]))
			mvm_strv_add(&removed->deleted, image->blob.diff_ids[i].text);
}

/* Fills in what of the image is gone now that the entries are. */
static void find_orphan(struct removal *removal, struct mvm_store_removed *removed)
{
	const struct mvm_image *image = removal->image;
	bool disk_is_used = false;

	if (!image || count_entries(&removal->entries, &image->descriptor.digest))
		return;
	list_deleted(removal, removed);
	for (size_t i = 0; i < removal->images.count; i++) {
		const struct mvm_image *other = removal->images.items[i];

		disk_is_used |= other != image && same_layers(other, image) &&
				count_entries(&removal->entries, &other->descriptor.digest);
	}
	for (size_t i = 0; i < removal->images.count && !disk_is_used; i++)
		if (removal->images.items[i] == image) {
			removed->orphan = removal->images.items[i];
			removal->images.items[i] = NULL;
			return;
		}
}

static int remove_locked(struct mvm_store *store, const char *text, bool force, struct mvm_store_removed *out,
			 struct mvm_error **err)
{
	struct removal removal __attribute__((cleanup(removal_finish))) = {0};
	struct mvm_store_removed removed = {0};
	int lock MVM_CLEAN_FD = -1;

	if (mvm_store_lock_index(store, 0, &lock, err) < 0 || mvm_entries_load(store, &removal.entries, err) < 0 ||
	    mvm_store_load_images(store, &removal.entries, &removal.images, err) < 0 ||
	    find_target(&removal, text, force, err) < 0)
		return -1;
	drop_entries(&removal, &removed);
	find_orphan(&removal, &removed);
	if (mvm_entries_save(store, &removal.entries, err) < 0) {
		mvm_store_removed_finish(&removed);
		return -1;
	}
	*out = removed;
	return 0;
}

int mvm_store_remove(struct mvm_store *store, const char *text, bool force, struct mvm_store_removed *removed,
		     struct mvm_error **err)
{
	if (remove_locked(store, text, force, removed, err) < 0)
		return -1;
	/* The name is gone; blobs that cannot be dropped now are dropped by the next removal or pull. */
	mvm_store_collect(store, NULL);
	return 0;
}
