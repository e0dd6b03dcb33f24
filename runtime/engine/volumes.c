/*
 * Volumes: making them, and finding those that a container is to mount, by docker's rules.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "image/ext4.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/text.h"
#include "runtime/state/host_socket.h"
#include "runtime/state/volume.h"
#include "share/mount.h"

#define DEFAULT_SIZE   MVM_DISK_DEFAULT_SIZE
#define SHARED_MODE    0755
#define SIZE_OPTION    "size="
#define DOCKERS_DRIVER "local"

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_sorted(const struct mvm_strv *given, struct mvm_strv *to)
{
	for (size_t i = 0; given && i < given->count; i++)
		mvm_strv_addf(to, strchr(given->items[i], '=') ? "%s" : "%s=", given->items[i]);
	if (to->count)
		qsort(to->items, to->count, sizeof(*to->items), by_text);
}

/* Making one. */

static const char *driver_of(const char *given)
{
	return !given || !*given || !strcmp(given, DOCKERS_DRIVER) ? MVM_VOLUME_DISK : given;
}

static int parse_size(const struct mvm_strv *options, uint64_t *size, struct mvm_error **err)
{
	*size = DEFAULT_SIZE;
	for (size_t i = 0; options && i < options->count; i++)
		if (!strncmp(options->items[i], SIZE_OPTION, strlen(SIZE_OPTION)) &&
		    (!mvm_parse_size(options->items[i] + strlen(SIZE_OPTION), size) || *size < MVM_EXT4_MIN_SIZE ||
		     *size > MVM_EXT4_MAX_SIZE))
			return mvm_fail(err, MVM_ERR_USAGE,
					"invalid option \"%s\": the size of a disk is 128m to 8192g, such as size=20g",
					options->items[i]);
	*size = *size / 4096 * 4096;
	return 0;
}

static int check_options(const struct mvm_volume_request *request, struct mvm_error **err)
{
	bool disk = !strcmp(driver_of(request->driver), MVM_VOLUME_DISK);
	uint64_t size;

	if (!disk && strcmp(request->driver, MVM_VOLUME_SHARED) != 0)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"error looking up volume plugin %s: plugin \"%s\" not found; there are disk and shared",
				request->driver, request->driver);
	for (size_t i = 0; request->options && i < request->options->count; i++) {
		const char *option = request->options->items[i];

		if (!strncmp(option, "type=", 5) || !strncmp(option, "o=", 2) || !strncmp(option, "device=", 7))
			return mvm_fail(err, MVM_ERR_UNSUPPORTED,
					"option \"%s\": mvm mounts nothing on the host; mount it there, and share the "
					"folder with -v /FOLDER:/TARGET",
					option);
		if (!disk || strncmp(option, SIZE_OPTION, strlen(SIZE_OPTION)) != 0)
			return mvm_fail(err, MVM_ERR_USAGE, "invalid option: \"%s\"%s", option,
					disk ? "; there is size=" : ": a shared volume has none");
	}
	return parse_size(request->options, &size, err);
}

static int make_disk(const char *path, uint64_t size, struct mvm_error **err)
{
	struct mvm_ext4_options options = {.size = size};
	struct mvm_ext4 *fs;
	int result;

	mvm_random(options.uuid, sizeof(options.uuid));
	if (mvm_ext4_create(path, &options, &fs, err) < 0)
		return -1;
	result = mvm_ext4_finish(fs, err);
	mvm_ext4_destroy(fs);
	return result;
}

static int fill(const struct mvm_volume *volume, const char *folder, struct mvm_error **err)
{
	bool disk = !strcmp(volume->driver, MVM_VOLUME_DISK);
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, disk ? MVM_VOLUME_DISK_FILE : MVM_VOLUME_SHARED_FOLDER);
	uint64_t size;

	if (parse_size(&volume->options, &size, err) < 0)
		return -1;
	if (disk)
		return make_disk(path, size, err);
	/* What is in it has the guests' owners. */
	if (mkdir(path, SHARED_MODE) < 0 || chmod(path, SHARED_MODE) < 0)
		return mvm_fail_errno(err, errno, "cannot make %s", path);
	return 0;
}

/* With the lock on all held. One that is there and has the driver that is asked for, if any, is a success. */
static int ensure(struct mvm_state *state, const struct mvm_volume_request *request, struct mvm_volume **out,
		  struct mvm_error **err)
{
	struct mvm_volume *volume MVM_CLEAN_VOLUME = mvm_alloc(sizeof(*volume));
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	bool named = request->name && *request->name;

