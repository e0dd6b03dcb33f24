#include "cli.h"

#include <string.h>

#include "runtime/state/net_endpoint.h"

static bool has_place(const struct cli_network_flags *flags)
{
	return flags->ip || flags->ip6 || flags->mac || flags->aliases.count;
}

/* The short flags are about the first network, as docker's. */
static void add_place(const struct cli_network_flags *flags, struct mvm_net_endpoint *endpoint)
{
	const struct {
		const char *flag;
		char **member;
	} texts[] = {{flags->ip, &endpoint->ip}, {flags->ip6, &endpoint->ip6}, {flags->mac, &endpoint->mac}};

	for (size_t i = 0; i < MVM_COUNT(texts); i++) {
		if (!texts[i].flag)
			continue;
		free(*texts[i].member);
		*texts[i].member = mvm_strdup(texts[i].flag);
	}
	for (size_t i = 0; i < flags->aliases.count; i++)
		mvm_strv_add(&endpoint->aliases, flags->aliases.items[i]);
}

static int add_network(const struct cli_network_flags *flags, const char *text, bool first, struct mvm_strv *networks,
		       struct mvm_error **err)
{
	struct mvm_net_endpoint endpoint MVM_CLEAN_NET_ENDPOINT = {0};

	if (mvm_net_endpoint_parse(text, &endpoint, err) < 0)
		return -1;
	if (first && has_place(flags) && !strcmp(endpoint.network, "none"))
		return mvm_fail(
			err, MVM_ERR_USAGE,
			"conflicting options: an address or an alias needs a network, and --network none is none");
	if (first)
		add_place(flags, &endpoint);
	mvm_strv_take(networks,
		      strcmp(endpoint.network, "none") ? mvm_net_endpoint_format(&endpoint) : mvm_strdup("none"));
	return 0;
}

int cli_parse_networks(const struct cli_network_flags *flags, struct mvm_strv *networks,
		       struct mvm_create_request *request, struct mvm_error **err)
{
	if (!flags->networks.count && add_network(flags, MVM_NETWORK_DEFAULT, true, networks, err) < 0)
		return -1;
	for (size_t i = 0; i < flags->networks.count; i++)
		if (add_network(flags, flags->networks.items[i], i == 0, networks, err) < 0)
			return -1;
	if (networks->count > 1)
		for (size_t i = 0; i < networks->count; i++)
			if (!strcmp(networks->items[i], "none"))
				return mvm_fail(err, MVM_ERR_USAGE,
						"conflicting options: --network none does not go with other networks");
	request->networks = networks;
	request->publish = &flags->publish;
	request->expose = &flags->expose;
	request->publish_all = flags->publish_all;
	request->dns = &flags->dns;
	request->dns_search = &flags->dns_search;
	request->dns_options = &flags->dns_options;
	request->extra_hosts = &flags->extra_hosts;
	return 0;
}
