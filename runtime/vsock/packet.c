#include "packet.h"

#include <endian.h>
#include <string.h>

static uint64_t load(const uint8_t **at, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, *at, size);
	*at += size;
	return le64toh(value);
}

static void store(uint8_t **at, unsigned size, uint64_t value)
{
	value = htole64(value);
	memcpy(*at, &value, size);
	*at += size;
}

void packet_parse(const uint8_t bytes[PACKET_HEADER_SIZE], struct packet *packet)
{
	const uint8_t *at = bytes;

	packet->src_cid = load(&at, 8);
	packet->dst_cid = load(&at, 8);
	packet->src_port = (uint32_t)load(&at, 4);
	packet->dst_port = (uint32_t)load(&at, 4);
	packet->len = (uint32_t)load(&at, 4);
	packet->type = (uint16_t)load(&at, 2);
	packet->op = (uint16_t)load(&at, 2);
	packet->flags = (uint32_t)load(&at, 4);
	packet->buf_alloc = (uint32_t)load(&at, 4);
	packet->fwd_cnt = (uint32_t)load(&at, 4);
}

void packet_format(const struct packet *packet, uint8_t bytes[PACKET_HEADER_SIZE])
{
	uint8_t *at = bytes;

	store(&at, 8, packet->src_cid);
	store(&at, 8, packet->dst_cid);
	store(&at, 4, packet->src_port);
	store(&at, 4, packet->dst_port);
	store(&at, 4, packet->len);
	store(&at, 2, packet->type);
	store(&at, 2, packet->op);
	store(&at, 4, packet->flags);
	store(&at, 4, packet->buf_alloc);
	store(&at, 4, packet->fwd_cnt);
}
