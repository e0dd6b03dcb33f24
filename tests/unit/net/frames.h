/* Frames for the tests of net/, made by hand from the RFCs' pictures. */
#ifndef MVM_TESTS_UNIT_NET_FRAMES_H
#define MVM_TESTS_UNIT_NET_FRAMES_H

#include "net/guard.h"
#include "net/packet.h"
#include "tests/unit/unit.h"

static const uint8_t own_mac[6] = {0x02, 0x42, 1, 2, 3, 4}, other_mac[6] = {0x02, 0x42, 9, 9, 9, 9},
		     gateway_mac[6] = {0x52, 0x55, 192, 168, 127, 1}, everybody[6] = {255, 255, 255, 255, 255, 255};
#define OWN_IP	   0xc0a87f02u
#define OTHER_IP   0xc0a87f03u
#define GATEWAY_IP 0xc0a87f01u
#define SUBNET	   0xc0a87f00u

struct frame {
	uint8_t data[2048];
	size_t length;
};

static inline void frame_begin(struct frame *frame, const uint8_t to[6], const uint8_t from[6], uint16_t type)
{
	memset(frame, 0, sizeof(*frame));
	memcpy(frame->data, to, 6);
	memcpy(frame->data + 6, from, 6);
	put16(frame->data + 12, type);
	frame->length = MVM_FRAME_HEADER;
}

static inline uint8_t *frame_ipv4(struct frame *frame, uint32_t from, uint32_t to, uint8_t protocol, size_t payload)
{
	uint8_t *packet = frame->data + MVM_FRAME_HEADER;

	packet[0] = 0x45;
	put16(packet + 2, (uint16_t)(IPV4_HEADER + payload));
	packet[8] = 64;
	packet[9] = protocol;
	put32(packet + 12, from);
	put32(packet + 16, to);
	put16(packet + 10, sum_fold(sum_add(0, packet, IPV4_HEADER)));
	frame->length = MVM_FRAME_HEADER + IPV4_HEADER + payload;
	return packet + IPV4_HEADER;
}

/* The sum over pseudo header and payload, which is 0 where its checksum is right. */
static inline uint16_t transport_sum(const uint8_t *packet)
{
	size_t payload = get16(packet + 2) - (size_t)IPV4_HEADER;

	return sum_fold(sum_add(sum_add(packet[9] + (uint32_t)payload, packet + 12, 8), packet + IPV4_HEADER, payload));
}

#endif
