/*
 * Theory of operation
 *
 * A connection's host end is one side of a socket pair; the other side goes to the supervisor. Events are
 * edge-triggered and only note what is possible; the mux decides when bytes are read.
 *
 * From the guest, bytes go from its memory into the socket. What finds no room is copied into the stream's
 * overflow, so that the transmit ring never waits for a reader; credit bounds the overflow to the
 * connection's window. As long as there is overflow, later bytes queue behind it.
 *
 *   guest says it will not send    -> shutdown(SHUT_WR) behind the overflow: the reader sees the end
 *   guest says it will not receive -> shutdown(SHUT_RD): the writer gets EPIPE
 *   guest is gone                  -> both, and close() behind the overflow
 *   host shuts its writing side    -> read() gives 0 after the last byte -> SHUTDOWN, no send
 *   host closes                    -> the same with EPOLLHUP            -> SHUTDOWN of both
 *   host no longer reads           -> EPIPE on writing                  -> SHUTDOWN, no receive
 *
 * A published or served connection has a TCP or unix socket in place of the pair, and the same holds, but for two
 * things of TCP's. It does not tell whether a peer that has ended its sending still reads, so only a reset is EPOLLHUP.
 * And it has a word for what was broken off: where the guest closes without having ended its sending, so does close()
 * here, with a reset.
 */
#include "device.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/io.h"

/* Room in the socket is watched only while there is overflow: a busy reader would wake us for each of its reads. */
static int watch(struct device *device, struct stream *stream, int operation, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = &stream->source};

	if (!stream->writable)
		event.events |= EPOLLOUT;
	return epoll_ctl(device->epoll, operation, fd, &event);
}

static void set_writable(struct device *device, struct stream *stream, bool writable)
{
	if (stream->writable == writable)
		return;
	stream->writable = writable;
	watch(device, stream, EPOLL_CTL_MOD, stream->fd);
}

int stream_open(struct device *device, struct stream *stream)
{
	int pair[2];

	stream->writable = true;
	if (stream->published)
		return watch(device, stream, EPOLL_CTL_ADD, stream->fd);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	if (watch(device, stream, EPOLL_CTL_ADD, pair[0]) < 0) {
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	stream->fd = pair[0];
	stream->handout = pair[1];
	return 0;
}

/* Bytes that the host wrote and nobody will take; left in the socket they would turn the reader's end of file into
 * ECONNRESET. The writer has been shut out, so there is an end to them. */
static void discard_input(int fd)
{
	char scratch[16384];

	while (recv(fd, scratch, sizeof(scratch), MSG_DONTWAIT) > 0)
		;
}

static void close_if_done(struct device *device, struct stream *stream)
{
	if (!stream->gone || stream->overflow.length)
		return;
	if (stream->fd >= 0)
		discard_input(stream->fd);
	mvm_close(&stream->fd);
	mvm_buf_finish(&stream->overflow);
	if (mvm_list_empty(&stream->node))
		mvm_list_append(&device->dead, &stream->node);
}

/* Nobody reads any more: what the guest sends is counted and dropped. */
static void reader_gone(struct device *device, struct stream *stream)
{
	uint32_t dropped = (uint32_t)stream->overflow.length;

	mvm_buf_finish(&stream->overflow);
	if (stream->gone)
		return;
	mux_forwarded(&device->mux, &stream->conn, dropped);
	mux_shutdown(&device->mux, &stream->conn, SHUT_NO_RECEIVE, device->now);
}

/* What the socket took, which may be nothing; -1 where nobody reads. */
static ssize_t send_pieces(struct device *device, struct stream *stream, struct iovec *pieces, unsigned count)
{
	struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
	ssize_t n;

	do
		n = sendmsg(stream->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		set_writable(device, stream, false);
		return 0;
	}
	return n;
}

static void keep(struct stream *stream, const struct iovec *pieces, unsigned count, size_t skip)
{
	for (unsigned i = 0; i < count; i++) {
		size_t skipped = skip < pieces[i].iov_len ? skip : pieces[i].iov_len;

		mvm_buf_add(&stream->overflow, (const char *)pieces[i].iov_base + skipped, pieces[i].iov_len - skipped);
		skip -= skipped;
	}
}

void stream_write(struct device *device, struct stream *stream, struct iovec *pieces, unsigned count, size_t length)
{
	ssize_t n = 0;

	if (!length)
		return;
	if (stream->conn.host_shut & SHUT_NO_RECEIVE || stream->fd < 0) {
		mux_forwarded(&device->mux, &stream->conn, (uint32_t)length);
		return;
	}
	if (stream->writable && !stream->overflow.length)
		n = send_pieces(device, stream, pieces, count);
	if (n < 0) {
		mux_forwarded(&device->mux, &stream->conn, (uint32_t)length);
		reader_gone(device, stream);
		return;
	}
	if ((size_t)n < length) {
		keep(stream, pieces, count, (size_t)n);
		set_writable(device, stream, false);
	}
	if (n)
		mux_forwarded(&device->mux, &stream->conn, (uint32_t)n);
}

static void flush(struct device *device, struct stream *stream)
{
	while (stream->writable && stream->overflow.length) {
		struct iovec piece = {.iov_base = stream->overflow.data, .iov_len = stream->overflow.length};
		ssize_t n = send_pieces(device, stream, &piece, 1);

		if (n < 0) {
			reader_gone(device, stream);
			break;
		}
		mvm_buf_consume(&stream->overflow, (size_t)n);
		if (!stream->gone)
			mux_forwarded(&device->mux, &stream->conn, (uint32_t)n);
	}
	if (stream->overflow.length)
		return;
	mvm_buf_finish(&stream->overflow);
	/* Once: on a TCP socket that is closed both ways each one more would be an event. */
	if (stream->conn.guest_shut & SHUT_NO_SEND && stream->fd >= 0 && !stream->told_end) {
		stream->told_end = true;
		shutdown(stream->fd, SHUT_WR);
	}
}

ssize_t stream_read(struct device *device, struct stream *stream, const struct iovec *pieces, unsigned count,
		    size_t length)
{
	struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = count};
	ssize_t n;

	do
		n = recvmsg(stream->fd, &message, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		/* A short read has emptied the socket; what comes later is a new event. */
		if ((size_t)n < length && !stream->ended)
			mux_readable(&device->mux, &stream->conn, false);
		return n;
	}
	mux_readable(&device->mux, &stream->conn, false);
	if (n == 0 || errno != EAGAIN)
		mux_shutdown(&device->mux, &stream->conn, stream->hung_up ? SHUT_BOTH : SHUT_NO_SEND, device->now);
	return n;
}

