#include "volumes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"
#include "runtime/state/events.h"
#include "runtime/state/volume.h"
#include "share/share.h"

struct held {
	struct mvm_volume *volume;
	char *path;
	char letter; /* of a disk: 'b' is /dev/vdb */
	bool alone;  /* nobody else had it when we came */
	int lock;
};

struct volumes {
	struct supervisor *supervisor;
	struct held *items;
	size_t count;
	size_t disks;
};

static bool is_disk(const struct held *held)
{
	return held->letter != 0;
}

/* Somebody has it: a container that is alive and mounts it; the caller's. */
static char *find_holder(struct supervisor *supervisor, const char *name)
{
	struct mvm_strv ids MVM_CLEAN_STRV = {0};

	if (mvm_volume_users(supervisor->state, name, &ids, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < ids.count; i++) {
		struct mvm_container *other MVM_CLEAN_CONTAINER = NULL;

		if (strcmp(ids.items[i], supervisor->container->config.id) != 0 &&
		    mvm_state_load(supervisor->state, ids.items[i], &other, NULL) == 0 &&
		    mvm_status_alive(other->state.status))
			return mvm_strdup(other->config.name);
	}
	return NULL;
}

static int fail_held(struct supervisor *supervisor, const char *name, struct mvm_error **err)
{
	char *holder MVM_CLEAN_FREE = find_holder(supervisor, name);

	return mvm_fail(
		err, MVM_ERR_CONFLICT,
		"volume %s is in use by container %s, and a volume of driver disk is for one VM at a time: stop "
		"that one, or keep what several are to share in one of 'mvm volume create --driver shared'",
		name, holder ? holder : "that is about to end");
}

/* Alone where that can be; the others of a folder share the lock from then on. Under the lock on all, so that of
 * several that come at once no more than one is alone. */
static int take_lock(struct supervisor *supervisor, struct held *held, struct mvm_error **err)
{
	const char *name = held->volume->name;
	int all MVM_CLEAN_FD = -1;
	int busy;

	if (mvm_volume_lock_all(supervisor->state, 0, &all, err) < 0)
		return -1;
	busy = mvm_volume_lock(supervisor->state, name, MVM_LOCK_TRY, &held->lock, err);
	if (busy < 0)
		return -1;
	held->alone = !busy;
	if (is_disk(held))
		return busy ? fail_held(supervisor, name, err) : 0;
	if (!busy) {
		flock(held->lock, LOCK_SH);
		return 0;
	}
	busy = mvm_volume_lock(supervisor->state, name, MVM_LOCK_SHARED | MVM_LOCK_TRY, &held->lock, err);
	return busy > 0 ? mvm_fail(err, MVM_ERR_CONFLICT, "volume %s is being removed", name) : busy;
}

static int hold(struct volumes *volumes, const char *name, struct mvm_error **err)
{
	struct supervisor *supervisor = volumes->supervisor;
	struct held *held;

	volumes->items = mvm_realloc(volumes->items, volumes->count + 1, sizeof(*volumes->items));
	held = &volumes->items[volumes->count];
	*held = (struct held){.lock = -1};
	if (mvm_volume_load(supervisor->state, name, &held->volume, err) < 0)
		return -1;
	volumes->count++;
	if (!strcmp(held->volume->driver, MVM_VOLUME_DISK))
		held->letter = (char)('b' + volumes->disks++);
	held->path = mvm_volume_path(supervisor->state, name,
				     is_disk(held) ? MVM_VOLUME_DISK_FILE : MVM_VOLUME_SHARED_FOLDER);
	return take_lock(supervisor, held, err);
}

static const struct held *find(const struct volumes *volumes, const char *name)
{
	for (size_t i = 0; volumes && i < volumes->count; i++)
		if (!strcmp(volumes->items[i].volume->name, name))
			return &volumes->items[i];
	return NULL;
}

/* Each place that a volume is mounted at. */
static void note(const struct volumes *volumes, const char *action)
{
	const struct mvm_container_config *config = &volumes->supervisor->container->config;

	for (size_t i = 0; i < config->volumes.count; i++) {
		struct mvm_mount mount MVM_CLEAN_MOUNT = {0};
		const struct held *held;

		if (mvm_mount_parse_long(config->volumes.items[i], &mount, NULL) < 0 || mount.type != MVM_MOUNT_VOLUME)
			continue;
		held = find(volumes, mount.source);
		mvm_event_volume(volumes->supervisor->state, mount.source, action,
				 (const char *const[]){"driver", held ? held->volume->driver : "", "container",
						       config->id, "destination", mount.target, "read/write",
						       mount.read_only ? "false" : "true", "propagation", "", NULL});
	}
}

static void drop(struct volumes *volumes)
{
	for (size_t i = 0; i < volumes->count; i++) {
		mvm_close(&volumes->items[i].lock);
		mvm_volume_free(volumes->items[i].volume);
		free(volumes->items[i].path);
	}
	free(volumes->items);
	free(volumes);
}

int volumes_open(struct supervisor *supervisor, struct volumes **out, struct mvm_error **err)
{
	const struct mvm_strv *names = &supervisor->container->config.volume_names;
	struct volumes *volumes;

	if (supervisor->helper || !names->count)
		return 0;
	volumes = mvm_alloc(sizeof(*volumes));
	volumes->supervisor = supervisor;
	for (size_t i = 0; i < names->count; i++)
		if (hold(volumes, names->items[i], err) < 0) {
			drop(volumes);
			return -1;
		}
	note(volumes, "mount");
	*out = volumes;
	return 0;
}

void volumes_close(struct volumes *volumes)
{
	if (!volumes)
		return;
	note(volumes, "unmount");
	drop(volumes);
}

size_t volumes_disks(const struct volumes *volumes, struct mvm_machine_disk *disks)
{
	size_t count = 0;

	for (size_t i = 0; volumes && i < volumes->count; i++)
		if (is_disk(&volumes->items[i]))
			disks[count++] =
				(struct mvm_machine_disk){.path = volumes->items[i].path, .format = MVM_DISK_RAW};
	return count;
}

char *volumes_mount(const struct volumes *volumes, const struct mvm_mount *mount, struct mvm_shares *shares)
{
	const struct held *held = find(volumes, mount->source);
	const struct mvm_container_state *state = &volumes->supervisor->container->state;
	/* Docker's rule: what the container finds is the image's where it is new, and the volume is empty. */
	bool copy = !mount->no_copy && !mount->subpath && held->alone && !state->started.tv_sec;
	struct mvm_buf text = {0};

	if (is_disk(held))
		mvm_buf_addf(&text, "disk=%c", held->letter);
	else
		mvm_buf_addf(&text, "folder=%zu", mvm_shares_add(shares, held->path, MVM_SHARE_FOLDER, false));
	mvm_buf_addf(&text, "%s%s", mount->read_only ? ",ro" : "", copy ? ",copy" : "");
	if (mount->subpath)
		mvm_buf_addf(&text, ",part=%zu:%s%s", strlen(mount->subpath), mount->subpath, mount->target);
	else
		mvm_buf_addf(&text, ":%s", mount->target);
	return mvm_buf_steal(&text);
}
