/*
 * Theory of operation
 *
 * One loop over epoll. Events only note what has become possible; then, each round, a bounded number of
 * transmit buffers is taken, and a bounded number of receive buffers filled in the order that the mux says.
 * Each direction publishes its used buffers once and interrupts the guest at most once a round.
 * When a bound was hit the next round does not wait.
 *
 * Kick eventfds are watched edge-triggered and never read: every kick is an edge. While we work on
 * a ring the guest is told not to kick; before we sleep it is asked to, and the ring looked at once more.
 *
 * A data packet takes one receive buffer of the guest's (4 KiB in Linux), but one readv() fills as
 * many of them as the connection has credit for, up to READ_BATCH. Buffers that stay empty are put back.
 */
#include "device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"

enum {
	EVENT_BATCH = 64,
	TX_BUDGET = 128,
	RX_BUDGET = 128,
	/* Receive buffers that one connection gets at a time. */
	READ_BATCH = 16,
	READ_MAX_PIECES = 256,
};

void device_break(struct device *device, const char *part, const char *reason)
{
	if (device->reason[0])
		return;
	snprintf(device->reason, sizeof(device->reason), "%s: %s", part, reason);
	mvm_log(MVM_LOG_ERROR, "%s", device->reason);
}

static struct vhost_ring *ring_of(struct device *device, unsigned index)
{
	return &device->vu.rings[index];
}

static void publish(struct vhost_ring *ring)
{
	const uint64_t one = 1;

	/* A full counter means that an interrupt is under way already. */
	if (vring_publish(&ring->vring) && ring->call >= 0 && write(ring->call, &one, sizeof(one)) < 0 &&
	    errno != EAGAIN)
		mvm_log(MVM_LOG_WARN, "interrupt: %s", strerror(errno));
}

/* --- from the guest --- */

static void request(struct device *device, struct stream *stream)
{
	stream->fd = stream->handout = -1;
	stream->source.kind = SOURCE_STREAM;
	list_init(&stream->node);
	if (device->control < 0 || stream_open(device, stream) < 0) {
		mvm_log(MVM_LOG_WARN, "port %u refused: %s", stream->conn.host_port, strerror(errno));
		mux_abort(&device->mux, &stream->conn);
		stream_release(device, stream);
		return;
	}
	control_announce(device, stream);
}

static void refuse(struct device *device, struct stream *stream, int errnum)
{
	stream->errnum = errnum;
	stream->gone = true;
	control_announce(device, stream);
}

static void opened(struct device *device, struct stream *stream)
{
	if (stream_open(device, stream) == 0) {
		control_announce(device, stream);
		return;
	}
	mux_abort(&device->mux, &stream->conn);
	refuse(device, stream, errno);
}

static void handle_event(struct device *device, const struct mux_event *event)
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
		refuse(device, stream, event->errnum);
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

static void trim(struct iovec *pieces, unsigned *count, size_t length)
{
	unsigned used = 0;

	for (; used < *count && length; used++) {
		if (pieces[used].iov_len > length)
			pieces[used].iov_len = length;
		length -= pieces[used].iov_len;
	}
	*count = used;
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
		trim(chain->pieces, &chain->readable, packet.len);
		stream_write(device, (struct stream *)event.conn, chain->pieces, chain->readable, packet.len);
	} else {
		handle_event(device, &event);
	}
	return 0;
}

/* Takes up to `budget` transmit buffers; true where more may be there. */
static bool transmit(struct device *device, unsigned budget)
{
	struct vhost_ring *ring = ring_of(device, RING_TX);
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
		}
	}
	if (result < 0) {
		device_break(device, "guest, vsock transmit ring", ring->vring.broken);
		return false;
	}
	publish(ring);
	/* With too many answers waiting, receive buffers are what we need, not more to answer. */
	if (mux_is_full(&device->mux))
		return false;
	return result > 0 || vring_want_kicks(&ring->vring);
}

/* --- to the guest --- */

/* Receive buffers taken for one packet each. */
struct batch {
	struct vring_chain chains[READ_BATCH];
	unsigned count;
	size_t capacity; /* behind the headers */
};

/* 1 and one buffer more, 0 where there is none, -1 where the guest broke the ring. */
static int take_buffer(struct device *device, struct batch *batch)
{
	struct vhost_ring *ring = ring_of(device, RING_RX);
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
	vring_push(&ring_of(device, RING_RX)->vring, chain->head, PACKET_HEADER_SIZE + packet->len);
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
	trim(pieces, &count, limit);
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
	vring_unpop(&ring_of(device, RING_RX)->vring, batch->count - used);
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
	vring_unpop(&ring_of(device, RING_RX)->vring, 1);
	return 0;
}

/* Fills about `budget` receive buffers; true where more may be done. */
static bool receive(struct device *device, int budget)
{
	struct vhost_ring *ring = ring_of(device, RING_RX);
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
	publish(ring);
	return more;
}

/* --- QEMU's side --- */

