#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control.h"
#include "front.h"
#include "mux.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"

struct pending {
	struct pending *next;
	uint32_t id;
	mvm_vsock_connected_fn fn;
	void *arg;
};

/* One message; `fd` goes with it. */
struct outgoing {
	struct control_message message;
	int fd;
	bool owned; /* to be closed when it has gone */
};

struct client {
	struct mvm_vsock front;
	struct mvm_loop *loop;
	const struct mvm_vsock_events *events;
	void *arg;
	pid_t pid; /* -1 once it died */
	int control;
	struct mvm_watch *watch;
	struct mvm_buf outgoing; /* struct outgoing: whole messages that the channel had no room for */
	struct pending *pending;
	uint32_t next_id;
	uint32_t ports[MUX_MAX_LISTENERS];
	unsigned port_count;
	char reason[CONTROL_REASON_SIZE]; /* as the device told it, or empty */
	unsigned busy;			  /* callbacks that are running */
	bool destroyed;			  /* to be freed when none is */
};

/* Callbacks may destroy the object; it stays until the outermost has returned. */
static void leave(struct client *vsock)
{
	if (--vsock->busy == 0 && vsock->destroyed)
		free(vsock);
}

static void drop_outgoing(struct client *vsock)
{
	while (vsock->outgoing.length) {
		struct outgoing next;

		memcpy(&next, vsock->outgoing.data, sizeof(next));
		if (next.owned)
			mvm_close(&next.fd);
		mvm_buf_consume(&vsock->outgoing, sizeof(next));
	}
	mvm_buf_finish(&vsock->outgoing);
}

static void stop_channel(struct client *vsock)
{
	mvm_watch_remove(vsock->watch);
	vsock->watch = NULL;
	mvm_close(&vsock->control);
	drop_outgoing(vsock);
}

/* --- out --- */

static void flush(struct client *vsock)
{
	struct mvm_buf *outgoing = &vsock->outgoing;

	while (outgoing->length) {
		struct outgoing next;

		memcpy(&next, outgoing->data, sizeof(next));
		if (mvm_send_fds(vsock->control, &next.message, sizeof(next.message), &next.fd, next.fd >= 0) < 0)
			break; /* full; or the device is gone, which its end will tell */
		if (next.owned)
			mvm_close(&next.fd);
		mvm_buf_consume(outgoing, sizeof(next));
	}
	mvm_watch_set(vsock->watch, outgoing->length ? POLLIN | POLLOUT : POLLIN);
}

static void queue_with(struct client *vsock, const struct control_message *message, int fd, bool owned)
{
	struct outgoing last;

	if (vsock->control < 0)
		return;
	memset(&last, 0, sizeof(last));
	last.message = *message;
	last.fd = fd;
	last.owned = owned;
	mvm_buf_add(&vsock->outgoing, &last, sizeof(last));
	flush(vsock);
}

static void queue(struct client *vsock, uint32_t type, uint32_t port)
{
	const struct control_message message = {.type = type, .port = port};

	queue_with(vsock, &message, -1, false);
}

/* --- in --- */

static void finish_pending(struct pending *pending, int fd, int errnum)
{
	pending->fn(pending->arg, fd, errnum);
	free(pending);
}

static void handle_answer(struct client *vsock, const struct control_message *message, int fd)
{
	for (struct pending **at = &vsock->pending; *at; at = &(*at)->next) {
		struct pending *found = *at;

		if (found->id != message->id)
			continue;
		*at = found->next;
		if (message->type == CONTROL_REFUSED)
			finish_pending(found, -1, message->errnum);
		else /* without a descriptor: we have too many */
			finish_pending(found, fd, fd < 0 ? EMFILE : 0);
		return;
	}
	mvm_close(&fd);
}

static bool listens(const struct client *vsock, uint32_t port)
{
	for (unsigned i = 0; i < vsock->port_count; i++)
		if (vsock->ports[i] == port)
			return true;
	return false;
}

/* `fd` is taken over. */
static void handle(struct client *vsock, const struct control_message *message, int fd)
{
	switch (message->type) {
	case CONTROL_ACCEPTED:
		if (fd < 0) /* the device finds it closed, and so does the guest */
			mvm_log(MVM_LOG_WARN, "a connection to port %u is lost: too many open files", message->port);
		else if (listens(vsock, message->port)) {
			vsock->events->accepted(vsock->arg, message->port, fd);
			return;
		}
		break;
	case CONTROL_ASKED:
		vsock->events->asked(vsock->arg, message->port, message->id);
		break;
	case CONTROL_CONNECTED:
	case CONTROL_REFUSED:
		handle_answer(vsock, message, fd);
		return;
	case CONTROL_BROKEN:
		memcpy(vsock->reason, message->reason, sizeof(vsock->reason));
		vsock->reason[sizeof(vsock->reason) - 1] = '\0';
		break;
	}
	mvm_close(&fd);
}

