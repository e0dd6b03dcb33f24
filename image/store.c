#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "store_internal.h"

#define LAYOUT "{\"imageLayoutVersion\": \"1.0.0\"}\n"

int mvm_store_lock_index(const struct mvm_store *store, unsigned flags, int *fd, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/index.lock", store->folder);

	return mvm_lock(path, flags, fd, err);
}

int mvm_store_lock_use(const struct mvm_store *store, unsigned flags, int *fd, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/use.lock", store->folder);

	return mvm_lock(path, flags, fd, err);
}

/* Under index.lock, so that two first runs do not make the index twice. */
static int make_layout(const struct mvm_store *store, struct mvm_error **err)
{
	char *index MVM_CLEAN_FREE = mvm_format("%s/index.json", store->folder);
	char *layout MVM_CLEAN_FREE = mvm_format("%s/oci-layout", store->folder);
	char *blobs MVM_CLEAN_FREE = mvm_format("%s/blobs/sha256", store->folder);
	char *ingest MVM_CLEAN_FREE = mvm_format("%s/ingest", store->folder);
	int lock MVM_CLEAN_FD = -1;

	if (access(layout, F_OK) == 0)
		return 0;
	if (mvm_make_folders(blobs, err) < 0 || mvm_make_folders(ingest, err) < 0 ||
	    mvm_store_lock_index(store, 0, &lock, err) < 0)
		return -1;
	if (access(index, F_OK) < 0) {
		struct mvm_entries none = {0};

		if (mvm_entries_save(store, &none, err) < 0)
			return -1;
	}
	/* Last: its presence says that the rest is there. */
	return mvm_replace_file(layout, LAYOUT, strlen(LAYOUT), 0600, err);
}

int mvm_store_open_folder(const char *home, const char *name, struct mvm_store **out, struct mvm_error **err)
{
	struct mvm_store *store MVM_CLEAN_STORE = mvm_alloc(sizeof(*store));

	store->home = mvm_strdup(home);
	store->folder = mvm_format("%s/%s", home, name);
	if (make_layout(store, err) < 0)
		return -1;
	*out = store;
	store = NULL;
	return 0;
}

int mvm_store_open(const char *home, struct mvm_store **store, struct mvm_error **err)
{
	if (mvm_store_open_folder(home, "images", store, err) < 0)
		return mvm_error_wrap(err, "cannot open the image store");
	return 0;
}

void mvm_store_close(struct mvm_store *store)
{
	if (!store)
		return;
	free(store->home);
	free(store->folder);
	free(store);
}

const char *mvm_store_home(const struct mvm_store *store)
{
	return store->home;
}

char *mvm_store_blob_path(const struct mvm_store *store, const struct mvm_digest *digest)
{
	return mvm_format("%s/blobs/sha256/%s", store->folder, mvm_digest_hex(digest));
}

static int read_image(const struct mvm_store *store, const struct mvm_descriptor *descriptor, struct mvm_image **image,
		      struct mvm_error **err)
{
	struct mvm_manifest parsed MVM_CLEAN_MANIFEST = {0};
	struct mvm_buf manifest MVM_CLEAN_BUF = {0};
	struct mvm_buf config MVM_CLEAN_BUF = {0};

	if (mvm_store_read_blob(store, descriptor, MVM_MANIFEST_MAX, &manifest, err) < 0 ||
	    mvm_manifest_parse(manifest.data, manifest.length, descriptor->media_type, &parsed, err) < 0)
		return -1;
	if (parsed.is_index)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "%s is an index of several platforms",
				descriptor->digest.text);
	if (mvm_store_read_blob(store, &parsed.config, MVM_IMAGE_CONFIG_MAX, &config, err) < 0)
		return -1;
	return mvm_image_create(descriptor, &manifest, &config, image, err);
}

static bool strv_has(const struct mvm_strv *strv, const char *text)
{
	for (size_t i = 0; i < strv->count; i++)
		if (!strcmp(strv->items[i], text))
			return true;
	return false;
}

static void add_names(struct mvm_image *image, const struct mvm_entry *entry)
{
	const char *at = entry->source ? strchr(entry->source, '@') : NULL;

	struct mvm_strv *names = entry->name && strchr(entry->name, '@') ? &image->repo_digests : &image->names;

	if (entry->name && !strv_has(names, entry->name))
		mvm_strv_add(names, entry->name);
	if (at && !strv_has(&image->repo_digests, entry->source))
		mvm_strv_add(&image->repo_digests, entry->source);
	if (at && !mvm_digest_is_set(&image->repo_digest))
		mvm_digest_parse(at + 1, &image->repo_digest, NULL);
}

static struct mvm_image *find_in(const struct mvm_image_list *list, const struct mvm_digest *manifest)
{
	for (size_t i = 0; i < list->count; i++)
		if (mvm_digest_equal(&list->items[i]->descriptor.digest, manifest))
			return list->items[i];
	return NULL;
}

static int newest_first(const void *a, const void *b)
{
	const struct mvm_image *left = *(struct mvm_image *const *)a;
	const struct mvm_image *right = *(struct mvm_image *const *)b;

	if (left->blob.created != right->blob.created)
		return left->blob.created < right->blob.created ? 1 : -1;
	return strcmp(left->descriptor.digest.text, right->descriptor.digest.text);
}

int mvm_store_load_images(const struct mvm_store *store, const struct mvm_entries *entries, struct mvm_image_list *out,
			  struct mvm_error **err)
{
	struct mvm_image_list list = {0};

