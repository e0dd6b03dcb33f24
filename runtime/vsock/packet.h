/*
 * The header that starts every packet of a virtio socket device (virtio 1.2
 * §5.10.6), and its byte form.
 *
 * Runs in the device process. The bytes come from the guest: packet_parse() copies them
 * once and checks nothing, so that all checks are made on the copy.
 */
#ifndef MVM_VSOCK_PACKET_H
#define MVM_VSOCK_PACKET_H

#include <stdint.h>

enum { PACKET_HEADER_SIZE = 44 };

enum { CID_HOST = 2 };

enum { PACKET_TYPE_STREAM = 1 };

enum packet_op {
	OP_REQUEST = 1,
	OP_RESPONSE = 2,
	OP_RST = 3,
	OP_SHUTDOWN = 4,
	OP_RW = 5,
	OP_CREDIT_UPDATE = 6,
	OP_CREDIT_REQUEST = 7,
};

/* Flags of OP_SHUTDOWN: what its sender will no longer do. */
enum {
	SHUT_NO_RECEIVE = 1,
	SHUT_NO_SEND = 2,
	SHUT_BOTH = 3,
};

struct packet {
	uint64_t src_cid;
	uint64_t dst_cid;
	uint32_t src_port;
	uint32_t dst_port;
	uint32_t len;
	uint16_t type;
	uint16_t op;
	uint32_t flags;
	uint32_t buf_alloc;
	uint32_t fwd_cnt;
};

void packet_parse(const uint8_t bytes[PACKET_HEADER_SIZE], struct packet *packet);
void packet_format(const struct packet *packet, uint8_t bytes[PACKET_HEADER_SIZE]);

#endif
