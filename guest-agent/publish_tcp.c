/*
 * A connection of the host's to a service of the container, by TCP or unix socket, or of the container's to a unix
 * socket of the host.
 *
 * Both sockets are watched edge-triggered and never changed; any event on one lets both directions go on. What is read
 * is written at once. Only what finds no room is kept, and until it is gone nothing more is read in that direction: a
 * slow reader stalls its own peer and nobody else.
 *
 * Ends pass as they are. A direction's end is shutdown(SHUT_WR) on the other side. A connection that breaks, or finds
 * no service, is closed without that, which the host takes for a reset (published.c of runtime/vsock); one that the
 * host closes as a whole before it has ended its direction is reset here. Unix sockets know no resets: what has been
 * sent arrives, whoever closes, and a side that takes no more ends only that direction.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"
#include "publish_internal.h"
#include "relay.h"
#include "send.h"

enum {
	FAIR_SHARE = 4,		       /* buffers in one go */
	KEPT_PLENTY = 8 * 1024 * 1024, /* of all connections; beyond that little is read at a time */
	LITTLE = 4096,

	BROKEN = -1,
	REFUSED = -2, /* by the side that is written to */
};

struct way {
	struct watch *from, *to;
	bool empty;	  /* nothing to read until the next event */
	bool closing;	  /* what is left has to be read to its end: no event will say so again */
	bool ended, told; /* the end has been read; and passed on */
	char *kept;	  /* read and not yet written, start to end */
	size_t start, end;
};

struct link {
	struct watch host, service;
	struct watch *dialling; /* which of them is not connected yet */
	struct task more;
	struct way in, out;
	unsigned target;
	uint16_t port; /* or a socket's number */
	bool local;    /* the service's is a unix socket */
};

static size_t kept_in_all;
static unsigned link_count;

static void keep(struct way *way, const char *data, size_t length)
{
	way->kept = malloc(length);
	if (!way->kept)
		return;
	memcpy(way->kept, data, length);
	way->start = 0;
	way->end = length;
	kept_in_all += length;
}

static void drop_kept(struct way *way)
{
	if (way->kept)
		kept_in_all -= way->end;
	free(way->kept);
	way->kept = NULL;
}

static void finish(struct link *link)
{
	static const struct linger at_once = {.l_onoff = 1};

	loop_forget(&link->more);
	loop_remove(&link->host);
	close(link->host.fd);
	if (link->service.fd >= 0) {
		loop_remove(&link->service);
		if (!link->in.told)
			setsockopt(link->service.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(link->service.fd);
	}
	drop_kept(&link->in);
	drop_kept(&link->out);
	free(link);
	publish_count(--link_count);
}

/* 1: all is written. 0: the sink takes no more for now. REFUSED: it never will. */
static int drain(struct way *way)
{
	while (way->kept && way->start < way->end) {
		ssize_t n = send_some(way->to->fd, way->kept + way->start, way->end - way->start);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : REFUSED;
		way->start += (size_t)n;
	}
	drop_kept(way);
	return 1;
}

/* As drain(), and what is not written is kept. */
static int pass_on(struct way *way, const char *data, size_t length)
{
	while (length) {
		ssize_t n = send_some(way->to->fd, data, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			keep(way, data, length);
			return way->kept ? 0 : BROKEN;
		}
		if (n < 0)
			return REFUSED;
		data += n;
		length -= (size_t)n;
	}
	return 1;
}

/* A buffer from one side to the other: 1: perhaps there is more, 0: not for now. */
static int move(const struct link *link, struct way *way)
{
	size_t most = kept_in_all > KEPT_PLENTY ? LITTLE : PUBLISH_BUFFER;
	ssize_t n;

	if (way->empty)
		return 0;
	do
		n = recv(way->from->fd, publish_buffer, most, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		way->empty = true;
		return 0;
	}
	/* It closed, and did not read all that it was sent. */
	if (n < 0 && link->local && way == &link->out)
		n = 0;
	if (n < 0)
		return BROKEN;
	way->ended = n == 0;
	way->empty = (size_t)n < most && !way->closing && !way->ended;
	return pass_on(way, publish_buffer, (size_t)n);
}

static bool host_gone(const struct link *link)
{
	return send(link->host.fd, "", 0, MSG_NOSIGNAL) < 0 && errno == EPIPE;
}

/* A host that has closed all at once has not ended its direction, but broken off. */
static int tell_end(struct link *link, struct way *way)
{
	if (way == &link->in && !link->out.told && host_gone(link))
		return BROKEN;
	way->told = true;
	return shutdown(way->to->fd, SHUT_WR);
}

/* 1: it would go on. */
static int pump_way(struct link *link, struct way *way)
{
	for (int i = 0; i < FAIR_SHARE; i++) {
		int rc = drain(way);

		if (rc > 0 && way->ended)
			return way->told ? 0 : tell_end(link, way);
		if (rc > 0)
			rc = move(link, way);
		if (rc <= 0)
			return rc;
	}
	return 1;
}

/* A unix socket that has closed may still have said something, which goes its way. */
static int try_pump(struct link *link, struct way *way)
{
	int rc = pump_way(link, way);

	if (rc != REFUSED || !link->local)
		return rc;
	shutdown(way->from->fd, SHUT_RD);
	way->told = true;
	return 0;
}

static void pump(struct link *link)
{
	int in = try_pump(link, &link->in), out = in < 0 ? in : try_pump(link, &link->out);

	if (in < 0 || out < 0 || (link->in.told && link->out.told))
		finish(link);
	else if (in > 0 || out > 0)
		loop_later(&link->more);
}

static void pump_more(struct task *task)
{
	pump(container_of(task, struct link, more));
}

static void note(struct way *way, uint32_t events)
{
	way->empty = false;
	if (events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR))
		way->closing = true;
}

