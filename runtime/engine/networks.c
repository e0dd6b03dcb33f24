/*
 * Networks: making them, with a subnet that nobody else has, and taking them away.
 */
#include "internal.h"

#include <string.h>

#include "net/host_networks.h"
#include "net/mac.h"
#include "net/subnet.h"
#include "runtime/base/control.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"
#include "runtime/state/events.h"
#include "runtime/state/net_endpoint.h"

#define FIRST_SUBNET  0xc0a87f00u /* 192.168.127.0 */
#define LAST_SUBNET   0xc0a8ff00u /* 192.168.255.0 */
#define SECOND_RANGE  0xac100000u /* 172.16.0.0/12, in /24s */
#define SECOND_END    0xac200000u
#define SUBNET_PREFIX 24
#define DEFAULT_MTU   32000

/* Subnets that are taken, by the host and by other networks. */
struct taken {
	struct mvm_subnet *host;
	size_t host_count;
	struct mvm_network **networks;
	size_t network_count;
};

static int look_around(struct mvm_state *state, struct taken *taken, struct mvm_error **err)
{
	*taken = (struct taken){0};
	if (mvm_network_list(state, &taken->networks, &taken->network_count, err) < 0)
		return -1;
	taken->host = mvm_host_networks(&taken->host_count);
	return 0;
}

static void taken_finish(struct taken *taken)
{
	mvm_network_list_free(taken->networks, taken->network_count);
	free(taken->host);
}

static bool overlaps_network(const struct mvm_network *network, const struct mvm_subnet *subnet)
{
	struct mvm_subnet theirs;

	return mvm_subnet_parse(network->subnet, &theirs, NULL) == 0 && mvm_subnet_overlaps(&theirs, subnet);
}

static int overlap(const char *subnet, const struct mvm_network *network, const char *theirs, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_CONFLICT,
			"Pool overlaps with other one on this address space: %s, with network %s (%s)", subnet,
			network->name, theirs);
}

static int check_subnet(const struct taken *taken, const struct mvm_subnet *subnet, struct mvm_error **err)
{
	char text[MVM_SUBNET_TEXT], other[MVM_SUBNET_TEXT];

	mvm_subnet_format(subnet, text);
	for (size_t i = 0; i < taken->network_count; i++)
		if (overlaps_network(taken->networks[i], subnet))
			return overlap(text, taken->networks[i], taken->networks[i]->subnet, err);
	for (size_t i = 0; i < taken->host_count; i++)
		if (mvm_subnet_overlaps(&taken->host[i], subnet)) {
			mvm_subnet_format(&taken->host[i], other);
			return mvm_fail(err, MVM_ERR_CONFLICT,
					"subnet %s overlaps with the host's network %s, which guests could not reach "
					"then; choose another",
					text, other);
		}
	return 0;
}

static int find_subnet(const struct taken *taken, struct mvm_subnet *subnet, struct mvm_error **err)
{
	static const uint32_t ranges[][2] = {{FIRST_SUBNET, LAST_SUBNET}, {SECOND_RANGE, SECOND_END}};

	for (size_t range = 0; range < MVM_COUNT(ranges); range++)
		for (uint32_t at = ranges[range][0]; at < ranges[range][1]; at += 1u << (32 - SUBNET_PREFIX)) {
			*subnet = (struct mvm_subnet){.address = at, .prefix = SUBNET_PREFIX};
			if (check_subnet(taken, subnet, NULL) == 0)
				return 0;
		}
	return mvm_fail(err, MVM_ERR_CONFLICT, "no subnet is free; name one by --subnet");
}

static int choose_ipv4(const struct mvm_network_request *request, const struct taken *taken,
		       struct mvm_network *network, struct mvm_error **err)
{
	struct mvm_subnet subnet;
	uint32_t gateway;
	char text[MVM_SUBNET_TEXT];

	if (request->subnet
		    ? mvm_subnet_parse(request->subnet, &subnet, err) < 0 || check_subnet(taken, &subnet, err) < 0
		    : find_subnet(taken, &subnet, err) < 0)
		return -1;
	gateway = subnet.address + 1;
	if (request->gateway && mvm_address_parse(request->gateway, &gateway, err) < 0)
		return -1;
	mvm_subnet_format(&subnet, text);
	if (!mvm_subnet_is_host(&subnet, gateway))
		return mvm_fail(err, MVM_ERR_INVALID, "no matching subnet for gateway %s", request->gateway);
	network->subnet = mvm_strdup(text);
	mvm_address_format(gateway, text);
	network->gateway = mvm_strdup(text);
	return 0;
}

