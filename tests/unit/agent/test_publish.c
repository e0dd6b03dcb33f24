/* The guest's end of published connections, over socket pairs: the agent's own code, with a loop and a service that the
 * test plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest-agent/loop.h"
#include "guest-agent/publish_internal.h"
#include "guest-agent/relay.h"

enum { PORT = 80, MAX_WATCHES = 8 };

/* --- the loop --- */

static struct {
	struct watch *watch;
	uint32_t events;
} watches[MAX_WATCHES];
static struct task *later;

int loop_add(struct watch *watch, uint32_t events)
{
	for (size_t i = 0; i < MAX_WATCHES; i++) {
		if (watches[i].watch)
			continue;
		watches[i].watch = watch;
		watches[i].events = events;
		return 0;
	}
	return -1;
}

void loop_change(struct watch *watch, uint32_t events)
{
	for (size_t i = 0; i < MAX_WATCHES; i++)
		if (watches[i].watch == watch)
			watches[i].events = events;
}

void loop_remove(struct watch *watch)
{
	for (size_t i = 0; i < MAX_WATCHES; i++)
		if (watches[i].watch == watch)
			watches[i].watch = NULL;
}

void loop_later(struct task *task)
{
	later = task;
}

void loop_forget(struct task *task)
{
	if (later == task)
		later = NULL;
}

static size_t watched(void)
{
	size_t count = 0;

	for (size_t i = 0; i < MAX_WATCHES; i++)
		count += watches[i].watch != NULL;
	return count;
}

/* epoll's bits are poll's. */
static void turn(void)
{
	for (size_t i = 0; i < MAX_WATCHES; i++) {
		struct pollfd wait;

		if (!watches[i].watch)
			continue;
		wait = (struct pollfd){.fd = watches[i].watch->fd, .events = (short)(watches[i].events & 0x3fff)};
		if (poll(&wait, 1, 0) > 0)
			watches[i].watch->ready(watches[i].watch, (uint32_t)wait.revents);
	}
	if (later) {
		struct task *task = later;

		later = NULL;
		task->run(task);
	}
}

static void turns(int count)
{
	while (count-- > 0)
		turn();
}

/* --- the service --- */

char publish_buffer[PUBLISH_BUFFER];
static int services[4]; /* the next ends to be handed out; -1: this address refuses */
static unsigned service_count;

/* A unix socket's: -1 is a full backlog, for which there is a timer that has run out. */
int publish_dial_socket(uint16_t number, int *done)
{
	int fd = service_count ? services[--service_count] : -1, timer[2];

	assert_int_equal(number, PORT);
	*done = fd >= 0;
	if (fd >= 0 || service_count == 0)
		return fd;
	assert_int_equal(pipe(timer), 0);
	close(timer[1]);
	return timer[0];
}

/* The host's, of a connection that the container asks for. */
static int hosts = -1, host_error;

int vsock_connect(uint32_t port, bool flood)
{
	assert_int_equal(port, PORT);
	return hosts;
}

int vsock_connected(int fd)
{
	return host_error;
}

int publish_dial(unsigned *target, int type, uint16_t port, int *done)
{
	assert_int_equal(port, PORT);
	while (*target < service_count) {
		int fd = services[(*target)++];

		if (fd < 0)
			continue;
		*done = 1;
		return fd;
	}
	return -1;
}

static unsigned connections;

void publish_count(unsigned count)
{
	connections = count;
}

static int host, service;

static void make_pair(int type, int *ours, int *theirs)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	*ours = pair[0];
	*theirs = pair[1];
}

static void start(int type)
{
	int theirs;

	make_pair(type, &service, &services[0]);
	service_count = 1;
	make_pair(SOCK_STREAM, &host, &theirs);
	if (type == SOCK_STREAM)
		publish_tcp(theirs, PORT);
	else
		publish_udp(theirs, PORT);
}

static void stop(void)
{
	close(host);
	close(service);
	turns(8);
	assert_int_equal(watched(), 0);
	assert_int_equal(connections, 0);
}

static void expect_text(int fd, const char *text)
{
	char data[64];

	assert_int_equal(recv(fd, data, sizeof(data), 0), strlen(text));
	assert_memory_equal(data, text, strlen(text));
}

