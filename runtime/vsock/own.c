/*
 * The vsock of a machine that has a device of its own: it listens and connects when asked, and hands descriptors over.
 * What mvm-vsock does in its process is done here, on the supervisor's loop: limits of time, and the bytes of what is
 * published and served (relay.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front.h"
#include "relay.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"

enum {
	MAX_PORTS = 128,
	MAX_RELAYED = 1024, /* at which nobody is accepted; two descriptors each */
	ACCEPTS = 32,	    /* in one go */
	PATIENCE_S = 20,
	TICK_MS = 1000,
};

struct pending {
	struct pending *next;
	uint32_t id;
	uint64_t until;
	mvm_vsock_connected_fn fn;
	void *arg;
};

/* A connection of the guest's to a served port, which waits for its other end. */
struct asked {
	struct asked *next;
	uint32_t id;
	int fd;
};

struct published {
	struct published *next;
	struct own *own;
	int fd; /* ours: whoever published it may close his at any time */
	uint32_t port;
	bool tcp;
	struct mvm_watch *watch;
};

/* A published or served connection, from the time when it is accepted. */
struct joined {
	struct joined *next;
	struct own *own;
	int host; /* -1: it is the relay's */
	bool tcp;
	struct relay *relay;
};

struct own {
	struct mvm_vsock front;
	struct mvm_loop *loop;
	const struct mvm_vsock_device *device;
	const struct mvm_vsock_events *events;
	void *arg;
	bool attached;
	uint32_t ports[MAX_PORTS], served_first, served_count;
	unsigned port_count;
	uint32_t last_id;
	struct pending *pending;
	struct mvm_timer *timer; /* runs while something is pending */
	struct asked *asked;
	struct published *published;
	struct joined *joined;
	unsigned joined_count;
	unsigned busy; /* callbacks that are running */
	bool destroyed;
};

static void leave(struct own *own)
{
	if (--own->busy == 0 && own->destroyed)
		free(own);
}

/* ---- connects ---- */

static void finish_pending(struct own *own, struct pending **at, int fd, int errnum)
{
	struct pending *found = *at;

	*at = found->next;
	if (!own->pending)
		mvm_timer_stop(own->timer);
	found->fn(found->arg, fd, errnum);
	free(found);
}

static void give_up_late(void *arg)
{
	struct own *own = arg;
	uint64_t now = mvm_now_ns();

	own->busy++;
	for (struct pending **at = &own->pending; !own->destroyed && *at;) {
		if ((*at)->until > now) {
			at = &(*at)->next;
			continue;
		}
		finish_pending(own, at, -1, ETIMEDOUT);
		at = &own->pending;
	}
	if (!own->destroyed && own->pending)
		mvm_timer_start(own->timer, TICK_MS);
	leave(own);
}

static int connect_op(struct mvm_vsock *vsock, uint32_t port, mvm_vsock_connected_fn fn, void *arg,
		      struct mvm_error **err)
{
	struct own *own = (struct own *)vsock;
	struct pending *pending = mvm_alloc(sizeof(*pending));

	(void)err;
	if (!own->pending)
		mvm_timer_start(own->timer, TICK_MS);
	*pending = (struct pending){.next = own->pending,
				    .id = ++own->last_id,
				    .until = mvm_now_ns() + PATIENCE_S * 1000000000ull,
				    .fn = fn,
				    .arg = arg};
	own->pending = pending;
	own->device->connect(own->arg, port, pending->id);
	return 0;
}

void mvm_vsock_answered(struct mvm_vsock *vsock, uint32_t id, int fd, int errnum)
{
	struct own *own = (struct own *)vsock;
	struct pending **at = &own->pending;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	/* Nobody waits any more. */
	if (!*at) {
		mvm_close(&fd);
		return;
	}
	own->busy++;
	finish_pending(own, at, fd, fd < 0 ? errnum : 0);
	leave(own);
}

/* ---- what is joined ---- */

