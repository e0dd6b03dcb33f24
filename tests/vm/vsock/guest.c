/*
 * /init of the machine that the vsock test boots. It offers services to the host, one process a
 * connection, and takes orders over a connection of its own, one line each, answered by one line.
 *
 * Ports that the guest listens on:
 *   7000 echo   what comes goes back; the end of the input ends the output
 *   7001 sink   reads to the end, then answers with the count and the sum of what came
 *   7002 source reads two words, seed and count, and sends that many bytes of the pattern
 *   7003 stall  never reads; ends when the host closes
 *   7004 drain  reads to the end, answers with one byte
 *
 * Orders:
 *   connect PORT          connects, and says which errno came of it
 *   send PORT SEED COUNT  connects and sends bytes of the pattern in a process of its own, then ends
 *   sum PORT              connects, shuts its writing side, reads to the end, says count and sum
 *   many PORT COUNT       opens so many connections at once, writes each one's number, reads it back plus one
 *   hold PORT SEED COUNT  connects, sends, and keeps the connection until the machine is off
 *   time PORT COUNT       COUNT round trips of one byte: nanoseconds
 *   open PORT COUNT       COUNT times connects and closes, one after the other: nanoseconds
 *   flood PORT COUNT      connects and sends that many zeros, waits for the end of the input: nanoseconds
 *   off                   powers off
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pattern.h"

enum { FAMILY_VSOCK = 40, CID_ANY = -1, HOST = 2, ORDERS_PORT = 1024, BLOCK = 128 << 10 };

struct vsock_address {
	unsigned short family;
	unsigned short reserved;
	unsigned port;
	unsigned cid;
	unsigned char zero[4];
};

static int connect_host(unsigned port)
{
	struct vsock_address address = {.family = FAMILY_VSOCK, .port = port, .cid = HOST};
	int fd = socket(FAMILY_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int errnum = errno;

		close(fd);
		errno = errnum;
		return -1;
	}
	return fd;
}

static int write_all(int fd, const void *data, size_t length)
{
	while (length) {
		ssize_t n = write(fd, data, length);

		if (n < 0)
			return -1;
		data = (const char *)data + n;
		length -= (size_t)n;
	}
	return 0;
}

static int read_all(int fd, void *data, size_t length)
{
	while (length) {
		ssize_t n = read(fd, data, length);

		if (n <= 0)
			return -1;
		data = (char *)data + n;
		length -= (size_t)n;
	}
	return 0;
}

static int send_pattern(int fd, uint64_t seed, uint64_t count)
{
	static unsigned char block[BLOCK];
	struct pattern pattern;

	pattern_init(&pattern, seed);
	while (count) {
		size_t part = count < sizeof(block) ? (size_t)count : sizeof(block);

		pattern_fill(&pattern, block, part);
		if (write_all(fd, block, part) < 0)
			return -1;
		count -= part;
	}
	return 0;
}

static void sum_to_end(int fd, struct sum *sum)
{
	static unsigned char block[BLOCK];
	ssize_t n;

	sum_init(sum);
	while ((n = read(fd, block, sizeof(block))) > 0)
		sum_add(sum, block, (size_t)n);
}

/* --- services --- */

static void serve_echo(int fd)
{
	static unsigned char block[BLOCK];
	ssize_t n;

	while ((n = read(fd, block, sizeof(block))) > 0)
		if (write_all(fd, block, (size_t)n) < 0)
			return;
	shutdown(fd, SHUT_WR);
}

static void serve_sink(int fd)
{
	struct sum sum;

	sum_to_end(fd, &sum);
	write_all(fd, &sum, sizeof(sum));
}

static void serve_source(int fd)
{
	uint64_t words[2];

	if (read_all(fd, words, sizeof(words)) == 0)
		send_pattern(fd, words[0], words[1]);
}

static void serve_drain(int fd)
{
	static unsigned char block[BLOCK];

	while (read(fd, block, sizeof(block)) > 0)
		;
	write_all(fd, "", 1);
}

static void serve_stall(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLRDHUP};

	poll(&wait, 1, -1);
}

static void accept_forever(int listener, void (*serve)(int fd))
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			continue;
		if (fork() == 0) {
			close(listener);
			serve(fd);
			_exit(0);
		}
		close(fd);
	}
}

static void start_service(unsigned port, void (*serve)(int fd))
{
	struct vsock_address address = {.family = FAMILY_VSOCK, .port = port, .cid = CID_ANY};
	int fd = socket(FAMILY_VSOCK, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1024) < 0) {
		perror("service");
		return;
	}
	if (fork() == 0)
		accept_forever(fd, serve);
	close(fd);
}

/* --- orders --- */