/* A unique local prefix (RFC 4193) of random bits where none is named. */
static void random_subnet6(struct mvm_subnet6 *subnet)
{
	*subnet = (struct mvm_subnet6){.prefix = 64};
	mvm_random(subnet->address.s6_addr + 1, 5);
	subnet->address.s6_addr[0] = 0xfd;
}

static bool overlaps_network6(const struct mvm_network *network, const struct mvm_subnet6 *subnet)
{
	struct mvm_subnet6 theirs;

	return network->subnet6 && mvm_subnet6_parse(network->subnet6, &theirs, NULL) == 0 &&
	       mvm_subnet6_overlaps(&theirs, subnet);
}

static int check_subnet6(const struct taken *taken, const struct mvm_subnet6 *subnet, struct mvm_error **err)
{
	char text[MVM_SUBNET_TEXT];

	mvm_subnet6_format(subnet, text);
	for (size_t i = 0; i < taken->network_count; i++)
		if (overlaps_network6(taken->networks[i], subnet))
			return overlap(text, taken->networks[i], taken->networks[i]->subnet6, err);
	if (mvm_host_is_on6(subnet))
		return mvm_fail(err, MVM_ERR_CONFLICT,
				"subnet %s is one of the host's own, which guests could not reach then; choose another",
				text);
	return 0;
}

static int choose_ipv6(const struct mvm_network_request *request, const struct taken *taken,
		       struct mvm_network *network, struct mvm_error **err)
{
	struct mvm_subnet6 subnet;
	struct in6_addr gateway;
	char text[MVM_SUBNET_TEXT];

	if (!request->ipv6 && !request->subnet6)
		return request->gateway6
			       ? mvm_fail(err, MVM_ERR_INVALID, "no matching subnet for gateway %s", request->gateway6)
			       : 0;
	random_subnet6(&subnet);
	if (request->subnet6 &&
	    (mvm_subnet6_parse(request->subnet6, &subnet, err) < 0 || check_subnet6(taken, &subnet, err) < 0))
		return -1;
	gateway = mvm_subnet6_host(&subnet, 1);
	if (request->gateway6 && mvm_address6_parse(request->gateway6, &gateway, err) < 0)
		return -1;
	if (!mvm_subnet6_contains(&subnet, &gateway))
		return mvm_fail(err, MVM_ERR_INVALID, "no matching subnet for gateway %s", request->gateway6);
	mvm_subnet6_format(&subnet, text);
	network->subnet6 = mvm_strdup(text);
	mvm_address6_format(&gateway, text);
	network->gateway6 = mvm_strdup(text);
	return 0;
}

static int create(struct mvm_state *state, const struct mvm_network_request *request, struct mvm_network *network,
		  struct mvm_error **err)
{
	struct taken taken;
	int result;

	network->name = mvm_strdup(request->name);
	network->mtu = request->mtu ? request->mtu : DEFAULT_MTU;
	network->internal = request->internal;
	for (size_t i = 0; request->labels && i < request->labels->count; i++)
		mvm_strv_add(&network->labels, request->labels->items[i]);
	if (network->mtu < 576 || network->mtu > 65520)
		return mvm_fail(err, MVM_ERR_INVALID, "invalid MTU: %lld; it has to be 576 to 65520",
				(long long)network->mtu);
	if (look_around(state, &taken, err) < 0)
		return -1;
	result = choose_ipv4(request, &taken, network, err) < 0 || choose_ipv6(request, &taken, network, err) < 0
			 ? -1
			 : mvm_network_create(state, network, err);
	taken_finish(&taken);
	return result;
}

int mvm_engine_create_network(struct mvm_engine *engine, const struct mvm_network_request *request,
			      struct mvm_network **out, struct mvm_error **err)
{
	struct mvm_network *network MVM_CLEAN_NETWORK = mvm_alloc(sizeof(*network));
	struct mvm_state *state = mvm_engine_state(engine);
	int lock MVM_CLEAN_FD = -1;

	if (mvm_network_lock_all(state, &lock, err) < 0 || create(state, request, network, err) < 0)
		return -1;
	mvm_event_network(state, network, "create", NULL);
	*out = network;
	network = NULL;
	return 0;
}

