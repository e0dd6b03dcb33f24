/* What `inspect` says of mounts, in docker's words. */
#include "cli.h"
#include "inspect.h"

#include "runtime/base/json.h"
#include "share/mount.h"

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

void cli_describe_mounts(const struct mvm_container_config *config, json_t *document)
{
	json_t *host = json_object_get(document, "HostConfig"), *mounted = json_array(), *wanted = json_array();
	struct mvm_mounts mounts MVM_CLEAN_MOUNTS = {0};

	mvm_mounts_parse(&config->binds, &config->mounts, &mounts, NULL);
	for (size_t i = 0; i < mounts.count; i++) {
		json_array_append_new(mounted, mounted_json(&mounts.items[i]));
		if (!mounts.items[i].short_form)
			json_array_append_new(wanted, wanted_json(&mounts.items[i]));
	}
	json_object_set_new(document, "Mounts", mounted);
	json_object_set_new(host, "Binds", config->binds.count ? mvm_json_from_strings(&config->binds) : json_null());
	if (json_array_size(wanted))
		json_object_set(host, "Mounts", wanted);
	json_decref(wanted);
}
