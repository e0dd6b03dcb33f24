/* What `inspect` says of mounts, in docker's words. */
#include "inspect.h"

#include <string.h>

#include "runtime/base/json.h"
#include "share/mount.h"
#include "volume.h"

/* A path is what the host's file system takes: any bytes. */
static json_t *mounted_json(const struct mvm_mount *mount)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:b, s:s}", "Type", mvm_mount_type_name(mount->type), "Source",
			 mvm_json_message(mount->source ? mount->source : ""), "Destination",
			 mvm_json_message(mount->target), "Mode", mvm_json_message(mount->mode ? mount->mode : ""),
			 "RW", !mount->read_only, "Propagation", mount->type == MVM_MOUNT_BIND ? "rprivate" : "");
}

static json_t *wanted_json(const struct mvm_mount *mount)
{
	json_t *json = json_pack("{s:s, s:o}", "Type", mvm_mount_type_name(mount->type), "Target",
				 mvm_json_message(mount->target));

	if (mount->source)
		json_object_set_new(json, "Source", mvm_json_message(mount->source));
	if (mount->read_only)
		json_object_set_new(json, "ReadOnly", json_true());
	return json;
}

/* Its name is in its source; one that is gone has no driver. */
static json_t *volume_json(struct mvm_engine *engine, const struct mvm_mount *mount)
{
	struct mvm_volume *volume MVM_CLEAN_VOLUME = NULL;
	json_t *json = mounted_json(mount);

	json_object_set_new(json, "Name", json_string(mount->source));
	json_object_set_new(json, "Source", json_string(""));
	json_object_set_new(json, "Driver", json_string(""));
	if (mvm_volume_load(mvm_engine_state(engine), mount->source, &volume, NULL) == 0) {
		char *mountpoint MVM_CLEAN_FREE = cli_volume_mountpoint(engine, volume);

		json_object_set_new(json, "Source", mvm_json_message(mountpoint));
		json_object_set_new(json, "Driver", json_string(volume->driver));
	}
	return json;
}

static void find_mounts(const struct mvm_container_config *config, struct mvm_mounts *mounts)
{
	mvm_mounts_resolve(&config->binds, &config->mounts, &config->volumes, mounts, NULL);
}

/* As they were asked for. */
static json_t *wanted_list(const struct mvm_container_config *config)
{
	static const struct mvm_strv none;
	struct mvm_mounts mounts MVM_CLEAN_MOUNTS = {0};
	json_t *list = json_array();

	mvm_mounts_parse(&none, &config->mounts, &mounts, NULL);
	for (size_t i = 0; i < mounts.count; i++)
		json_array_append_new(list, wanted_json(&mounts.items[i]));
	return list;
}

void cli_describe_mounts(struct mvm_engine *engine, const struct mvm_container_config *config, json_t *document)
{
	json_t *host = json_object_get(document, "HostConfig"), *mounted = json_array();
	json_t *wanted MVM_CLEAN_JSON = wanted_list(config);
	struct mvm_mounts mounts MVM_CLEAN_MOUNTS = {0};

	find_mounts(config, &mounts);
	for (size_t i = 0; i < mounts.count; i++)
		json_array_append_new(mounted, mounts.items[i].type == MVM_MOUNT_VOLUME
						       ? volume_json(engine, &mounts.items[i])
						       : mounted_json(&mounts.items[i]));
	json_object_set_new(document, "Mounts", mounted);
	json_object_set_new(host, "Binds", config->binds.count ? mvm_json_from_strings(&config->binds) : json_null());
	if (json_array_size(wanted))
		json_object_set(host, "Mounts", wanted);
}

char *cli_mounts_text(const struct mvm_container *container, bool no_trunc)
{
	enum { WIDTH = 15 };
	struct mvm_mounts mounts MVM_CLEAN_MOUNTS = {0};
	struct mvm_strv names MVM_CLEAN_STRV = {0};

	find_mounts(&container->config, &mounts);
	for (size_t i = 0; i < mounts.count; i++) {
		const char *name = mounts.items[i].source ? mounts.items[i].source : "";

		if (no_trunc || strlen(name) <= WIDTH)
			mvm_strv_add(&names, name);
		else
			mvm_strv_addf(&names, "%.*s…", WIDTH - 1, name);
	}
	return names.count ? mvm_strv_join(&names, ",") : mvm_strdup("");
}

bool cli_mounts_fit(const char *text, const struct mvm_container *container)
{
	struct mvm_mounts mounts MVM_CLEAN_MOUNTS = {0};

	find_mounts(&container->config, &mounts);
	for (size_t i = 0; i < mounts.count; i++)
		if (!strcmp(mounts.items[i].target, text) ||
		    (mounts.items[i].source && !strcmp(mounts.items[i].source, text)))
			return true;
	return false;
}
