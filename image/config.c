#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"

/* An object under `key`, NULL where it is missing or null. */
static int get_object(const json_t *parent, const char *key, json_t **object, struct mvm_error **err)
{
	json_t *field = json_object_get(parent, key);

	if (field && !json_is_null(field) && !json_is_object(field))
		return mvm_fail(err, MVM_ERR_INVALID, "\"%s\" is not an object", key);
	*object = json_is_object(field) ? field : NULL;
	return 0;
}

static int copy_string(const json_t *object, const char *key, char **copy, struct mvm_error **err)
{
	const char *value;

	if (mvm_json_get_string(object, key, "", &value, err) < 0)
		return -1;
	*copy = *value ? mvm_strdup(value) : NULL;
	return 0;
}

/* Sets are written as objects with empty values: {"80/tcp": {}}. */
static int copy_keys(const json_t *parent, const char *key, struct mvm_strv *keys, struct mvm_error **err)
{
	json_t *value, *object = NULL;
	const char *name;

	if (get_object(parent, key, &object, err) < 0)
		return -1;
	json_object_foreach(object, name, value) mvm_strv_add(keys, name);
	return 0;
}

static int check_labels(json_t *labels, struct mvm_error **err)
{
	const char *name;
	json_t *value;

	json_object_foreach(labels, name, value)
	{
		if (!json_is_string(value))
			return mvm_fail(err, MVM_ERR_INVALID, "label \"%.100s\" is not a string", name);
	}
	return 0;
}

static int parse_runtime(const json_t *root, struct mvm_image_config *config, struct mvm_error **err)
{
	json_t *object = NULL, *labels = NULL, *healthcheck = NULL;

	if (get_object(root, "config", &object, err) < 0)
		return -1;
	if (mvm_json_get_strings(object, "Env", &config->env, err) < 0 ||
	    mvm_json_get_strings(object, "Entrypoint", &config->entrypoint, err) < 0 ||
	    mvm_json_get_strings(object, "Cmd", &config->cmd, err) < 0 ||
	    copy_keys(object, "ExposedPorts", &config->exposed_ports, err) < 0 ||
	    copy_keys(object, "Volumes", &config->volumes, err) < 0 ||
	    copy_string(object, "User", &config->user, err) < 0 ||
	    copy_string(object, "WorkingDir", &config->working_dir, err) < 0 ||
	    copy_string(object, "StopSignal", &config->stop_signal, err) < 0 ||
	    get_object(object, "Labels", &labels, err) < 0 || check_labels(labels, err) < 0 ||
	    get_object(object, "Healthcheck", &healthcheck, err) < 0)
		return -1;
	config->labels = json_incref(labels);
	config->healthcheck = json_incref(healthcheck);
	return 0;
}

static int parse_platform(const json_t *root, struct mvm_platform *platform, struct mvm_error **err)
{
	const char *os, *architecture, *variant;

	if (mvm_json_get_string(root, "os", "linux", &os, err) < 0 ||
	    mvm_json_get_string(root, "architecture", "", &architecture, err) < 0 ||
	    mvm_json_get_string(root, "variant", "", &variant, err) < 0)
		return -1;
	/* Images made by hand leave it out; docker takes them for the host's. */
	if (!*architecture) {
		mvm_platform_default(platform);
		return 0;
	}
	return mvm_platform_set(os, architecture, variant, platform, err);
}

static int parse_created(const json_t *root, time_t *created, struct mvm_error **err)
{
	struct timespec time;
	const char *text;

	if (mvm_json_get_string(root, "created", "", &text, err) < 0)
		return -1;
	/* For people's eyes only: a time that does not parse is no reason to refuse the image. */
	*created = mvm_parse_time(text, &time) ? time.tv_sec : 0;
	return 0;
}

static int parse_diff_ids(const json_t *root, struct mvm_config_blob *blob, struct mvm_error **err)
{
	struct mvm_strv texts MVM_CLEAN_STRV = {0};
	json_t *rootfs = NULL;

	if (get_object(root, "rootfs", &rootfs, err) < 0 || mvm_json_get_strings(rootfs, "diff_ids", &texts, err) < 0)
		return -1;
	blob->diff_ids = mvm_alloc(texts.count * sizeof(*blob->diff_ids));
	for (; blob->diff_id_count < texts.count; blob->diff_id_count++)
		if (mvm_digest_parse(texts.items[blob->diff_id_count], &blob->diff_ids[blob->diff_id_count], err) < 0)
			return -1;
	return 0;
}

int mvm_config_blob_parse(const char *data, size_t length, struct mvm_config_blob *out, struct mvm_error **err)
{
	struct mvm_config_blob blob MVM_CLEAN_CONFIG_BLOB = {0};

	if (length > MVM_IMAGE_CONFIG_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "larger than %d bytes", MVM_IMAGE_CONFIG_MAX);
	if (mvm_json_parse(data, length, "not JSON", &blob.json, err) < 0)
		return -1;
	if (!json_is_object(blob.json))
		return mvm_fail(err, MVM_ERR_INVALID, "not a JSON object");
	if (parse_runtime(blob.json, &blob.config, err) < 0 || parse_platform(blob.json, &blob.platform, err) < 0 ||
	    parse_created(blob.json, &blob.created, err) < 0 || parse_diff_ids(blob.json, &blob, err) < 0)
		return -1;
	*out = blob;
	blob = (struct mvm_config_blob){0};
	return 0;
}

void mvm_config_blob_finish(struct mvm_config_blob *blob)
{
	mvm_strv_finish(&blob->config.env);
	mvm_strv_finish(&blob->config.entrypoint);
	mvm_strv_finish(&blob->config.cmd);
	mvm_strv_finish(&blob->config.exposed_ports);
	mvm_strv_finish(&blob->config.volumes);
	free(blob->config.user);
	free(blob->config.working_dir);
	free(blob->config.stop_signal);
	json_decref(blob->config.labels);
	json_decref(blob->config.healthcheck);
	free(blob->diff_ids);
	json_decref(blob->json);
	*blob = (struct mvm_config_blob){0};
}
