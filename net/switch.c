/*
 * Theory of operation: a guest's socket is read until it is empty, but no more than so many frames a turn, so that a
 * guest that floods leaves the others theirs. Frames go out at once; what the socket has no room for waits in the
 * port's queue until it has. The guest's end is a socket pair, so its queue in the kernel is bounded by our send
 * buffer.
 *
 * A port may be removed while its own frames are being handled (the uplink may do so): then it is only marked, and
 * freed when the turn is over.
 */
#include "switch.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "flows.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"

enum {
	FRAMES_A_TURN = 64,
	QUEUE_MAX = 4 << 20,	   /* bytes; beyond it frames are lost */
	QUEUE_CONGESTED = 1 << 20, /* the uplink waits */
	SOCKET_BUFFER = 1 << 20,
};

/* A guest that has taken nothing for so long is paused, say, and nobody waits for it. */
#define STUCK_NS UINT64_C(250000000)

struct queued {
	struct queued *next;
	size_t length;
	uint8_t frame[];
};

struct mvm_port {
	struct mvm_port *next;
	struct mvm_switch *sw;
	struct mvm_identity identity;
	int fd;
	struct mvm_watch *watch;
	struct queued *first, **last;
	size_t queued;	   /* bytes */
	uint64_t taken_at; /* when the queue last became shorter, or began */
	struct mvm_port_counters counters;
	void *arg;
	bool busy, gone;
};

struct mvm_switch {
	struct mvm_loop *loop;
	struct mvm_port *ports;
	struct mvm_flows *flows;
	struct mvm_gateway gateway;
	mvm_uplink_fn uplink;
	void *arg;
	uint8_t frame[MVM_FRAME_MAX];
};

static void drop_queue(struct mvm_port *port)
{
	while (port->first) {
		struct queued *frame = port->first;

		port->first = frame->next;
		free(frame);
	}
	port->last = &port->first;
	port->queued = 0;
}

/* 0: sent, or lost for good; 1: there is no room now. */
static int send_frame(struct mvm_port *port, const uint8_t *frame, size_t length)
{
	ssize_t n;

	while ((n = send(port->fd, frame, length, MSG_DONTWAIT)) < 0 && errno == EINTR)
		;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS))
		return 1;
	if (n < 0) {
		port->counters.lost++;
		return 0;
	}
	port->counters.frames_out++;
	port->counters.bytes_out += length;
	return 0;
}

static void flush(struct mvm_port *port)
{
	while (port->first && send_frame(port, port->first->frame, port->first->length) == 0) {
		struct queued *sent = port->first;

		port->first = sent->next;
		port->queued -= sent->length;
		port->taken_at = mvm_now_ns();
		free(sent);
	}
	if (!port->first)
		port->last = &port->first;
	mvm_watch_set(port->watch, port->first ? POLLIN | POLLOUT : POLLIN);
}

static void enqueue(struct mvm_port *port, const uint8_t *data, size_t length)
{
	struct queued *frame;

	if (port->queued + length > QUEUE_MAX) {
		port->counters.lost++;
		return;
	}
	frame = mvm_alloc(sizeof(*frame) + length);
	frame->length = length;
	if (!port->first)
		port->taken_at = mvm_now_ns();
	memcpy(frame->frame, data, length);
	*port->last = frame;
	port->last = &frame->next;
	port->queued += length;
	mvm_watch_set(port->watch, POLLIN | POLLOUT);
}

static void send_to(struct mvm_port *port, const uint8_t *frame, size_t length)
{
	if (port->gone)
		return;
	if (port->first || send_frame(port, frame, length) == 1)
		enqueue(port, frame, length);
}

static bool is_group(const uint8_t *frame)
{
	return frame[0] & 1;
}

/* To the guests that it is for; true where it is for none of them alone. */
static bool distribute(struct mvm_switch *sw, const struct mvm_port *from, const uint8_t *frame, size_t length)
{
	bool group = is_group(frame);

	for (struct mvm_port *port = sw->ports; port; port = port->next) {
		if (port == from || (!group && memcmp(frame, port->identity.mac, MVM_MAC_SIZE) != 0))
			continue;
		send_to(port, frame, length);
		if (!group)
			return false;
	}
	return true;
}

void mvm_switch_deliver(struct mvm_switch *sw, const uint8_t *frame, size_t length)
{
	if (length < MVM_FRAME_HEADER)
		return;
	mvm_flows_note(sw->flows, frame, length, mvm_now_ns());
	distribute(sw, NULL, frame, length);
}

