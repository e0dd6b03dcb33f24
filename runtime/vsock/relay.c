/*
 * Theory of operation
 *
 * Each direction has a buffer that is filled when it is empty and emptied before it is filled anew, so that who does
 * not read stalls his own peer and nobody else. A side is polled for reading while its direction's buffer is empty, for
 * writing while the other's is not.
 *
 * The guest's agent closes a connection at once where it has found no service, or the connection to it broke; otherwise
 * it ends each direction by itself before it closes (PROTOCOL.md). So an end that comes with the whole connection,
 * while our own direction still stands, is a reset.
 */
#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"

enum { BUFFER = 64 * 1024, FAIR_SHARE = 4 /* buffers in one go */ };

struct way {
	int from, to;
	bool ended, told; /* the end has been read; and passed on */
	size_t start, end;
	char data[BUFFER];
};

struct relay {
	struct mvm_loop *loop;
	struct way in, out; /* into the guest, out of it */
	struct mvm_watch *guest, *host;
	bool resets;
	void (*ended)(void *arg);
	void *arg;
};

static void reset_on_close(int fd)
{
	const struct linger at_once = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

void relay_destroy(struct relay *relay)
{
	mvm_watch_remove(relay->guest);
	mvm_watch_remove(relay->host);
	if (relay->resets && !(relay->in.told && relay->out.told))
		reset_on_close(relay->in.from);
	mvm_close(&relay->in.to);
	mvm_close(&relay->in.from);
	free(relay);
}

/* Positive: goes on; 0: not for now; negative: broken. */
static int write_some(struct way *way)
{
	while (way->start < way->end) {
		ssize_t n = send(way->to, way->data + way->start, way->end - way->start, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		way->start += (size_t)n;
	}
	return 1;
}

/* As above. */
static int read_some(struct way *way)
{
	ssize_t n = recv(way->from, way->data, BUFFER, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	way->start = 0;
	way->end = (size_t)n;
	way->ended = n == 0;
	return 1;
}

/* Has closed altogether: not even nothing can be sent to it. */
static bool is_gone(int fd)
{
	return send(fd, "", 0, 0) < 0 && errno == EPIPE;
}

static int tell_end(struct relay *relay, struct way *way)
{
	if (way == &relay->out && relay->resets && !relay->in.told && is_gone(way->from))
		return -1;
	way->told = true;
	shutdown(way->to, SHUT_WR);
	return 0;
}

static int pump_way(struct relay *relay, struct way *way)
{
	for (int i = 0; i < FAIR_SHARE && !way->told; i++) {
		int rc = write_some(way);

		if (rc > 0 && way->ended)
			return tell_end(relay, way);
		if (rc > 0)
			rc = read_some(way);
		if (rc <= 0)
			return rc;
	}
	return 0;
}

/* A unix socket that takes no more may still have said something, which goes its way. */
static int pump(struct relay *relay, struct way *way)
{
	int rc = pump_way(relay, way);

	if (rc == 0 || relay->resets)
		return rc;
	way->ended = way->told = true;
	way->start = way->end = 0;
	shutdown(way->from, SHUT_RD);
	shutdown(way->to, SHUT_WR);
	return 0;
}

static short wanted(const struct way *from, const struct way *to)
{
	bool read = !from->ended && from->start == from->end;

	return (short)((read ? POLLIN : 0) | (to->start < to->end ? POLLOUT : 0));
}

static void ready(void *arg, int fd, short revents)
{
	struct relay *relay = arg;
	int rc = pump(relay, &relay->in);

	(void)fd;
	(void)revents;
	if (rc == 0)
		rc = pump(relay, &relay->out);
	if (rc == 0 && !(relay->in.told && relay->out.told)) {
		mvm_watch_set(relay->guest, wanted(&relay->out, &relay->in));
		mvm_watch_set(relay->host, wanted(&relay->in, &relay->out));
		return;
	}
	void (*ended)(void *) = relay->ended;
	void *with = relay->arg;

	relay_destroy(relay);
	ended(with);
}

struct relay *relay_create(struct mvm_loop *loop, int guest, int host, bool resets, void (*ended)(void *arg), void *arg)
{
	struct relay *relay = mvm_alloc(sizeof(*relay));

	mvm_set_nonblock(guest, true);
	mvm_set_nonblock(host, true);
	relay->loop = loop;
	relay->in.from = relay->out.to = host;
	relay->in.to = relay->out.from = guest;
	relay->resets = resets;
	relay->ended = ended;
	relay->arg = arg;
	relay->guest = mvm_loop_watch(loop, guest, POLLIN, ready, relay);
	relay->host = mvm_loop_watch(loop, host, POLLIN, ready, relay);
	return relay;
}
