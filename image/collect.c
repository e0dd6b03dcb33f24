/*
 * Garbage collection of the content store: mark what index.json reaches, sweep the rest.
 *
 * Under use.lock exclusive, so no pull is running and every ingest is a dead one's; and under index.lock, so that no
 * name comes or goes meanwhile. Marking reads documents generically: what another tool has put there keeps all that
 * it points to.
 *
 * What a pull that failed has fetched is of use to nobody but the next try of it. So the collection at the end of such
 * a pull spares it, and any other drops it: never more than one image's worth is kept that nothing names.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "store_internal.h"

/* The digests' hex forms; sorted before the sweep. */
struct marks {
	const struct mvm_store *store;
	struct mvm_strv hexes;
};

static int mark_descriptor(struct marks *marks, const json_t *object, int depth, struct mvm_error **err);

static int mark_list(struct marks *marks, const json_t *list, int depth, struct mvm_error **err)
{
	json_t *value;
	size_t i;

	json_array_foreach(list, i, value)
	{
		if (mark_descriptor(marks, value, depth, err) < 0)
			return -1;
	}
	return 0;
}

/* A document may be of any kind; one that is not there, too large or no JSON points to nothing. */
static int mark_document(struct marks *marks, const struct mvm_digest *digest, int depth, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_store_blob_path(marks->store, digest);
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	json_t *root MVM_CLEAN_JSON = NULL;

	if (mvm_json_load(path, MVM_MANIFEST_MAX, &root, &cause) < 0)
		return mvm_error_code(cause) == MVM_ERR_IO ? mvm_error_move(err, &cause) : 0;
	if (mark_list(marks, json_object_get(root, "manifests"), depth - 1, err) < 0 ||
	    mark_list(marks, json_object_get(root, "layers"), depth - 1, err) < 0 ||
	    mark_descriptor(marks, json_object_get(root, "config"), depth - 1, err) < 0)
		return -1;
	return 0;
}

/* Layers can be large and are no documents: only what calls itself a manifest or an index is read. */
static bool is_document(const char *media_type)
{
	return strstr(media_type, "manifest") || strstr(media_type, "index") || !*media_type;
}

static int mark_descriptor(struct marks *marks, const json_t *object, int depth, struct mvm_error **err)
{
	struct mvm_descriptor descriptor;
	int result = 0;

	if (!object || mvm_descriptor_parse(object, &descriptor, NULL) < 0)
		return 0;
	mvm_strv_add(&marks->hexes, mvm_digest_hex(&descriptor.digest));
	if (depth > 0 && is_document(descriptor.media_type))
		result = mark_document(marks, &descriptor.digest, depth, err);
	mvm_descriptor_finish(&descriptor);
	return result;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void mark_image(struct marks *marks, const struct mvm_image *image)
{
	mvm_strv_add(&marks->hexes, mvm_digest_hex(&image->descriptor.digest));
	mvm_strv_add(&marks->hexes, mvm_digest_hex(&image->manifest.config.digest));
	for (size_t i = 0; i < image->manifest.layer_count; i++)
		mvm_strv_add(&marks->hexes, mvm_digest_hex(&image->layers[i].blob.digest));
}

static void sort(struct marks *marks)
{
	if (marks->hexes.count)
		qsort(marks->hexes.items, marks->hexes.count, sizeof(char *), compare);
}

static int mark_index(struct marks *marks, struct mvm_error **err)
{
	struct mvm_entries entries MVM_CLEAN_ENTRIES = {0};

	if (mvm_entries_load(marks->store, &entries, err) < 0)
		return -1;
	for (size_t i = 0; i < entries.count; i++)
		if (mark_descriptor(marks, entries.items[i].json, MVM_INDEX_DEPTH + 1, err) < 0)
			return -1;
	return 0;
}

static bool marked(const struct marks *marks, const char *name)
{
	return marks->hexes.count &&
	       bsearch(&name, marks->hexes.items, marks->hexes.count, sizeof(char *), compare) != NULL;
}

/* Blobs and ingests are named by digest; beside the index may be what was to replace it. */
static bool is_garbage(const char *name, const struct marks *marks)
{
	if (!marks)
		return !strncmp(name, MVM_NEW_FILE_PREFIX, strlen(MVM_NEW_FILE_PREFIX));
	return name[0] != '.' && !marked(marks, name);
}

/* `marks` NULL: the store's own folder. */
static int sweep(const char *path, const struct marks *marks, struct mvm_error **err)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	int errnum = 0;

	if (!folder)
		return errno == ENOENT ? 0 : mvm_fail_errno(err, errno, "%s", path);
	while ((entry = readdir(folder)))
		if (is_garbage(entry->d_name, marks) && unlinkat(dirfd(folder), entry->d_name, 0) < 0 &&
		    errno != ENOENT)
			errnum = errno;
	closedir(folder);
	return errnum ? mvm_fail_errno(err, errnum, "cannot clean up %s", path) : 0;
}

int mvm_store_keep_pulls_out(struct mvm_store *store, int *lock, struct mvm_error **err)
{
	return mvm_store_lock_use(store, MVM_LOCK_TRY, lock, err);
}

int mvm_store_collect_but(struct mvm_store *store, const struct mvm_image *spared, struct mvm_error **err)
{
	char *ingest MVM_CLEAN_FREE = mvm_format("%s/ingest", store->folder);
	char *blobs MVM_CLEAN_FREE = mvm_format("%s/blobs/sha256", store->folder);
	struct marks arriving = {.store = store}, wanted = {.store = store};
	int use MVM_CLEAN_FD = -1;
	int index MVM_CLEAN_FD = -1;
	int result = mvm_store_keep_pulls_out(store, &use, err);

	if (result != 0)
		return result;
	if (mvm_store_lock_index(store, 0, &index, err) < 0)
		return -1;
	if (spared) {
		mark_image(&arriving, spared);
		mark_image(&wanted, spared);
	}
	result = mark_index(&wanted, err);
	sort(&arriving);
	sort(&wanted);
	if (result == 0)
		result = sweep(ingest, &arriving, err);
	if (result == 0)
		result = sweep(blobs, &wanted, err);
	if (result == 0)
		result = sweep(store->folder, NULL, err);
	mvm_strv_finish(&arriving.hexes);
	mvm_strv_finish(&wanted.hexes);
	return result;
}

int mvm_store_collect(struct mvm_store *store, struct mvm_error **err)
{
	return mvm_store_collect_but(store, NULL, err);
}