	list.items = mvm_alloc(entries->count * sizeof(*list.items));
	for (size_t i = 0; i < entries->count; i++) {
		struct mvm_image *image = find_in(&list, &entries->items[i].descriptor.digest);
		struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

		if (!image && read_image(store, &entries->items[i].descriptor, &image, &cause) == 0)
			list.items[list.count++] = image;
		if (image)
			add_names(image, &entries->items[i]);
		else
			mvm_log(MVM_LOG_WARN, "image %s left out: %s", entries->items[i].descriptor.digest.text,
				mvm_error_message(cause));
	}
	qsort(list.items, list.count, sizeof(*list.items), newest_first);
	*out = list;
	return 0;
}

void mvm_image_list_finish(struct mvm_image_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		mvm_image_destroy(list->items[i]);
	free(list->items);
	*list = (struct mvm_image_list){0};
}

int mvm_store_list(struct mvm_store *store, struct mvm_image_list *list, struct mvm_error **err)
{
	struct mvm_entries entries MVM_CLEAN_ENTRIES = {0};
	int lock MVM_CLEAN_FD = -1;

	if (mvm_store_lock_index(store, MVM_LOCK_SHARED, &lock, err) < 0 || mvm_entries_load(store, &entries, err) < 0)
		return -1;
	return mvm_store_load_images(store, &entries, list, err);
}

int mvm_store_no_such_image(const char *text, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "no such image: %.200s; `mvm images` shows those that are here", text);
}

/* The entry that a reference means, -1 where there is none: its name, or its repository's digest. */
static ssize_t match_reference(const struct mvm_entries *entries, const struct mvm_reference *reference)
{
	char *name MVM_CLEAN_FREE = mvm_reference_full(reference);
	char *repository MVM_CLEAN_FREE = mvm_reference_repository(reference);
	size_t length = strlen(repository);

	for (size_t i = 0; i < entries->count; i++)
		if (entries->items[i].name && !strcmp(entries->items[i].name, name))
			return (ssize_t)i;
	for (size_t i = 0; mvm_digest_is_set(&reference->digest) && i < entries->count; i++) {
		const struct mvm_entry *entry = &entries->items[i];
		const char *place = entry->source ? entry->source : entry->name;

		if (entry->source && !strcmp(entry->source, name))
			return (ssize_t)i;
		if (place && !strncmp(place, repository, length) && strchr(":@", place[length]) &&
		    mvm_digest_equal(&entry->descriptor.digest, &reference->digest))
			return (ssize_t)i;
	}
	return -1;
}

/* An image with all its names: those stand in other entries of the same manifest. */
static int image_of_entry(const struct mvm_store *store, const struct mvm_entries *entries, size_t index,
			  struct mvm_image **out, struct mvm_error **err)
{
	const struct mvm_entry *entry = &entries->items[index];
	struct mvm_image *image;

	if (read_image(store, &entry->descriptor, &image, err) < 0)
		return mvm_error_wrap(err, "image %s", entry->name ? entry->name : entry->descriptor.digest.text);
	add_names(image, entry);
	for (size_t i = 0; i < entries->count; i++)
		if (mvm_digest_equal(&entries->items[i].descriptor.digest, &entry->descriptor.digest))
			add_names(image, &entries->items[i]);
	*out = image;
	return 0;
}

int mvm_store_find_reference(struct mvm_store *store, const struct mvm_reference *reference, struct mvm_image **image,
			     struct mvm_error **err)
{
	struct mvm_entries entries MVM_CLEAN_ENTRIES = {0};
	char *familiar MVM_CLEAN_FREE = NULL;
	int lock MVM_CLEAN_FD = -1;
	ssize_t index;

	if (mvm_store_lock_index(store, MVM_LOCK_SHARED, &lock, err) < 0 || mvm_entries_load(store, &entries, err) < 0)
		return -1;
	index = match_reference(&entries, reference);
	if (index >= 0)
		return image_of_entry(store, &entries, (size_t)index, image, err);
	familiar = mvm_reference_familiar(reference);
	return mvm_store_no_such_image(familiar, err);
}

int mvm_store_match_id(const struct mvm_image_list *list, const char *text, size_t *index, struct mvm_error **err)
{
	const char *hex = strncmp(text, "sha256:", 7) ? text : text + 7;
	size_t length = strlen(hex);
	ssize_t found = -1;

	if (!length || length > MVM_DIGEST_HEX || hex[strspn(hex, "0123456789abcdef")])
		return mvm_store_no_such_image(text, err);
	for (size_t i = 0; i < list->count; i++) {
		const struct mvm_digest *id = mvm_image_id(list->items[i]);

		if (strncmp(mvm_digest_hex(id), hex, length))
			continue;
		if (found >= 0 && !mvm_digest_equal(id, mvm_image_id(list->items[found])))
			return mvm_fail(err, MVM_ERR_CONFLICT,
					"several images have an ID that starts with %s; write more of it", text);
		found = found < 0 ? (ssize_t)i : found;
	}
	if (found < 0)
		return mvm_store_no_such_image(text, err);
	*index = (size_t)found;
	return 0;
}

static int find_by_id(struct mvm_store *store, const char *text, struct mvm_image **image, struct mvm_error **err)
{
	struct mvm_image_list list MVM_CLEAN_IMAGE_LIST = {0};
	size_t index;

	if (mvm_store_list(store, &list, err) < 0 || mvm_store_match_id(&list, text, &index, err) < 0)
		return -1;
	*image = list.items[index];
	list.items[index] = NULL;
	return 0;
}

int mvm_store_find(struct mvm_store *store, const char *text, struct mvm_image **image, struct mvm_error **err)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (strncmp(text, "sha256:", 7) && mvm_reference_parse(text, &reference, NULL) == 0) {
		if (mvm_store_find_reference(store, &reference, image, &cause) == 0)
			return 0;
		if (mvm_error_code(cause) != MVM_ERR_NOT_FOUND)
			return mvm_error_move(err, &cause);
	}
	return find_by_id(store, text, image, err);
}
