#include "tls.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "runtime/base/config.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"

#define MAX_FILE    (4 << 20)
#define PEM_HEADING "-----BEGIN CERTIFICATE-----"

static int add_authority(struct mvm_tls *tls, const char *path, struct mvm_error **err)
{
	char *pem MVM_CLEAN_FREE = NULL;
	size_t length;

	if (mvm_read_file(path, MAX_FILE, &pem, &length, err) < 0)
		return mvm_error_wrap(err, "cannot read the certificate authority");
	if (!strstr(pem, PEM_HEADING))
		return mvm_fail(err, MVM_ERR_INVALID,
				"%s holds no certificate in PEM format (a \"" PEM_HEADING
				"\"); convert it, for example with "
				"'openssl x509 -inform der'",
				path);
	mvm_buf_addf(&tls->authorities, "%s\n", pem);
	return 0;
}

static int read_ca(struct mvm_tls *tls, const struct mvm_config *config, const char *domain, const json_t *value,
		   struct mvm_error **err)
{
	const json_t *item = value;
	size_t count = json_is_array(value) ? json_array_size(value) : 1;

	for (size_t i = 0; i < count; i++) {
		if (json_is_array(value))
			item = json_array_get(value, i);
		if (!json_is_string(item) || *json_string_value(item) != '/')
			return mvm_config_fail(config, err,
					       "\"ca\" of registry \"%s\" is neither the absolute path of a file with "
					       "certificates nor a list of them",
					       domain);
		if (add_authority(tls, json_string_value(item), err) < 0)
			return -1;
	}
	return 0;
}

static int read_config(struct mvm_tls *tls, const struct mvm_config *config, const char *domain, struct mvm_error **err)
{
	const json_t *section, *entry, *value;

	if (mvm_config_section(config, "registries", &section, err) < 0)
		return -1;
	entry = json_object_get(section, domain);
	value = json_object_get(entry, "insecure");
	if (value && !json_is_null(value) && !json_is_boolean(value))
		return mvm_config_fail(config, err, "\"insecure\" of registry \"%s\" is not true or false", domain);
	tls->insecure = json_is_true(value);
	value = json_object_get(entry, "ca");
	return value && !json_is_null(value) ? read_ca(tls, config, domain, value, err) : 0;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t length = strlen(name), tail = strlen(suffix);

	return length > tail && !strcmp(name + length - tail, suffix);
}

static int set_client(struct mvm_tls *tls, const char *folder, const char *name, struct mvm_error **err)
{
	int length = (int)(strlen(name) - strlen(".cert"));
	char *key = mvm_format("%s/%.*s.key", folder, length, name);

	if (access(key, R_OK) < 0) {
		mvm_fail_errno(err, errno, "the client certificate %s/%s needs its key %s", folder, name, key);
		free(key);
		return -1;
	}
	tls->certificate = mvm_format("%s/%s", folder, name);
	tls->key = key;
	return 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* In the order of names, so that it is always the same client certificate. One that is not there is no failure. */
static int read_folder(struct mvm_tls *tls, const char *folder, struct mvm_error **err)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, compare_names), result = 0;

	if (count < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : mvm_fail_errno(err, errno, "%s", folder);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		char *path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, name);

		if (result == 0 && has_suffix(name, ".crt"))
			result = add_authority(tls, path, err);
		else if (result == 0 && has_suffix(name, ".cert") && !tls->certificate)
			result = set_client(tls, folder, name, err);
		free(entries[i]);
	}
	free(entries);
	return result;
}

static int read_folders(struct mvm_tls *tls, const char *domain, struct mvm_error **err)
{
	static const char *const below_home[] = {".config/containers", ".config/docker", ".docker"};
	static const char *const system[] = {"/etc/containers", "/etc/docker"};
	const char *home = getenv("HOME");

	for (size_t i = 0; home && *home && i < MVM_COUNT(below_home); i++) {
		char *folder MVM_CLEAN_FREE = mvm_format("%s/%s/certs.d/%s", home, below_home[i], domain);

		if (read_folder(tls, folder, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < MVM_COUNT(system); i++) {
		char *folder MVM_CLEAN_FREE = mvm_format("%s/certs.d/%s", system[i], domain);

		if (read_folder(tls, folder, err) < 0)
			return -1;
	}
	return 0;
}

int mvm_tls_load(const struct mvm_config *config, const char *domain, struct mvm_tls *out, struct mvm_error **err)
{
	struct mvm_tls tls __attribute__((cleanup(mvm_tls_finish))) = {0};

	if (read_config(&tls, config, domain, err) < 0 || read_folders(&tls, domain, err) < 0)
		return mvm_error_wrap(err, "registry %s", domain);
	*out = tls;
	tls = (struct mvm_tls){0};
	return 0;
}

void mvm_tls_finish(struct mvm_tls *tls)
{
	mvm_buf_finish(&tls->authorities);
	free(tls->certificate);
	free(tls->key);
	*tls = (struct mvm_tls){0};
}