static void set_accepting(struct own *own, bool on)
{
	for (struct published *published = own->published; published; published = published->next)
		mvm_watch_set(published->watch, on ? POLLIN : 0);
}

static struct joined *join(struct own *own, int host, bool tcp)
{
	struct joined *joined = mvm_alloc(sizeof(*joined));

	*joined = (struct joined){.next = own->joined, .own = own, .host = host, .tcp = tcp};
	own->joined = joined;
	if (++own->joined_count == MAX_RELAYED)
		set_accepting(own, false);
	return joined;
}

static void part(struct joined *joined)
{
	struct own *own = joined->own;
	struct joined **at = &own->joined;

	while (*at != joined)
		at = &(*at)->next;
	*at = joined->next;
	if (own->joined_count-- == MAX_RELAYED)
		set_accepting(own, true);
	free(joined);
}

static void relay_ended(void *arg)
{
	part(arg);
}

/* The guest's end has come, and is taken. */
static void run(struct joined *joined, int guest)
{
	int host = joined->host;

	joined->host = -1;
	joined->relay = relay_create(joined->own->loop, guest, host, joined->tcp, relay_ended, joined);
}

/* ---- published ---- */

static void refuse(struct joined *joined)
{
	const struct linger at_once = {.l_onoff = 1};

	if (joined->tcp)
		setsockopt(joined->host, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	mvm_close(&joined->host);
	part(joined);
}

static void published_connected(void *arg, int fd, int errnum)
{
	struct joined *joined = arg;

	(void)errnum;
	if (fd >= 0)
		run(joined, fd);
	else
		refuse(joined);
}

static void forget(struct published *published)
{
	struct published **at = &published->own->published;

	while (*at != published)
		at = &(*at)->next;
	*at = published->next;
	mvm_watch_remove(published->watch);
	close(published->fd);
	free(published);
}

/* False where there is nobody, or no room, or it is not published any more: then it is gone. */
static bool accept_one(struct published *published)
{
	struct own *own = published->own;
	int fd;

	if (own->joined_count >= MAX_RELAYED)
		return false;
	fd = accept(published->fd, NULL, NULL);
	if (fd < 0) {
		bool again = errno == ECONNABORTED || errno == EINTR;

		if (errno == EINVAL)
			forget(published);
		return again;
	}
	mvm_set_cloexec(fd, true);
	connect_op(&own->front, published->port, published_connected, join(own, fd, published->tcp), NULL);
	return true;
}

static void published_ready(void *arg, int fd, short revents)
{
	(void)fd;
	(void)revents;
	for (int i = 0; i < ACCEPTS && accept_one(arg); i++)
		continue;
}

static int publish_op(struct mvm_vsock *vsock, int listening, uint32_t port, struct mvm_error **err)
{
	struct own *own = (struct own *)vsock;
	struct sockaddr address = {.sa_family = AF_UNSPEC};
	socklen_t length = sizeof(address);
	int fd = fcntl(listening, F_DUPFD_CLOEXEC, 0);
	struct published *published;

	if (fd < 0)
		return mvm_fail_errno(err, errno, "what leads to port %u of the guest is not published", port);
	getsockname(fd, &address, &length);
	published = mvm_alloc(sizeof(*published));
	*published = (struct published){.next = own->published,
					.own = own,
					.fd = fd,
					.port = port,
					.tcp = address.sa_family != AF_UNIX,
					.watch = mvm_loop_watch(own->loop, fd, POLLIN, published_ready, published)};
	own->published = published;
	return 0;
}

/* ---- what the guest connects to ---- */

static bool listens(const struct own *own, uint32_t port)
{
	for (unsigned i = 0; i < own->port_count; i++)
		if (own->ports[i] == port)
			return true;
	return false;
}

static int listen_op(struct mvm_vsock *vsock, uint32_t port, struct mvm_error **err)
{
	struct own *own = (struct own *)vsock;

	if (listens(own, port))
		return 0;
	if (own->port_count == MAX_PORTS)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "more than %d vsock ports to listen on", MAX_PORTS);
	own->ports[own->port_count++] = port;
	if (own->attached)
		own->device->listen(own->arg, port, true);
	return 0;
}

