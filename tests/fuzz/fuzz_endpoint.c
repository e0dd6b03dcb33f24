/* What is given to --network, and what config.json says of a container's networks: what is taken is written as what it
 * was. */
#include "fuzz.h"

#include "runtime/base/error.h"
#include "runtime/state/net_endpoint.h"

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void check_round_trip(const struct mvm_net_endpoint *endpoint)
{
	struct mvm_net_endpoint again MVM_CLEAN_NET_ENDPOINT = {0};
	char *text MVM_CLEAN_FREE = mvm_net_endpoint_format(endpoint);

	fuzz_check(mvm_net_endpoint_parse(text, &again, NULL) == 0);
	fuzz_check(same(endpoint->network, again.network) && same(endpoint->mac, again.mac));
	fuzz_check(same(endpoint->ip, again.ip) && same(endpoint->ip6, again.ip6));
	fuzz_check(same(endpoint->gateway, again.gateway) && same(endpoint->gateway6, again.gateway6));
	fuzz_check(endpoint->aliases.count == again.aliases.count);
	for (size_t i = 0; i < again.aliases.count; i++)
		fuzz_check(same(endpoint->aliases.items[i], again.aliases.items[i]));
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct mvm_net_endpoint endpoint MVM_CLEAN_NET_ENDPOINT = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *text MVM_CLEAN_FREE = mvm_strndup((const char *)data, size);

	if (mvm_net_endpoint_parse(text, &endpoint, &err) < 0) {
		fuzz_check(err && !endpoint.network && !endpoint.aliases.count);
		return false;
	}
	/* A name alone may be anything here; no network is called so. */
	if (*endpoint.network && !strpbrk(endpoint.network, ",="))
		check_round_trip(&endpoint);
	return true;
}
