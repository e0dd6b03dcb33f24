/*
 * What images, containers and volumes take of the host's disk: allocated blocks of files. Blocks that a file system
 * shares between clones count for each of them; it does not tell.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"

/* Millions of files take their time. */
enum { SIZE_SECONDS = 600 };

static uint64_t size_of(const char *path)
{
	uint64_t bytes;

	mvm_tree_size(path, &bytes);
	return bytes;
}

static uint64_t allocated(const char *home, const char *path)
{
	char *full MVM_CLEAN_FREE = mvm_format("%s/%s", home, path);

	return size_of(full);
}

/* Of volumes: some of what is in one may belong to the user's subordinate ids, and be closed to him. */
static uint64_t allocated_by_guests(const char *home, const char *path)
{
	char *full MVM_CLEAN_FREE = mvm_format("%s/%s", home, path), *program MVM_CLEAN_FREE = NULL;
	char *argv[] = {(char *)"mvm-share", (char *)"size", full, NULL}, *said MVM_CLEAN_FREE = NULL;
	uint64_t bytes;
	int status;

	if (!mvm_tree_size(full, &bytes) && mvm_own_file("mvm-share", &program, NULL) == 0 &&
	    mvm_spawn_output(program, argv, NULL, SIZE_SECONDS, &said, &status, NULL) == 0 && status == 0)
		bytes = strtoull(said, NULL, 10);
	return bytes;
}

static uint64_t allocated_by_images(const char *home)
{
	return allocated(home, "images/blobs") + allocated(home, "images/ingest") + allocated(home, "disks");
}

uint64_t mvm_engine_allocated(struct mvm_engine *engine)
{
	const char *home = mvm_state_home(mvm_engine_state(engine));

	return allocated_by_images(home) + allocated(home, "containers") + allocated_by_guests(home, "volumes");
}

uint64_t mvm_engine_container_size(const struct mvm_container *container)
{
	return size_of(container->folder);
}

uint64_t mvm_engine_volume_size(struct mvm_engine *engine, const struct mvm_volume *volume)
{
	char *folder MVM_CLEAN_FREE = mvm_format("volumes/%s", volume->name);

	return allocated_by_guests(mvm_state_home(mvm_engine_state(engine)), folder);
}

/* Files that containers need, each once. */
static void need(struct mvm_strv *paths, char *path)
{
	for (size_t i = 0; i < paths->count; i++)
		if (!strcmp(paths->items[i], path)) {
			free(path);
			return;
		}
	mvm_strv_take(paths, path);
}

static void need_blob(struct mvm_strv *paths, const struct mvm_digest *digest)
{
	need(paths, mvm_format("images/blobs/sha256/%s", mvm_digest_hex(digest)));
}

static void need_image(struct mvm_strv *paths, const struct mvm_image *image)
{
	struct mvm_layer *layers MVM_CLEAN_FREE = mvm_image_disk_layers(image);
	struct mvm_disk_spec spec = {.layers = layers, .layer_count = mvm_image_layer_count(image)};
	char *key MVM_CLEAN_FREE = NULL;

	need_blob(paths, &mvm_image_manifest(image)->digest);
	need_blob(paths, mvm_image_id(image));
	for (size_t i = 0; i < spec.layer_count; i++)
		need_blob(paths, &mvm_image_layer(image, i)->blob.digest);
	if (mvm_disk_key(&spec, &key, NULL) == 0)
		need(paths, mvm_format("disks/%s", key));
}

static void add_containers(struct mvm_usage *usage, const struct engine_users *users, struct mvm_strv *needed)
{
	for (size_t i = 0; i < users->count; i++) {
		const struct mvm_container *container = users->list[i];
		bool alive = mvm_status_alive(container->state.status);
		uint64_t size = mvm_engine_container_size(container);

		usage->containers.count++;
		usage->containers.active += alive;
		usage->containers.size += size;
		usage->containers.reclaimable += alive ? 0 : size;
		if (container->config.disk_key)
			need(needed, mvm_format("disks/%s", container->config.disk_key));
	}
}

static void add_images(struct mvm_usage *usage, const struct engine_users *users, const struct mvm_image_list *images,
		       struct mvm_strv *needed)
{
	char user[MVM_IMAGE_USER + 1];

	for (size_t i = 0; i < images->count; i++) {
		usage->images.count++;
		if (users->rule.find(users->rule.arg, mvm_image_id(images->items[i]), user) == MVM_IMAGE_UNUSED)
			continue;
		usage->images.active++;
		need_image(needed, images->items[i]);
	}
}

static bool is_mounted(const struct engine_users *users, const char *name)
{
	for (size_t i = 0; i < users->count; i++) {
		const struct mvm_strv *names = &users->list[i]->config.volume_names;

		for (size_t n = 0; n < names->count; n++)
			if (!strcmp(names->items[n], name))
				return true;
	}
	return false;
}

static int add_volumes(struct mvm_engine *engine, struct mvm_usage *usage, const struct engine_users *users,
		       struct mvm_error **err)
{
	struct mvm_volume **list;
	size_t count;

	if (mvm_volume_list(mvm_engine_state(engine), &list, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		uint64_t size = mvm_engine_volume_size(engine, list[i]);
		bool mounted = is_mounted(users, list[i]->name);

		usage->volumes.count++;
		usage->volumes.active += mounted;
		usage->volumes.size += size;
		usage->volumes.reclaimable += mounted ? 0 : size;
	}
	mvm_volume_list_free(list, count);
	return 0;
}

int mvm_engine_usage(struct mvm_engine *engine, struct mvm_usage *out, struct mvm_error **err)
{
	const char *home = mvm_state_home(mvm_engine_state(engine));
	struct mvm_image_list images MVM_CLEAN_IMAGE_LIST = {0};
	struct mvm_strv needed MVM_CLEAN_STRV = {0};
	struct mvm_usage usage = {0};
	struct engine_users users;
	struct mvm_store *store;
	int result;

	if (mvm_engine_store(engine, &store, err) < 0 || mvm_store_list(store, &images, err) < 0 ||
	    engine_users_init(engine, &users, err) < 0)
		return -1;
	add_containers(&usage, &users, &needed);
	add_images(&usage, &users, &images, &needed);
	result = add_volumes(engine, &usage, &users, err);
	engine_users_finish(&users);
	if (result < 0)
		return -1;
	usage.images.size = usage.images.reclaimable = allocated_by_images(home);
	for (size_t i = 0; i < needed.count; i++) {
		uint64_t size = allocated(home, needed.items[i]);

		usage.images.reclaimable -= size < usage.images.reclaimable ? size : usage.images.reclaimable;
	}
	*out = usage;
	return 0;
}
