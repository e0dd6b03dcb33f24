#include "publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "failure.h"
#include "guest-agent/proto/message.h"
#include "loop.h"
#include "machine.h"
#include "process.h"
#include "ports.h"
#include "publish_internal.h"
#include "sys.h"

enum {
	TARGETS = 18,	/* two of each interface, and the loopbacks */
	BACKLOG = 4096, /* who comes when it is full is refused */
	FILES = 16384,	/* two for each connection */

	/* How much the host may send ahead of a service that does not read, which the kernel keeps in memory that is
	 * nobody's: less for each where there are many connections. Below 64 KiB each read is a word to the host. */
	MANY = 128,
	WINDOW = 128 * 1024,
	NARROW_WINDOW = 16 * 1024,

	RETRY_NS = 20 * 1000 * 1000,
};

struct listener {
	struct watch watch;
	void (*start)(int socket, uint16_t port);
	uint16_t port; /* the container's, or a socket's number; the host's where it is the container that connects */
};

union address {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

char publish_buffer[PUBLISH_BUFFER];
static union address targets[TARGETS];
static unsigned target_count;
static struct listener *inward; /* for the host */
static size_t inward_count;
static struct listener *found[PORTS_MAX]; /* for it, too: as publish_follow() has it */
static unsigned found_count;
static struct listener outward[MVM_SOCKETS_MAX];
static char *paths[MVM_SOCKETS_MAX];

static void add_target(const char *text)
{
	union address *target = &targets[target_count];

	if (target_count == TARGETS)
		return;
	*target = (union address){.ip6 = {.sin6_family = AF_INET6}};
	if (inet_pton(AF_INET6, text, &target->ip6.sin6_addr) == 1) {
		target_count++;
		return;
	}
	*target = (union address){.ip4 = {.sin_family = AF_INET}};
	if (inet_pton(AF_INET, text, &target->ip4.sin_addr) == 1)
		target_count++;
}

/* "mac=... ip=10.0.0.2/24 ip=fd00::2/64 ..." */
static void add_addresses(const char *interface)
{
	static const char key[] = "ip=";

	for (const char *word = interface; *word;) {
		size_t length = strcspn(word, " "), address = strcspn(word, " /");
		char text[INET6_ADDRSTRLEN];

		if (strncmp(word, key, strlen(key)) == 0 && address - strlen(key) < sizeof(text)) {
			memcpy(text, word + strlen(key), address - strlen(key));
			text[address - strlen(key)] = '\0';
			add_target(text);
		}
		word += length + (word[length] == ' ');
	}
}

static int set_address(union address *target, uint16_t port, socklen_t *length)
{
	if (target->any.sa_family == AF_INET6)
		target->ip6.sin6_port = htons(port);
	else
		target->ip4.sin_port = htons(port);
	*length = target->any.sa_family == AF_INET6 ? sizeof(target->ip6) : sizeof(target->ip4);
	return target->any.sa_family;
}

/* 1: it is connected; 0: that will be seen; -1: not there. To one's own addresses the handshake is over when connect()
 * has returned, and asking once more tells. */
static int try_connect(int fd, const union address *target, socklen_t length)
{
	for (int i = 0; i < 2; i++) {
		if (connect(fd, &target->any, length) == 0 || errno == EISCONN)
			return 1;
		if (errno != EINPROGRESS)
			break;
	}
	return errno == EINPROGRESS || errno == EALREADY ? 0 : -1;
}

int publish_dial(unsigned *target, int type, uint16_t port, int *done)
{
	static const int on = 1;

	while (*target < target_count) {
		union address address = targets[(*target)++];
		socklen_t length;
		int fd = socket(set_address(&address, port, &length), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		int state = fd < 0 ? -1 : try_connect(fd, &address, length);

		if (state >= 0) {
			if (type == SOCK_STREAM)
				setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			*done = state;
			return fd;
		}
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

int publish_dial_socket(uint16_t number, int *done)
{
	static const struct itimerspec soon = {.it_value.tv_nsec = RETRY_NS};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int root = process_open("root");
	int place = number < MVM_SOCKETS_MAX && paths[number] ? sys_open_inside(root, paths[number], O_PATH) : -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", place);
	*done = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	if (!*done) {
		bool full = errno == EAGAIN;

		close(fd);
		fd = full ? timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC) : -1;
		timerfd_settime(fd, 0, &soon, NULL);
	}
	close(root);
	close(place);
	return fd;
}

/* Only one, and the loop comes back for the next: where nobody is left, accept() of vsock sleeps until the next tick of
 * the clock, O_NONBLOCK or not. */
static void accept_one(struct watch *watch, uint32_t events)
{
	const struct listener *listener = container_of(watch, struct listener, watch);
	struct sockaddr_vm peer = {.family = 0};
	socklen_t length = sizeof(peer);
	int fd = accept4(watch->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (peer.family != AF_VSOCK || peer.cid == MVM_PROTO_HOST_CID)
		listener->start(fd, listener->port);
	else
		close(fd);
}

static void set_window(uint64_t size)
{
	for (size_t i = 0; i < inward_count; i++)
		if (inward[i].start != publish_udp)
			setsockopt(inward[i].watch.fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, sizeof(size));
}

void publish_count(unsigned connections)
{
	static bool narrow;

	if (narrow == (connections >= MANY))
		return;
	narrow = !narrow;
	set_window(narrow ? NARROW_WINDOW : WINDOW);
}

static int start_listening(struct listener *listener, const void *address, socklen_t length, struct failure *failure)
{
	int fd = socket(*(const sa_family_t *)address, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	listener->watch = (struct watch){.fd = fd, .ready = accept_one};
	if (fd < 0 || bind(fd, address, length) || listen(fd, BACKLOG) || loop_add(&listener->watch, EPOLLIN))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot listen for connections");
	return 0;
}

static int listen_with(struct listener *listener, uint32_t base, struct failure *failure)
{
	const struct sockaddr_vm address = {.family = AF_VSOCK, .port = base + listener->port, .cid = UINT32_MAX};

	return start_listening(listener, &address, sizeof(address), failure);
}

static int listen_for_host(void (*start)(int, uint16_t), uint32_t base, unsigned port, struct failure *failure)
{
	struct listener *listener = &inward[inward_count++];

	listener->start = start;
	listener->port = (uint16_t)port;
	return listen_with(listener, base, failure);
}

/* "80/tcp" */
static int listen_for_port(const char *text, struct failure *failure)
{
	unsigned port = (unsigned)strtoul(text, NULL, 10);

	return strchr(text, 'u') ? listen_for_host(publish_udp, MVM_PROTO_PUBLISH_UDP_PORT, port, failure)
				 : listen_for_host(publish_tcp, MVM_PROTO_PUBLISH_TCP_PORT, port, failure);
}

static size_t count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* For any user of the container: the host sees who runs it, whoever that is inside. */
static int listen_for_container(uint64_t number, struct failure *failure)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), MACHINE_SOCKET "%u", (unsigned)number);
	outward[number].start = publish_outward;
	outward[number].port = (uint16_t)(MVM_PROTO_SOCKET_PORT + number);
	if (start_listening(&outward[number], &address, sizeof(address), failure))
		return -1;
	chmod(address.sun_path, 0666);
	return 0;
}

static bool is_published(unsigned port)
{
	for (size_t i = 0; i < inward_count; i++)
		if (inward[i].start == publish_tcp && inward[i].port == port)
			return true;
	for (unsigned i = 0; i < found_count; i++)
		if (found[i]->port == port)
			return true;
	return false;
}

static void drop_found(const uint8_t *set)
{
	for (unsigned i = 0; i < found_count; i++) {
		struct listener *listener = found[i];

		if (set[listener->port / 8] & 1 << listener->port % 8)
			continue;
		loop_remove(&listener->watch);
		close(listener->watch.fd);
		free(listener);
		found[i--] = found[--found_count];
	}
}

static void add_found(unsigned port)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	struct failure failure;

	if (!listener)
		return;
	listener->start = publish_tcp;
	listener->port = (uint16_t)port;
	if (listen_with(listener, MVM_PROTO_PUBLISH_TCP_PORT, &failure) == 0) {
		found[found_count++] = listener;
		return;
	}
	complain("port %u: %s", port, failure.message);
	if (listener->watch.fd >= 0)
		close(listener->watch.fd);
	free(listener);
}

void publish_follow(const uint8_t *set)
{
	drop_found(set);
	for (unsigned port = 1; port < 65536 && found_count < PORTS_MAX; port++)
		if (set[port / 8] & 1 << port % 8 && !is_published(port))
			add_found(port);
}

void publish_aim(char *const *interfaces)
{
	target_count = 0;
	for (; interfaces && *interfaces; interfaces++)
		add_addresses(*interfaces);
	/* Whoever trusts what comes from loopback does not mean these, so they come last. */
	add_target("127.0.0.1");
	add_target("::1");
}

int publish_start(const struct mvm_proto_machine *order, struct failure *failure)
{
	static const struct rlimit files = {FILES, FILES};
	char *const *path = order->published_sockets;
	size_t ports = count(order->published_ports), path_count = count(path);

	if (!ports && !path_count && !order->sockets)
		return 0;
	inward = calloc(ports + path_count, sizeof(*inward));
	publish_aim(order->interfaces);
	if (setrlimit(RLIMIT_NOFILE, &files))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot raise the limit of open files");
	for (size_t i = 0; i < ports; i++) {
		const char *port = order->published_ports[i];

		if (!strcmp(port, MVM_PROTO_ALL_PORTS))
			ports_watch();
		else if (listen_for_port(port, failure))
			return -1;
	}
	for (size_t i = 0; i < path_count && i < MVM_SOCKETS_MAX; i++) {
		paths[i] = strdup(path[i]);
		if (listen_for_host(publish_socket, MVM_PROTO_PUBLISH_SOCKET_PORT, (unsigned)i, failure))
			return -1;
	}
	set_window(WINDOW);
	for (uint64_t i = 0; i < order->sockets && i < MVM_SOCKETS_MAX; i++)
		if (listen_for_container(i, failure))
			return -1;
	return 0;
}
