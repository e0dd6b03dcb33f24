/*
 * Under MVM_HOME/disks:
 *
 *   <key>/rootfs.ext4          a disk
 *   <key>/layers.json          what each layer's files take: {"sizes": [7340032, 12]}
 *   .build-<key>/rootfs.ext4   one under construction
 *   .build-<key>.lock          held by who builds it; goes before the lock is let go of
 *   .remove-<key>-<random>     one that is being removed
 */
#include "disk.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "budget.h"
#include "digest.h"
#include "ext4.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

/* To be raised whenever the same layers would give other bytes than before. */
#define FORMAT_VERSION 1

#define BUILD_PREFIX  ".build-"
#define REMOVE_PREFIX ".remove-"
#define LOCK_SUFFIX   ".lock"
#define FILE_NAME     "rootfs.ext4"
#define SIZES_NAME    "layers.json"
#define MAX_SIZES     (1 << 20)

struct mvm_disk_builder {
	struct mvm_disk_spec spec;
	char *key;
	char *disks;
	char *folder; /* .build-<key> */
	char *file;
	char *lock_path;
	int lock;
	struct mvm_ext4 *fs;
	struct mvm_budget budget;
	json_t *sizes; /* of the layers that were added */
	size_t added;
};

static int chain_id(const struct mvm_disk_spec *spec, struct mvm_digest *chain, struct mvm_error **err)
{
	struct mvm_digest result = {0};

	for (size_t i = 0; i < spec->layer_count; i++) {
		struct mvm_digest diff_id;

		if (mvm_digest_parse(spec->layers[i].diff_id, &diff_id, err) < 0)
			return -1;
		mvm_digest_chain(&result, &diff_id);
	}
	if (!spec->layer_count)
		mvm_digest_of("", 0, &result);
	*chain = result;
	return 0;
}

static uint64_t size_of(const struct mvm_disk_spec *spec)
{
	return spec->size ? spec->size : MVM_DISK_DEFAULT_SIZE;
}

int mvm_disk_key(const struct mvm_disk_spec *spec, char **key, struct mvm_error **err)
{
	uint64_t size = size_of(spec);
	struct mvm_digest chain;

	if (size < MVM_EXT4_MIN_SIZE || size > MVM_EXT4_MAX_SIZE || size % 4096)
		return mvm_fail(err, MVM_ERR_INVALID,
				"a disk of %llu bytes is not possible; choose from 128 MiB to 8 TiB, in units of 4096",
				(unsigned long long)size);
	if (chain_id(spec, &chain, err) < 0)
		return -1;
	if (size == MVM_DISK_DEFAULT_SIZE)
		*key = mvm_format("%s-%d", mvm_digest_hex(&chain), FORMAT_VERSION);
	else
		*key = mvm_format("%s-%d-%llu", mvm_digest_hex(&chain), FORMAT_VERSION, (unsigned long long)size);
	return 0;
}

static int find(const char *disks, const char *key, char **path, struct mvm_error **err)
{
	char *file = mvm_format("%s/%s/" FILE_NAME, disks, key);
	struct stat st;

	if (stat(file, &st) == 0) {
		*path = file;
		return 0;
	}
	int status = errno == ENOENT ? 1 : mvm_fail_errno(err, errno, "cannot look at %s", file);

	free(file);
	return status;
}

int mvm_disk_find(const char *home, const struct mvm_disk_spec *spec, char **path, struct mvm_error **err)
{
	char *disks MVM_CLEAN_FREE = mvm_format("%s/disks", home);
	char *key MVM_CLEAN_FREE = NULL;

	if (mvm_disk_key(spec, &key, err) < 0)
		return -1;
	return find(disks, key, path, err);
}

