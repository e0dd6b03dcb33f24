/*
 * The server of the benchmark of networks. Each of its four ports does one thing with every connection:
 *
 *   SEND    sends without end       TAKE  takes all there is and says "ok" at its end
 *   ANSWER  answers each 64 bytes with 256, as long as there are requests
 *   ANSWER_ONCE  the same once, and closes
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net-peer.h"

enum { SEND = 1, TAKE, ANSWER, ANSWER_ONCE, REQUEST = 64, REPLY = 256, MAX_FDS = 16384 };

static char buffer[128 * 1024];
static struct {
	int what; /* negative: it listens, for what does it */
	int got;
} table[MAX_FDS];

static void watch(int epoll, int fd, int what)
{
	struct epoll_event event = {.events = what == SEND ? EPOLLOUT : EPOLLIN, .data.fd = fd};

	table[fd].what = what;
	table[fd].got = 0;
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void start_listening(int epoll, int what, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 4096)) {
		perror("net-server");
		exit(1);
	}
	watch(epoll, fd, -what);
}

static void accept_all(int epoll, int listening)
{
	int fd, on = 1;

	while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		watch(epoll, fd, -table[listening].what);
	}
}

/* 0 where the connection has ended. */
static int serve(int fd)
{
	int what = table[fd].what;
	ssize_t n = what == SEND ? write(fd, buffer, sizeof(buffer))
				 : read(fd, buffer, what == TAKE ? sizeof(buffer) : REQUEST);

	if (n < 0)
		return errno == EAGAIN;
	if (n == 0 && what == TAKE)
		(void)!write(fd, "ok", 2);
	if (n == 0)
		return 0;
	if (what == SEND || what == TAKE || (table[fd].got += (int)n) < REQUEST)
		return 1;
	table[fd].got -= REQUEST;
	return write(fd, buffer, REPLY) == REPLY && what != ANSWER_ONCE;
}

void net_server(const int ports[4])
{
	struct rlimit files = {MAX_FDS, MAX_FDS};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	setrlimit(RLIMIT_NOFILE, &files);
	for (int what = SEND; what <= ANSWER_ONCE; what++)
		start_listening(epoll, what, ports[what - SEND]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct epoll_event events[64];
		int count = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (table[fd].what < 0)
				accept_all(epoll, fd);
			else if (!serve(fd))
				close(fd);
		}
	}
}
