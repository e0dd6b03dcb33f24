#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "mem.h"
#include "paths.h"

#define MAX_SIZE (1 << 20)

struct mvm_config {
	char *path;
	json_t *root;
};

static bool is_explicit(void)
{
	const char *value = getenv("MVM_CONFIG");

	return value && *value;
}

static int read_root(const char *path, json_t **root, struct mvm_error **err)
{
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (mvm_json_load(path, MAX_SIZE, root, &cause) == 0)
		return 0;
	if (mvm_error_code(cause) == MVM_ERR_INVALID)
		return mvm_fail(err, MVM_ERR_INVALID, "config file %s; correct the file and try again",
				mvm_error_message(cause));
	if (mvm_error_code(cause) != MVM_ERR_NOT_FOUND)
		return mvm_fail(err, mvm_error_code(cause), "cannot read the config file %s", mvm_error_message(cause));
	if (is_explicit())
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "MVM_CONFIG names %s, which is not there; correct or unset it",
				path);
	*root = json_object();
	return 0;
}

/* Without HOME there is no default file, and nothing to complain about. */
static int find_path(char **path, struct mvm_error **err)
{
	if (!is_explicit() && mvm_config_path(path, NULL) < 0)
		*path = mvm_strdup("");
	return *path ? 0 : mvm_config_path(path, err);
}

int mvm_config_load(struct mvm_config **out, struct mvm_error **err)
{
	struct mvm_config *config MVM_CLEAN_CONFIG = mvm_alloc(sizeof(*config));

	if (find_path(&config->path, err) < 0 || read_root(config->path, &config->root, err) < 0)
		return -1;
	if (!json_is_object(config->root))
		return mvm_config_fail(config, err, "not a JSON object: it should look like {\"registries\": {...}}");
	*out = config;
	config = NULL;
	return 0;
}

void mvm_config_destroy(struct mvm_config *config)
{
	if (!config)
		return;
	json_decref(config->root);
	free(config->path);
	free(config);
}

int mvm_config_section(const struct mvm_config *config, const char *key, const json_t **section, struct mvm_error **err)
{
	const json_t *value = config ? json_object_get(config->root, key) : NULL;

	if (value && !json_is_null(value) && !json_is_object(value))
		return mvm_config_fail(config, err, "\"%s\" is not an object", key);
	*section = json_is_object(value) ? value : NULL;
	return 0;
}

int mvm_config_count(const struct mvm_config *config, const char *key, size_t *value, struct mvm_error **err)
{
	const json_t *member = config ? json_object_get(config->root, key) : NULL;

	if (!member || json_is_null(member))
		return 0;
	if (!json_is_integer(member) || json_integer_value(member) < 1 || json_integer_value(member) > INT_MAX)
		return mvm_config_fail(config, err, "\"%s\" is not a whole number of at least 1", key);
	*value = (size_t)json_integer_value(member);
	return 0;
}

int mvm_config_string(const struct mvm_config *config, const char *key, const char **value, struct mvm_error **err)
{
	const json_t *member = config ? json_object_get(config->root, key) : NULL;

	if (member && !json_is_null(member) && !json_is_string(member))
		return mvm_config_fail(config, err, "\"%s\" is not a text", key);
	*value = json_string_value(member);
	return 0;
}

int mvm_config_strings(const struct mvm_config *config, const char *key, struct mvm_strv *values,
		       struct mvm_error **err)
{
	if (!config || mvm_json_get_strings(config->root, key, values, NULL) == 0)
		return 0;
	return mvm_config_fail(config, err, "\"%s\" is not a list of texts", key);
}

int mvm_config_fail(const struct mvm_config *config, struct mvm_error **err, const char *format, ...)
{
	char *message MVM_CLEAN_FREE = NULL;
	va_list args;

	va_start(args, format);
	message = mvm_vformat(format, args);
	va_end(args);
	return mvm_fail(err, MVM_ERR_INVALID, "config file %s: %s; correct the file and try again", config->path,
			message);
}
