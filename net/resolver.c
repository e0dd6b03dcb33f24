/*
 * Theory of operation: a query over UDP is answered by a frame, made when the answer is there; the guest may be gone by
 * then, and the switch finds nobody to give it to. A connection over TCP comes by libslirp through a unix socket that
 * the guest has for itself (gate.h), so that it is known who asks; each query on it is answered in the order in which
 * answers come.
 */
#include "resolver.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns_frames.h"
#include "gate.h"
#include "lan.h"
#include "runtime/base/control.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "switch.h"

enum {
	FIRST_PORT = 1024,    /* of the stand-in, one a guest */
	CONNECTIONS_MAX = 32, /* of a guest at a time */
	UNSENT_MAX = 1 << 20, /* bytes of answers that a connection does not take */
	IDLE_MS = 30000,      /* RFC 7766 section 6.2.3 */
};

struct connection {
	struct connection *next;
	struct mvm_resolver_guest *guest;
	int fd;
	struct mvm_watch *watch;
	struct mvm_timer *idle;
	struct mvm_dns_frames frames;
	struct mvm_buf out;
	bool closed;
};

struct mvm_resolver_guest {
	struct mvm_resolver_guest *next;
	struct mvm_resolver *resolver;
	char *id;
	struct mvm_strv servers;
	bool another, ndots;
	uint16_t port;
	char *path;
	int listen_fd;
	struct mvm_watch *watch;
	struct connection *connections;
	size_t connection_count;
};

struct mvm_resolver {
	struct mvm_loop *loop;
	struct mvm_dns *dns;
	struct mvm_nat *nat;
	struct mvm_gate gate;
	uint8_t gateway_mac[MVM_MAC_SIZE];
	char *sockets;
	void (*deliver)(void *arg, const uint8_t *frame, size_t length);
	void *arg;
	struct mvm_resolver_guest *guests;
	uint8_t frame[MVM_FRAME_MAX];
};

static void ask(struct mvm_resolver_guest *guest, const void *message, size_t length, bool tcp,
		mvm_dns_answer_fn answer, void *arg)
{
	const struct mvm_dns_client client = {
		.id = guest->id,
		.servers = (const char *const *)guest->servers.items,
		.server_count = guest->servers.count,
		.another = guest->another,
		.ndots = guest->ndots,
	};

	mvm_dns_query(guest->resolver->dns, message, length, &client, tcp, answer, arg);
}

/* UDP. */

struct waiting {
	struct mvm_resolver *resolver;
	struct mvm_gate_query query;
};

static void answer_datagram(void *arg, const void *message, size_t length)
{
	struct waiting *waiting = arg;
	struct mvm_resolver *resolver = waiting->resolver;
	size_t size = message ? mvm_gate_answer(&resolver->gate, &waiting->query, resolver->gateway_mac, message,
						length, resolver->frame, sizeof(resolver->frame))
			      : 0;

	if (size)
		resolver->deliver(resolver->arg, resolver->frame, size);
	free(waiting);
}

bool mvm_resolver_outgoing(struct mvm_resolver_guest *guest, uint8_t *frame, size_t length)
{
	struct mvm_resolver *resolver = guest->resolver;
	struct mvm_gate_query query;
	struct waiting *waiting;

	if (!mvm_gate_query(&resolver->gate, frame, length, &query)) {
		mvm_gate_divert(&resolver->gate, frame, length, guest->port);
		return false;
	}
	waiting = mvm_alloc(sizeof(*waiting));
	*waiting = (struct waiting){.resolver = resolver, .query = query};
	ask(guest, query.message, query.length, false, answer_datagram, waiting);
	return true;
}

const uint8_t *mvm_resolver_incoming(struct mvm_resolver *resolver, const uint8_t *frame, size_t length, uint8_t *copy)
{
	if (!mvm_gate_is_diverted(&resolver->gate, frame, length) || length > MVM_FRAME_MAX)
		return frame;
	memcpy(copy, frame, length);
	mvm_gate_restore(&resolver->gate, copy, length);
	return copy;
}

/* TCP. */

static void close_connection(struct connection *connection)
{
	if (connection->closed)
		return;
	connection->closed = true;
	mvm_dns_cancel(connection->guest->resolver->dns, connection);
	mvm_watch_remove(connection->watch);
	mvm_timer_remove(connection->idle);
	mvm_close(&connection->fd);
}

