#include "guard.h"

#include <stdbool.h>
#include <string.h>

#include "packet.h"

static bool is_zero(const uint8_t *bytes, size_t length)
{
	while (length--)
		if (*bytes++)
			return false;
	return true;
}

/* fe80::/64 and the MAC address as an interface's identifier, RFC 4291 appendix A. */
static bool is_link_local(const struct mvm_identity *identity, const uint8_t *address)
{
	const uint8_t *mac = identity->mac;
	const uint8_t own[16] = {0xfe,	 0x80,	 0,    0,    0,	     0,	     0,	    0, (uint8_t)(mac[0] ^ 2),
				 mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};

	return memcmp(own, address, sizeof(own)) == 0;
}

static bool is_own6(const struct mvm_identity *identity, const uint8_t *address)
{
	return is_link_local(identity, address) ||
	       (!is_zero(identity->ip6.s6_addr, 16) && memcmp(identity->ip6.s6_addr, address, 16) == 0);
}

/* A probe (RFC 5227) has no sender's address yet. */
static enum mvm_verdict check_arp(const struct mvm_identity *identity, const uint8_t *packet, size_t length)
{
	uint32_t sender;

	if (length < ARP_SIZE || get16(packet) != 1 || get16(packet + 2) != TYPE_IPV4 || packet[4] != MVM_MAC_SIZE ||
	    packet[5] != 4)
		return MVM_FRAME_MALFORMED;
	if (memcmp(packet + 8, identity->mac, MVM_MAC_SIZE) != 0)
		return MVM_FRAME_FOREIGN_MAC;
	sender = get32(packet + 14);
	return sender == 0 || (identity->ip && sender == identity->ip) ? MVM_FRAME_ADMITTED : MVM_FRAME_FOREIGN_ADDRESS;
}

static enum mvm_verdict check_ipv4(const struct mvm_identity *identity, const uint8_t *packet, size_t length)
{
	size_t header, total;

	if (length < IPV4_HEADER || packet[0] >> 4 != 4)
		return MVM_FRAME_MALFORMED;
	header = (packet[0] & 15) * 4u;
	total = get16(packet + 2);
	if (header < IPV4_HEADER || total < header || total > length)
		return MVM_FRAME_MALFORMED;
	return identity->ip && get32(packet + 12) == identity->ip ? MVM_FRAME_ADMITTED : MVM_FRAME_FOREIGN_ADDRESS;
}

/* Who says where an address is (136), or asks (135) with its own in the packet's source, says so of its own. Routers
 * (134, 137) are not among the guests. Fragments of such messages are ignored by their receivers (RFC 6980). */
static enum mvm_verdict check_icmp6(const struct mvm_identity *identity, const uint8_t *message, size_t length)
{
	if (length < 4)
		return MVM_FRAME_MALFORMED;
	if (message[0] == ICMP6_ROUTER_ADVERTISEMENT || message[0] == ICMP6_REDIRECT)
		return MVM_FRAME_FOREIGN_ADDRESS;
	if (message[0] != ICMP6_NEIGHBOR_ADVERTISEMENT)
		return MVM_FRAME_ADMITTED;
	if (length < 24)
		return MVM_FRAME_MALFORMED;
	return is_own6(identity, message + 8) ? MVM_FRAME_ADMITTED : MVM_FRAME_FOREIGN_ADDRESS;
}

/* What the extension headers before it lead to (RFC 8200 section 4). */
static enum mvm_verdict check_payload6(const struct mvm_identity *identity, uint8_t protocol, const uint8_t *payload,
				       size_t length)
{
	while (protocol == PROTOCOL_HOP_BY_HOP || protocol == PROTOCOL_ROUTING || protocol == PROTOCOL_OPTIONS) {
		size_t header = length < 8 ? SIZE_MAX : (payload[1] + 1u) * 8u;

		if (header > length)
			return MVM_FRAME_MALFORMED;
		protocol = payload[0];
		payload += header;
		length -= header;
	}
	return protocol == PROTOCOL_ICMP6 ? check_icmp6(identity, payload, length) : MVM_FRAME_ADMITTED;
}

static enum mvm_verdict check_ipv6(const struct mvm_identity *identity, const uint8_t *packet, size_t length)
{
	size_t payload;

	if (length < IPV6_HEADER || packet[0] >> 4 != 6)
		return MVM_FRAME_MALFORMED;
	payload = get16(packet + 4);
	if (payload > length - IPV6_HEADER)
		return MVM_FRAME_MALFORMED;
	/* Duplicate address detection, and multicast listeners' reports, come from nobody. */
	if (!is_own6(identity, packet + 8) && !is_zero(packet + 8, 16))
		return MVM_FRAME_FOREIGN_ADDRESS;
	return check_payload6(identity, packet[6], packet + IPV6_HEADER, payload);
}

enum mvm_verdict mvm_guard(const struct mvm_identity *identity, const uint8_t *frame, size_t length)
{
	const uint8_t *packet = frame + MVM_FRAME_HEADER;

	if (length < MVM_FRAME_HEADER)
		return MVM_FRAME_MALFORMED;
	if (memcmp(frame + MVM_MAC_SIZE, identity->mac, MVM_MAC_SIZE) != 0)
		return MVM_FRAME_FOREIGN_MAC;
	length -= MVM_FRAME_HEADER;
	switch (get16(frame + 12)) {
	case TYPE_ARP:
		return check_arp(identity, packet, length);
	case TYPE_IPV4:
		return check_ipv4(identity, packet, length);
	case TYPE_IPV6:
		return check_ipv6(identity, packet, length);
	default:
		return MVM_FRAME_FOREIGN_PROTOCOL;
	}
}
