/*
 * The datagrams of one peer of the host's to a service of the container, and back. On the connection to the host each
 * has its length before it.
 *
 * Frames are looked at before they are taken, so that one which has not come as a whole yet waits in the socket. What
 * the host does not take is kept, and until it is gone the service's datagrams wait, and are lost, in their socket.
 *
 * That nobody is at an address is seen by the first datagram: to one's own addresses the word of it is there when
 * send() has returned. Then the next address gets the datagram.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"
#include "guest-agent/proto/datagram.h"
#include "publish_internal.h"

enum { DATAGRAMS = 64 }; /* in one go */

struct flow {
	struct watch host, service;
	unsigned target;
	uint16_t port;
	bool answered; /* somebody is there */
	char *kept;
	size_t start, end;
};

static void finish(struct flow *flow)
{
	loop_remove(&flow->host);
	close(flow->host.fd);
	if (flow->service.fd >= 0) {
		loop_remove(&flow->service);
		close(flow->service.fd);
	}
	free(flow->kept);
	free(flow);
}

static void hang_up_service(struct flow *flow)
{
	loop_remove(&flow->service);
	close(flow->service.fd);
	flow->service.fd = -1;
}

static int dial(struct flow *flow)
{
	int done;

	flow->service.fd = publish_dial(&flow->target, SOCK_DGRAM, flow->port, &done);
	if (flow->service.fd < 0)
		return -1;
	return loop_add(&flow->service, flow->kept ? 0 : EPOLLIN);
}

static bool is_refused(struct flow *flow, ssize_t sent)
{
	int error = errno;
	socklen_t length = sizeof(error);

	if (sent >= 0 && getsockopt(flow->service.fd, SOL_SOCKET, SO_ERROR, &error, &length))
		return false;
	return error == ECONNREFUSED;
}

/* One that nobody takes is lost. The next one tries all addresses anew. */
static void deliver(struct flow *flow, const char *data, size_t length)
{
	while (flow->service.fd >= 0 || dial(flow) == 0) {
		ssize_t n = send(flow->service.fd, data, length, 0);

		if (flow->answered || !is_refused(flow, n))
			return;
		hang_up_service(flow);
	}
	flow->target = 0;
}

/* Whole frames among `length` bytes; returns how many bytes they are. */
static size_t deliver_frames(struct flow *flow, const char *data, size_t length)
{
	size_t at = 0, size;

	while (mvm_publish_frame(data + at, length - at, &size) > 0) {
		deliver(flow, data + at + MVM_PUBLISH_HEADER, size);
		at += MVM_PUBLISH_HEADER + size;
	}
	return at;
}

/* False where the flow has ended. */
static bool take_frames(struct flow *flow, bool last)
{
	for (;;) {
		ssize_t n = recv(flow->host.fd, publish_buffer, PUBLISH_BUFFER, MSG_PEEK);
		size_t used;

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		used = deliver_frames(flow, publish_buffer, (size_t)n);
		if (!used)
			return n > 0 && !last;
		recv(flow->host.fd, publish_buffer, used, 0);
	}
}

/* False where the host takes nothing any more; all of it is written or kept. */
static bool pass_on(struct flow *flow, const char *data, size_t length)
{
	ssize_t n = send(flow->host.fd, data, length, MSG_NOSIGNAL);

	if (n == (ssize_t)length)
		return true;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	n = n < 0 ? 0 : n;
	flow->kept = malloc(length - (size_t)n);
	if (!flow->kept)
		return false;
	memcpy(flow->kept, data + n, length - (size_t)n);
	flow->start = 0;
	flow->end = length - (size_t)n;
	loop_change(&flow->service, 0);
	return true;
}

/* As above. */
static bool drain(struct flow *flow)
{
	while (flow->kept && flow->start < flow->end) {
		ssize_t n = send(flow->host.fd, flow->kept + flow->start, flow->end - flow->start, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		flow->start += (size_t)n;
	}
	if (!flow->kept)
		return true;
	free(flow->kept);
	flow->kept = NULL;
	if (flow->service.fd >= 0)
		loop_change(&flow->service, EPOLLIN);
	return true;
}

static void service_ready(struct watch *watch, uint32_t events)
{
	struct flow *flow = container_of(watch, struct flow, service);

	for (int i = 0; i < DATAGRAMS && !flow->kept; i++) {
		ssize_t n = recv(watch->fd, publish_buffer + MVM_PUBLISH_HEADER, MVM_PUBLISH_DATAGRAM_MAX, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		/* The service has gone; there may be another. */
		if (n < 0) {
			hang_up_service(flow);
			flow->answered = false;
			flow->target = 0;
			return;
		}
		flow->answered = true;
		publish_buffer[0] = (char)(n & 0xff);
		publish_buffer[1] = (char)(n >> 8);
		if (!pass_on(flow, publish_buffer, MVM_PUBLISH_HEADER + (size_t)n)) {
			finish(flow);
			return;
		}
	}
}

static void host_ready(struct watch *watch, uint32_t events)
{
	struct flow *flow = container_of(watch, struct flow, host);

	if (!drain(flow) || !take_frames(flow, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0))
		finish(flow);
}

void publish_udp(int socket, uint16_t port)
{
	struct flow *flow = calloc(1, sizeof(*flow));

	if (!flow) {
		close(socket);
		return;
	}
	flow->host = (struct watch){.fd = socket, .ready = host_ready};
	flow->service = (struct watch){.fd = -1, .ready = service_ready};
	flow->port = port;
	if (loop_add(&flow->host, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET))
		finish(flow);
}
