/*
 * Published ports: sockets that the supervisor has bound and that listen, whose connections go to the guest.
 *
 * Theory of operation
 *
 * Whoever connects is accepted here, and the TCP or unix socket itself becomes the host end of a connection to the
 * guest (stream.c): its bytes are read straight into the guest's memory and written from there, and no other process of
 * the host has any work with them. The guest is asked at once, at a port that belongs to what is published, so that
 * nothing has to be said first. Where it refuses, the socket is closed with a reset.
 *
 * There is a limit to connections, below that of the device, so that streams of processes always find room. At the
 * limit nothing is accepted; who connects waits in the socket's backlog.
 */
#include "device.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "runtime/base/io.h"
#include "runtime/base/log.h"

enum { ACCEPTS = 32 }; /* in one go */

struct published {
	struct source source;
	struct mvm_list node;
	int fd;
	uint32_t port;
	bool tcp;
};

static int watch(struct device *device, struct published *published, int operation)
{
	struct epoll_event event = {.events = device->published_full ? 0 : EPOLLIN, .data.ptr = &published->source};

	return epoll_ctl(device->epoll, operation, published->fd, &event);
}

static void watch_all(struct device *device, bool full)
{
	if (device->published_full == full)
		return;
	device->published_full = full;
	for (struct mvm_list *node = device->published.next; node != &device->published; node = node->next)
		watch(device, mvm_list_entry(node, struct published, node), EPOLL_CTL_MOD);
}

void published_add(struct device *device, int fd, uint32_t port, bool tcp)
{
	struct published *published = mvm_alloc(sizeof(*published));

	published->source.kind = SOURCE_PUBLISHED;
	published->fd = fd;
	published->port = port;
	published->tcp = tcp;
	mvm_list_append(&device->published, &published->node);
	if (watch(device, published, EPOLL_CTL_ADD) < 0)
		mvm_log(MVM_LOG_WARN, "what leads to port %u of the guest is not published: %s", port, strerror(errno));
}

static void forget(struct published *published)
{
	mvm_list_remove(&published->node);
	close(published->fd);
	free(published);
}

/* False where there is nobody, or no room, or it is not published any more: then it is gone. */
static bool accept_one(struct device *device, struct published *published)
{
	struct stream *stream;
	int fd;

	if (device->mux.count >= DEVICE_MAX_PUBLISHED) {
		watch_all(device, true);
		return false;
	}
	fd = accept4(published->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		/* Without descriptors there is no room either. */
		if (errno == EINVAL)
			forget(published);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			watch_all(device, true);
		return errno == ECONNABORTED || errno == EINTR;
	}
	stream = (struct stream *)mux_connect(&device->mux, published->port, device->now);
	stream->fd = fd;
	stream->handout = -1;
	stream->source.kind = SOURCE_STREAM;
	mvm_list_init(&stream->node);
	stream->asked_by_host = stream->published = true;
	stream->resets = published->tcp;
	return true;
}

void published_ready(struct device *device, struct source *source)
{
	struct published *published = mvm_list_entry(source, struct published, source);

	for (int i = 0; i < ACCEPTS && accept_one(device, published); i++)
		;
}

void published_resume(struct device *device)
{
	if (device->mux.count < DEVICE_MAX_PUBLISHED)
		watch_all(device, false);
}
