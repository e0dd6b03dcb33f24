/*
 * The client of the benchmark of networks, against net-server.c. WHAT is download or upload, which print MB/s, or
 * requests or connections, which print how many were answered in a second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net-peer.h"

enum { REQUEST = 64, REPLY = 256, MAX_CONNECTIONS = 1024 };

static char buffer[256 * 1024];
static struct sockaddr_in server;
static int got[MAX_CONNECTIONS * 4];

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "net-peer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (connect(fd, (struct sockaddr *)&server, sizeof(server)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void download(double seconds)
{
	int fd = dial();
	double start = now(), end = start + seconds;
	uint64_t bytes = 0;

	while (now() < end) {
		ssize_t n = read(fd, buffer, sizeof(buffer));

		if (n <= 0)
			die("read");
		bytes += (uint64_t)n;
	}
	printf("%.1f\n", (double)bytes / (now() - start) / 1e6);
}

/* Until the server has all of it. */
static void upload(double seconds)
{
	int fd = dial();
	double start = now(), end = start + seconds;
	uint64_t bytes = 0;

	while (now() < end) {
		ssize_t n = write(fd, buffer, sizeof(buffer));

		if (n <= 0)
			die("write");
		bytes += (uint64_t)n;
	}
	shutdown(fd, SHUT_WR);
	if (read(fd, buffer, 2) != 2)
		die("read");
	printf("%.1f\n", (double)bytes / (now() - start) / 1e6);
}

static void request(int epoll, int fd, int add)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	got[fd] = 0;
	if (write(fd, buffer, REQUEST) != REQUEST)
		die("write");
	if (add)
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Each connection has one request under way; a new one is made for each, or not. */
static void requests(double seconds, int concurrent, int anew)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	double start, end;
	uint64_t answered = 0;
	int fds[MAX_CONNECTIONS];

	for (int i = 0; i < concurrent; i++)
		fds[i] = dial();
	start = now();
	end = start + seconds;
	for (int i = 0; i < concurrent; i++)
		request(epoll, fds[i], 1);
	while (now() < end) {
		struct epoll_event events[64];
		int count = epoll_wait(epoll, events, 64, 5000);

		if (count == 0)
			die("no answer in 5 seconds");
		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;
			ssize_t n = read(fd, buffer + REQUEST, (size_t)(REPLY - got[fd]));

			if (n <= 0)
				die("read");
			got[fd] += (int)n;
			if (got[fd] < REPLY)
				continue;
			answered++;
			if (anew) {
				close(fd);
				fd = dial();
			}
			request(epoll, fd, anew);
		}
	}
	printf("%.0f\n", (double)answered / (now() - start));
}

int net_client(int argc, char **argv)
{
	double seconds = argc > 4 ? atof(argv[4]) : 0;
	int concurrent = argc > 5 ? atoi(argv[5]) : 1;

	if (seconds <= 0 || concurrent < 1 || concurrent > MAX_CONNECTIONS)
		return 2;
	server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
	inet_pton(AF_INET, argv[1], &server.sin_addr);
	if (!strcmp(argv[3], "download"))
		download(seconds);
	else if (!strcmp(argv[3], "upload"))
		upload(seconds);
	else
		requests(seconds, concurrent, !strcmp(argv[3], "connections"));
	return 0;
}
