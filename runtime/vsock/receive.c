/*
 * Theory of operation: to the guest
 *
 * A packet takes one receive buffer of the guest's (4 KiB in Linux), in the order that the mux says. Data is read from
 * the connection's socket straight into guest memory: one readv() fills as many buffers as the connection
 * has credit for, up to READ_BATCH, and the headers are written when it is known how much came. Buffers
 * that stay empty are put back.
 */
#include "device.h"

#include <string.h>

enum {
	/* Receive buffers that one connection gets at a time. */
	READ_BATCH = 16,
	READ_MAX_PIECES = 256,
};

/* Receive buffers taken for one packet each. */
struct batch {
	struct vring_chain chains[READ_BATCH];
	unsigned count;
	size_t capacity; /* behind the headers */
};

/* 1 and one buffer more, 0 where there is none, -1 where the guest broke the ring. */
static int take_buffer(struct device *device, struct batch *batch)
{
	struct vhost_ring *ring = device_ring(device, RING_RX);
	struct vring_chain *chain = &batch->chains[batch->count];
	int result = vring_pop(&ring->vring, &device->vu.memory, chain);

	if (result < 0) {
		device_break(device, "guest, vsock receive ring", ring->vring.broken);
	} else if (result > 0 && chain->write_length <= PACKET_HEADER_SIZE) {
		device_break(device, "guest", "a vsock receive buffer is too small");
		result = -1;
	} else if (result > 0) {
		batch->count++;
		batch->capacity += chain->write_length - PACKET_HEADER_SIZE;
	}
	return result;
}

static void put_header(const struct vring_chain *chain, const struct packet *packet)
{
	uint8_t header[PACKET_HEADER_SIZE];
	size_t done = 0;

	packet_format(packet, header);
	for (unsigned i = chain->readable; i < chain->count && done < sizeof(header); i++) {
		size_t part = sizeof(header) - done;

		if (part > chain->pieces[i].iov_len)
			part = chain->pieces[i].iov_len;
		memcpy(chain->pieces[i].iov_base, header + done, part);
		done += part;
	}
}

static void send_packet(struct device *device, const struct vring_chain *chain, const struct packet *packet)
{
	put_header(chain, packet);
	vring_push(&device_ring(device, RING_RX)->vring, chain->head, PACKET_HEADER_SIZE + packet->len);
}

/* The pieces behind the headers, `limit` bytes of them at most; returns their number. */
static unsigned payload_pieces(const struct batch *batch, struct iovec pieces[READ_MAX_PIECES], size_t limit)
{
	unsigned count = 0;

	for (unsigned i = 0; i < batch->count; i++) {
		const struct vring_chain *chain = &batch->chains[i];
		size_t skip = PACKET_HEADER_SIZE;

		for (unsigned j = chain->readable; j < chain->count && count < READ_MAX_PIECES; j++) {
			size_t skipped = skip < chain->pieces[j].iov_len ? skip : chain->pieces[j].iov_len;

			pieces[count].iov_base = (char *)chain->pieces[j].iov_base + skipped;
			pieces[count].iov_len = chain->pieces[j].iov_len - skipped;
			skip -= skipped;
			count += pieces[count].iov_len > 0;
		}
	}
	pieces_trim(pieces, &count, limit);
	return count;
}

static size_t pieces_length(const struct iovec *pieces, unsigned count)
{
	size_t length = 0;

	for (unsigned i = 0; i < count; i++)
		length += pieces[i].iov_len;
	return length;
}

/* Makes `length` bytes that were read into the batch's payloads packets of `conn`; returns the
 * number of buffers that it took. */
static unsigned send_data(struct device *device, struct batch *batch, struct conn *conn, size_t length)
{
	unsigned used = 0;

	while (length) {
		const struct vring_chain *chain = &batch->chains[used++];
		uint64_t room = chain->write_length - PACKET_HEADER_SIZE;
		uint32_t part = (uint32_t)(room < length ? room : length);
		struct packet packet;

		mux_data_packet(&device->mux, conn, part, &packet);
		send_packet(device, chain, &packet);
		length -= part;
	}
	return used;
}

/* One connection's turn, with one buffer in the batch already; returns the number used. */
static int data_turn(struct device *device, struct batch *batch, struct stream *stream)
{
	struct iovec pieces[READ_MAX_PIECES];
	uint32_t credit = mux_credit(&stream->conn);
	unsigned count, used = 0;
	size_t length;
	ssize_t n;

	while (batch->count <= stream->burst && batch->count < READ_BATCH && batch->capacity < credit) {
		int result = take_buffer(device, batch);

		if (result < 0)
			return -1;
		if (result == 0)
			break;
	}
	count = payload_pieces(batch, pieces, credit);
	length = pieces_length(pieces, count);
	n = stream_read(device, stream, pieces, count, length);
	if (n > 0)
		used = send_data(device, batch, &stream->conn, (size_t)n);
	/* Many buffers only for who fills them: each has to be walked, and put back if it stays empty. */
	stream->burst = n == (ssize_t)length ? READ_BATCH : 0;
	mux_sent(&device->mux, &stream->conn);
	vring_unpop(&device_ring(device, RING_RX)->vring, batch->count - used);
	return (int)used;
}

/* Fills one or more receive buffers: their number, 0 where there was nothing to send. */
static int receive_turn(struct device *device, struct batch *batch)
{
	struct conn *conn = NULL;
	struct packet packet;

	switch (mux_next(&device->mux, &packet, &conn)) {
	case NEXT_CONTROL:
		send_packet(device, &batch->chains[0], &packet);
		return 1;
	case NEXT_DATA:
		return data_turn(device, batch, (struct stream *)conn);
	case NEXT_NONE:
		break;
	}
	vring_unpop(&device_ring(device, RING_RX)->vring, 1);
	return 0;
}

bool device_receive(struct device *device, int budget)
{
	struct vhost_ring *ring = device_ring(device, RING_RX);
	bool more = false;
	int result = 1;

	if (!ring->running || !mux_wants_buffers(&device->mux))
		return false;
	vring_no_kicks(&ring->vring);
	while (mux_wants_buffers(&device->mux) && result >= 0) {
		struct batch batch;

		batch.count = 0;
		batch.capacity = 0;
		if (budget <= 0) {
			more = true;
			break;
		}
		result = take_buffer(device, &batch);
		if (result == 0 && !vring_want_kicks(&ring->vring))
			break;
		if (result > 0)
			result = receive_turn(device, &batch);
		budget -= result > 0 ? result : 1;
	}
	device_publish(ring);
	return more;
}