	if (named && (mvm_volume_check_name(request->name, err) < 0))
		return -1;
	if (named && mvm_volume_load(state, request->name, out, &cause) == 0) {
		if (!request->driver || !*request->driver || !strcmp(driver_of(request->driver), (*out)->driver))
			return 0;
		return mvm_fail(err, MVM_ERR_CONFLICT,
				"create %s: conflict: volume name must be unique: it is there with driver %s",
				request->name, (*out)->driver);
	}
	if (named && mvm_error_code(cause) != MVM_ERR_NOT_FOUND)
		return mvm_error_move(err, &cause);
	if (check_options(request, err) < 0)
		return -1;
	volume->name = named ? mvm_strdup(request->name) : NULL;
	volume->driver = mvm_strdup(driver_of(request->driver));
	add_sorted(request->labels, &volume->labels);
	add_sorted(request->options, &volume->options);
	if (!named)
		mvm_strv_add(&volume->labels, MVM_VOLUME_ANONYMOUS "=");
	if (mvm_volume_create(state, volume, fill, err) < 0)
		return -1;
	mvm_event_volume(state, volume->name, "create", (const char *const[]){"driver", volume->driver, NULL});
	*out = volume;
	volume = NULL;
	return 0;
}

int mvm_engine_create_volume(struct mvm_engine *engine, const struct mvm_volume_request *request,
			     struct mvm_volume **volume, struct mvm_error **err)
{
	int all MVM_CLEAN_FD = -1;

	if (mvm_volume_lock_all(mvm_engine_state(engine), 0, &all, err) < 0)
		return -1;
	return ensure(mvm_engine_state(engine), request, volume, err);
}

/* Containers that crashed are settled first: those of --rm use nothing any more. */
static int hold_all(struct mvm_state *state, int *all, struct mvm_error **err)
{
	struct mvm_strv damaged MVM_CLEAN_STRV = {0};
	struct mvm_container **list;
	size_t count;

	if (mvm_state_list_readable(state, &list, &count, &damaged, err) < 0)
		return -1;
	mvm_container_list_free(list, count);
	return mvm_volume_lock_all(state, 0, all, err);
}

int mvm_engine_remove_volume(struct mvm_engine *engine, const char *name, struct mvm_error **err)
{
	struct mvm_state *state = mvm_engine_state(engine);
	int all MVM_CLEAN_FD = -1;

	return hold_all(state, &all, err) < 0 ? -1 : mvm_volume_remove(state, name, err);
}

static int prune(struct mvm_state *state, bool all, const struct mvm_prune_filter *filter, struct mvm_strv *deleted,
		 struct mvm_error **err)
{
	struct mvm_volume **list;
	int lock MVM_CLEAN_FD = -1;
	size_t count;
	int result = 0;

	if (hold_all(state, &lock, err) < 0 || mvm_volume_list(state, &list, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count && result == 0; i++) {
		struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

		if ((!all && !mvm_volume_is_anonymous(list[i])) || !engine_labels_fit(&list[i]->labels, filter))
			continue;
		if (mvm_volume_remove(state, list[i]->name, &cause) == 0)
			mvm_strv_add(deleted, list[i]->name);
		else if (mvm_error_code(cause) != MVM_ERR_CONFLICT)
			result = mvm_error_move(err, &cause);
	}
	mvm_volume_list_free(list, count);
	return result;
}

int mvm_engine_prune_volumes(struct mvm_engine *engine, bool all, const struct mvm_prune_filter *filter,
			     struct mvm_strv *deleted, uint64_t *reclaimed, struct mvm_error **err)
{
	uint64_t before = mvm_engine_allocated(engine);
	int result = prune(mvm_engine_state(engine), all, filter, deleted, err);

	return engine_finish_prune(engine, "volume", before, reclaimed, result);
}

/* Those of a container that is being made. */

struct wanted {
	struct mvm_engine *engine;
	struct mvm_container_config *config;
	struct mvm_strv targets; /* that are taken */
	size_t disks;
};

static bool contains(const struct mvm_strv *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i], text))
			return true;
	return false;
}

static void note(struct wanted *wanted, const struct mvm_mount *mount)
{
	mvm_strv_take(&wanted->config->volumes, mvm_mount_format(mount));
	mvm_strv_add(&wanted->targets, mount->target);
}