static void watch(struct device *device, int fd, uint32_t events, enum source_kind kind)
{
	struct epoll_event event = {.events = events, .data.ptr = &device->sources[kind]};

	if (epoll_ctl(device->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		device_break(device, "epoll", strerror(errno));
}

static void ring_started(void *arg, unsigned index)
{
	struct device *device = arg;

	watch(device, ring_of(device, index)->kick, EPOLLIN | EPOLLET,
	      index == RING_RX ? SOURCE_RX_KICK : SOURCE_TX_KICK);
	device->again = true;
}

/* QEMU keeps the eventfd open, so closing ours would leave it in the epoll set. What the guest has sent
 * before it stopped is delivered. */
static void ring_stopping(void *arg, unsigned index)
{
	struct device *device = arg;

	epoll_ctl(device->epoll, EPOLL_CTL_DEL, ring_of(device, index)->kick, NULL);
	if (index == RING_TX && !device->reason[0])
		transmit(device, TX_BUDGET);
}

static void drop_connections(struct device *device, bool unsent)
{
	struct conn *conn;

	while ((conn = mux_drain(&device->mux, unsent))) {
		struct stream *stream = (struct stream *)conn;

		if (stream->asked_by_host && stream->fd < 0)
			refuse(device, stream, ECONNRESET);
		else
			stream_release(device, stream);
	}
}

static void driver_reset(void *arg)
{
	drop_connections(arg, false);
}

static const struct vhost_user_ops vhost_user_ops = {ring_started, ring_stopping, driver_reset};

static void vhost_user_ready(struct device *device)
{
	int result = vhost_user_read(&device->vu);

	if (result < 0)
		device_break(device, "QEMU", device->vu.broken);
	if (result <= 0)
		return;
	mvm_log(MVM_LOG_INFO, "QEMU has gone");
	vhost_user_finish(&device->vu);
	drop_connections(device, true);
}

/* --- the loop --- */

static void handle_source(struct device *device, struct source *source, uint32_t events)
{
	switch (source->kind) {
	case SOURCE_CONTROL:
		control_ready(device, events);
		break;
	case SOURCE_VHOST_USER:
		vhost_user_ready(device);
		break;
	case SOURCE_STREAM:
		stream_ready(device, list_entry(source, struct stream, source), events);
		break;
	case SOURCE_RX_KICK:
	case SOURCE_TX_KICK:
		break; /* it woke us: every round looks at both rings */
	}
}

static int wait_time(const struct device *device)
{
	uint64_t deadline = mux_deadline(&device->mux), milliseconds;

	if (device->again)
		return 0;
	if (deadline == UINT64_MAX)
		return -1;
	milliseconds = deadline > device->now ? (deadline - device->now) / 1000000 + 1 : 0;
	return milliseconds < 60000 ? (int)milliseconds : 60000;
}

static void expire(struct device *device)
{
	struct mux_event event;

	while ((event = mux_expire(&device->mux, device->now)).type != EVENT_NONE)
		handle_event(device, &event);
}

static void round_of_rings(struct device *device)
{
	bool more, was_full;

	device->again = false;
	more = transmit(device, TX_BUDGET);
	was_full = mux_is_full(&device->mux);
	if (!device->reason[0])
		more |= receive(device, RX_BUDGET);
	/* Transmit buffers that waited for answers to leave were not kicked for again. */
	device->again |= more || (was_full && !mux_is_full(&device->mux));
}

int device_run(struct device *device)
{
	struct epoll_event events[EVENT_BATCH];

	while (!device->reason[0] && device->control >= 0) {
		int count = epoll_wait(device->epoll, events, EVENT_BATCH, wait_time(device));

		if (count < 0 && errno != EINTR)
			device_break(device, "epoll", strerror(errno));
		device->now = mvm_now_ns();
		for (int i = 0; i < count; i++)
			handle_source(device, events[i].data.ptr, events[i].events);
		expire(device);
		if (!device->reason[0])
			round_of_rings(device);
		stream_free_dead(device);
	}
	if (!device->reason[0])
		return 0;
	control_send_reason(device);
	return 1;
}

int device_init(struct device *device, uint64_t guest_cid, int control, int vhost_user)
{
	memset(device, 0, sizeof(*device));
	device->control = control;
	for (unsigned i = 0; i < SOURCE_STREAM; i++)
		device->sources[i].kind = (enum source_kind)i;
	list_init(&device->announcing);
	list_init(&device->dead);
	mux_init(&device->mux, guest_cid, sizeof(struct stream));
	vhost_user_init(&device->vu, vhost_user, guest_cid, &vhost_user_ops, device);
	device->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (device->epoll < 0 || mvm_set_nonblock(control, true) < 0 || mvm_set_nonblock(vhost_user, true) < 0)
		return -1;
	watch(device, control, EPOLLIN | EPOLLOUT | EPOLLET, SOURCE_CONTROL);
	watch(device, vhost_user, EPOLLIN | EPOLLET, SOURCE_VHOST_USER);
	return device->reason[0] ? -1 : 0;
}
