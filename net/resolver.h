/*
 * The DNS server at the gateway, on the network's side: frames and TCP connections of guests on the one hand, dns.h on
 * the other. Runs in the network process, on its loop.
 */
#ifndef MVM_NET_RESOLVER_H
#define MVM_NET_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns.h"
#include "guard.h"
#include "nat.h"

struct mvm_error;
struct mvm_loop;
struct mvm_resolver;
struct mvm_resolver_guest;

struct mvm_resolver_config {
	const char *network;		  /* its name */
	const char *sockets;		  /* how the names of sockets begin */
	const struct mvm_nat_config *nat; /* copied */
	struct mvm_nat *forwards;	  /* borrowed, for connections over TCP; must live longer */
	/* Frames for guests, valid during the call. */
	void (*deliver)(void *arg, const uint8_t *frame, size_t length);
	void *arg;
};

struct mvm_resolver *mvm_resolver_create(struct mvm_loop *loop, const struct mvm_resolver_config *config);
/* Without guests. NULL is fine. */
void mvm_resolver_destroy(struct mvm_resolver *resolver);

/* From now on it can be found by its names, and ask. `config` is that of mvm_lan_add(). */
struct mvm_guest_config;
int mvm_resolver_add(struct mvm_resolver *resolver, const struct mvm_guest_config *config,
		     struct mvm_resolver_guest **guest, struct mvm_error **err);
/* mvm_dns_client.another is so from now on. */
void mvm_resolver_revise(struct mvm_resolver_guest *guest, bool another);
void mvm_resolver_remove(struct mvm_resolver_guest *guest);

/* A frame on its way out from a guest: true where it was a query, and is done with; else it goes on, perhaps with
 * another destination. */
bool mvm_resolver_outgoing(struct mvm_resolver_guest *guest, uint8_t *frame, size_t length);
/* One from NAT. Where it has to be changed, a copy is made in `copy`, of MVM_FRAME_MAX bytes. */
const uint8_t *mvm_resolver_incoming(struct mvm_resolver *resolver, const uint8_t *frame, size_t length, uint8_t *copy);

const struct mvm_dns_counters *mvm_resolver_counters(const struct mvm_resolver *resolver);

#endif
