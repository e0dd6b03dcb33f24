#include "device.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "runtime/base/io.h"
#include "runtime/base/log.h"

/* 0 where the message is on its way, -1 with errno set where the channel is full or gone. */
static int send_message(struct device *device, const struct control_message *message, int fd)
{
	if (mvm_send_fds(device->control, message, sizeof(*message), &fd, fd >= 0) > 0)
		return 0;
	if (errno != EAGAIN && errno != ETOOMANYREFS) {
		mvm_log(MVM_LOG_INFO, "control channel: %s", strerror(errno));
		mvm_close(&device->control);
	}
	return -1;
}

/* More of the user's descriptors are on their way through sockets than may be: nothing would tell us when they have
 * arrived, so the connection fails. */
static void abandon(struct device *device, struct stream *stream)
{
	mvm_log(MVM_LOG_WARN, "port %u: too many descriptors under way", stream->conn.host_port);
	if (!stream->gone)
		mux_abort(&device->mux, &stream->conn);
	if (stream->asked_by_host)
		stream->errnum = EMFILE;
	else
		mvm_list_remove(&stream->node);
	mvm_close(&stream->handout);
	stream_release(device, stream);
}

static int announce(struct device *device, struct stream *stream)
{
	struct control_message message = {.id = stream->id, .port = stream->conn.host_port, .errnum = stream->errnum};

	message.type = stream->errnum	       ? CONTROL_REFUSED
		       : stream->served	       ? CONTROL_ASKED
		       : stream->asked_by_host ? CONTROL_CONNECTED
					       : CONTROL_ACCEPTED;
	if (send_message(device, &message, stream->handout) < 0)
		return -1;
	mvm_close(&stream->handout);
	if (stream->conn.state == CONN_INCOMING && !stream->served)
		mux_accept(&device->mux, &stream->conn);
	return 0;
}

static void flush(struct device *device)
{
	while (!mvm_list_empty(&device->announcing)) {
		struct stream *stream = mvm_list_entry(device->announcing.next, struct stream, node);

		if (announce(device, stream) < 0) {
			if (errno != ETOOMANYREFS)
				return;
			abandon(device, stream);
			continue;
		}
		mvm_list_remove(&stream->node);
		if (stream->served)
			mvm_list_append(&device->asked, &stream->node);
		else if (stream->gone && stream->fd < 0)
			mvm_list_append(&device->dead, &stream->node);
	}
}

void control_announce(struct device *device, struct stream *stream)
{
	mvm_list_append(&device->announcing, &stream->node);
	flush(device);
}

static void connect_to_guest(struct device *device, uint32_t id, uint32_t port)
{
	struct stream *stream = (struct stream *)mux_connect(&device->mux, port, device->now);

	if (!stream) {
		struct control_message refusal = {.type = CONTROL_REFUSED, .id = id, .errnum = EMFILE};

		/* Where even this finds no room the supervisor has thousands of answers to read, and gives up by
		 * itself. */
		send_message(device, &refusal, -1);
		return;
	}
	stream->fd = stream->handout = -1;
	stream->source.kind = SOURCE_STREAM;
	mvm_list_init(&stream->node);
	stream->id = id;
	stream->asked_by_host = true;
}

static struct stream *find_asked(struct device *device, uint32_t id)
{
	for (struct mvm_list *node = device->asked.next; node != &device->asked; node = node->next) {
		struct stream *stream = mvm_list_entry(node, struct stream, node);

		if (stream->id == id)
			return stream;
	}
	return NULL;
}

/* `fd`, which may be -1, is taken over. */
static void answered(struct device *device, uint32_t id, int fd)
{
	struct stream *stream = find_asked(device, id);

	if (!stream) {
		mvm_close(&fd);
		return;
	}
	mvm_list_remove(&stream->node);
	stream->fd = fd;
	stream->published = true;
	if (fd >= 0 && stream_open(device, stream) == 0) {
		mux_accept(&device->mux, &stream->conn);
		return;
	}
	mux_abort(&device->mux, &stream->conn);
	stream_release(device, stream);
}

/* `fd` is taken over. */
static void handle(struct device *device, const struct control_message *message, int fd)
{
	switch (message->type) {
	case CONTROL_LISTEN:
		if (mux_listen(&device->mux, message->port) < 0)
			mvm_log(MVM_LOG_WARN, "too many ports to listen on");
		break;
	case CONTROL_UNLISTEN:
		mux_unlisten(&device->mux, message->port);
		break;
	case CONTROL_CONNECT:
		connect_to_guest(device, message->id, message->port);
		break;
	case CONTROL_PUBLISH:
		if (fd >= 0)
			published_add(device, fd, message->port, message->id != 0);
		else
			mvm_log(MVM_LOG_WARN, "a published port is lost: too many open files");
		return;
	case CONTROL_SERVE:
		device->served_first = message->port;
		device->served_count = message->count;
		for (uint32_t i = 0; i < message->count; i++)
			mux_listen(&device->mux, message->port + i);
		break;
	case CONTROL_ANSWER:
		answered(device, message->id, fd);
		return;
	}
	mvm_close(&fd);
}

void control_ready(struct device *device, uint32_t events)
{
	struct control_message message;

	while (device->control >= 0) {
		int fd = -1;
		size_t count = 0;
		ssize_t n = mvm_recv_fds(device->control, &message, sizeof(message), &fd, 1, &count);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n == (ssize_t)sizeof(message)) {
			handle(device, &message, count ? fd : -1);
			continue;
		}
		if (count)
			mvm_close(&fd);
		mvm_close(&device->control);
	}
	if (events & EPOLLOUT)
		flush(device);
}

void control_send_reason(struct device *device)
{
	struct control_message message = {.type = CONTROL_BROKEN};

	memcpy(message.reason, device->reason, sizeof(message.reason));
	send_message(device, &message, -1);
}