int mvm_disk_layer_sizes(const char *home, const struct mvm_disk_spec *spec, uint64_t *sizes, struct mvm_error **err)
{
	json_t *root MVM_CLEAN_JSON = NULL, *list;
	char *key MVM_CLEAN_FREE = NULL, *path MVM_CLEAN_FREE = NULL;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (mvm_disk_key(spec, &key, err) < 0)
		return -1;
	path = mvm_format("%s/disks/%s/" SIZES_NAME, home, key);
	if (mvm_json_load(path, MAX_SIZES, &root, &cause) < 0)
		return mvm_error_code(cause) == MVM_ERR_NOT_FOUND ? 1 : mvm_error_move(err, &cause);
	list = json_object_get(root, "sizes");
	if (json_array_size(list) != spec->layer_count)
		return 1;
	for (size_t i = 0; i < spec->layer_count; i++)
		sizes[i] = (uint64_t)json_integer_value(json_array_get(list, i));
	return 0;
}

/* Whether the descriptor is still what the path leads to. */
static bool is_current(int fd, const char *path)
{
	struct stat ours, theirs;

	return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
	       ours.st_ino == theirs.st_ino;
}

/* A lock file goes with what it guards, so a lock that was waited for may be one that nobody sees any more. */
static int take_lock(const char *path, unsigned flags, int *fd, struct mvm_error **err)
{
	for (;;) {
		int lock, status = mvm_lock(path, flags, &lock, err);

		if (status)
			return status;
		if (is_current(lock, path)) {
			*fd = lock;
			return 0;
		}
		mvm_close(&lock);
	}
}

static int begin_build(struct mvm_disk_builder *builder, struct mvm_error **err)
{
	struct mvm_ext4_options options = {.size = size_of(&builder->spec)};
	struct mvm_digest digest;

	/* A UUID that follows from the key, marked as made from a name (RFC 9562, version 8). */
	mvm_digest_of(builder->key, strlen(builder->key), &digest);
	for (size_t i = 0; i < sizeof(options.uuid); i++)
		sscanf(mvm_digest_hex(&digest) + i * 2, "%2hhx", &options.uuid[i]);
	options.uuid[6] = (options.uuid[6] & 0x0f) | 0x80;
	options.uuid[8] = (options.uuid[8] & 0x3f) | 0x80;
	if (mvm_budget_init(&builder->budget, builder->spec.config, err) < 0 ||
	    mvm_remove_tree(builder->folder, err) < 0 || mvm_make_folders(builder->folder, err) < 0)
		return -1;
	return mvm_ext4_create(builder->file, &options, &builder->fs, err);
}

static struct mvm_disk_builder *new_builder(const char *home, const struct mvm_disk_spec *spec, char *key)
{
	struct mvm_disk_builder *builder = mvm_alloc(sizeof(*builder));

	builder->spec = *spec;
	builder->key = key;
	builder->lock = -1;
	builder->sizes = json_array();
	builder->disks = mvm_format("%s/disks", home);
	builder->folder = mvm_format("%s/" BUILD_PREFIX "%s", builder->disks, key);
	builder->file = mvm_format("%s/" FILE_NAME, builder->folder);
	builder->lock_path = mvm_format("%s" LOCK_SUFFIX, builder->folder);
	return builder;
}

int mvm_disk_builder_create(const char *home, const struct mvm_disk_spec *spec, bool wait,
			    struct mvm_disk_builder **out, char **path, struct mvm_error **err)
{
	struct mvm_disk_builder *builder;
	char *key;
	int status;

	if (mvm_disk_key(spec, &key, err) < 0)
		return -1;
	builder = new_builder(home, spec, key);
	status = mvm_make_folders(builder->disks, err);
	if (status == 0)
		status = take_lock(builder->lock_path, wait ? 0 : MVM_LOCK_TRY, &builder->lock, err);
	if (status > 0) {
		mvm_disk_builder_destroy(builder);
		return MVM_DISK_BUSY;
	}
	if (status == 0)
		status = find(builder->disks, key, path, err);
	if (status == 1 && begin_build(builder, err) == 0) {
		*out = builder;
		return 0;
	}
	mvm_disk_builder_destroy(builder);
	return status == 0 ? 1 : -1;
}

