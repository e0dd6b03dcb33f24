#include "publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

enum {
	BACKLOG = 4096,
	DATAGRAM_BUFFER = 1 << 20,
	RANDOM_TRIES = 64, /* a port that is free for one address may not be for the other */
};

union address {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

static socklen_t make_address(const char *ip, uint16_t port, union address *address)
{
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, ip, &address->ip4.sin_addr) == 1) {
		address->ip4.sin_family = AF_INET;
		address->ip4.sin_port = htons(port);
		return sizeof(address->ip4);
	}
	inet_pton(AF_INET6, ip, &address->ip6.sin6_addr);
	address->ip6.sin6_family = AF_INET6;
	address->ip6.sin6_port = htons(port);
	return sizeof(address->ip6);
}

static void set_option(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

/* A TCP port may be bound again at once; connections get the listening socket's options. Replies to datagrams go out
 * from the address that they were sent to. */
static void set_options(int fd, int family, enum mvm_port_protocol protocol)
{
	if (family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (protocol == MVM_PORT_TCP) {
		set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
		set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	} else {
		set_option(fd, SOL_SOCKET, SO_RCVBUF, DATAGRAM_BUFFER);
		if (family == AF_INET6)
			set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
		else
			set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
	}
}

static uint16_t port_of(int fd)
{
	union address address = {.any.sa_family = AF_UNSPEC};
	socklen_t length = sizeof(address);

	getsockname(fd, &address.any, &length);
	return ntohs(address.any.sa_family == AF_INET6 ? address.ip6.sin6_port : address.ip4.sin_port);
}

/* *port 0 is any, and becomes what it is. -1 with errno set. */
static int bind_address(const char *ip, enum mvm_port_protocol protocol, uint16_t *port)
{
	union address address;
	socklen_t length = make_address(ip, *port, &address);
	int fd = socket(address.any.sa_family, protocol == MVM_PORT_TCP ? SOCK_STREAM : SOCK_DGRAM, 0), failure;

	if (fd < 0)
		return -1;
	set_options(fd, address.any.sa_family, protocol);
	if (mvm_set_cloexec(fd, true) == 0 && mvm_set_nonblock(fd, true) == 0 && bind(fd, &address.any, length) == 0 &&
	    (protocol != MVM_PORT_TCP || listen(fd, BACKLOG) == 0)) {
		*port = port_of(fd);
		return fd;
	}
	failure = errno;
	mvm_close(&fd);
	errno = failure;
	return -1;
}

static void add(struct bound_list *list, int fd, const struct mvm_port *wanted, const char *ip, uint16_t port)
{
	struct bound *bound;

	list->items = mvm_realloc(list->items, list->count + 1, sizeof(*list->items));
	bound = &list->items[list->count++];
	*bound = (struct bound){.fd = fd, .port = *wanted};
	snprintf(bound->port.ip, sizeof(bound->port.ip), "%s", ip);
	bound->port.first = bound->port.last = port;
}

static void drop_to(struct bound_list *list, size_t count)
{
	while (list->count > count)
		mvm_close(&list->items[--list->count].fd);
}

/* A host without IPv6 has no IPv6 to publish at. */
static bool is_without_ip6(const char *ip, int errnum)
{
	return !strcmp(ip, "::") && (errnum == EAFNOSUPPORT || errnum == EADDRNOTAVAIL || errnum == EPROTONOSUPPORT);
}

/* One port of the host at all addresses: 0, or errno, and *ip is where. */
static int try_port(const struct mvm_port *wanted, uint16_t port, struct bound_list *list, const char **ip)
{
	const char *const everywhere[] = {"0.0.0.0", "::"}, *const one[] = {wanted->ip};
	const char *const *ips = *wanted->ip ? one : everywhere;
	size_t count = *wanted->ip ? 1 : 2, before = list->count;

	for (size_t i = 0; i < count; i++) {
		int fd = bind_address(ips[i], wanted->protocol, &port), failure = errno;

		if (fd >= 0) {
			add(list, fd, wanted, ips[i], port);
		} else if (!(i && is_without_ip6(ips[i], failure))) {
			drop_to(list, before);
			*ip = ips[i];
			return failure;
		}
	}
	return 0;
}

static int fail(const struct mvm_port *wanted, const char *ip, int errnum, struct mvm_error **err)
{
	char number[16];
	char *where MVM_CLEAN_FREE = NULL;

	snprintf(number, sizeof(number), wanted->first == wanted->last ? "%u" : "%u-%u", wanted->first, wanted->last);
	where = mvm_port_join(ip, number);
	switch (errnum) {
	case EADDRINUSE:
		return mvm_fail(
			err, MVM_ERR_CONFLICT,
			"Bind for %s failed: port is already allocated; publish at another one, or '-p %u' for any",
			where, wanted->guest);
	case EACCES:
		return mvm_fail(
			err, MVM_ERR_CONFLICT,
			"Bind for %s failed: permission denied; publish at a port from 1024 on, or have root run "
			"'sysctl net.ipv4.ip_unprivileged_port_start=%u'",
			where, wanted->first);
	case EADDRNOTAVAIL:
		return mvm_fail(err, MVM_ERR_CONFLICT,
				"Bind for %s failed: this is not an address of the host; 'ip address' shows which are",
				where);
	default:
		return mvm_fail_errno(err, errnum, "Bind for %s failed", where);
	}
}

int bind_port(const struct mvm_port *wanted, struct bound_list *list, struct mvm_error **err)
{
	const char *ip = wanted->ip;
	int failure = EADDRINUSE;

	if (wanted->first) {
		for (unsigned port = wanted->first; port <= wanted->last && failure == EADDRINUSE; port++)
			failure = try_port(wanted, (uint16_t)port, list, &ip);
	} else {
		for (int i = 0; i < RANDOM_TRIES && failure == EADDRINUSE; i++)
			failure = try_port(wanted, 0, list, &ip);
	}
	return failure ? fail(wanted, ip, failure, err) : 0;
}

void bound_list_finish(struct bound_list *list)
{
	/* The port is free at once, also where the vsock device of a machine that has just been killed still holds
	 * the socket, too. */
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].port.protocol == MVM_PORT_TCP)
			shutdown(list->items[i].fd, SHUT_RDWR);
	drop_to(list, 0);
	free(list->items);
	*list = (struct bound_list){.count = 0};
}