static void expect_end(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

static void expect_nothing(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

/* --- TCP --- */

static void bytes_and_ends_pass_each_way(void **state)
{
	start(SOCK_STREAM);
	send(host, "question", 8, 0);
	turns(2);
	expect_text(service, "question");
	shutdown(host, SHUT_WR);
	turns(2);
	expect_end(service);
	send(service, "answer", 6, 0);
	turns(2);
	expect_text(host, "answer");
	expect_nothing(host);
	shutdown(service, SHUT_WR);
	turns(2);
	expect_end(host);
	assert_int_equal(watched(), 0);
	stop();
}

static void the_service_may_end_first(void **state)
{
	start(SOCK_STREAM);
	send(service, "bye", 3, 0);
	shutdown(service, SHUT_WR);
	turns(3);
	expect_text(host, "bye");
	expect_end(host);
	send(host, "still", 5, 0);
	turns(2);
	expect_text(service, "still");
	stop();
}

static void a_service_that_refuses_ends_it(void **state)
{
	int theirs;

	services[0] = services[1] = -1;
	service_count = 2;
	make_pair(SOCK_STREAM, &host, &theirs);
	publish_tcp(theirs, PORT);
	assert_int_equal(watched(), 0);
	expect_end(host);
	close(host);
}

/* What a service does not read stays with the sender but for what the sockets and one buffer hold, and all of it
 * arrives when it reads again. */
static void a_slow_reader_stalls_its_sender(void **state)
{
	static char block[4096], received[65536];
	size_t sent = 0, got = 0;
	ssize_t n;

	start(SOCK_STREAM);
	for (int quiet = 0; quiet < 10; quiet++) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (char)((sent + i) % 251);
		n = send(host, block, sizeof(block), 0);
		if (n > 0) {
			sent += (size_t)n;
			quiet = 0;
		}
		turn();
	}
	assert_true(sent < 4u << 20);
	shutdown(host, SHUT_WR);
	for (int quiet = 0; quiet < 10; quiet++) {
		n = recv(service, received, sizeof(received), 0);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal((unsigned char)received[i], (got + (size_t)i) % 251);
		if (n > 0) {
			got += (size_t)n;
			quiet = 0;
		}
		turn();
	}
	assert_int_equal(got, sent);
	expect_end(service);
	stop();
}

static void a_host_that_breaks_off_is_not_taken_for_one_that_ends(void **state)
{
	start(SOCK_STREAM);
	/* Both directions at once. */
	close(host);
	turns(2);
	assert_int_equal(watched(), 0);
	close(service);
}

/* --- unix sockets --- */

static void start_inward(void)
{
	int theirs;

	make_pair(SOCK_STREAM, &host, &theirs);
	publish_socket(theirs, PORT);
}

static void start_outward(void)
{
	int theirs;

	make_pair(SOCK_STREAM, &host, &hosts);
	make_pair(SOCK_STREAM, &service, &theirs);
	publish_outward(theirs, PORT);
}

static void a_full_backlog_is_tried_again(void **state)
{
	make_pair(SOCK_STREAM, &service, &services[0]);
	services[1] = services[2] = -1;
	service_count = 3;
	start_inward();
	send(host, "patience", 8, 0);
	turn();
	assert_int_equal(service_count, 1);
	expect_nothing(service);
	turns(3);
	assert_int_equal(service_count, 0);
	expect_text(service, "patience");
	stop();
}

static void who_goes_is_not_waited_for(void **state)
{
	services[1] = services[2] = -1;
	service_count = 3;
	start_inward();
	close(host);
	turns(2);
	assert_int_equal(watched(), 0);
	assert_int_equal(service_count, 2);
}

static void a_socket_that_is_not_there_ends_it(void **state)
{
	service_count = 0;
	start_inward();
	assert_int_equal(watched(), 0);
	expect_end(host);
	close(host);
}

static void the_container_reaches_the_host(void **state)
{
	host_error = 0;
	start_outward();
	send(service, "question", 8, 0);
	shutdown(service, SHUT_WR);
	turns(3);
	expect_text(host, "question");
	expect_end(host);
	send(host, "answer", 6, 0);
	turns(2);
	expect_text(service, "answer");
	stop();
}

static void a_host_that_refuses_ends_it(void **state)
{
	host_error = ECONNRESET;
	start_outward();
	turns(2);
	assert_int_equal(watched(), 0);
	expect_end(service);
	close(host);
	close(service);
}

/* More than the socket to the host takes at once, from somebody who is gone before it has been read, while the host
 * answers into the void. */
static void what_was_sent_arrives_whoever_has_gone(void **state)
{
	static char block[1 << 16], received[1 << 16];
	size_t sent = 0, got = 0;
	ssize_t n;

	host_error = 0;
	start_outward();
	for (int quiet = 0; quiet < 10; quiet++) {
		n = send(service, block, sizeof(block), 0);
		if (n > 0) {
			sent += (size_t)n;
			quiet = 0;
		}
		turn();
	}
	close(service);
	send(host, "nobody", 6, 0);
	turns(3);
	for (int quiet = 0; quiet < 10; quiet++) {
		while ((n = recv(host, received, sizeof(received), 0)) > 0) {
			got += (size_t)n;
			quiet = 0;
		}
		turn();
	}
	assert_int_equal(got, sent);
	expect_end(host);
	close(host);
	turns(3);
	assert_int_equal(watched(), 0);
	assert_int_equal(connections, 0);
}

/* --- UDP --- */

static void datagrams_keep_their_limits(void **state)
{
	start(SOCK_SEQPACKET);
	send(host, "\5\0hel", 5, 0);
	turns(2);
	expect_nothing(service);
	send(host, "lo\2\0ok", 6, 0);
	turns(2);
	expect_text(service, "hello");
	expect_text(service, "ok");
	send(service, "one", 3, 0);
	send(service, "three", 5, 0);
	turns(2);
	{
		char data[16];

		assert_int_equal(recv(host, data, sizeof(data), 0), 12);
		assert_memory_equal(data, "\3\0one\5\0three", 12);
	}
	stop();
}

/* Of the two watches the one whose events are the fewer. */
static uint32_t interest_in_service(void)
{
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < MAX_WATCHES; i++)
		if (watches[i].watch && watches[i].events < least)
			least = watches[i].events;
	return least;
}

