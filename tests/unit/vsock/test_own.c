/* The vsock of a machine that has a device of its own, over a device that only notes what it is asked. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/vsock/vsock.h"

enum { PORT = 1024, SERVED = 512 };

static struct mvm_loop *loop;
static struct mvm_vsock *vsock;
static char asked[512]; /* of the device */
static uint32_t connect_id, asked_port, asked_id, accepted_port;
static int got = -1, failure, accepted_fd = -1;

static void note(const char *what, uint32_t port)
{
	size_t length = strlen(asked);

	snprintf(asked + length, sizeof(asked) - length, "%s%u ", what, port);
}

static void device_listen(void *arg, uint32_t port, bool on)
{
	note(on ? "+" : "-", port);
}

static void device_connect(void *arg, uint32_t port, uint32_t id)
{
	note(">", port);
	connect_id = id;
}

static void on_accepted(void *arg, uint32_t port, int fd)
{
	accepted_port = port;
	accepted_fd = fd;
}

static void on_asked(void *arg, uint32_t port, uint32_t id)
{
	asked_port = port;
	asked_id = id;
}

static void on_connected(void *arg, int fd, int errnum)
{
	got = fd;
	failure = errnum;
}

static int set_up(void **state)
{
	static const struct mvm_vsock_device device = {device_listen, device_connect};
	static const struct mvm_vsock_events events = {.accepted = on_accepted, .asked = on_asked};

	signal(SIGPIPE, SIG_IGN);
	loop = mvm_loop_create();
	vsock = mvm_vsock_create(loop, &device, &events, NULL);
	asked[0] = '\0';
	connect_id = asked_id = accepted_port = 0;
	got = accepted_fd = -1;
	failure = 0;
	return 0;
}

static int tear_down(void **state)
{
	mvm_vsock_destroy(vsock);
	mvm_loop_destroy(loop);
	return 0;
}

static void stop(void *arg)
{
	mvm_loop_stop(loop);
}

/* A moment of the loop. */
static void turn(void)
{
	struct mvm_timer *timer = mvm_loop_timer(loop, stop, NULL);

	mvm_timer_start(timer, 10);
	assert_int_equal(mvm_loop_run(loop, NULL), 0);
	mvm_timer_remove(timer);
}

static void pair(int fds[2])
{
	assert_int_equal(mvm_socketpair(SOCK_STREAM, fds), 0);
}

static void expect(int fd, const char *text)
{
	char data[64] = "";
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	ssize_t n = 0;

	for (int i = 0; i < 200 && !poll(&poll_fd, 1, 0); i++)
		turn();
	n = recv(fd, data, sizeof(data) - 1, MSG_DONTWAIT);
	assert_int_equal(n, strlen(text));
	assert_string_equal(data, text);
}

static void ports_are_asked_for_when_the_machine_is_there(void **state)
{
	int ends[2];

	assert_int_equal(mvm_vsock_listen(vsock, PORT, NULL), 0);
	assert_int_equal(mvm_vsock_listen(vsock, PORT, NULL), 0);
	assert_int_equal(mvm_vsock_serve(vsock, SERVED, 2, NULL), 0);
	assert_string_equal(asked, "");
	mvm_vsock_attach(vsock);
	assert_string_equal(asked, "+1024 +512 +513 ");
	pair(ends);
	mvm_vsock_accepted(vsock, PORT, ends[0]);
	assert_int_equal(accepted_port, PORT);
	assert_int_equal(accepted_fd, ends[0]);
	close(ends[0]);
	close(ends[1]);
	mvm_vsock_unlisten(vsock, PORT);
	assert_string_equal(asked, "+1024 +512 +513 -1024 ");
	/* What was on its way is closed. */
	pair(ends);
	mvm_vsock_accepted(vsock, PORT, ends[0]);
	expect(ends[1], "");
	close(ends[1]);
}

static void a_connect_is_answered_once(void **state)
{
	int ends[2];

	mvm_vsock_attach(vsock);
	assert_int_equal(mvm_vsock_connect(vsock, 7000, on_connected, NULL, NULL), 0);
	assert_string_equal(asked, ">7000 ");
	pair(ends);
	mvm_vsock_answered(vsock, connect_id, ends[0], 0);
	assert_int_equal(got, ends[0]);
	assert_int_equal(failure, 0);
	/* Nobody waits for it. */
	mvm_vsock_answered(vsock, connect_id, ends[1], 0);
	assert_int_equal(fcntl(ends[1], F_GETFD), -1);
	close(ends[0]);
	assert_int_equal(mvm_vsock_connect(vsock, 7000, on_connected, NULL, NULL), 0);
	mvm_vsock_answered(vsock, connect_id, -1, ECONNREFUSED);
	assert_int_equal(failure, ECONNREFUSED);
	assert_int_equal(mvm_vsock_connect(vsock, 7000, on_connected, NULL, NULL), 0);
	mvm_vsock_destroy(vsock);
	vsock = NULL;
	assert_int_equal(failure, ECANCELED);
}

static int listening(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)address, length), 0);
	assert_int_equal(listen(fd, 8), 0);
	mvm_set_nonblock(fd, true);
	getsockname(fd, (struct sockaddr *)address, &length);
	return fd;
}