static int remove_network(struct mvm_state *state, const struct mvm_network *network, struct mvm_error **err)
{
	if (mvm_network_remove(state, network->name, err) < 0)
		return -1;
	mvm_event_network(state, network, "destroy", NULL);
	return 0;
}

int mvm_engine_remove_network(struct mvm_engine *engine, const char *what, struct mvm_error **err)
{
	struct mvm_network *network MVM_CLEAN_NETWORK = NULL;

	if (mvm_network_find(mvm_engine_state(engine), what, &network, err) < 0)
		return -1;
	if (!strcmp(network->name, MVM_NETWORK_DEFAULT))
		return mvm_fail(err, MVM_ERR_CONFLICT, "%s is a pre-defined network and cannot be removed",
				network->name);
	return remove_network(mvm_engine_state(engine), network, err);
}

static bool is_on(const struct mvm_container *container, const char *name)
{
	for (size_t i = 0; i < container->config.networks.count; i++) {
		struct mvm_net_endpoint endpoint MVM_CLEAN_NET_ENDPOINT = {0};

		if (mvm_net_endpoint_parse(container->config.networks.items[i], &endpoint, NULL) == 0 &&
		    !strcmp(endpoint.network, name))
			return true;
	}
	return false;
}

static bool is_to_go(const struct mvm_network *network, const struct mvm_prune_filter *filter,
		     struct mvm_container *const *containers, size_t count)
{
	if (!strcmp(network->name, MVM_NETWORK_DEFAULT) || (filter->until && network->created.tv_sec > filter->until) ||
	    !engine_labels_fit(&network->labels, filter))
		return false;
	for (size_t i = 0; i < count; i++)
		if (is_on(containers[i], network->name))
			return false;
	return true;
}

int mvm_engine_prune_networks(struct mvm_engine *engine, const struct mvm_prune_filter *filter,
			      struct mvm_strv *deleted, struct mvm_error **err)
{
	struct mvm_state *state = mvm_engine_state(engine);
	struct mvm_container **containers;
	struct mvm_network **networks;
	size_t container_count, count;
	int result = 0;

	if (mvm_network_list(state, &networks, &count, err) < 0)
		return -1;
	if (mvm_state_list(state, &containers, &container_count, err) < 0) {
		mvm_network_list_free(networks, count);
		return -1;
	}
	for (size_t i = 0; i < count && result == 0; i++) {
		if (!is_to_go(networks[i], filter, containers, container_count))
			continue;
		result = remove_network(state, networks[i], err);
		if (result == 0)
			mvm_strv_add(deleted, networks[i]->name);
	}
	if (result == 0)
		mvm_event_prune(state, "network", 0);
	mvm_container_list_free(containers, container_count);
	mvm_network_list_free(networks, count);
	return result;
}

#define STATUS_LIMIT_MS 5000

int mvm_engine_network_status(struct mvm_engine *engine, const struct mvm_network *network, json_t **status,
			      struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_network_socket(mvm_engine_state(engine), network);
	struct mvm_control control;
	json_t *answer MVM_CLEAN_JSON = NULL;
	int fd, result;

	*status = NULL;
	if (mvm_control_connect(path, &fd, NULL) < 0)
		return 0;
	mvm_control_init(&control, fd);
	mvm_control_set_patience(&control, STATUS_LIMIT_MS);
	result = mvm_control_send(&control, json_pack("{ss, si}", "op", "status", "id", 1), NULL, 0, err);
	if (result == 0)
		result = mvm_control_receive(&control, &answer, err);
	mvm_control_finish(&control);
	if (result < 0)
		return mvm_error_wrap(err, "network %s", network->name);
	/* It has just ended. */
	if (result > 0)
		return 0;
	*status = json_incref(answer);
	return 0;
}

/* The default one is there for everybody who names it, or none. */
int engine_need_network(struct mvm_engine *engine, const char *name, struct mvm_error **err)
{
	const struct mvm_network_request request = {.name = MVM_NETWORK_DEFAULT, .ipv6 = true};
	struct mvm_network *network MVM_CLEAN_NETWORK = NULL;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (mvm_network_load(mvm_engine_state(engine), name, &network, &cause) == 0)
		return 0;
	if (mvm_error_code(cause) != MVM_ERR_NOT_FOUND || strcmp(name, MVM_NETWORK_DEFAULT) != 0)
		return mvm_error_move(err, &cause);
	mvm_error_free(cause);
	cause = NULL;
	/* Somebody else may have made it meanwhile. */
	if (mvm_engine_create_network(engine, &request, &network, &cause) == 0 ||
	    mvm_error_code(cause) == MVM_ERR_EXISTS)
		return 0;
	return mvm_error_move(err, &cause);
}

