/*
 * Theory of operation: blobs are copied as they lie in the store, compressed layers too (every reader of either format
 * unpacks them), each once; then the documents that say what they are. Every blob is hashed on its way out.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "archive_internal.h"
#include "image_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "tar_write.h"

#define CHUNK  (1 << 20)
#define LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"

struct saved {
	struct mvm_image *image;
	struct mvm_strv names; /* full, those to be written */
};

struct save {
	struct mvm_store *store;
	const struct mvm_archive_options *options;
	int fd;
	struct saved *images;
	size_t count;
	struct mvm_strv written; /* digests */
};

static void save_finish(struct save *save)
{
	for (size_t i = 0; i < save->count; i++) {
		mvm_image_destroy(save->images[i].image);
		mvm_strv_finish(&save->images[i].names);
	}
	free(save->images);
	mvm_strv_finish(&save->written);
}

static bool has_text(const struct mvm_strv *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i], text))
			return true;
	return false;
}

static int check_platform(const struct save *save, const struct mvm_image *image, const char *what,
			  struct mvm_error **err)
{
	const struct mvm_platform *wanted = save->options->platform;
	char *text MVM_CLEAN_FREE = NULL;

	if (!wanted || mvm_platform_same(wanted, mvm_image_platform(image)))
		return 0;
	text = mvm_platform_format(wanted);
	return mvm_fail(err, MVM_ERR_NOT_FOUND,
			"image with reference %s was found but does not provide the specified platform (%s)", what,
			text);
}

/* Takes the image. `name` may be NULL. */
static int add_image(struct save *save, struct mvm_image *image, const char *name, const char *what,
		     struct mvm_error **err)
{
	struct saved *found = NULL;

	if (check_platform(save, image, what, err) < 0) {
		mvm_image_destroy(image);
		return -1;
	}
	for (size_t i = 0; i < save->count; i++)
		if (mvm_digest_equal(&save->images[i].image->descriptor.digest, &image->descriptor.digest))
			found = &save->images[i];
	if (found) {
		mvm_image_destroy(image);
	} else {
		save->images = mvm_realloc(save->images, save->count + 1, sizeof(*save->images));
		found = &save->images[save->count++];
		*found = (struct saved){.image = image};
	}
	if (name && !has_text(&found->names, name))
		mvm_strv_add(&found->names, name);
	return 0;
}

/* "alpine" and not "alpine:3.20", "alpine@sha256:..." */
static bool is_repository(const char *text)
{
	const char *slash = strrchr(text, '/');

	return !strpbrk(slash ? slash : text, ":@");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of all images in the repository, in order. */
static int list_tags(struct mvm_store *store, const char *repository, struct mvm_strv *names, struct mvm_error **err)
{
	struct mvm_image_list images MVM_CLEAN_IMAGE_LIST = {0};
	size_t length = strlen(repository);

	if (mvm_store_list(store, &images, err) < 0)
		return -1;
	for (size_t i = 0; i < images.count; i++)
		for (size_t n = 0; n < images.items[i]->names.count; n++) {
			const char *name = images.items[i]->names.items[n];

			if (!strncmp(name, repository, length) && name[length] == ':')
				mvm_strv_add(names, name);
		}
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), by_text);
	return 0;
}

static int add_by_name(struct save *save, const char *name, const char *what, struct mvm_error **err)
{
	struct mvm_image *image;

	if (mvm_store_find(save->store, name, &image, err) < 0)
		return -1;
	return add_image(save, image, has_text(&image->names, name) ? name : NULL, what, err);
}

