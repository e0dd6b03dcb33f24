/*
 * Theory of operation
 *
 * One loop over epoll. Events only note what has become possible; then, each round, a bounded number of
 * transmit buffers is taken, and a bounded number of receive buffers filled in the order that the mux says.
 * Each direction publishes its used buffers once and interrupts the guest at most once a round. For used transmit
 * buffers, which it needs for nothing but the next ones, it is interrupted when they are many or old
 * (device_tell_used()). When a bound was hit the next round does not wait.
 *
 * Kick eventfds are watched edge-triggered and never read: every kick is an edge. While we work on
 * a ring the guest is told not to kick; before we sleep it is asked to, and the ring looked at once more.
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
};

void device_break(struct device *device, const char *part, const char *reason)
{
	if (device->reason[0])
		return;
	snprintf(device->reason, sizeof(device->reason), "%s: %s", part, reason);
	mvm_log(MVM_LOG_ERROR, "%s", device->reason);
}

struct vhost_ring *device_ring(struct device *device, unsigned index)
{
	return &device->vu.rings[index];
}

void device_interrupt(const struct vhost_ring *ring)
{
	const uint64_t one = 1;

	/* A full counter means that an interrupt is under way already. */
	if (ring->call >= 0 && write(ring->call, &one, sizeof(one)) < 0 && errno != EAGAIN)
		mvm_log(MVM_LOG_WARN, "interrupt: %s", strerror(errno));
}

void device_publish(struct vhost_ring *ring)
{
	if (vring_publish(&ring->vring))
		device_interrupt(ring);
}

void pieces_trim(struct iovec *pieces, unsigned *count, size_t length)
{
	unsigned used = 0;

	for (; used < *count && length; used++) {
		if (pieces[used].iov_len > length)
			pieces[used].iov_len = length;
		length -= pieces[used].iov_len;
	}
	*count = used;
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

	watch(device, device_ring(device, index)->kick, EPOLLIN | EPOLLET,
	      index == RING_RX ? SOURCE_RX_KICK : SOURCE_TX_KICK);
	device->again = true;
}

/* QEMU keeps the eventfd open, so closing ours would leave it in the epoll set. What the guest has sent
 * before it stopped is delivered. */
static void ring_stopping(void *arg, unsigned index)
{
	struct device *device = arg;

	epoll_ctl(device->epoll, EPOLL_CTL_DEL, device_ring(device, index)->kick, NULL);
	if (index != RING_TX || device->reason[0])
		return;
	device_transmit(device, TX_BUDGET);
	device_tell_used(device, true);
}

static void drop_connections(struct device *device, bool unsent)
{
	struct conn *conn;

	while ((conn = mux_drain(&device->mux, unsent))) {
		struct stream *stream = (struct stream *)conn;

		if (stream->asked_by_host && stream->fd < 0)
			device_refuse(device, stream, ECONNRESET);
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
		stream_ready(device, mvm_list_entry(source, struct stream, source), events);
		break;
	case SOURCE_PUBLISHED:
		published_ready(device, source);
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
	if (device->tell_at < deadline)
		deadline = device->tell_at;
	if (deadline == UINT64_MAX)
		return -1;
	milliseconds = deadline > device->now ? (deadline - device->now) / 1000000 + 1 : 0;
	return milliseconds < 60000 ? (int)milliseconds : 60000;
}

static void expire(struct device *device)
{
	struct mux_event event;

	while ((event = mux_expire(&device->mux, device->now)).type != EVENT_NONE)
		device_handle_event(device, &event);
}

static void round_of_rings(struct device *device)
{
	bool more, was_full;

	device->again = false;
	device_tell_used(device, false);
	more = device_transmit(device, TX_BUDGET);
	was_full = mux_is_full(&device->mux);
	if (!device->reason[0])
		more |= device_receive(device, RX_BUDGET);
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
		if (stream_free_dead(device))
			published_resume(device);
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
	mvm_list_init(&device->announcing);
	mvm_list_init(&device->asked);
	mvm_list_init(&device->dead);
	mvm_list_init(&device->published);
	device->tell_at = UINT64_MAX;
	mux_init(&device->mux, guest_cid, sizeof(struct stream));
	vhost_user_init(&device->vu, vhost_user, guest_cid, &vhost_user_ops, device);
	device->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (device->epoll < 0 || mvm_set_nonblock(control, true) < 0 || mvm_set_nonblock(vhost_user, true) < 0)
		return -1;
	watch(device, control, EPOLLIN | EPOLLOUT | EPOLLET, SOURCE_CONTROL);
	watch(device, vhost_user, EPOLLIN | EPOLLET, SOURCE_VHOST_USER);
	return device->reason[0] ? -1 : 0;
}
