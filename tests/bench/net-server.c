/*
 * What the benchmark of networks talks to. Each port does one thing with every connection:
 *
 *   9001  sends without end       9002  takes all there is and says "ok" at its end
 *   9003  answers each 64 bytes with 256, as long as there are requests
 *   9004  the same once, and closes
 *
 * Run as init, of a machine that has nothing else, it configures eth0 as QEMU's user network wants it, or as the
 * kernel's command line says: net_address=10.0.2.15 net_gateway=10.0.2.2.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEND = 9001, TAKE, ANSWER, ANSWER_ONCE, LAST = ANSWER_ONCE, REQUEST = 64, REPLY = 256, MAX_FDS = 16384 };

static char buffer[128 * 1024];
static struct {
	int port; /* negative: it listens */
	int got;
} table[MAX_FDS];

static void set_address(int fd, const char *name, int request, const char *address)
{
	struct ifreq change = {.ifr_name = ""};
	struct sockaddr_in *in = (struct sockaddr_in *)&change.ifr_addr;

	strcpy(change.ifr_name, name);
	in->sin_family = AF_INET;
	inet_pton(AF_INET, address, &in->sin_addr);
	ioctl(fd, (unsigned long)request, &change);
}

static void bring_up(int fd, const char *name)
{
	struct ifreq change = {.ifr_flags = IFF_UP | IFF_RUNNING};

	strcpy(change.ifr_name, name);
	ioctl(fd, SIOCSIFFLAGS, &change);
}

static void set_up_machine(void)
{
	const char *address = getenv("net_address"), *gateway = getenv("net_gateway");
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
	struct sockaddr_in *in = (struct sockaddr_in *)&route.rt_gateway;

	bring_up(fd, "lo");
	set_address(fd, "eth0", SIOCSIFADDR, address ? address : "10.0.2.15");
	set_address(fd, "eth0", SIOCSIFNETMASK, "255.255.255.0");
	bring_up(fd, "eth0");
	route.rt_dst.sa_family = route.rt_genmask.sa_family = AF_INET;
	in->sin_family = AF_INET;
	inet_pton(AF_INET, gateway ? gateway : "10.0.2.2", &in->sin_addr);
	ioctl(fd, SIOCADDRT, &route);
	close(fd);
}

static void watch(int epoll, int fd, int port)
{
	struct epoll_event event = {.events = port == SEND ? EPOLLOUT : EPOLLIN, .data.fd = fd};

	table[fd].port = port;
	table[fd].got = 0;
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void start_listening(int epoll, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 4096)) {
		perror("net-server");
		exit(1);
	}
	watch(epoll, fd, -port);
}

static void accept_all(int epoll, int listening)
{
	int fd, on = 1;

	while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		watch(epoll, fd, -table[listening].port);
	}
}

/* 0 where the connection has ended. */
static int serve(int fd)
{
	int port = table[fd].port;
	ssize_t n = port == SEND ? write(fd, buffer, sizeof(buffer))
				 : read(fd, buffer, port == TAKE ? sizeof(buffer) : REQUEST);

	if (n < 0)
		return errno == EAGAIN;
	if (n == 0 && port == TAKE)
		(void)!write(fd, "ok", 2);
	if (n == 0)
		return 0;
	if (port == SEND || port == TAKE || (table[fd].got += (int)n) < REQUEST)
		return 1;
	table[fd].got -= REQUEST;
	return write(fd, buffer, REPLY) == REPLY && port != ANSWER_ONCE;
}

int main(void)
{
	struct rlimit files = {MAX_FDS, MAX_FDS};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (getpid() == 1)
		set_up_machine();
	setrlimit(RLIMIT_NOFILE, &files);
	for (int port = SEND; port <= LAST; port++)
		start_listening(epoll, port);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct epoll_event events[64];
		int count = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (table[fd].port < 0)
				accept_all(epoll, fd);
			else if (!serve(fd))
				close(fd);
		}
	}
}