static void free_closed(struct mvm_resolver_guest *guest)
{
	for (struct connection **at = &guest->connections; *at;) {
		struct connection *connection = *at;

		if (!connection->closed) {
			at = &connection->next;
			continue;
		}
		*at = connection->next;
		guest->connection_count--;
		mvm_dns_frames_finish(&connection->frames);
		mvm_buf_finish(&connection->out);
		free(connection);
	}
}

static void flush(struct connection *connection)
{
	while (connection->out.length) {
		ssize_t n = send(connection->fd, connection->out.data, connection->out.length, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			close_connection(connection);
			return;
		}
		mvm_buf_consume(&connection->out, (size_t)n);
	}
	mvm_watch_set(connection->watch, connection->out.length ? POLLIN | POLLOUT : POLLIN);
}

static void answer_connection(void *arg, const void *message, size_t length)
{
	struct connection *connection = arg;
	uint8_t header[MVM_DNS_FRAME_HEADER];

	if (!message || connection->closed)
		return;
	if (connection->out.length + length > UNSENT_MAX) {
		close_connection(connection);
		return;
	}
	mvm_dns_frame_header(length, header);
	mvm_buf_add(&connection->out, header, sizeof(header));
	mvm_buf_add(&connection->out, message, length);
	flush(connection);
}

static void feed(struct connection *connection, const uint8_t *data, size_t length)
{
	while (length && !connection->closed) {
		size_t taken = mvm_dns_frames_feed(&connection->frames, data, length);
		const uint8_t *message;
		size_t size;

		while (!connection->closed && mvm_dns_frames_next(&connection->frames, &message, &size))
			ask(connection->guest, message, size, true, answer_connection, connection);
		data += taken;
		length -= taken;
	}
}

static void connection_ready(void *arg, int fd, short revents)
{
	struct connection *connection = arg;
	uint8_t data[4096];
	ssize_t n;

	if (revents & POLLOUT)
		flush(connection);
	if (connection->closed || !(revents & (POLLIN | POLLHUP | POLLERR)))
		return;
	n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		close_connection(connection);
		return;
	}
	mvm_timer_start(connection->idle, IDLE_MS);
	feed(connection, data, (size_t)n);
}

static void idle_too_long(void *arg)
{
	close_connection(arg);
}

static void accept_connection(void *arg, int listen_fd, short revents)
{
	struct mvm_resolver_guest *guest = arg;
	struct mvm_loop *loop = guest->resolver->loop;
	int fd = accept(listen_fd, NULL, NULL);
	struct connection *connection;

	free_closed(guest);
	if (fd < 0)
		return;
	if (guest->connection_count == CONNECTIONS_MAX) {
		close(fd);
		return;
	}
	mvm_set_cloexec(fd, true);
	connection = mvm_alloc(sizeof(*connection));
	*connection = (struct connection){.next = guest->connections, .guest = guest, .fd = fd};
	connection->watch = mvm_loop_watch(loop, fd, POLLIN, connection_ready, connection);
	connection->idle = mvm_loop_timer(loop, idle_too_long, connection);
	mvm_timer_start(connection->idle, IDLE_MS);
	guest->connections = connection;
	guest->connection_count++;
}

/* Guests. */

static uint16_t free_port(const struct mvm_resolver *resolver)
{
	uint16_t port = FIRST_PORT;

	for (const struct mvm_resolver_guest *guest = resolver->guests; guest;)
		if (guest->port == port) {
			port++;
			guest = resolver->guests;
		} else {
			guest = guest->next;
		}
	return port;
}

static int listen_for(struct mvm_resolver_guest *guest, struct mvm_error **err)
{
	struct mvm_resolver *resolver = guest->resolver;

	guest->path = mvm_format("%s.%u", resolver->sockets, guest->port);
	if (mvm_control_listen(guest->path, &guest->listen_fd, err) < 0)
		return -1;
	mvm_set_nonblock(guest->listen_fd, true);
	if (mvm_nat_forward(resolver->nat, resolver->gate.stand_in, guest->port, guest->path, err) < 0)
		return -1;
	guest->watch = mvm_loop_watch(resolver->loop, guest->listen_fd, POLLIN, accept_connection, guest);
	return 0;
}

