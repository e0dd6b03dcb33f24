#include "lan.h"

#include <string.h>

#include "flows.h"
#include "fragments.h"
#include "runtime/base/error.h"
#include "runtime/base/loop.h"
#include "resolver.h"
#include "runtime/base/mem.h"
#include "switch.h"

struct mvm_guest {
	struct mvm_guest *next;
	struct mvm_lan *lan;
	char *container;
	struct mvm_port *port;
	struct mvm_resolver_guest *resolver;
	struct mvm_fragments fragments;
};

struct mvm_lan {
	struct mvm_loop *loop;
	struct mvm_nat_config config;
	struct mvm_switch *sw;
	struct mvm_nat *nat;
	struct mvm_resolver *resolver;
	struct mvm_guest *guests;
	uint8_t frame[MVM_FRAME_MAX];
};

/* From a guest, to nobody on the network alone. */
static void uplink(void *arg, struct mvm_port *from, uint8_t *frame, size_t length)
{
	struct mvm_lan *lan = arg;
	struct mvm_guest *guest = mvm_port_arg(from);

	frame = mvm_fragments_take(&guest->fragments, frame, &length);
	if (frame && !mvm_resolver_outgoing(guest->resolver, frame, length))
		mvm_nat_input(lan->nat, frame, length);
}

static void deliver(void *arg, const uint8_t *frame, size_t length)
{
	struct mvm_lan *lan = arg;

	mvm_switch_deliver(lan->sw, frame, length);
}

static void deliver_from_nat(void *arg, const uint8_t *frame, size_t length)
{
	struct mvm_lan *lan = arg;

	deliver(lan, mvm_resolver_incoming(lan->resolver, frame, length, lan->frame), length);
}

static uint64_t congested_until(void *arg)
{
	struct mvm_lan *lan = arg;

	return mvm_switch_congested_until(lan->sw, mvm_now_ns());
}

int mvm_lan_create(struct mvm_loop *loop, const struct mvm_nat_config *config, const char *name, const char *sockets,
		   struct mvm_lan **out, struct mvm_error **err)
{
	static const struct mvm_nat_events events = {.deliver = deliver_from_nat, .congested_until = congested_until};
	struct mvm_lan *lan = mvm_alloc(sizeof(*lan));
	struct mvm_resolver_config resolver = {
		.network = name, .sockets = sockets, .nat = config, .deliver = deliver, .arg = lan};
	struct mvm_gateway gateway;

	lan->loop = loop;
	lan->config = *config;
	if (mvm_nat_create(loop, config, &events, lan, &lan->nat, err) < 0) {
		free(lan);
		return -1;
	}
	resolver.forwards = lan->nat;
	lan->resolver = mvm_resolver_create(loop, &resolver);
	mvm_nat_mac(config->gateway, gateway.mac);
	mvm_nat_mac6(&config->gateway6, gateway.mac6);
	lan->sw = mvm_switch_create(loop, &gateway, uplink, lan);
	*out = lan;
	return 0;
}

void mvm_lan_destroy(struct mvm_lan *lan)
{
	if (!lan)
		return;
	mvm_resolver_destroy(lan->resolver);
	mvm_nat_destroy(lan->nat);
	mvm_switch_destroy(lan->sw);
	free(lan);
}

int mvm_lan_add(struct mvm_lan *lan, const struct mvm_guest_config *config, int fd, struct mvm_guest **out,
		struct mvm_error **err)
{
	struct mvm_guest *guest = mvm_alloc(sizeof(*guest));

	*guest = (struct mvm_guest){.next = lan->guests, .lan = lan, .container = mvm_strdup(config->container)};
	if (mvm_resolver_add(lan->resolver, config, &guest->resolver, err) < 0) {
		free(guest->container);
		free(guest);
		return -1;
	}
	guest->port = mvm_switch_add(lan->sw, &config->identity, fd, guest);
	lan->guests = guest;
	*out = guest;
	return 0;
}

void mvm_lan_remove(struct mvm_guest *guest)
{
	struct mvm_guest **at = &guest->lan->guests;

	while (*at != guest)
		at = &(*at)->next;
	*at = guest->next;
	mvm_port_remove(guest->port);
	mvm_resolver_remove(guest->resolver);
	mvm_fragments_finish(&guest->fragments);
	free(guest->container);
	free(guest);
}

const struct mvm_identity *mvm_guest_identity(const struct mvm_guest *guest)
{
	return mvm_port_identity(guest->port);
}

void mvm_guest_revise(struct mvm_guest *guest, bool another)
{
	mvm_resolver_revise(guest->resolver, another);
}

json_t *mvm_guest_status(const struct mvm_guest *guest)
{
	const struct mvm_identity *identity = mvm_guest_identity(guest);
	const struct mvm_port_counters *counters = mvm_port_counters(guest->port);
	char mac[MVM_MAC_TEXT], ip[MVM_SUBNET_TEXT], ip6[MVM_SUBNET_TEXT] = "";
	uint64_t refused = guest->fragments.dropped;

	for (size_t i = 0; i < MVM_FRAME_VERDICTS; i++)
		refused += counters->refused[i];
	mvm_mac_format(identity->mac, mac);
	mvm_address_format(identity->ip, ip);
	if (guest->lan->config.ipv6)
		mvm_address6_format(&identity->ip6, ip6);
	return json_pack("{ss, ss, ss, ss, sI, sI, sI, sI, sI, sI}", "container", guest->container, "mac", mac, "ip",
			 ip, "ip6", ip6, "frames_in", (json_int_t)counters->frames_in, "bytes_in",
			 (json_int_t)counters->bytes_in, "frames_out", (json_int_t)counters->frames_out, "bytes_out",
			 (json_int_t)counters->bytes_out, "lost", (json_int_t)counters->lost, "refused",
			 (json_int_t)refused);
}

json_t *mvm_lan_status(struct mvm_lan *lan)
{
	const struct mvm_dns_counters *dns = mvm_resolver_counters(lan->resolver);
	size_t count;
	json_t *flows = mvm_flows_status(mvm_switch_flows(lan->sw), mvm_now_ns(), &count);

	return json_pack("{s{sI, sI, sI, sI, sI, sI}, so, sI}", "dns", "queries", (json_int_t)dns->queries, "local",
			 (json_int_t)dns->local, "forwarded", (json_int_t)dns->forwarded, "failed",
			 (json_int_t)dns->failed, "malformed", (json_int_t)dns->malformed, "dropped",
			 (json_int_t)dns->dropped, "flows", flows, "flow_count", (json_int_t)count);
}