/* "layer 2 of 5 (0123456789ab)": the digest as docker shortens it. */
static int wrap_layer(const struct mvm_disk_builder *builder, const struct mvm_layer *layer, struct mvm_error **err)
{
	const char *colon = strchr(layer->digest, ':');

	return mvm_error_wrap(err, "layer %zu of %zu (%.12s)", builder->added, builder->spec.layer_count,
			      colon ? colon + 1 : layer->digest);
}

int mvm_disk_builder_add_layer(struct mvm_disk_builder *builder, struct mvm_source source, struct mvm_error **err)
{
	uint64_t before = builder->budget.content;
	const struct mvm_layer *layer;

	if (builder->added == builder->spec.layer_count)
		return mvm_fail(err, MVM_ERR_INTERNAL, "more layers than the image has");
	layer = &builder->spec.layers[builder->added++];
	if (mvm_layer_apply(builder->fs, &builder->budget, layer, source, err) < 0)
		return wrap_layer(builder, layer, err);
	json_array_append_new(builder->sizes, json_integer((json_int_t)(builder->budget.content - before)));
	return 0;
}

static int save_sizes(const struct mvm_disk_builder *builder, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/" SIZES_NAME, builder->folder);
	json_t *root MVM_CLEAN_JSON = json_pack("{s:O}", "sizes", builder->sizes);

	return mvm_json_save(path, root, err);
}

/* A folder under the key without its disk can only be somebody's half removal. */
static int publish(struct mvm_disk_builder *builder, const char *folder, struct mvm_error **err)
{
	if (chmod(builder->file, 0444) < 0)
		return mvm_fail_errno(err, errno, "cannot protect %s", builder->file);
	if (mvm_sync_folder(builder->folder, err) < 0 || mvm_remove_tree(folder, err) < 0)
		return -1;
	if (rename(builder->folder, folder) < 0)
		return mvm_fail_errno(err, errno, "cannot put %s in place", folder);
	return mvm_sync_folder(builder->disks, err);
}

int mvm_disk_builder_finish(struct mvm_disk_builder *builder, char **path, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = mvm_format("%s/%s", builder->disks, builder->key);

	if (builder->added != builder->spec.layer_count)
		return mvm_fail(err, MVM_ERR_INTERNAL, "a disk of %zu layers was finished after %zu",
				builder->spec.layer_count, builder->added);
	mvm_log(MVM_LOG_DEBUG, "disk %s: all layers are in", builder->key);
	if (mvm_ext4_finish(builder->fs, err) < 0 || save_sizes(builder, err) < 0 || publish(builder, folder, err) < 0)
		return -1;
	mvm_log(MVM_LOG_DEBUG, "disk %s: in place", builder->key);
	*path = mvm_format("%s/" FILE_NAME, folder);
	return 0;
}

void mvm_disk_builder_destroy(struct mvm_disk_builder *builder)
{
	if (!builder)
		return;
	mvm_ext4_destroy(builder->fs);
	if (builder->lock >= 0) {
		mvm_remove_tree(builder->folder, NULL); /* else the next collection's */
		unlink(builder->lock_path);
	}
	mvm_close(&builder->lock);
	json_decref(builder->sizes);
	free(builder->key);
	free(builder->disks);
	free(builder->folder);
	free(builder->file);
	free(builder->lock_path);
	free(builder);
}

static int add_blobs(struct mvm_disk_builder *builder, mvm_disk_open_fn open_blob, void *arg, struct mvm_error **err)
{
	for (size_t i = 0; i < builder->spec.layer_count; i++) {
		int fd MVM_CLEAN_FD = -1;

		if (open_blob(arg, &builder->spec.layers[i], &fd, err) < 0 ||
		    mvm_disk_builder_add_layer(builder, mvm_source_from_fd(&fd), err) < 0)
			return -1;
	}
	return 0;
}

