/*
 * What a guest may send: its own addresses, and no other guest's, nor the gateway's. Pure: bytes in, a verdict out.
 * Frames are the guest's, and untrusted.
 *
 * Ethernet II; ARP (RFC 826), IPv4 (RFC 791), IPv6 (RFC 8200) with neighbour discovery (RFC 4861). All else, VLANs
 * included, is refused.
 */
#ifndef MVM_NET_GUARD_H
#define MVM_NET_GUARD_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "mac.h"

enum { MVM_FRAME_HEADER = 14 };

struct mvm_identity {
	uint8_t mac[MVM_MAC_SIZE];
	uint32_t ip; /* in the host's byte order; 0: none */
	/* Zero: none. The link-local address that follows from the MAC address (RFC 4291, appendix A) is its own too.
	 */
	struct in6_addr ip6;
};

enum mvm_verdict {
	MVM_FRAME_ADMITTED,
	MVM_FRAME_MALFORMED,	   /* shorter than its headers say, or no frame at all */
	MVM_FRAME_FOREIGN_MAC,	   /* another's Ethernet address */
	MVM_FRAME_FOREIGN_ADDRESS, /* another's IP address, or a claim to it */
	MVM_FRAME_FOREIGN_PROTOCOL,
	MVM_FRAME_VERDICTS
};

enum mvm_verdict mvm_guard(const struct mvm_identity *identity, const uint8_t *frame, size_t length);

#endif
