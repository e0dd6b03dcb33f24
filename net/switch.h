/*
 * The switch of one network: frames between its guests, and between them and the uplink (NAT, DNS). Runs in the network
 * process, on its loop.
 *
 * A guest's end is a datagram socket, a frame each: QEMU's -netdev dgram, or Virtualization.framework's file handle
 * attachment. What it sends passes the guard first. Every address is known from the day it was given, so nothing is
 * learnt from frames. A guest that does not take its frames loses those beyond its queue, as on any wire; nobody else
 * waits for it.
 */
#ifndef MVM_NET_SWITCH_H
#define MVM_NET_SWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guard.h"

struct mvm_flows;
struct mvm_loop;
struct mvm_port;
struct mvm_switch;

/* The largest that a datagram holds: QEMU's limit. */
enum { MVM_FRAME_MAX = 65536 + MVM_FRAME_HEADER };

/* Where frames go that are for no guest; valid during the call. */
typedef void (*mvm_uplink_fn)(void *arg, struct mvm_port *from, uint8_t *frame, size_t length);

/* One for each family. Copied. */
struct mvm_gateway {
	uint8_t mac[MVM_MAC_SIZE], mac6[MVM_MAC_SIZE];
};
struct mvm_switch *mvm_switch_create(struct mvm_loop *loop, const struct mvm_gateway *gateway, mvm_uplink_fn uplink,
				     void *arg);
/* Its ports, too. */
void mvm_switch_destroy(struct mvm_switch *sw);

/* Takes fd. `arg` is for mvm_port_arg(). */
struct mvm_port *mvm_switch_add(struct mvm_switch *sw, const struct mvm_identity *identity, int fd, void *arg);
/* NULL is fine. */
void mvm_port_remove(struct mvm_port *port);
const struct mvm_identity *mvm_port_identity(const struct mvm_port *port);
void *mvm_port_arg(const struct mvm_port *port);

/* A frame from the uplink to whom it is for. */
void mvm_switch_deliver(struct mvm_switch *sw, const uint8_t *frame, size_t length);
/* So much waits at some guest that the uplink should rather wait itself, until the guest has taken it, or this time (of
 * mvm_now_ns()) has come: then it is taken for one that takes nothing. 0: it need not. */
uint64_t mvm_switch_congested_until(const struct mvm_switch *sw, uint64_t now);

struct mvm_port_counters {
	uint64_t frames_in, bytes_in;	/* from the guest */
	uint64_t frames_out, bytes_out; /* to it */
	uint64_t lost;			/* it did not take them */
	uint64_t refused[MVM_FRAME_VERDICTS];
};
const struct mvm_port_counters *mvm_port_counters(const struct mvm_port *port);
/* Of all its guests. */
struct mvm_flows *mvm_switch_flows(const struct mvm_switch *sw);

#endif
