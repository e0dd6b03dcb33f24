/*
 * The way out of a network: libslirp turns what guests send into ordinary sockets of this process, so nobody needs to
 * be root, and a VPN or a firewall of the host counts for guests as for any program. Runs in the network process, on
 * its loop, as that loop's one poller.
 *
 * It is the gateway's addresses, too: what is sent to them goes to the host's loopback. An internal network's gateway
 * answers to ARP and neighbour discovery and lets nothing through but DNS.
 */
#ifndef MVM_NET_NAT_H
#define MVM_NET_NAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guard.h"
#include "subnet.h"

struct mvm_error;
struct mvm_loop;
struct mvm_nat;

struct mvm_nat_config {
	struct mvm_subnet subnet;
	uint32_t gateway;
	bool ipv6;
	struct mvm_subnet6 subnet6;
	struct in6_addr gateway6;
	size_t mtu;
	bool internal;
};

struct mvm_nat_events {
	/* A frame for a guest, valid during the call. */
	void (*deliver)(void *arg, const uint8_t *frame, size_t length);
	/* The guests are behind with what they got: nothing more is read for them until this time of mvm_now_ns(), or
	 * until they are not any more. 0: they are not. */
	uint64_t (*congested_until)(void *arg);
};

/* `events` and `arg` are borrowed. */
int mvm_nat_create(struct mvm_loop *loop, const struct mvm_nat_config *config, const struct mvm_nat_events *events,
		   void *arg, struct mvm_nat **nat, struct mvm_error **err);
void mvm_nat_destroy(struct mvm_nat *nat);

/* A frame from a guest, which the guard has admitted. */
void mvm_nat_input(struct mvm_nat *nat, const uint8_t *frame, size_t length);

/* Connections to this address and port, which must be of the subnet and nobody's, go to the unix socket at `path`, on
 * an internal network too. */
int mvm_nat_forward(struct mvm_nat *nat, uint32_t address, uint16_t port, const char *path, struct mvm_error **err);
void mvm_nat_unforward(struct mvm_nat *nat, uint32_t address, uint16_t port);

/* The gateway's Ethernet addresses: libslirp makes one of its IPv4 address, and another of its IPv6 address. */
void mvm_nat_mac(uint32_t gateway, uint8_t mac[MVM_MAC_SIZE]);
void mvm_nat_mac6(const struct in6_addr *gateway, uint8_t mac[MVM_MAC_SIZE]);

#endif
