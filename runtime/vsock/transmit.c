/*
 * Theory of operation: from the guest
 *
 * Each chain of the transmit ring is one packet. Its header is copied once and checked in the copy; the mux says what
 * the packet means. A payload goes from guest memory straight to the connection's socket. The ring never waits for a
 * reader on the host; it waits only while answers to the guest pile up for want of its receive buffers.
 */
#include "device.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/log.h"

/* A ring of 128 descriptors takes 42 packets of three, so it never fills up for want of an interrupt. */
enum { TELL_COUNT = 16, TELL_NS = 4000000 };

/* What the guest may connect to by itself must leave room for the streams of processes. */
static bool ask(struct device *device, struct stream *stream)
{
	if (stream->conn.host_port - device->served_first >= device->served_count)
		return false;
	stream->served = true;
	stream->id = ++device->last_asked;
	if (device->control < 0 || device->mux.count > DEVICE_MAX_PUBLISHED) {
		mux_abort(&device->mux, &stream->conn);
		stream_release(device, stream);
		return true;
	}
	control_announce(device, stream);
	return true;
}

static void request(struct device *device, struct stream *stream)
{
	stream->fd = stream->handout = -1;
	stream->source.kind = SOURCE_STREAM;
	mvm_list_init(&stream->node);
	if (ask(device, stream))
		return;
	if (device->control < 0 || stream_open(device, stream) < 0) {
		mvm_log(MVM_LOG_WARN, "port %u refused: %s", stream->conn.host_port, strerror(errno));
		mux_abort(&device->mux, &stream->conn);
		stream_release(device, stream);
		return;
	}
	control_announce(device, stream);
}

void device_refuse(struct device *device, struct stream *stream, int errnum)
{
	if (stream->published) {
		stream_release(device, stream);
		return;
	}
	stream->errnum = errnum;
	stream->gone = true;
	control_announce(device, stream);
}

static void opened(struct device *device, struct stream *stream)
{
	if (stream_open(device, stream) == 0) {
		if (!stream->published)
			control_announce(device, stream);
		return;
	}
	mux_abort(&device->mux, &stream->conn);
	device_refuse(device, stream, errno);
}

void device_handle_event(struct device *device, const struct mux_event *event)
{
	struct stream *stream = (struct stream *)event->conn;

	switch (event->type) {
	case EVENT_REQUEST:
		request(device, stream);
		break;
	case EVENT_OPENED:
		opened(device, stream);
		break;
	case EVENT_REFUSED:
		device_refuse(device, stream, event->errnum);
		break;
	case EVENT_SHUTDOWN:
		stream_shutdown(device, stream);
		break;
	case EVENT_CLOSED:
		stream_release(device, stream);
		break;
	case EVENT_DATA:
	case EVENT_NONE:
		break;
	}
}

/* Copies the first bytes of a chain's pieces and leaves the pieces to hold `length` bytes behind them. */
static void split_header(struct vring_chain *chain, uint8_t header[PACKET_HEADER_SIZE])
{
	size_t done = 0;

	for (unsigned i = 0; i < chain->readable && done < PACKET_HEADER_SIZE; i++) {
		struct iovec *piece = &chain->pieces[i];
		size_t part = PACKET_HEADER_SIZE - done < piece->iov_len ? PACKET_HEADER_SIZE - done : piece->iov_len;

		memcpy(header + done, piece->iov_base, part);
		piece->iov_base = (char *)piece->iov_base + part;
		piece->iov_len -= part;
		done += part;
	}
}

static int handle_packet(struct device *device, struct vring_chain *chain)
{
	uint8_t header[PACKET_HEADER_SIZE];
	struct mux_event event;
	struct packet packet;

	if (chain->read_length < PACKET_HEADER_SIZE)
		return -1;
	split_header(chain, header);
	packet_parse(header, &packet);
	if (packet.len > chain->read_length - PACKET_HEADER_SIZE)
		return -1;
	event = mux_receive(&device->mux, &packet, packet.len);
	if (event.type == EVENT_DATA) {
		pieces_trim(chain->pieces, &chain->readable, packet.len);
		stream_write(device, (struct stream *)event.conn, chain->pieces, chain->readable, packet.len);
	} else {
		device_handle_event(device, &event);
	}
	return 0;
}

/* Most come one at a time, each the answer to something, and then half of all interrupts would be for them. */
void device_tell_used(struct device *device, bool now)
{
	if (device->tell_at == UINT64_MAX) {
		device->untold = 0;
		return;
	}
	if (!now && device->untold < TELL_COUNT && device->now < device->tell_at)
		return;
	device->untold = 0;
	device->tell_at = UINT64_MAX;
	device_interrupt(device_ring(device, RING_TX));
}

bool device_transmit(struct device *device, unsigned budget)
{
	struct vhost_ring *ring = device_ring(device, RING_TX);
	struct vring_chain chain;
	int result = 1;

	if (!ring->running)
		return false;
	vring_no_kicks(&ring->vring);
	while (budget && result > 0 && !mux_is_full(&device->mux)) {
		result = vring_pop(&ring->vring, &device->vu.memory, &chain);
		if (result > 0) {
			if (handle_packet(device, &chain) < 0) {
				device_break(device, "guest", "a vsock packet is shorter than it says");
				return false;
			}
			vring_push(&ring->vring, chain.head, 0);
			budget--;
			device->untold++;
		}
	}
	if (result < 0) {
		device_break(device, "guest, vsock transmit ring", ring->vring.broken);
		return false;
	}
	if (vring_publish(&ring->vring) && device->tell_at == UINT64_MAX)
		device->tell_at = device->now + TELL_NS;
	device_tell_used(device, false);
	/* With too many answers waiting, receive buffers are what we need, not more to answer. */
	if (mux_is_full(&device->mux))
		return false;
	return result > 0 || vring_want_kicks(&ring->vring);
}