static int count_disk(struct wanted *wanted, const struct mvm_volume *volume, struct mvm_error **err)
{
	if (strcmp(volume->driver, MVM_VOLUME_DISK) != 0 || ++wanted->disks <= MVM_VOLUME_DISKS_MAX)
		return 0;
	return mvm_fail(err, MVM_ERR_USAGE,
			"a VM has room for %d volumes of driver disk, and these are more; make some of them with 'mvm "
			"volume create --driver shared', of which there may be any number",
			MVM_VOLUME_DISKS_MAX);
}

/* One volume at a place. */
static int add(struct wanted *wanted, const struct mvm_mount *asked, const char *driver, struct mvm_error **err)
{
	const struct mvm_volume_request request = {.name = asked->source,
						   .driver = asked->driver ? asked->driver : driver,
						   .options = &asked->driver_options,
						   .labels = &asked->labels};
	struct mvm_volume *volume MVM_CLEAN_VOLUME = NULL;
	struct mvm_mount mount = {.type = MVM_MOUNT_VOLUME,
				  .target = asked->target,
				  .read_only = asked->read_only,
				  .no_copy = asked->no_copy,
				  .subpath = asked->subpath,
				  .tmpfs_mode = -1};

	if (ensure(mvm_engine_state(wanted->engine), &request, &volume, err) < 0)
		return -1;
	if (!asked->source)
		mvm_strv_add(&wanted->config->anonymous_volumes, volume->name);
	if (!contains(&wanted->config->volume_names, volume->name)) {
		mvm_strv_add(&wanted->config->volume_names, volume->name);
		if (count_disk(wanted, volume, err) < 0)
			return -1;
	}
	mount.source = volume->name;
	note(wanted, &mount);
	return 0;
}

static void declare(struct wanted *wanted, const char *place)
{
	if (!contains(&wanted->config->declared_volumes, place))
		mvm_strv_add(&wanted->config->declared_volumes, place);
}