void stream_shutdown(struct device *device, struct stream *stream)
{
	if (stream->fd < 0)
		return;
	if (stream->conn.guest_shut & SHUT_NO_RECEIVE) {
		shutdown(stream->fd, SHUT_RD);
		discard_input(stream->fd);
	}
	if (stream->conn.guest_shut & SHUT_NO_SEND)
		flush(device, stream);
}

/* What was under way is lost, and the peer is told so. */
static void break_off(struct stream *stream)
{
	static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	mvm_buf_finish(&stream->overflow);
	setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

void stream_release(struct device *device, struct stream *stream)
{
	stream->gone = true;
	if (stream->resets && !stream->conn.finished && stream->fd >= 0)
		break_off(stream);
	/* The supervisor never heard of a connection that the guest gave up before, or gets no word for its answer. */
	if ((stream->handout >= 0 && !stream->asked_by_host) || (stream->served && stream->fd < 0)) {
		mvm_list_remove(&stream->node);
		mvm_close(&stream->handout);
	}
	if (stream->fd >= 0)
		shutdown(stream->fd, SHUT_RD);
	close_if_done(device, stream);
}

void stream_ready(struct device *device, struct stream *stream, uint32_t events)
{
	if (stream->fd < 0)
		return;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		stream->ended = true;
	if (events & EPOLLHUP)
		stream->hung_up = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
		set_writable(device, stream, true);
		flush(device, stream);
	}
	if (stream->gone) {
		close_if_done(device, stream);
		return;
	}
	if (stream->conn.host_shut & SHUT_NO_SEND) {
		if (stream->hung_up)
			mux_shutdown(&device->mux, &stream->conn, SHUT_BOTH, device->now);
	} else if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		mux_readable(&device->mux, &stream->conn, true);
	}
}

bool stream_free_dead(struct device *device)
{
	bool any = !mvm_list_empty(&device->dead);

	while (!mvm_list_empty(&device->dead)) {
		struct stream *stream = mvm_list_entry(device->dead.next, struct stream, node);

		mvm_list_remove(&stream->node);
		mvm_close(&stream->fd);
		mvm_close(&stream->handout);
		mvm_buf_finish(&stream->overflow);
		free(stream);
	}
	return any;
}