static bool is_for_gateway(const struct mvm_switch *sw, const uint8_t *frame)
{
	return memcmp(frame, sw->gateway.mac, MVM_MAC_SIZE) == 0 || memcmp(frame, sw->gateway.mac6, MVM_MAC_SIZE) == 0;
}

static void take_frame(struct mvm_port *port, uint8_t *frame, size_t length)
{
	struct mvm_switch *sw = port->sw;
	enum mvm_verdict verdict = mvm_guard(&port->identity, frame, length);

	if (verdict != MVM_FRAME_ADMITTED) {
		port->counters.refused[verdict]++;
		return;
	}
	port->counters.frames_in++;
	port->counters.bytes_in += length;
	mvm_flows_note(sw->flows, frame, length, mvm_now_ns());
	if (distribute(sw, port, frame, length) && (is_group(frame) || is_for_gateway(sw, frame)))
		sw->uplink(sw->arg, port, frame, length);
}

static void free_port(struct mvm_port *port)
{
	drop_queue(port);
	free(port);
}

static void port_ready(void *arg, int fd, short revents)
{
	struct mvm_port *port = arg;
	struct mvm_switch *sw = port->sw;

	if (revents & POLLOUT)
		flush(port);
	port->busy = true;
	for (int i = 0; !port->gone && i < FRAMES_A_TURN; i++) {
		ssize_t n = recv(fd, sw->frame, sizeof(sw->frame), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		/* A peer that is gone says so by an error; the guest's supervisor takes the port away then. */
		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
			mvm_watch_set(port->watch, 0);
		if (n < 0)
			break;
		take_frame(port, sw->frame, (size_t)n);
	}
	port->busy = false;
	if (port->gone)
		free_port(port);
}

struct mvm_switch *mvm_switch_create(struct mvm_loop *loop, const struct mvm_gateway *gateway, mvm_uplink_fn uplink,
				     void *arg)
{
	struct mvm_switch *sw = mvm_alloc(sizeof(*sw));

	sw->loop = loop;
	sw->flows = mvm_flows_create();
	sw->gateway = *gateway;
	sw->uplink = uplink;
	sw->arg = arg;
	return sw;
}

void mvm_switch_destroy(struct mvm_switch *sw)
{
	if (!sw)
		return;
	while (sw->ports)
		mvm_port_remove(sw->ports);
	mvm_flows_destroy(sw->flows);
	free(sw);
}

struct mvm_port *mvm_switch_add(struct mvm_switch *sw, const struct mvm_identity *identity, int fd, void *arg)
{
	struct mvm_port *port = mvm_alloc(sizeof(*port));
	int size = SOCKET_BUFFER;

	*port = (struct mvm_port){.next = sw->ports, .sw = sw, .identity = *identity, .fd = fd, .arg = arg};
	port->last = &port->first;
	/* Its RCVBUF is whose the wire is to set: macOS counts what is on its way by the receiver's. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	port->watch = mvm_loop_watch(sw->loop, fd, POLLIN, port_ready, port);
	sw->ports = port;
	return port;
}

void mvm_port_remove(struct mvm_port *port)
{
	struct mvm_port **at;

	if (!port || port->gone)
		return;
	for (at = &port->sw->ports; *at != port; at = &(*at)->next)
		;
	*at = port->next;
	mvm_flows_forget(port->sw->flows, port->identity.mac);
	mvm_watch_remove(port->watch);
	mvm_close(&port->fd);
	port->gone = true;
	if (!port->busy)
		free_port(port);
}

const struct mvm_identity *mvm_port_identity(const struct mvm_port *port)
{
	return &port->identity;
}

void *mvm_port_arg(const struct mvm_port *port)
{
	return port->arg;
}

const struct mvm_port_counters *mvm_port_counters(const struct mvm_port *port)
{
	return &port->counters;
}

uint64_t mvm_switch_congested_until(const struct mvm_switch *sw, uint64_t now)
{
	uint64_t until = 0;

	for (const struct mvm_port *port = sw->ports; port; port = port->next)
		if (port->queued > QUEUE_CONGESTED && port->taken_at + STUCK_NS > until)
			until = port->taken_at + STUCK_NS;
	return until > now ? until : 0;
}

struct mvm_flows *mvm_switch_flows(const struct mvm_switch *sw)
{
	return sw->flows;
}