/* One message; false where none is there. */
static bool receive(struct client *vsock)
{
	struct control_message message;
	size_t count;
	int fd = -1;

	if (vsock->control < 0 ||
	    mvm_recv_fds(vsock->control, &message, sizeof(message), &fd, 1, &count) != (ssize_t)sizeof(message))
		return false;
	handle(vsock, &message, count ? fd : -1);
	return true;
}

static void on_control(void *arg, int fd, short revents)
{
	struct client *vsock = arg;

	vsock->busy++;
	if (revents & POLLOUT)
		flush(vsock);
	/* At its end the channel has no more to say; the process's end will be reported. */
	if (revents & (POLLIN | POLLHUP | POLLERR) && !receive(vsock) && revents & (POLLHUP | POLLERR))
		mvm_watch_set(vsock->watch, 0);
	leave(vsock);
}

/* --- the process --- */

static void fail_pending(struct client *vsock, int errnum)
{
	while (vsock->pending) {
		struct pending *first = vsock->pending;

		vsock->pending = first->next;
		finish_pending(first, -1, errnum);
	}
}

static void describe_end(struct client *vsock, int status, char *text, size_t size)
{
	if (vsock->reason[0])
		snprintf(text, size, "vsock device: %s", vsock->reason);
	else if (WIFSIGNALED(status))
		snprintf(text, size, "the vsock device process was ended by signal %d", WTERMSIG(status));
	else
		snprintf(text, size, "the vsock device process ended with status %d", WEXITSTATUS(status));
}

static void on_end(void *arg, pid_t pid, int status)
{
	struct client *vsock = arg;
	char reason[CONTROL_REASON_SIZE + 64];

	vsock->busy++;
	vsock->pid = -1;
	/* What it said last. */
	while (!vsock->destroyed && receive(vsock))
		;
	if (!vsock->destroyed) {
		stop_channel(vsock);
		fail_pending(vsock, ECONNRESET);
	}
	if (!vsock->destroyed) {
		describe_end(vsock, status, reason, sizeof(reason));
		vsock->events->died(vsock->arg, reason);
	}
	leave(vsock);
}

static int spawn(uint32_t guest_cid, int control, int vhost_user, pid_t *pid, struct mvm_error **err)
{
	const struct mvm_spawn_fd fds[] = {
		{STDERR_FILENO, STDERR_FILENO}, {control, CONTROL_FD}, {vhost_user, VHOST_USER_FD}};
	char *program MVM_CLEAN_FREE = NULL;
	char *cid MVM_CLEAN_FREE = mvm_format("%u", guest_cid);
	char *argv[] = {(char *)"mvm-vsock", cid, NULL};
	struct mvm_spawn child = {
		.argv = argv, .fds = fds, .fd_count = MVM_COUNT(fds), .new_session = true, .die_with_parent = true};

	if (mvm_own_file("mvm-vsock", &program, err) < 0)
		return -1;
	child.program = program;
	return mvm_spawn(&child, pid, err);
}

static int listen_op(struct mvm_vsock *front, uint32_t port, struct mvm_error **err)
{
	struct client *vsock = (struct client *)front;
	if (vsock->control < 0)
		return mvm_fail(err, MVM_ERR_MACHINE, "the vsock device has ended");
	if (listens(vsock, port))
		return 0;
	if (vsock->port_count == MVM_COUNT(vsock->ports))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "more than %d vsock ports to listen on", MUX_MAX_LISTENERS);
	vsock->ports[vsock->port_count++] = port;
	queue(vsock, CONTROL_LISTEN, port);
	return 0;
}

static void unlisten_op(struct mvm_vsock *front, uint32_t port)
{
	struct client *vsock = (struct client *)front;
	for (unsigned i = 0; i < vsock->port_count; i++)
		if (vsock->ports[i] == port) {
			vsock->ports[i] = vsock->ports[--vsock->port_count];
			queue(vsock, CONTROL_UNLISTEN, port);
			return;
		}
}