int mvm_engine_default_network(struct mvm_engine *engine, struct mvm_error **err)
{
	return engine_need_network(engine, MVM_NETWORK_DEFAULT, err);
}

static void copy(struct mvm_strv *to, const struct mvm_strv *from)
{
	for (size_t i = 0; from && i < from->count; i++)
		mvm_strv_add(to, from->items[i]);
}

const char *engine_network_name(const char *name)
{
	return strcmp(name, "bridge") ? name : MVM_NETWORK_DEFAULT;
}

int engine_check_endpoint(const struct mvm_net_endpoint *endpoint, struct mvm_error **err)
{
	uint8_t mac[MVM_MAC_SIZE];
	struct in6_addr ip6;
	uint32_t ip;
	int64_t priority;

	if (endpoint->gw_priority && !mvm_parse_int(endpoint->gw_priority, INT32_MIN, INT32_MAX, &priority))
		return mvm_fail(err, MVM_ERR_USAGE, "invalid gateway priority: %s: it has to be an integer",
				endpoint->gw_priority);
	if ((endpoint->mac && mvm_mac_parse(endpoint->mac, mac, err) < 0) ||
	    (endpoint->ip && mvm_address_parse(endpoint->ip, &ip, err) < 0) ||
	    (endpoint->ip6 && mvm_address6_parse(endpoint->ip6, &ip6, err) < 0))
		return -1;
	return 0;
}

static int add_network(struct mvm_engine *engine, const char *text, struct mvm_container_config *config,
		       struct mvm_error **err)
{
	struct mvm_net_endpoint endpoint MVM_CLEAN_NET_ENDPOINT = {0};
	char *name;

	if (mvm_net_endpoint_parse(text, &endpoint, err) < 0)
		return -1;
	if (!strcmp(endpoint.network, "host") || !strncmp(endpoint.network, "container:", strlen("container:")))
		return mvm_fail(
			err, MVM_ERR_UNSUPPORTED,
			"network %s: a virtual machine has a network stack of its own; publish ports with -p, and "
			"reach the host as host.docker.internal",
			endpoint.network);
	name = mvm_strdup(engine_network_name(endpoint.network));
	free(endpoint.network);
	endpoint.network = name;
	if (engine_check_endpoint(&endpoint, err) < 0 || engine_need_network(engine, endpoint.network, err) < 0)
		return -1;
	mvm_strv_take(&config->networks, mvm_net_endpoint_format(&endpoint));
	return 0;
}

static int check_extra_host(const char *host, struct mvm_error **err)
{
	size_t name = strcspn(host, ":=");
	const char *address = host[name] ? host + name + 1 : "";
	struct in6_addr address6;
	uint32_t address4;

	if (name && (!strcmp(address, "host-gateway") || mvm_address_parse(address, &address4, NULL) == 0 ||
		     mvm_address6_parse(address, &address6, NULL) == 0))
		return 0;
	return mvm_fail(err, MVM_ERR_INVALID, "bad format for add-host: \"%s\": it is NAME:ADDRESS", host);
}

int engine_set_networks(struct mvm_engine *engine, const struct mvm_create_request *request,
			struct mvm_container_config *config, struct mvm_error **err)
{
	const struct mvm_strv *networks = request->networks;
	bool none = networks && networks->count == 1 && !strcmp(networks->items[0], "none");

	if ((!networks || !networks->count) && add_network(engine, MVM_NETWORK_DEFAULT, config, err) < 0)
		return -1;
	for (size_t i = 0; networks && !none && i < networks->count; i++)
		if (add_network(engine, networks->items[i], config, err) < 0)
			return -1;
	for (size_t i = 0; request->extra_hosts && i < request->extra_hosts->count; i++)
		if (check_extra_host(request->extra_hosts->items[i], err) < 0)
			return -1;
	copy(&config->dns, request->dns);
	copy(&config->dns_search, request->dns_search);
	copy(&config->dns_options, request->dns_options);
	copy(&config->extra_hosts, request->extra_hosts);
	return 0;
}
