/*
 * Both watches are edge-triggered and never changed, so that a flood costs two
 * system calls a buffer. What keeps that correct: pump() goes on until one side has
 * said EAGAIN (or a short read has shown that it is empty), and any event
 * on either side pumps again; after a fair share it queues itself instead.
 *
 * Copying through a buffer is what is fast here: splice() into a vsock socket
 * hands over single pages (the socket has no sendpage of its own), each in a
 * packet of its own, where send() makes packets of 64 KiB.
 */
#include "relay.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "failure.h"
#include "loop.h"
#include "send.h"
#include "sys.h"

enum {
	BUFFER = 128 * 1024,
	WINDOW = 1024 * 1024,
	FAIR_SHARE = 4, /* buffers in one go */
};

struct relay {
	struct watch from;
	struct watch to;
	struct task more;
	struct watch *socket; /* which of the two is the connection */
	bool connected;
	bool from_empty;   /* nothing to read until the next event */
	bool from_closing; /* what is left has to be read to its end: no event will say so again */
	bool terminal;
	bool from_ended;
	size_t start, end; /* what is in the buffer */
	char buffer[BUFFER];
};

/* How much the host may send ahead: the less often it has to wait for word, the faster. Without it the default is
 * right, too. */
static void widen_window(int socket)
{
	uint64_t size = WINDOW;

	setsockopt(socket, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &size, sizeof(size));
	setsockopt(socket, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, sizeof(size));
}

int vsock_connect(uint32_t port, bool flood)
{
	/* The kernel's own 2 s are little where the host has much to do. */
	static const struct timeval patience = {.tv_sec = 30};
	struct sockaddr_vm address = {.family = AF_VSOCK, .port = port, .cid = MVM_PROTO_HOST_CID};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (flood)
		widen_window(fd);
	setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

int vsock_connected(int socket)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length))
		return errno;
	return error;
}

static void finish(struct relay *relay)
{
	loop_forget(&relay->more);
	loop_remove(&relay->from);
	loop_remove(&relay->to);
	close(relay->from.fd);
	close(relay->to.fd);
	munmap(relay, sizeof(*relay));
}

/* false where the source has nothing for now. */
static bool fill(struct relay *relay)
{
	ssize_t n;

	if (relay->from_empty)
		return false;
	do
		n = read(relay->from.fd, relay->buffer, BUFFER);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		relay->from_empty = true;
		return false;
	}
	/* A terminal that nobody has open any more says EIO: that is how it ends. */
	if (n <= 0) {
		relay->from_ended = true;
		return true;
	}
	/* A terminal gives a line at a time, whatever it has. */
	relay->from_empty = n < BUFFER && !relay->from_closing && !relay->terminal;
	relay->start = 0;
	relay->end = (size_t)n;
	return true;
}

/* 1: the buffer is empty again. 0: the sink takes no more for now. -1: it never will. */
static int drain(struct relay *relay)
{
	while (relay->start < relay->end) {
		ssize_t n = send_some(relay->to.fd, relay->buffer + relay->start, relay->end - relay->start);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		relay->start += (size_t)n;
	}
	return 1;
}

static void pump(struct relay *relay)
{
	for (int i = 0; i < FAIR_SHARE; i++) {
		int rc = drain(relay);

		if (rc == 0)
			return;
		if (rc < 0 || relay->from_ended) {
			finish(relay);
			return;
		}
		if (!fill(relay))
			return;
	}
	loop_later(&relay->more);
}

static void pump_more(struct task *task)
{
	pump(container_of(task, struct relay, more));
}

/* false where the connection has failed. */
static bool check_connected(struct relay *relay)
{
	if (relay->connected)
		return true;
	if (vsock_connected(relay->socket->fd))
		return false;
	relay->connected = true;
	return true;
}

static void from_ready(struct watch *watch, uint32_t events)
{
	struct relay *relay = container_of(watch, struct relay, from);

	/* A socket that is still connecting reports EPOLLHUP or nothing. */
	if (watch == relay->socket && !relay->connected && !(events & (EPOLLIN | EPOLLOUT | EPOLLERR)))
		return;
	if (watch == relay->socket && !check_connected(relay)) {
		finish(relay);
		return;
	}
	relay->from_empty = false;
	if (events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR))
		relay->from_closing = true;
	if (relay->connected)
		pump(relay);
}

static void to_ready(struct watch *watch, uint32_t events)
{
	struct relay *relay = container_of(watch, struct relay, to);

	if (watch == relay->socket && !relay->connected && !(events & (EPOLLOUT | EPOLLERR)))
		return;
	/* Of a pipe: the last reader has gone. Of a connection: it is broken or was refused. */
	if ((events & EPOLLERR) || (watch == relay->socket && !check_connected(relay))) {
		finish(relay);
		return;
	}
	/* The host may have closed the whole connection, or only its own, unused, direction: then sending still
	 * works, and sending nothing tells. */
	if ((events & EPOLLRDHUP) && send(watch->fd, "", 0, MSG_NOSIGNAL) < 0 && errno != EAGAIN) {
		finish(relay);
		return;
	}
	if (relay->connected)
		pump(relay);
}

static int start(struct relay *relay, struct failure *failure)
{
	relay->from.ready = from_ready;
	relay->to.ready = to_ready;
	relay->more.run = pump_more;
	if (loop_add(&relay->from, EPOLLIN | EPOLLRDHUP | EPOLLET | (relay->socket == &relay->from ? EPOLLOUT : 0)) ||
	    loop_add(&relay->to, EPOLLOUT | EPOLLRDHUP | EPOLLET)) {
		failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot watch a standard stream");
		finish(relay);
		return -1;
	}
	return 0;
}

static struct relay *create(int local, uint32_t port, bool input, int *socket, struct failure *failure)
{
	struct relay *relay = mmap(NULL, sizeof(*relay), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*socket = -1;
	if (relay == MAP_FAILED || (*socket = vsock_connect(port, input)) < 0) {
		failure_set_errno(failure, MVM_PROTO_RESOURCE,
				  "cannot connect a standard stream to port %u of the host", port);
		if (relay != MAP_FAILED)
			munmap(relay, sizeof(*relay));
		close(local);
		return NULL;
	}
	return relay;
}

int relay_output(int local, uint32_t port, struct failure *failure)
{
	int socket;
	struct relay *relay = create(local, port, false, &socket, failure);

	if (!relay)
		return -1;
	relay->from.fd = local;
	relay->to.fd = socket;
	relay->socket = &relay->to;
	relay->terminal = isatty(local);
	return start(relay, failure);
}

int relay_input(int local, uint32_t port, struct failure *failure)
{
	int socket;
	struct relay *relay = create(local, port, true, &socket, failure);

	if (!relay)
		return -1;
	relay->from.fd = socket;
	relay->to.fd = local;
	relay->socket = &relay->from;
	return start(relay, failure);
}