int mvm_resolver_add(struct mvm_resolver *resolver, const struct mvm_guest_config *config,
		     struct mvm_resolver_guest **out, struct mvm_error **err)
{
	const struct mvm_dns_endpoint endpoint = {
		.id = config->container,
		.names = (const char *const *)config->names->items,
		.name_count = config->names->count,
		.ipv4 = config->identity.ip,
		.ipv6 = config->identity.ip6,
	};
	struct mvm_resolver_guest *guest = mvm_alloc(sizeof(*guest));

	*guest = (struct mvm_resolver_guest){
		.resolver = resolver,
		.id = mvm_strdup(config->container),
		.another = config->another,
		.ndots = config->ndots,
		.port = free_port(resolver),
		.listen_fd = -1,
	};
	for (size_t i = 0; i < config->dns->count; i++)
		mvm_strv_add(&guest->servers, config->dns->items[i]);
	guest->next = resolver->guests;
	resolver->guests = guest;
	if (listen_for(guest, err) < 0) {
		mvm_resolver_remove(guest);
		return -1;
	}
	mvm_dns_set(resolver->dns, &endpoint);
	*out = guest;
	return 0;
}

void mvm_resolver_revise(struct mvm_resolver_guest *guest, bool another)
{
	guest->another = another;
}

void mvm_resolver_remove(struct mvm_resolver_guest *guest)
{
	struct mvm_resolver *resolver = guest->resolver;
	struct mvm_resolver_guest **at = &resolver->guests;

	while (*at != guest)
		at = &(*at)->next;
	*at = guest->next;
	mvm_dns_remove(resolver->dns, guest->id);
	for (struct connection *connection = guest->connections; connection; connection = connection->next)
		close_connection(connection);
	free_closed(guest);
	mvm_dns_cancel_guest(resolver->dns, guest->id);
	mvm_nat_unforward(resolver->nat, resolver->gate.stand_in, guest->port);
	mvm_watch_remove(guest->watch);
	mvm_close(&guest->listen_fd);
	if (guest->path)
		unlink(guest->path);
	mvm_strv_finish(&guest->servers);
	free(guest->path);
	free(guest->id);
	free(guest);
}

static struct mvm_dns *create_dns(struct mvm_loop *loop, const char *network, const struct mvm_nat_config *nat)
{
	static const char *const names[] = {"host.docker.internal", "gateway.docker.internal", "host.mvm.internal"};
	/* By IPv4 alone: what listens on the host's loopback often does so there only. */
	const struct mvm_dns_endpoint host = {
		.id = "host", .names = names, .name_count = MVM_COUNT(names), .ipv4 = nat->gateway};
	const struct mvm_dns_config config = {
		.network = network,
		.internal = nat->internal,
		.subnet = nat->subnet.address,
		.prefix = nat->subnet.prefix,
		.gateway = nat->gateway,
		.subnet6 = nat->subnet6.address,
		.prefix6 = nat->subnet6.prefix,
		.gateway6 = nat->gateway6,
		.fixed = &host,
		.fixed_count = 1,
	};

	return mvm_dns_create(loop, &config);
}

struct mvm_resolver *mvm_resolver_create(struct mvm_loop *loop, const struct mvm_resolver_config *config)
{
	struct mvm_resolver *resolver = mvm_alloc(sizeof(*resolver));

	resolver->loop = loop;
	resolver->nat = config->forwards;
	resolver->gate = (struct mvm_gate){.gateway = config->nat->gateway, .stand_in = config->nat->subnet.address};
	mvm_nat_mac(config->nat->gateway, resolver->gateway_mac);
	resolver->sockets = mvm_strdup(config->sockets);
	resolver->deliver = config->deliver;
	resolver->arg = config->arg;
	resolver->dns = create_dns(loop, config->network, config->nat);
	return resolver;
}

void mvm_resolver_destroy(struct mvm_resolver *resolver)
{
	if (!resolver)
		return;
	mvm_dns_destroy(resolver->dns);
	free(resolver->sockets);
	free(resolver);
}

const struct mvm_dns_counters *mvm_resolver_counters(const struct mvm_resolver *resolver)
{
	return mvm_dns_counters(resolver->dns);
}
