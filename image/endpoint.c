/* Which servers a registry's images come from, by the configuration. */
#include <stdlib.h>
#include <string.h>

#include "registry_internal.h"
#include "runtime/base/config.h"
#include "runtime/base/error.h"

#define HUB_DOMAIN	"docker.io"
#define HUB_SERVER	"https://registry-1.docker.io"
#define CONNECT_SECONDS 15
#define STALL_SECONDS	30
#define MAX_STALL	3600

void mvm_endpoint_finish(struct mvm_endpoint *endpoint)
{
	free(endpoint->base);
	free(endpoint->domain);
	free(endpoint->name);
	free(endpoint->authorization);
	mvm_tls_finish(&endpoint->tls);
	mvm_credential_finish(&endpoint->credential);
}

/* Takes `base`, which may be NULL for the registry itself: TLS, but on loopback only where something is said about it,
 * and where it is insecure just perhaps. */
static int add_endpoint(struct mvm_registry *registry, char *base, const char *domain, const struct mvm_config *config,
			struct mvm_error **err)
{
	struct mvm_endpoint *endpoint;
	bool plain;

	registry->endpoints =
		mvm_realloc(registry->endpoints, registry->endpoint_count + 1, sizeof(*registry->endpoints));
	endpoint = &registry->endpoints[registry->endpoint_count++];
	*endpoint = (struct mvm_endpoint){.base = base, .domain = mvm_strdup(domain)};
	if (mvm_tls_load(config, domain, &endpoint->tls, err) < 0)
		return -1;
	if (!base) {
		plain = mvm_reference_is_loopback(domain) && !mvm_tls_is_set(&endpoint->tls);
		endpoint->base = mvm_format("%s://%s", plain ? "http" : "https", domain);
		endpoint->try_plain = endpoint->tls.insecure;
	}
	endpoint->name = mvm_http_host(endpoint->base);
	return 0;
}

/* "http://host[:port]" with at most a slash behind it; NULL where it is anything else. */
static char *base_of_url(const char *url)
{
	size_t scheme = !strncmp(url, "https://", 8) ? 8 : !strncmp(url, "http://", 7) ? 7 : 0;
	size_t host = scheme ? strcspn(url + scheme, "/?#@ \t\r\n") : 0;
	const char *rest = url + scheme + host;

	if (!host || (strcmp(rest, "") && strcmp(rest, "/")))
		return NULL;
	return mvm_strndup(url, scheme + host);
}

static int add_mirrors(struct mvm_registry *registry, const struct mvm_config *config, const char *domain,
		       const json_t *mirrors, struct mvm_error **err)
{
	json_t *value;
	size_t i;

	if (mirrors && !json_is_null(mirrors) && !json_is_array(mirrors))
		return mvm_config_fail(config, err, "\"mirrors\" of registry \"%s\" is not a list of URLs", domain);
	json_array_foreach(mirrors, i, value)
	{
		char *base = json_is_string(value) ? base_of_url(json_string_value(value)) : NULL;
		char *host MVM_CLEAN_FREE = base ? mvm_http_host(base) : NULL;

		if (!base)
			return mvm_config_fail(
				config, err,
				"mirror %zu of registry \"%s\" is not a URL like http://127.0.0.1:5000 or "
				"https://mirror.example",
				i + 1, domain);
		if (add_endpoint(registry, base, host, config, err) < 0)
			return -1;
	}
	return 0;
}

static int read_timeout(struct mvm_registry *registry, const struct mvm_config *config, const char *domain,
			const json_t *timeout, struct mvm_error **err)
{
	if (!timeout || json_is_null(timeout))
		return 0;
	if (!json_is_integer(timeout) || json_integer_value(timeout) < 1 || json_integer_value(timeout) > MAX_STALL)
		return mvm_config_fail(config, err,
				       "\"timeout\" of registry \"%s\" is not a number of seconds, 1 to %d", domain,
				       MAX_STALL);
	registry->limits.stall_seconds = (long)json_integer_value(timeout);
	if (registry->limits.connect_seconds > registry->limits.stall_seconds)
		registry->limits.connect_seconds = registry->limits.stall_seconds;
	return 0;
}

static int read_section(struct mvm_registry *registry, const struct mvm_config *config, const char *domain,
			struct mvm_error **err)
{
	const json_t *section, *entry;

	if (mvm_config_section(config, "registries", &section, err) < 0)
		return -1;
	entry = json_object_get(section, domain);
	if (!entry || json_is_null(entry))
		return 0;
	if (!json_is_object(entry))
		return mvm_config_fail(config, err, "registry \"%s\" is not an object like {\"mirrors\": [...]}",
				       domain);
	if (!registry->push && add_mirrors(registry, config, domain, json_object_get(entry, "mirrors"), err) < 0)
		return -1;
	return read_timeout(registry, config, domain, json_object_get(entry, "timeout"), err);
}

int mvm_registry_configure(struct mvm_registry *registry, const char *domain, const struct mvm_config *config,
			   struct mvm_error **err)
{
	char *base = strcmp(domain, HUB_DOMAIN) ? NULL : mvm_strdup(HUB_SERVER);

	registry->limits.connect_seconds = CONNECT_SECONDS;
	registry->limits.stall_seconds = STALL_SECONDS;
	if (read_section(registry, config, domain, err) < 0) {
		free(base);
		return -1;
	}
	return add_endpoint(registry, base, domain, config, err);
}