static void unlisten_op(struct mvm_vsock *vsock, uint32_t port)
{
	struct own *own = (struct own *)vsock;

	for (unsigned i = 0; i < own->port_count; i++)
		if (own->ports[i] == port) {
			own->ports[i] = own->ports[--own->port_count];
			if (own->attached)
				own->device->listen(own->arg, port, false);
			return;
		}
}

static int serve_op(struct mvm_vsock *vsock, uint32_t first, uint32_t count, struct mvm_error **err)
{
	struct own *own = (struct own *)vsock;

	(void)err;
	own->served_first = first;
	own->served_count = count;
	return 0;
}

void mvm_vsock_attach(struct mvm_vsock *vsock)
{
	struct own *own = (struct own *)vsock;

	own->attached = true;
	for (unsigned i = 0; i < own->port_count; i++)
		own->device->listen(own->arg, own->ports[i], true);
	for (uint32_t i = 0; i < own->served_count; i++)
		own->device->listen(own->arg, own->served_first + i, true);
}

static void ask(struct own *own, uint32_t port, int fd)
{
	struct asked *asked = mvm_alloc(sizeof(*asked));

	*asked = (struct asked){.next = own->asked, .id = ++own->last_id, .fd = fd};
	own->asked = asked;
	own->events->asked(own->arg, port, asked->id);
}

void mvm_vsock_accepted(struct mvm_vsock *vsock, uint32_t port, int fd)
{
	struct own *own = (struct own *)vsock;

	own->busy++;
	if (port - own->served_first < own->served_count)
		ask(own, port, fd);
	else if (listens(own, port))
		own->events->accepted(own->arg, port, fd);
	else
		mvm_close(&fd);
	leave(own);
}

static void answer_op(struct mvm_vsock *vsock, uint32_t id, int fd)
{
	struct own *own = (struct own *)vsock;
	struct asked **at = &own->asked, *found;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	found = *at;
	if (!found) {
		mvm_close(&fd);
		return;
	}
	*at = found->next;
	if (fd >= 0)
		run(join(own, fd, false), found->fd);
	else
		mvm_close(&found->fd);
	free(found);
}

/* ---- its end ---- */

/* The machine's memory is accounted for elsewhere: there is no process of the device's. */
static pid_t pid_op(const struct mvm_vsock *vsock)
{
	(void)vsock;
	return -1;
}

static void drop_published(struct own *own)
{
	while (own->published)
		forget(own->published);
}

static void drop_joined(struct own *own)
{
	while (own->joined) {
		if (own->joined->relay)
			relay_destroy(own->joined->relay);
		mvm_close(&own->joined->host);
		part(own->joined);
	}
}

static void drop_asked(struct own *own)
{
	while (own->asked) {
		struct asked *first = own->asked;

		own->asked = first->next;
		mvm_close(&first->fd);
		free(first);
	}
}

static void destroy_op(struct mvm_vsock *vsock)
{
	struct own *own = (struct own *)vsock;

	if (own->destroyed)
		return;
	own->destroyed = true;
	own->busy++;
	drop_published(own);
	while (own->pending)
		finish_pending(own, &own->pending, -1, ECANCELED);
	drop_joined(own);
	drop_asked(own);
	mvm_timer_remove(own->timer);
	leave(own);
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

struct mvm_vsock *mvm_vsock_create(struct mvm_loop *loop, const struct mvm_vsock_device *device,
				   const struct mvm_vsock_events *events, void *arg)
{
	struct own *own = mvm_alloc(sizeof(*own));

	own->front.ops = &ops;
	own->loop = loop;
	own->device = device;
	own->events = events;
	own->arg = arg;
	own->timer = mvm_loop_timer(loop, give_up_late, own);
	return &own->front;
}
