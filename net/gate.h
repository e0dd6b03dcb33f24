/*
 * The DNS server's place in the network: the gateway's port 53. Pure: frames in, frames out.
 *
 * Over UDP a query is taken out of its frame, and the answer is put into one. Over TCP libslirp has the connection: it
 * takes none to the gateway itself but those for the host, so each guest's go to an address that is nobody's (that of
 * the subnet) and a port of its own, by which the server knows who asks; on the way the frames are rewritten.
 *
 * Spec: RFC 768, RFC 791, RFC 9293; checksums by RFC 1071 and RFC 1624. Frames have passed the guard.
 */
#ifndef MVM_NET_GATE_H
#define MVM_NET_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guard.h"

struct mvm_gate {
	uint32_t gateway;
	uint32_t stand_in; /* the subnet's address */
};

struct mvm_gate_query {
	uint8_t mac[MVM_MAC_SIZE]; /* the guest's */
	uint32_t ip;
	uint16_t port;
	const uint8_t *message; /* in the frame */
	size_t length;
};

/* Whether it is a whole query over UDP; fragments are none. */
bool mvm_gate_query(const struct mvm_gate *gate, const uint8_t *frame, size_t length, struct mvm_gate_query *query);
/* The answer's frame into `out`, of at most `room` bytes; 0 where it is too long. `query->message` is not looked at. */
size_t mvm_gate_answer(const struct mvm_gate *gate, const struct mvm_gate_query *query,
		       const uint8_t gateway_mac[MVM_MAC_SIZE], const void *message, size_t length, uint8_t *out,
		       size_t room);

/* A segment to the gateway's port 53 becomes one to the stand-in's `port`, in place; all else is left as it is. */
void mvm_gate_divert(const struct mvm_gate *gate, uint8_t *frame, size_t length, uint16_t port);
/* Whether a segment comes from the stand-in. */
bool mvm_gate_is_diverted(const struct mvm_gate *gate, const uint8_t *frame, size_t length);
/* And one from the stand-in becomes the gateway's. */
void mvm_gate_restore(const struct mvm_gate *gate, uint8_t *frame, size_t length);

#endif