static int add_own(struct wanted *wanted, const struct mvm_mounts *own, const char *driver, struct mvm_error **err)
{
	for (size_t i = 0; i < own->count; i++) {
		if (own->items[i].short_form && !own->items[i].source)
			declare(wanted, own->items[i].target);
		if (own->items[i].type != MVM_MOUNT_VOLUME)
			mvm_strv_add(&wanted->targets, own->items[i].target);
		else if (add(wanted, &own->items[i], driver, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < wanted->config->tmpfs.count; i++) {
		const char *tmpfs = wanted->config->tmpfs.items[i];

		mvm_strv_take(&wanted->targets, mvm_strndup(tmpfs, strcspn(tmpfs, ":")));
	}
	return 0;
}

/* --volumes-from: folders of the host, too. */
static int lend(struct wanted *wanted, const struct mvm_container_config *lender, const struct mvm_mount *mount,
		bool read_only, struct mvm_error **err)
{
	struct mvm_mount lent = *mount;

	if (mount->type == MVM_MOUNT_TMPFS || contains(&wanted->targets, mount->target))
		return 0;
	lent.read_only = mount->read_only || read_only;
	lent.no_copy = true;
	if (mount->type == MVM_MOUNT_VOLUME) {
		if (add(wanted, &lent, NULL, err) < 0)
			return -1;
		if (contains(&lender->anonymous_volumes, mount->source) &&
		    !contains(&wanted->config->anonymous_volumes, mount->source))
			mvm_strv_add(&wanted->config->anonymous_volumes, mount->source);
		return 0;
	}
	lent.short_form = lent.no_copy = false;
	note(wanted, &lent);
	/* Its program may have gone for a while: it stays a socket all the same. */
	return contains(&lender->host_sockets, mount->target)
		       ? engine_note_host_socket(mount->target, wanted->config, err)
		       : 0;
}

static int lend_all(struct wanted *wanted, const struct mvm_container_config *lender, bool read_only,
		    struct mvm_error **err)
{
	struct mvm_mounts asked MVM_CLEAN_MOUNTS = {0}, found MVM_CLEAN_MOUNTS = {0};
	static const struct mvm_strv none;

	if (mvm_mounts_parse(&lender->binds, &lender->mounts, &asked, err) < 0 ||
	    mvm_mounts_parse(&none, &lender->volumes, &found, err) < 0)
		return -1;
	for (size_t i = 0; i < asked.count; i++)
		if (asked.items[i].type != MVM_MOUNT_VOLUME &&
		    lend(wanted, lender, &asked.items[i], read_only, err) < 0)
			return -1;
	for (size_t i = 0; i < found.count; i++)
		if (lend(wanted, lender, &found.items[i], read_only, err) < 0)
			return -1;
	return 0;
}

/* "CONTAINER[:MODE]" */
static int find_lender(struct mvm_engine *engine, const char *text, bool *read_only, struct mvm_container **lender,
		       struct mvm_error **err)
{
	size_t length = strcspn(text, ":");
	char *name MVM_CLEAN_FREE = mvm_strndup(text, length);
	const char *mode = text[length] ? text + length + 1 : "rw";

	if (!*name)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid volumes-from specification: %s: it is CONTAINER[:ro]",
				text);
	if (strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0 && strcmp(mode, "z") != 0 && strcmp(mode, "Z") != 0)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid mode: %s", mode);
	*read_only = !strcmp(mode, "ro");
	return mvm_state_find(mvm_engine_state(engine), name, lender, err);
}

/* What an image declares and nobody has a mount for. */
static int add_images(struct wanted *wanted, const struct mvm_image_config *image, const char *driver,
		      struct mvm_error **err)
{
	for (size_t i = 0; i < image->volumes.count; i++) {
		struct mvm_mount mount MVM_CLEAN_MOUNT = {0};

		if (mvm_mount_parse_short(image->volumes.items[i], &mount, err) < 0)
			return mvm_error_wrap(err, "a volume of the image");
		declare(wanted, mount.target);
		if (!contains(&wanted->targets, mount.target) && add(wanted, &mount, driver, err) < 0)
			return -1;
	}
	return 0;
}

static int find_lenders(struct mvm_engine *engine, const struct mvm_strv *from, struct mvm_container **lenders,
			bool *read_only, struct mvm_error **err)
{
	for (size_t i = 0; i < from->count; i++)
		if (find_lender(engine, from->items[i], &read_only[i], &lenders[i], err) < 0)
			return -1;
	return 0;
}

static int add_all(struct wanted *wanted, const struct mvm_create_request *request,
		   const struct mvm_image_config *image, struct mvm_container *const *lenders, const bool *read_only,
		   struct mvm_error **err)
{
	struct mvm_mounts own MVM_CLEAN_MOUNTS = {0};

	if (mvm_mounts_parse(&wanted->config->binds, &wanted->config->mounts, &own, err) < 0 ||
	    add_own(wanted, &own, request->volume_driver, err) < 0)
		return -1;
	if (request->ssh)
		mvm_strv_add(&wanted->targets, MVM_SSH_AGENT_PLACE);
	for (size_t i = 0; request->volumes_from && i < request->volumes_from->count; i++)
		if (lend_all(wanted, &lenders[i]->config, read_only[i], err) < 0)
			return -1;
	return add_images(wanted, image, request->volume_driver, err);
}

int engine_set_volumes(struct mvm_engine *engine, const struct mvm_create_request *request,
		       const struct mvm_image_config *image, struct mvm_container_config *config, int *all,
		       struct mvm_error **err)
{
	static const struct mvm_strv none;
	const struct mvm_strv *from = request->volumes_from ? request->volumes_from : &none;
	struct mvm_container **lenders = mvm_alloc((from->count + 1) * sizeof(struct mvm_container *));
	bool *read_only MVM_CLEAN_FREE = mvm_alloc(from->count + 1);
	struct wanted wanted = {.engine = engine, .config = config};
	bool any = from->count || config->binds.count || config->mounts.count || image->volumes.count;
	struct mvm_container *owner MVM_CLEAN_CONTAINER = NULL;
	/* Before the lock: finding one may settle it, which removes volumes, and so may the name's last owner. */
	int result = find_lenders(engine, from, lenders, read_only, err);

	if (config->name)
		(void)mvm_state_find(mvm_engine_state(engine), config->name, &owner, NULL);

	if (result == 0 && any)
		result = mvm_volume_lock_all(mvm_engine_state(engine), 0, all, err);
	if (result == 0)
		result = add_all(&wanted, request, image, lenders, read_only, err);
	mvm_strv_finish(&wanted.targets);
	mvm_container_list_free(lenders, from->count);
	return result;
}
