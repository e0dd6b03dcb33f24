/*
 * The flows of one network: who talks to whom, over TCP, UDP and echoes of ICMP, of either family; how much, and since
 * when. Known from the frames that pass the switch: those between guests, and those between a guest and the way out.
 * Frames are untrusted, and may be of any bytes. Fragments but the first say nothing of a flow, and are not counted.
 *
 * However many there are, MVM_FLOWS_MAX are known: where one more comes, another is forgotten, ended ones first, then
 * those that nobody has answered, then the one that has been silent for longest. No I/O; the caller says what time it
 * is.
 */
#ifndef MVM_NET_FLOWS_H
#define MVM_NET_FLOWS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "mac.h"

enum {
	MVM_FLOWS_MAX = 4096,
	MVM_FLOWS_TOLD = 256, /* what an answer has room for */
};

struct mvm_flows;

struct mvm_flows *mvm_flows_create(void);
void mvm_flows_destroy(struct mvm_flows *flows);

/* One that passes. `now` is of mvm_now_ns(). */
void mvm_flows_note(struct mvm_flows *flows, const uint8_t *frame, size_t length, uint64_t now);
/* Whoever had this address has gone, and what it said with it. */
void mvm_flows_forget(struct mvm_flows *flows, const uint8_t mac[MVM_MAC_SIZE]);

/* The last active first, at most MVM_FLOWS_TOLD: [{protocol: "tcp", "udp", "icmp", "icmp6"; state: "new" (not answered
 * yet), "established", "closing" (one side has ended it), "closed"; source: who sent first, destination: an address and
 * a port, or an echo's number; frames_out, bytes_out: the source's, frames_in, bytes_in; age_ms, idle_ms}]. `count` is
 * of all. */
json_t *mvm_flows_status(struct mvm_flows *flows, uint64_t now, size_t *count);

#endif