static void order_connect(unsigned port, FILE *answer)
{
	int fd = connect_host(port);

	fprintf(answer, "%s\n", fd < 0 ? strerror(errno) : "connected");
	close(fd);
}

static void order_send(unsigned port, uint64_t seed, uint64_t count, FILE *answer)
{
	fprintf(answer, "ok\n");
	if (fork() == 0) {
		int fd = connect_host(port);

		send_pattern(fd, seed, count);
		close(fd);
		_exit(0);
	}
}

static void order_sum(unsigned port, FILE *answer)
{
	struct sum sum;
	int fd = connect_host(port);

	shutdown(fd, SHUT_WR);
	sum_to_end(fd, &sum);
	close(fd);
	fprintf(answer, "%llu %llu\n", (unsigned long long)sum.count, (unsigned long long)sum.value);
}

static void order_many(unsigned port, unsigned count, FILE *answer)
{
	int *fds = calloc(count, sizeof(*fds));
	unsigned good = 0;

	for (unsigned i = 0; i < count; i++) {
		fds[i] = connect_host(port);
		if (fds[i] < 0 || write_all(fds[i], &i, sizeof(i)) < 0)
			break;
	}
	for (unsigned i = 0; i < count; i++) {
		unsigned back;

		good += fds[i] > 0 && read_all(fds[i], &back, sizeof(back)) == 0 && back == i + 1;
	}
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
	free(fds);
	fprintf(answer, "%u\n", good);
}

static void order_hold(unsigned port, uint64_t seed, uint64_t count, FILE *answer)
{
	int fd = connect_host(port);

	fprintf(answer, "%s\n", send_pattern(fd, seed, count) == 0 ? "ok" : strerror(errno));
}

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (long long)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void order_time(unsigned port, unsigned count, FILE *answer)
{
	int fd = connect_host(port);
	long long from = now();
	char byte = 'x';

	for (unsigned i = 0; i < count; i++)
		if (write_all(fd, &byte, 1) < 0 || read_all(fd, &byte, 1) < 0)
			break;
	fprintf(answer, "%lld\n", now() - from);
	close(fd);
}

static void order_open(unsigned port, unsigned count, FILE *answer)
{
	long long from = now();

	for (unsigned i = 0; i < count; i++)
		close(connect_host(port));
	fprintf(answer, "%lld\n", now() - from);
}

static void order_flood(unsigned port, uint64_t count, FILE *answer)
{
	static unsigned char block[BLOCK];
	int fd = connect_host(port);
	long long from = now();

	for (; count > sizeof(block); count -= sizeof(block))
		write_all(fd, block, sizeof(block));
	write_all(fd, block, (size_t)count);
	shutdown(fd, SHUT_WR);
	read(fd, block, 1);
	fprintf(answer, "%lld\n", now() - from);
	close(fd);
}

static void obey(const char *line, FILE *answer)
{
	unsigned long long seed, count;
	unsigned port, number;

	if (sscanf(line, "connect %u", &port) == 1)
		order_connect(port, answer);
	else if (sscanf(line, "send %u %llu %llu", &port, &seed, &count) == 3)
		order_send(port, seed, count, answer);
	else if (sscanf(line, "sum %u", &port) == 1)
		order_sum(port, answer);
	else if (sscanf(line, "many %u %u", &port, &number) == 2)
		order_many(port, number, answer);
	else if (sscanf(line, "hold %u %llu %llu", &port, &seed, &count) == 3)
		order_hold(port, seed, count, answer);
	else if (sscanf(line, "time %u %u", &port, &number) == 2)
		order_time(port, number, answer);
	else if (sscanf(line, "open %u %u", &port, &number) == 2)
		order_open(port, number, answer);
	else if (sscanf(line, "flood %u %llu", &port, &count) == 2)
		order_flood(port, count, answer);
	else if (strcmp(line, "off\n") == 0)
		reboot(RB_POWER_OFF);
	else
		fprintf(answer, "what?\n");
	fflush(answer);
}

int main(void)
{
	const struct rlimit files = {65536, 65536};
	char line[256];
	FILE *orders, *answers;
	int fd;

	mount("dev", "/dev", "devtmpfs", 0, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &files);
	start_service(7000, serve_echo);
	start_service(7001, serve_sink);
	start_service(7002, serve_source);
	start_service(7003, serve_stall);
	start_service(7004, serve_drain);
	fd = connect_host(ORDERS_PORT);
	if (fd < 0) {
		perror("connect");
		reboot(RB_POWER_OFF);
	}
	orders = fdopen(fd, "r");
	answers = fdopen(dup(fd), "w");
	while (fgets(line, sizeof(line), orders))
		obey(line, answers);
	reboot(RB_POWER_OFF);
	return 1;
}