static int connect_op(struct mvm_vsock *front, uint32_t port, mvm_vsock_connected_fn fn, void *arg,
		      struct mvm_error **err)
{
	struct client *vsock = (struct client *)front;
	struct control_message message = {.type = CONTROL_CONNECT, .port = port};
	struct pending *pending;

	if (vsock->control < 0)
		return mvm_fail(err, MVM_ERR_MACHINE, "the vsock device has ended");
	pending = mvm_alloc(sizeof(*pending));
	*pending = (struct pending){.next = vsock->pending, .id = ++vsock->next_id, .fn = fn, .arg = arg};
	vsock->pending = pending;
	message.id = pending->id;
	queue_with(vsock, &message, -1, false);
	return 0;
}

static int publish_op(struct mvm_vsock *front, int listening, uint32_t port, struct mvm_error **err)
{
	struct client *vsock = (struct client *)front;
	struct control_message message = {.type = CONTROL_PUBLISH, .port = port};
	struct sockaddr address = {.sa_family = AF_UNSPEC};
	socklen_t length = sizeof(address);

	getsockname(listening, &address, &length);
	message.id = address.sa_family != AF_UNIX;
	if (vsock->control < 0)
		return mvm_fail(err, MVM_ERR_MACHINE, "the vsock device has ended");
	queue_with(vsock, &message, listening, false);
	return 0;
}

static int serve_op(struct mvm_vsock *front, uint32_t first, uint32_t count, struct mvm_error **err)
{
	struct client *vsock = (struct client *)front;
	const struct control_message message = {.type = CONTROL_SERVE, .port = first, .count = count};

	if (vsock->control < 0)
		return mvm_fail(err, MVM_ERR_MACHINE, "the vsock device has ended");
	queue_with(vsock, &message, -1, false);
	return 0;
}

static void answer_op(struct mvm_vsock *front, uint32_t id, int fd)
{
	struct client *vsock = (struct client *)front;
	const struct control_message message = {.type = CONTROL_ANSWER, .id = id};

	if (vsock->control < 0)
		mvm_close(&fd);
	else
		queue_with(vsock, &message, fd, fd >= 0);
}

static pid_t pid_op(const struct mvm_vsock *front)
{
	const struct client *vsock = (const struct client *)front;
	return vsock->pid;
}

static void destroy_op(struct mvm_vsock *front)
{
	struct client *vsock = (struct client *)front;
	if (vsock->destroyed)
		return;
	vsock->destroyed = true;
	vsock->busy++;
	if (vsock->pid > 0) {
		mvm_loop_child_forget(vsock->loop, vsock->pid);
		kill(vsock->pid, SIGKILL);
	}
	stop_channel(vsock);
	fail_pending(vsock, ECANCELED);
	leave(vsock);
}

static const struct vsock_ops ops = {
	.listen = listen_op,
	.unlisten = unlisten_op,
	.connect = connect_op,
	.publish = publish_op,
	.serve = serve_op,
	.answer = answer_op,
	.pid = pid_op,
	.destroy = destroy_op,
};

int mvm_vsock_start(struct mvm_loop *loop, uint32_t guest_cid, const struct mvm_vsock_events *events, void *arg,
		    struct mvm_vsock **out, int *vhost_user_fd, struct mvm_error **err)
{
	int control[2] = {-1, -1}, vhost_user[2] = {-1, -1}, result = -1;
	struct client *vsock;
	pid_t pid;

	if (mvm_socketpair(SOCK_SEQPACKET, control) < 0 || mvm_socketpair(SOCK_STREAM, vhost_user) < 0 ||
	    mvm_set_nonblock(control[0], true) < 0)
		mvm_fail_errno(err, errno, "cannot start the vsock device");
	else
		result = spawn(guest_cid, control[1], vhost_user[1], &pid, err);
	mvm_close(&control[1]);
	mvm_close(&vhost_user[1]);
	if (result < 0) {
		mvm_close(&control[0]);
		mvm_close(&vhost_user[0]);
		return -1;
	}
	vsock = mvm_alloc(sizeof(*vsock));
	vsock->loop = loop;
	vsock->events = events;
	vsock->arg = arg;
	vsock->pid = pid;
	vsock->control = control[0];
	vsock->watch = mvm_loop_watch(loop, control[0], POLLIN, on_control, vsock);
	mvm_loop_child(loop, pid, on_end, vsock);
	vsock->front.ops = &ops;
	*out = &vsock->front;
	*vhost_user_fd = vhost_user[0];
	return 0;
}
