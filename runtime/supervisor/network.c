#include "network.h"

#include <stdlib.h>
#include <string.h>

#include "net/resolv_conf.h"
#include "network_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"
#include "runtime/state/events.h"

static long priority_of(const struct place *place)
{
	return place->endpoint.gw_priority ? strtol(place->endpoint.gw_priority, NULL, 10) : 0;
}

/* As docker: the greatest priority of those that lead out, then the first; where none does, the first. */
static const struct place *find_out(const struct network *network)
{
	const struct place *best = NULL;

	for (size_t i = 0; i < network->count; i++) {
		const struct place *place = network->places[i];

		if (!place->config->internal && (!best || priority_of(place) > priority_of(best)))
			best = place;
	}
	return best || !network->count ? best : network->places[0];
}

/* Every network's server knows its own names. The one that leads out is asked last, for it has an answer to all. */
static void make_resolv_conf(struct network *network)
{
	const struct mvm_container_config *config = &network->supervisor->container->config;
	const char *servers[MVM_MACHINE_NICS_MAX];
	struct mvm_resolv_guest guest = {
		.servers = servers, .search = &config->dns_search, .options = &config->dns_options};
	struct mvm_resolv_conf host MVM_CLEAN_RESOLV_CONF = {.server_count = 0};
	char *text MVM_CLEAN_FREE = NULL;
	size_t length;

	for (size_t i = 0; i < network->count; i++)
		if (network->places[i] != network->out)
			servers[guest.server_count++] = network->places[i]->config->gateway;
	if (network->out)
		servers[guest.server_count++] = network->out->config->gateway;
	if (mvm_read_file("/etc/resolv.conf", MVM_RESOLV_CONF_SIZE, &text, &length, NULL) == 0)
		mvm_resolv_conf_parse(text, 53, &host);
	free(network->resolv_conf);
	network->resolv_conf = mvm_resolv_conf_guest(&host, &guest, &network->ndots);
}

void network_settle(struct network *network)
{
	network->out = find_out(network);
	make_resolv_conf(network);
}

static int add_place(struct network *network, const char *text, struct mvm_error **err)
{
	struct place *place;

	if (network->count == MVM_MACHINE_NICS_MAX)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "a container is on at most %d networks",
				MVM_MACHINE_NICS_MAX);
	if (place_create(network, text, &place, err) < 0)
		return -1;
	network->places[network->count++] = place;
	return place_take_nic(place, err);
}

int network_join(struct supervisor *supervisor, struct network **out, struct mvm_error **err)
{
	const struct mvm_strv *wanted = &supervisor->container->config.networks;
	struct network *network;

	if (supervisor->helper)
		return 0;
	network = mvm_alloc(sizeof(*network));
	network->supervisor = supervisor;
	for (size_t i = 0; i < MVM_COUNT(network->nics); i++)
		network->nics[i] = (struct nic){.machine_fd = -1, .network_fd = -1};
	for (size_t i = 0; i < wanted->count; i++)
		if (add_place(network, wanted->items[i], err) < 0) {
			network_leave(network);
			return -1;
		}
	network_settle(network);
	*out = network;
	for (size_t i = 0; i < network->count; i++)
		place_join(network->places[i]);
	return 0;
}

void network_leave(struct network *network)
{
	if (!network)
		return;
	network_refuse_changes(network);
	for (size_t i = 0; i < network->count; i++)
		place_destroy(network->places[i]);
	for (size_t i = 0; i < MVM_COUNT(network->nics); i++)
		nic_close(&network->nics[i]);
	free(network->resolv_conf);
	free(network);
}

bool network_leads_out(const struct network *network)
{
	return network && network->out && !network->out->config->internal;
}

/* A new machine has what is needed, in order: cards that nobody needs any more are not made again. */
size_t network_nics(struct network *network, struct mvm_machine_nic *nics)
{
	size_t count = network ? network->count : 0;

	for (size_t i = 0; network && i < MVM_COUNT(network->nics); i++)
		if (!network->nics[i].taken)
			nic_close(&network->nics[i]);
	for (size_t i = 0; i < count; i++) {
		struct place *place = network->places[i];

		place->number = (unsigned)i;
		place->nic->inside = true;
		nics[i].fd = place->nic->machine_fd;
		memcpy(nics[i].mac, place->nic->mac, sizeof(nics[i].mac));
		nics[i].mtu = (unsigned)place->config->mtu;
	}
	return count;
}

bool network_is_ready(const struct network *network)
{
	for (size_t i = 0; network && i < network->count; i++)
		if (!network->places[i]->joined)
			return false;
	return true;
}

void network_note(const struct network *network, struct mvm_strv *endpoints)
{
	mvm_strv_finish(endpoints);
	for (size_t i = 0; network && i < network->count; i++)
		mvm_strv_take(endpoints, mvm_net_endpoint_format(&network->places[i]->endpoint));
}

void network_note_events(const struct network *network, const char *action)
{
	for (size_t i = 0; network && i < network->count; i++)
		mvm_event_network(network->supervisor->state, network->places[i]->config, action,
				  network->supervisor->container->config.id);
}

char *network_interface(const struct place *place, bool routes)
{
	const struct mvm_net_endpoint *endpoint = &place->endpoint;
	struct mvm_buf text = {0};

	mvm_buf_addf(&text, "mac=%s name=eth%u mtu=%lld ip=%s", endpoint->mac, place->number, (long long)place->mtu,
		     endpoint->ip);
	if (endpoint->ip6)
		mvm_buf_addf(&text, " ip=%s", endpoint->ip6);
	if (routes && place == place->network->out && !place->config->internal) {
		mvm_buf_addf(&text, " via=%s", endpoint->gateway);
		if (endpoint->gateway6)
			mvm_buf_addf(&text, " via=%s", endpoint->gateway6);
	}
	return mvm_buf_steal(&text);
}

char *network_hosts_line(const struct place *place)
{
	const char *ip = place->endpoint.ip;

	return mvm_format("%.*s\t%s", (int)strcspn(ip, "/"), ip,
			  place->network->supervisor->container->config.hostname);
}

/* Without a network there is no gateway to be the host. */
static void add_host(const char *host, const char *gateway, struct mvm_strv *hosts)
{
	size_t name = strcspn(host, ":=");
	const char *address = host[name] ? host + name + 1 : "";

	if (!strcmp(address, "host-gateway"))
		address = gateway;
	if (address)
		mvm_strv_addf(hosts, "%s\t%.*s", address, (int)name, host);
}

void network_describe(const struct network *network, struct mvm_strv *interfaces, struct mvm_strv *hosts,
		      char **resolv_conf)
{
	const struct mvm_container_config *config;

	if (!network)
		return;
	config = &network->supervisor->container->config;
	for (size_t i = 0; i < network->count; i++) {
		mvm_strv_take(interfaces, network_interface(network->places[i], true));
		mvm_strv_take(hosts, network_hosts_line(network->places[i]));
	}
	for (size_t i = 0; i < config->extra_hosts.count; i++)
		add_host(config->extra_hosts.items[i], network->out ? network->out->config->gateway : NULL, hosts);
	*resolv_conf = mvm_strdup(network->resolv_conf);
}
