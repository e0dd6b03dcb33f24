/*
 * The proxies that processes in a container get: those of `proxies` in docker's config.json, as docker's command line
 * passes them, and where that says nothing those of our own environment.
 *
 * One of our own that is on loopback is left out: inside, that address is the container itself. What the config file
 * names is meant for containers and passed as it stands.
 */
#include "internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "image/docker_config.h"
#include "image/reference.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"

/* The daemon that docker's command line talks to where nothing else is said; what is meant for its containers is
 * meant for ours, which have none. */
#define LOCAL_DAEMON "unix:///var/run/docker.sock"

enum { PROXIES = 5, NO_PROXY = 2 };

static const struct {
	const char *key, *upper, *lower;
} proxies[PROXIES] = {
	{"httpProxy", "HTTP_PROXY", "http_proxy"}, {"httpsProxy", "HTTPS_PROXY", "https_proxy"},
	{"noProxy", "NO_PROXY", "no_proxy"},	   {"ftpProxy", "FTP_PROXY", "ftp_proxy"},
	{"allProxy", "ALL_PROXY", "all_proxy"},
};

/* Of "http://user:password@127.0.0.1:3128/" the address. */
static bool is_on_loopback(const char *proxy)
{
	const char *scheme = strstr(proxy, "://"), *start = scheme ? scheme + 3 : proxy;
	size_t length = strcspn(start, "/?#");
	char *address MVM_CLEAN_FREE = mvm_strndup(start, length);
	const char *at = strrchr(address, '@');

	return mvm_reference_is_loopback(at ? at + 1 : address);
}

static void add(struct mvm_strv *env, size_t i, const char *value)
{
	mvm_strv_addf(env, "%s=%s", proxies[i].upper, value);
	mvm_strv_addf(env, "%s=%s", proxies[i].lower, value);
}

static int read_values(const json_t *entry, const char *values[PROXIES], struct mvm_error **err)
{
	for (size_t i = 0; i < PROXIES; i++)
		if (mvm_json_get_string(entry, proxies[i].key, "", &values[i], err) < 0)
			return -1;
	return 0;
}

/* 1: the file says nothing about proxies. */
static int add_configured(struct mvm_strv *env, struct mvm_error **err)
{
	struct mvm_docker_config config MVM_CLEAN_DOCKER_CONFIG = {.lock = -1};
	const char *values[PROXIES];
	const json_t *all, *entry;

	if (mvm_docker_config_open(&config, false, err) < 0)
		return -1;
	all = json_object_get(config.root, "proxies");
	entry = json_object_get(all, LOCAL_DAEMON);
	if (!entry)
		entry = json_object_get(all, "default");
	if (!entry || json_is_null(entry))
		return 1;
	if (!json_is_object(entry))
		return mvm_fail(err, MVM_ERR_INVALID, "\"proxies\" holds what is not an object");
	if (read_values(entry, values, err) < 0)
		return -1;
	for (size_t i = 0; i < PROXIES; i++)
		if (*values[i])
			add(env, i, values[i]);
	return 0;
}

static const char *own_value(size_t i)
{
	const char *lower = getenv(proxies[i].lower), *upper = getenv(proxies[i].upper);

	return lower && *lower ? lower : upper && *upper ? upper : NULL;
}

static void add_own(struct mvm_strv *env)
{
	bool any = false;

	for (size_t i = 0; i < PROXIES; i++) {
		const char *value = i == NO_PROXY ? NULL : own_value(i);

		if (value && is_on_loopback(value))
			mvm_log(MVM_LOG_INFO, "%s is not passed on: %s is the container itself inside",
				proxies[i].lower, value);
		else if (value)
			add(env, i, value);
		any = any || (value && !is_on_loopback(value));
	}
	/* Alone it would say nothing. */
	if (any && own_value(NO_PROXY))
		add(env, NO_PROXY, own_value(NO_PROXY));
}

void engine_add_proxies(struct mvm_strv *env)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int result = getenv("HOME") || getenv("DOCKER_CONFIG") ? add_configured(env, &err) : 1;

	/* Docker goes on as well. */
	if (result < 0)
		mvm_log(MVM_LOG_ERROR, "docker's configuration file does not count for proxies: %s",
			mvm_error_message(err));
	if (result)
		add_own(env);
}
