/*
 * What a container mounts, from what the user asked for, by docker's rules. The sources are looked at once more at each
 * start, by the supervisor.
 */
#include "internal.h"

#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/paths.h"
#include "share/mount.h"
#include "share/share.h"

/* So many that a mistake in a script costs no host its memory; a VM has room for more. */
enum { MAX_MOUNTS = 1024 };

/* One that is given by `-v` may be missing: it is made at the start. */
static int check_source(const struct mvm_mount *mount, const char *home, const char *runtime,
			struct mvm_container_config *config, struct mvm_error **err)
{
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	enum mvm_share_kind kind;

	if (mount->type == MVM_MOUNT_VOLUME)
		return mount->source ? mvm_volume_check_name(mount->source, err) : 0;
	if (mount->type != MVM_MOUNT_BIND)
		return 0;
	if (mvm_share_classify(mount->source, home, runtime, &kind, &cause) == 0)
		return kind == MVM_SHARE_SOCKET ? engine_add_host_socket(mount->source, mount->target, config, err) : 0;
	if (mount->short_form && mvm_error_code(cause) == MVM_ERR_NOT_FOUND)
		return 0;
	mvm_error_move(err, &cause);
	return mount->short_form ? -1 : mvm_error_wrap(err, "invalid mount config for type \"bind\"");
}

/* Docker's command line makes what begins with "." absolute, and no more. */
static int add_bind(const char *text, bool watch, struct mvm_container_config *config, struct mvm_error **err)
{
	struct mvm_mount mount MVM_CLEAN_MOUNT = {0};
	size_t length = strcspn(text, ":");
	char *source MVM_CLEAN_FREE = mvm_strndup(text, length), *full MVM_CLEAN_FREE = NULL,
		     *whole MVM_CLEAN_FREE = NULL;

	full = text[length] ? mvm_mount_absolute(source) : mvm_strdup(source);
	if (!full)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "the current folder is gone, and %s is relative to it", source);
	whole = mvm_format("%s%s", full, text + length);
	if (mvm_mount_parse_short(whole, &mount, err) < 0)
		return -1;
	if (watch)
		mvm_mount_set_watched(&mount);
	mvm_strv_take(&config->binds, mvm_mount_format(&mount));
	return 0;
}

static int add_mount(const char *text, bool watch, struct mvm_container_config *config, struct mvm_error **err)
{
	struct mvm_mount mount MVM_CLEAN_MOUNT = {0};

	if (mvm_mount_parse_long(text, &mount, err) < 0)
		return -1;
	if (watch)
		mvm_mount_set_watched(&mount);
	mvm_strv_take(&config->mounts, mvm_mount_format(&mount));
	return 0;
}

static int check_tmpfs(const struct mvm_mounts *mounts, const struct mvm_strv *tmpfs, struct mvm_error **err)
{
	for (size_t i = 0; i < tmpfs->count; i++) {
		char *target MVM_CLEAN_FREE = mvm_strndup(tmpfs->items[i], strcspn(tmpfs->items[i], ":"));

		for (size_t j = 0; j < mounts->count; j++)
			if (!strcmp(mounts->items[j].target, target))
				return mvm_fail(err, MVM_ERR_USAGE, "Duplicate mount point: %s", target);
	}
	return 0;
}

static bool any_watched(const struct mvm_mounts *mounts)
{
	for (size_t i = 0; i < mounts->count; i++)
		if (mounts->items[i].watch)
			return true;
	return false;
}

int engine_set_mounts(const struct mvm_create_request *request, struct mvm_container_config *config,
		      struct mvm_error **err)
{
	struct mvm_mounts mounts MVM_CLEAN_MOUNTS = {0};
	char *home MVM_CLEAN_FREE = NULL, *runtime MVM_CLEAN_FREE = NULL;

	for (size_t i = 0; request->volumes && i < request->volumes->count; i++)
		if (add_bind(request->volumes->items[i], request->watch, config, err) < 0)
			return -1;
	for (size_t i = 0; request->mounts && i < request->mounts->count; i++)
		if (add_mount(request->mounts->items[i], request->watch, config, err) < 0)
			return -1;
	if (mvm_mounts_parse(&config->binds, &config->mounts, &mounts, err) < 0 || mvm_home(&home, err) < 0 ||
	    mvm_runtime_folder(home, &runtime, err) < 0)
		return -1;
	if (mounts.count > MAX_MOUNTS)
		return mvm_fail(err, MVM_ERR_USAGE, "more than %d mounts; share a folder that holds them", MAX_MOUNTS);
	for (size_t i = 0; i < mounts.count; i++)
		if (check_source(&mounts.items[i], home, runtime, config, err) < 0)
			return -1;
	if (request->watch && !any_watched(&mounts))
		return mvm_fail(err, MVM_ERR_USAGE,
				"--watch: nothing of the host is mounted; name a folder or a file with -v or --mount "
				"type=bind");
	return check_tmpfs(&mounts, &config->tmpfs, err);
}