/* Frames that the host has no room for come as a whole later, in order, and nothing of others in between. */
static void a_host_that_does_not_read_loses_no_half_frames(void **state)
{
	static char datagram[1000], received[1 << 20];
	size_t length = 0, at = 0, sent = 0;
	ssize_t n;

	start(SOCK_SEQPACKET);
	send(host, "\1\0?", 3, 0);
	turns(2);
	expect_text(service, "?");
	for (int quiet = 0; quiet < 10; quiet++) {
		for (int i = 0; i < 7; i++) {
			memset(datagram, (int)(sent % 251), sizeof(datagram));
			if (send(service, datagram, sizeof(datagram), 0) < 0)
				break;
			sent++;
			quiet = 0;
		}
		turn();
	}
	/* The service is not looked at meanwhile. */
	assert_int_equal(interest_in_service(), 0);
	for (int quiet = 0; quiet < 10; quiet++) {
		n = recv(host, received + length, sizeof(received) - length, 0);
		if (n > 0) {
			length += (size_t)n;
			quiet = 0;
		}
		turn();
	}
	for (size_t number = 0; at < length; number++, at += 1002) {
		assert_memory_equal(received + at, "\xe8\x03", 2);
		for (size_t i = 0; i < sizeof(datagram); i++)
			assert_int_equal((unsigned char)received[at + 2 + i], number % 251);
	}
	assert_int_equal(at, length);
	assert_int_equal(at / 1002, sent);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_and_ends_pass_each_way),
		cmocka_unit_test(the_service_may_end_first),
		cmocka_unit_test(a_service_that_refuses_ends_it),
		cmocka_unit_test(a_slow_reader_stalls_its_sender),
		cmocka_unit_test(a_host_that_breaks_off_is_not_taken_for_one_that_ends),
		cmocka_unit_test(a_full_backlog_is_tried_again),
		cmocka_unit_test(who_goes_is_not_waited_for),
		cmocka_unit_test(a_socket_that_is_not_there_ends_it),
		cmocka_unit_test(the_container_reaches_the_host),
		cmocka_unit_test(a_host_that_refuses_ends_it),
		cmocka_unit_test(what_was_sent_arrives_whoever_has_gone),
		cmocka_unit_test(datagrams_keep_their_limits),
		cmocka_unit_test(a_host_that_does_not_read_loses_no_half_frames),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
