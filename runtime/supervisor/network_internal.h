/*
 * What the files of a container's networks share (network.h):
 *
 *   network.c  all of its places together: what the machine gets, and what its guest is told
 *   place.c    one of them: the wire, and the network's process at its other end
 *   connect.c  changes while it runs
 */
#ifndef MVM_SUPERVISOR_NETWORK_INTERNAL_H
#define MVM_SUPERVISOR_NETWORK_INTERNAL_H

#include "net/mac.h"
#include "network.h"
#include "runtime/base/control.h"
#include "runtime/state/net_endpoint.h"
#include "runtime/state/network.h"

struct change;

/* A network card of the machine, which stays in it until its end, and its wire: both ends stay open here, for either
 * side may be replaced. */
struct nic {
	int machine_fd, network_fd; /* -1: there is none */
	uint8_t mac[MVM_MAC_SIZE];
	bool inside; /* the machine has it */
	bool taken;  /* by a place */
};

/* One network that the container is on. */
struct place {
	struct network *network;
	struct mvm_network *config;
	struct mvm_net_endpoint endpoint; /* asked for; once joined, what it has */
	struct nic *nic;		  /* NULL: not yet */
	unsigned number;		  /* of its interface: eth0, eth1, ... */
	struct mvm_control control;
	bool connected;
	struct mvm_watch *watch;
	struct mvm_timer *retry;
	uint64_t since_ns; /* when it began to try */
	bool joined;	   /* once at least */
	bool new;	   /* a change adds it: connect.c is told how that goes */
	int64_t mtu;
};

struct network {
	struct supervisor *supervisor;
	struct place *places[MVM_MACHINE_NICS_MAX];
	size_t count;
	const struct place *out; /* of the default route; NULL: there are no places */
	struct nic nics[MVM_MACHINE_NICS_MAX];
	char *resolv_conf;
	bool ndots;
	struct change *changes; /* the first is at work, or waits for the container to run */
};

/* place.c: one that `text` describes (net_endpoint.h), on no wire yet. */
int place_create(struct network *network, const char *text, struct place **place, struct mvm_error **err);
/* It leaves the network; its card is free. NULL is fine. */
void place_destroy(struct place *place);
/* A card for it: one that is free, with that one's address, or a new one. */
int place_take_nic(struct place *place, struct mvm_error **err);
void nic_close(struct nic *nic);
/* Begins to join. EVENT_NETWORK_READY, EVENT_FAILURE; of a new one change_joined() and change_failed(). */
void place_join(struct place *place);
/* The guest's resolv.conf has changed: the server of this network is told what it has to know of that. */
void place_revise(struct place *place);

/* network.c: what follows from the places there are: which leads out, and resolv.conf. */
void network_settle(struct network *network);
/* "mac=... name=... ..." as interface.h of the agent has it. `routes`: with the default route, if it leads out. */
char *network_interface(const struct place *place, bool routes);
/* The line of /etc/hosts; the caller owns both. */
char *network_hosts_line(const struct place *place);

/* connect.c */
void change_joined(struct place *place);
/* Takes the error. */
void change_failed(struct place *place, struct mvm_error *error);

#endif