static int find_images(struct save *save, const char *text, struct mvm_error **err)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	bool is_name = strncmp(text, "sha256:", 7) && mvm_reference_parse(text, &reference, NULL) == 0;
	char *repository MVM_CLEAN_FREE = is_name ? mvm_reference_repository(&reference) : NULL;
	char *full MVM_CLEAN_FREE = is_name ? mvm_reference_full(&reference) : NULL;
	struct mvm_strv names MVM_CLEAN_STRV = {0};
	struct mvm_image *image;

	if (is_name && is_repository(text) && list_tags(save->store, repository, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (add_by_name(save, names.items[i], text, err) < 0)
			return -1;
	if (names.count)
		return 0;
	if (mvm_store_find(save->store, text, &image, err) < 0)
		return -1;
	return add_image(save, image, full && has_text(&image->names, full) ? full : NULL, text, err);
}

static int write_out(const struct save *save, const void *data, size_t length, struct mvm_error **err)
{
	if (archive_interrupted(save->options))
		return mvm_fail(err, MVM_ERR_INTERRUPTED, "interrupted");
	if (mvm_write_full(save->fd, data, length) < 0)
		return mvm_fail_errno(err, errno, "cannot write the archive");
	return 0;
}

static int write_header(const struct save *save, enum mvm_tar_type type, const char *name, uint64_t size,
			struct mvm_error **err)
{
	struct mvm_tar_entry entry = {
		.type = type, .name = name, .target = "", .mode = type == MVM_TAR_FOLDER ? 0755 : 0644, .size = size};
	struct mvm_buf header MVM_CLEAN_BUF = {0};

	if (mvm_tar_write_entry(&header, &entry, err) < 0)
		return -1;
	return write_out(save, header.data, header.length, err);
}

static int write_padding(const struct save *save, uint64_t size, struct mvm_error **err)
{
	struct mvm_buf padding MVM_CLEAN_BUF = {0};

	mvm_tar_write_padding(&padding, size);
	return padding.length ? write_out(save, padding.data, padding.length, err) : 0;
}

static int write_file(const struct save *save, const char *name, const void *data, size_t length,
		      struct mvm_error **err)
{
	if (write_header(save, MVM_TAR_FILE, name, length, err) < 0 || write_out(save, data, length, err) < 0)
		return -1;
	return write_padding(save, length, err);
}

static int damaged(const struct mvm_descriptor *blob, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_CORRUPT, "blob %.12s has decayed in the store; pull or load the image again",
			mvm_digest_hex(&blob->digest));
}

/* Exactly its size, whatever has become of the file. */
static int copy_blob(const struct save *save, const struct mvm_descriptor *blob, int fd, struct mvm_error **err)
{
	struct mvm_hash *hash MVM_CLEAN_HASH = mvm_hash_create();
	char *chunk MVM_CLEAN_FREE = mvm_alloc(CHUNK);
	struct mvm_digest digest;

	for (uint64_t left = blob->size; left;) {
		size_t want = left < CHUNK ? (size_t)left : CHUNK;
		ssize_t got = mvm_read_full(fd, chunk, want);

		if (got < 0)
			return mvm_fail_errno(err, errno, "cannot read blob %.12s", mvm_digest_hex(&blob->digest));
		if ((size_t)got < want)
			return damaged(blob, err);
		mvm_hash_update(hash, chunk, want);
		if (write_out(save, chunk, want, err) < 0)
			return -1;
		left -= want;
	}
	mvm_hash_final(hash, &digest);
	return mvm_digest_equal(&digest, &blob->digest) ? 0 : damaged(blob, err);
}

static int write_blob(struct save *save, const struct mvm_descriptor *blob, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_store_blob_path(save->store, &blob->digest);
	char *name MVM_CLEAN_FREE = mvm_format("blobs/sha256/%s", mvm_digest_hex(&blob->digest));
	int fd MVM_CLEAN_FD = -1;

	if (has_text(&save->written, blob->digest.text))
		return 0;
	mvm_strv_add(&save->written, blob->digest.text);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? damaged(blob, err) : mvm_fail_errno(err, errno, "%s", path);
	if (write_header(save, MVM_TAR_FILE, name, blob->size, err) < 0 || copy_blob(save, blob, fd, err) < 0)
		return -1;
	return write_padding(save, blob->size, err);
}

static int write_image(struct save *save, const struct mvm_image *image, struct mvm_error **err)
{
	if (write_blob(save, &image->descriptor, err) < 0 || write_blob(save, &image->manifest.config, err) < 0)
		return -1;
	for (size_t i = 0; i < image->manifest.layer_count; i++)
		if (write_blob(save, &image->manifest.layers[i], err) < 0)
			return -1;
	return 0;
}

/* As docker annotates: the whole name for containerd, the tag for OCI. */
static json_t *index_entry(const struct mvm_descriptor *descriptor, const char *name)
{
	json_t *entry = json_pack("{s:s, s:s, s:I}", "mediaType", descriptor->media_type, "digest",
				  descriptor->digest.text, "size", (json_int_t)descriptor->size);

	if (name)
		json_object_set_new(entry, "annotations",
				    json_pack("{s:s, s:s}", MVM_ANNOTATION_DOCKER, name, MVM_ANNOTATION_NAME,
					      strrchr(name, ':') + 1));
	return entry;
}