/* Somebody who has connected, whom the device was asked for. */
static int peer_of(const struct sockaddr_in *address)
{
	int peer = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(peer, (const struct sockaddr *)address, sizeof(*address)), 0);
	connect_id = 0;
	for (int i = 0; i < 200 && !connect_id; i++)
		turn();
	assert_int_not_equal(connect_id, 0);
	return peer;
}

static void expect_reset(int peer)
{
	char byte;
	struct pollfd poll_fd = {.fd = peer, .events = POLLIN};

	for (int i = 0; i < 200 && !poll(&poll_fd, 1, 0); i++)
		turn();
	assert_int_equal(recv(peer, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNRESET);
}

static void published_connections_pass_both_ways_with_their_ends(void **state)
{
	struct sockaddr_in address;
	int fd = listening(&address), guest[2], peer;

	mvm_vsock_attach(vsock);
	assert_int_equal(mvm_vsock_publish(vsock, fd, 0x10050, NULL), 0);
	peer = peer_of(&address);
	pair(guest);
	mvm_vsock_answered(vsock, connect_id, guest[0], 0);
	assert_int_equal(send(peer, "question", 8, 0), 8);
	expect(guest[1], "question");
	shutdown(peer, SHUT_WR);
	expect(guest[1], "");
	assert_int_equal(send(guest[1], "answer", 6, 0), 6);
	expect(peer, "answer");
	shutdown(guest[1], SHUT_WR);
	expect(peer, "");
	close(guest[1]);
	close(peer);
	close(fd);
}

static void what_the_guest_does_not_take_or_breaks_off_is_reset(void **state)
{
	struct sockaddr_in address;
	int fd = listening(&address), guest[2], peer;

	mvm_vsock_attach(vsock);
	assert_int_equal(mvm_vsock_publish(vsock, fd, 0x10050, NULL), 0);
	peer = peer_of(&address);
	mvm_vsock_answered(vsock, connect_id, -1, ECONNREFUSED);
	expect_reset(peer);
	close(peer);
	peer = peer_of(&address);
	pair(guest);
	mvm_vsock_answered(vsock, connect_id, guest[0], 0);
	close(guest[1]);
	expect_reset(peer);
	close(peer);
	close(fd);
}

/* Whoever published it shuts it down, and may have closed it by then. */
static void what_is_published_no_more_is_let_go_of(void **state)
{
	struct sockaddr_in address;
	int fd = listening(&address), peer;

	mvm_vsock_attach(vsock);
	assert_int_equal(mvm_vsock_publish(vsock, fd, 0x10050, NULL), 0);
	close(peer_of(&address));
	shutdown(fd, SHUT_RDWR);
	close(fd);
	turn();
	peer = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(peer, (struct sockaddr *)&address, sizeof(address)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(peer);
	/* Nor is its descriptor held. */
	assert_int_equal(fcntl(fd + 1, F_GETFD), -1);
}

/* More than fits into buffers, to who does not read yet. */
static void nothing_is_lost_where_one_side_is_slow(void **state)
{
	enum { TOTAL = 3 << 20 };
	static char data[TOTAL];
	struct sockaddr_in address;
	int fd = listening(&address), guest[2], peer;
	size_t sent = 0, read = 0;

	for (size_t i = 0; i < TOTAL; i++)
		data[i] = (char)(i * 7 + i / 251);
	mvm_vsock_attach(vsock);
	mvm_vsock_publish(vsock, fd, 0x10050, NULL);
	peer = peer_of(&address);
	pair(guest);
	mvm_vsock_answered(vsock, connect_id, guest[0], 0);
	for (int i = 0; i < 2000 && read < TOTAL; i++) {
		static char part[100000];
		ssize_t n = send(peer, data + sent, TOTAL - sent, MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		if (sent == TOTAL)
			shutdown(peer, SHUT_WR);
		turn();
		n = recv(guest[1], part, sizeof(part), MSG_DONTWAIT);
		if (n <= 0)
			continue;
		assert_memory_equal(part, data + read, (size_t)n);
		read += (size_t)n;
	}
	assert_int_equal(read, TOTAL);
	expect(guest[1], "");
	close(guest[1]);
	close(peer);
	close(fd);
}

static void served_ports_lead_where_the_answer_says(void **state)
{
	int guest[2], host[2];

	mvm_vsock_serve(vsock, SERVED, 2, NULL);
	mvm_vsock_attach(vsock);
	pair(guest);
	pair(host);
	mvm_vsock_accepted(vsock, SERVED + 1, guest[0]);
	assert_int_equal(asked_port, SERVED + 1);
	mvm_vsock_answer(vsock, asked_id, host[0]);
	assert_int_equal(send(guest[1], "hello", 5, 0), 5);
	expect(host[1], "hello");
	/* What has been said arrives, however the sender goes. */
	assert_int_equal(send(host[1], "bye", 3, 0), 3);
	close(host[1]);
	expect(guest[1], "bye");
	expect(guest[1], "");
	close(guest[1]);
	pair(guest);
	mvm_vsock_accepted(vsock, SERVED, guest[0]);
	mvm_vsock_answer(vsock, asked_id, -1);
	expect(guest[1], "");
	close(guest[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ports_are_asked_for_when_the_machine_is_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_connect_is_answered_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(published_connections_pass_both_ways_with_their_ends, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_the_guest_does_not_take_or_breaks_off_is_reset, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_is_lost_where_one_side_is_slow, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_published_no_more_is_let_go_of, set_up, tear_down),
		cmocka_unit_test_setup_teardown(served_ports_lead_where_the_answer_says, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
