#include "gate.h"

#include <string.h>

#include "packet.h"

enum {
	DNS_PORT = 53,
	FRAGMENT_BITS = 0x3fff, /* more fragments, and the offset */
	TIME_TO_LIVE = 64,
};

/* An unfragmented IPv4 packet of a protocol with at least `least` bytes of it; NULL for any other. */
static uint8_t *payload_of(uint8_t *frame, size_t length, uint8_t protocol, size_t least, size_t *size)
{
	uint8_t *packet = frame + MVM_FRAME_HEADER;
	size_t header, total;

	if (length < MVM_FRAME_HEADER + IPV4_HEADER || get16(frame + 12) != TYPE_IPV4)
		return NULL;
	header = (packet[0] & 15) * 4u;
	total = get16(packet + 2);
	if (header < IPV4_HEADER || total > length - MVM_FRAME_HEADER || total < header + least ||
	    packet[9] != protocol || (get16(packet + 6) & FRAGMENT_BITS))
		return NULL;
	*size = total - header;
	return packet + header;
}

bool mvm_gate_query(const struct mvm_gate *gate, const uint8_t *frame, size_t length, struct mvm_gate_query *query)
{
	const uint8_t *packet = frame + MVM_FRAME_HEADER;
	size_t size;
	const uint8_t *udp = payload_of((uint8_t *)frame, length, PROTOCOL_UDP, UDP_HEADER, &size);

	if (!udp || get32(packet + 16) != gate->gateway || get16(udp + 2) != DNS_PORT || get16(udp + 4) < UDP_HEADER ||
	    get16(udp + 4) > size)
		return false;
	memcpy(query->mac, frame + MVM_MAC_SIZE, MVM_MAC_SIZE);
	query->ip = get32(packet + 12);
	query->port = get16(udp);
	query->message = udp + UDP_HEADER;
	query->length = get16(udp + 4) - (size_t)UDP_HEADER;
	return true;
}

static void write_ipv4(uint8_t *packet, uint32_t from, uint32_t to, size_t total)
{
	memset(packet, 0, IPV4_HEADER);
	packet[0] = 0x45;
	put16(packet + 2, (uint16_t)total);
	packet[8] = TIME_TO_LIVE;
	packet[9] = PROTOCOL_UDP;
	put32(packet + 12, from);
	put32(packet + 16, to);
	put16(packet + 10, sum_fold(sum_add(0, packet, IPV4_HEADER)));
}

/* With the pseudo header; a sum of zero is written as its other form. */
static uint16_t udp_sum(const uint8_t *packet, const uint8_t *udp, size_t size)
{
	uint32_t sum = sum_add(PROTOCOL_UDP + (uint32_t)size, packet + 12, 8);
	uint16_t folded = sum_fold(sum_add(sum, udp, size));

	return folded ? folded : 0xffff;
}

size_t mvm_gate_answer(const struct mvm_gate *gate, const struct mvm_gate_query *query,
		       const uint8_t gateway_mac[MVM_MAC_SIZE], const void *message, size_t length, uint8_t *out,
		       size_t room)
{
	uint8_t *packet = out + MVM_FRAME_HEADER, *udp = packet + IPV4_HEADER;
	size_t size = UDP_HEADER + length, total = IPV4_HEADER + size;

	if (total > UINT16_MAX || MVM_FRAME_HEADER + total > room)
		return 0;
	memcpy(out, query->mac, MVM_MAC_SIZE);
	memcpy(out + MVM_MAC_SIZE, gateway_mac, MVM_MAC_SIZE);
	put16(out + 12, TYPE_IPV4);
	write_ipv4(packet, gate->gateway, query->ip, total);
	put16(udp, DNS_PORT);
	put16(udp + 2, query->port);
	put16(udp + 4, (uint16_t)size);
	put16(udp + 6, 0);
	memcpy(udp + UDP_HEADER, message, length);
	put16(udp + 6, udp_sum(packet, udp, size));
	return MVM_FRAME_HEADER + total;
}

/* RFC 1624, equation 3. */
static void adjust(uint8_t *sum, uint32_t old, uint32_t new)
{
	uint32_t value = (uint16_t)~get16(sum);

	value += (uint16_t) ~(old >> 16) + (uint32_t)(uint16_t)~old + (new >> 16) + (new & 0xffff);
	put16(sum, sum_fold(value));
}

/* Address and port of one side, with both checksums. */
static void readdress(uint8_t *packet, uint8_t *tcp, size_t address_at, size_t port_at, uint32_t address, uint16_t port)
{
	uint32_t old = get32(packet + address_at);

	adjust(packet + 10, old, address);
	adjust(tcp + 16, old, address);
	adjust(tcp + 16, get16(tcp + port_at), port);
	put32(packet + address_at, address);
	put16(tcp + port_at, port);
}

void mvm_gate_divert(const struct mvm_gate *gate, uint8_t *frame, size_t length, uint16_t port)
{
	uint8_t *packet = frame + MVM_FRAME_HEADER;
	size_t size;
	uint8_t *tcp = payload_of(frame, length, PROTOCOL_TCP, TCP_HEADER, &size);

	if (tcp && get32(packet + 16) == gate->gateway && get16(tcp + 2) == DNS_PORT)
		readdress(packet, tcp, 16, 2, gate->stand_in, port);
}

bool mvm_gate_is_diverted(const struct mvm_gate *gate, const uint8_t *frame, size_t length)
{
	size_t size;

	return payload_of((uint8_t *)frame, length, PROTOCOL_TCP, TCP_HEADER, &size) &&
	       get32(frame + MVM_FRAME_HEADER + 12) == gate->stand_in;
}

void mvm_gate_restore(const struct mvm_gate *gate, uint8_t *frame, size_t length)
{
	uint8_t *packet = frame + MVM_FRAME_HEADER;
	size_t size;
	uint8_t *tcp = payload_of(frame, length, PROTOCOL_TCP, TCP_HEADER, &size);

	if (tcp && get32(packet + 12) == gate->stand_in)
		readdress(packet, tcp, 12, 0, gate->gateway, DNS_PORT);
}