static json_t *make_index(const struct save *save)
{
	json_t *list = json_array();

	for (size_t i = 0; i < save->count; i++) {
		const struct saved *saved = &save->images[i];

		for (size_t n = 0; n < saved->names.count; n++)
			json_array_append_new(list, index_entry(&saved->image->descriptor, saved->names.items[n]));
		if (!saved->names.count)
			json_array_append_new(list, index_entry(&saved->image->descriptor, NULL));
	}
	return json_pack("{s:i, s:s, s:o}", "schemaVersion", 2, "mediaType", MVM_MEDIA_OCI_INDEX, "manifests", list);
}

static json_t *blob_name(const struct mvm_descriptor *blob)
{
	return json_sprintf("blobs/sha256/%s", mvm_digest_hex(&blob->digest));
}

static json_t *make_manifest(const struct save *save)
{
	json_t *list = json_array();

	for (size_t i = 0; i < save->count; i++) {
		const struct mvm_manifest *manifest = &save->images[i].image->manifest;
		const struct mvm_strv *names = &save->images[i].names;
		json_t *tags = names->count ? json_array() : json_null(), *layers = json_array();

		for (size_t n = 0; n < names->count; n++) {
			char *familiar MVM_CLEAN_FREE = mvm_reference_shorten(names->items[n]);

			json_array_append_new(tags, json_string(familiar));
		}
		for (size_t n = 0; n < manifest->layer_count; n++)
			json_array_append_new(layers, blob_name(&manifest->layers[n]));
		json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "Config", blob_name(&manifest->config),
						      "RepoTags", tags, "Layers", layers));
	}
	return list;
}

/* {"alpine": {"latest": "<hex of the topmost layer>"}}; an empty object is left out. */
static json_t *make_repositories(const struct save *save)
{
	json_t *root = json_object();

	for (size_t i = 0; i < save->count; i++) {
		const struct mvm_manifest *manifest = &save->images[i].image->manifest;
		const struct mvm_strv *names = &save->images[i].names;

		for (size_t n = 0; n < names->count && manifest->layer_count; n++) {
			struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
			char *repository MVM_CLEAN_FREE = NULL;
			json_t *tags;

			if (mvm_reference_parse(names->items[n], &reference, NULL) < 0)
				continue;
			repository = mvm_reference_familiar_repository(&reference);
			tags = json_object_get(root, repository);
			if (!tags)
				json_object_set_new(root, repository, tags = json_object());
			json_object_set_new(
				tags, reference.tag,
				json_string(mvm_digest_hex(&manifest->layers[manifest->layer_count - 1].digest)));
		}
	}
	return root;
}

static int write_json(const struct save *save, const char *name, json_t *value, struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = json_dumps(value, JSON_COMPACT);

	return write_file(save, name, text, strlen(text), err);
}

static int write_documents(const struct save *save, struct mvm_error **err)
{
	json_t *index MVM_CLEAN_JSON = make_index(save);
	json_t *manifest MVM_CLEAN_JSON = make_manifest(save);
	json_t *repositories MVM_CLEAN_JSON = make_repositories(save);

	if (write_json(save, "index.json", index, err) < 0 || write_json(save, "manifest.json", manifest, err) < 0 ||
	    write_file(save, "oci-layout", LAYOUT, strlen(LAYOUT), err) < 0)
		return -1;
	return json_object_size(repositories) ? write_json(save, "repositories", repositories, err) : 0;
}

static int write_archive(struct save *save, struct mvm_error **err)
{
	struct mvm_buf end MVM_CLEAN_BUF = {0};

	if (write_header(save, MVM_TAR_FOLDER, "blobs", 0, err) < 0 ||
	    write_header(save, MVM_TAR_FOLDER, "blobs/sha256", 0, err) < 0)
		return -1;
	for (size_t i = 0; i < save->count; i++)
		if (write_image(save, save->images[i].image, err) < 0)
			return -1;
	if (write_documents(save, err) < 0)
		return -1;
	mvm_tar_write_end(&end);
	return write_out(save, end.data, end.length, err);
}

int mvm_image_save(struct mvm_store *store, char *const *names, const struct mvm_archive_options *options, int fd,
		   struct mvm_error **err)
{
	struct save save __attribute__((cleanup(save_finish))) = {.store = store, .options = options, .fd = fd};
	int lock MVM_CLEAN_FD = -1;

	/* Removals meanwhile leave the blobs. */
	if (mvm_store_lock_use(store, MVM_LOCK_SHARED, &lock, err) < 0)
		return -1;
	for (; *names; names++)
		if (find_images(&save, *names, err) < 0)
			return -1;
	return write_archive(&save, err);
}