/* The next of the addresses, each of which has refused but the last; or once more. */
static int dial(struct link *link)
{
	int done = 0;

	link->service.fd = link->local ? publish_dial_socket(link->port, &done)
				       : publish_dial(&link->target, SOCK_STREAM, link->port, &done);
	if (link->service.fd < 0)
		return -1;
	link->dialling = done ? NULL : &link->service;
	return loop_add(&link->service, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

static void host_ready(struct watch *watch, uint32_t events)
{
	struct link *link = container_of(watch, struct link, host);

	note(&link->in, events);
	if (link->dialling == watch && events & (EPOLLOUT | EPOLLERR)) {
		if (vsock_connected(watch->fd)) {
			finish(link);
			return;
		}
		link->dialling = NULL;
	}
	if (!link->dialling)
		pump(link);
}

static void service_ready(struct watch *watch, uint32_t events)
{
	struct link *link = container_of(watch, struct link, service);
	int error = 0;
	socklen_t length = sizeof(error);

	if (link->dialling == watch) {
		if (!link->local && !(events & (EPOLLOUT | EPOLLERR)))
			return;
		if (link->local || getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &error, &length) || error) {
			loop_remove(watch);
			close(watch->fd);
			watch->fd = -1;
			if (host_gone(link) || dial(link))
				finish(link);
			return;
		}
		link->dialling = NULL;
	}
	note(&link->out, events);
	if (!link->dialling)
		pump(link);
}

/* Takes both; one of them may still have to come about. */
static struct link *join(int host, int service, uint16_t port, bool local)
{
	struct link *link = calloc(1, sizeof(*link));

	if (!link) {
		close(host);
		close(service);
		return NULL;
	}
	publish_count(++link_count);
	link->host = (struct watch){.fd = host, .ready = host_ready};
	link->service = (struct watch){.fd = service, .ready = service_ready};
	link->more.run = pump_more;
	link->in = (struct way){.from = &link->host, .to = &link->service};
	link->out = (struct way){.from = &link->service, .to = &link->host};
	link->port = port;
	link->local = local;
	return link;
}

static void add(struct watch *watch, struct link *link, bool failed)
{
	if (failed || loop_add(watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET))
		finish(link);
}

static void start_inward(int socket, uint16_t port, bool local)
{
	struct link *link = join(socket, -1, port, local);

	if (link)
		add(&link->host, link, dial(link));
}

void publish_tcp(int socket, uint16_t port)
{
	start_inward(socket, port, false);
}

void publish_socket(int socket, uint16_t number)
{
	start_inward(socket, number, true);
}

void publish_outward(int socket, uint16_t port)
{
	struct link *link = join(vsock_connect(port, false), socket, port, true);

	if (!link)
		return;
	link->dialling = &link->host;
	add(&link->service, link, loop_add(&link->host, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET));
}