int mvm_disk_ensure(const char *home, const struct mvm_disk_spec *spec, mvm_disk_open_fn open_blob, void *arg,
		    char **path, struct mvm_error **err)
{
	struct mvm_disk_builder *builder;
	int status = mvm_disk_find(home, spec, path, err);

	if (status <= 0)
		return status;
	status = mvm_disk_builder_create(home, spec, true, &builder, path, err);
	if (status)
		return status < 0 ? -1 : 0;
	status = add_blobs(builder, open_blob, arg, err);
	if (status == 0)
		status = mvm_disk_builder_finish(builder, path, err);
	mvm_disk_builder_destroy(builder);
	return status;
}

static int list_names(const char *home, struct mvm_strv *names, struct mvm_error **err)
{
	char *disks MVM_CLEAN_FREE = mvm_format("%s/disks", home);
	DIR *folder = opendir(disks);
	struct dirent *entry;

	if (!folder)
		return errno == ENOENT ? 0 : mvm_fail_errno(err, errno, "cannot read %s", disks);
	while ((entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			mvm_strv_add(names, entry->d_name);
	}
	closedir(folder);
	return 0;
}

int mvm_disk_list(const char *home, struct mvm_strv *keys, struct mvm_error **err)
{
	struct mvm_strv names MVM_CLEAN_STRV = {0};

	if (list_names(home, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		if (names.items[i][0] != '.')
			mvm_strv_add(keys, names.items[i]);
	}
	return 0;
}

/* Out of sight in one step, then gone: a disk is never half there. */
int mvm_disk_remove(const char *home, const char *key, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = mvm_format("%s/disks/%s", home, key);
	char *doomed MVM_CLEAN_FREE = NULL;
	unsigned char bytes[8];
	char hex[2 * sizeof(bytes) + 1];

	if (key[0] == '.' || strchr(key, '/'))
		return mvm_fail(err, MVM_ERR_INTERNAL, "\"%s\" is not the key of a disk", key);
	mvm_random(bytes, sizeof(bytes));
	mvm_hex(bytes, sizeof(bytes), hex);
	doomed = mvm_format("%s/disks/" REMOVE_PREFIX "%s-%s", home, key, hex);
	if (rename(folder, doomed) < 0)
		return errno == ENOENT ? 0 : mvm_fail_errno(err, errno, "cannot remove %s", folder);
	return mvm_remove_tree(doomed, err);
}

/* `name` is a build's folder or its lock. */
static int collect_build(const char *disks, const char *name, struct mvm_error **err)
{
	size_t length = strlen(name), suffix = strlen(LOCK_SUFFIX);
	bool is_lock = length > suffix && strcmp(name + length - suffix, LOCK_SUFFIX) == 0;
	char *folder MVM_CLEAN_FREE = mvm_format("%s/%.*s", disks, (int)(length - (is_lock ? suffix : 0)), name);
	char *lock_path MVM_CLEAN_FREE = mvm_format("%s" LOCK_SUFFIX, folder);
	int lock MVM_CLEAN_FD = -1;
	int status = take_lock(lock_path, MVM_LOCK_TRY, &lock, err);

	if (status)
		return status < 0 ? -1 : 0; /* somebody is building it */
	status = mvm_remove_tree(folder, err);
	unlink(lock_path);
	return status;
}

int mvm_disk_collect(const char *home, struct mvm_error **err)
{
	char *disks MVM_CLEAN_FREE = mvm_format("%s/disks", home);
	struct mvm_strv names MVM_CLEAN_STRV = {0};

	if (list_names(home, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.items[i];
		int status = 0;

		if (strncmp(name, BUILD_PREFIX, strlen(BUILD_PREFIX)) == 0) {
			status = collect_build(disks, name, err);
		} else if (strncmp(name, REMOVE_PREFIX, strlen(REMOVE_PREFIX)) == 0) {
			char *path MVM_CLEAN_FREE = mvm_format("%s/%s", disks, name);

			status = mvm_remove_tree(path, err);
		}
		if (status < 0)
			return -1;
	}
	return 0;
}
