/* UDP: flows of peers, each over a connection of its own, which the test takes for the guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/supervisor/publish.h"

enum { PORT = 53, MAX_GUESTS = 1100, TIME_LIMIT_MS = 20000 };

static struct mvm_loop *loop;
static struct mvm_timer *limit;
static struct datagrams *datagrams;
static struct bound_list bound;

static struct {
	void (*done)(void *flow, int fd, int errnum);
	void *flow;
	int fd; /* the guest's end, -1 before it is connected */
} guests[MAX_GUESTS];
static size_t guest_count, wanted_guests;

static int note_connect(void *arg, uint16_t port, void (*done)(void *flow, int fd, int errnum), void *flow,
			struct mvm_error **err)
{
	assert_int_equal(port, PORT);
	assert_true(guest_count < MAX_GUESTS);
	guests[guest_count].done = done;
	guests[guest_count].flow = flow;
	guests[guest_count++].fd = -1;
	if (guest_count == wanted_guests)
		mvm_loop_stop(loop);
	return 0;
}

static void on_limit(void *arg)
{
	fail_msg("nothing happened in time");
}

static void run(void)
{
	mvm_timer_start(limit, TIME_LIMIT_MS);
	assert_int_equal(mvm_loop_run(loop, NULL), 0);
	mvm_timer_stop(limit);
}

static void stop_loop(void *arg, int fd, short revents)
{
	mvm_loop_stop(loop);
}

/* Runs the loop until there is something to read. */
static void run_until_readable(int fd)
{
	struct mvm_watch *watch = mvm_loop_watch(loop, fd, POLLIN, stop_loop, NULL);

	run();
	mvm_watch_remove(watch);
}

static void run_until_guests(size_t count)
{
	wanted_guests = count;
	if (guest_count < count)
		run();
}

static int start(void **state)
{
	const struct mvm_port wanted = {.ip = "127.0.0.1", .guest = PORT, .protocol = MVM_PORT_UDP};

	loop = mvm_loop_create();
	limit = mvm_loop_timer(loop, on_limit, NULL);
	guest_count = wanted_guests = 0;
	datagrams = datagrams_create(loop, note_connect, NULL);
	if (bind_port(&wanted, &bound, NULL) < 0)
		return -1;
	datagrams_add(datagrams, bound.items[0].fd, PORT);
	return 0;
}

static int finish(void **state)
{
	datagrams_destroy(datagrams);
	for (size_t i = 0; i < guest_count; i++) {
		if (guests[i].fd < 0)
			guests[i].done(guests[i].flow, -1, ECANCELED);
		mvm_close(&guests[i].fd);
	}
	bound_list_finish(&bound);
	mvm_loop_destroy(loop);
	return 0;
}

static int make_peer_at(uint32_t own)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(own)};
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(bound.items[0].port.first),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int make_peer(void)
{
	return make_peer_at(INADDR_LOOPBACK);
}

static void connect_guest(size_t index)
{
	int pair[2];

	assert_int_equal(mvm_socketpair(SOCK_STREAM, pair), 0);
	guests[index].fd = pair[0];
	guests[index].done(guests[index].flow, pair[1], 0);
}

static void expect_frame(int fd, const char *text)
{
	unsigned char header[2];
	char data[64];

	run_until_readable(fd);
	assert_int_equal(mvm_read_full(fd, header, 2), 2);
	assert_int_equal(header[0] | header[1] << 8, strlen(text));
	assert_int_equal(mvm_read_full(fd, data, strlen(text)), strlen(text));
	assert_memory_equal(data, text, strlen(text));
}

static void send_frame(int fd, const char *text)
{
	const unsigned char header[2] = {(unsigned char)strlen(text), 0};

	assert_int_equal(mvm_write_full(fd, header, 2), 2);
	assert_int_equal(mvm_write_full(fd, text, strlen(text)), strlen(text));
}

static void expect_datagram(int peer, const char *text)
{
	char data[64];

	run_until_readable(peer);
	assert_int_equal(recv(peer, data, sizeof(data), 0), strlen(text));
	assert_memory_equal(data, text, strlen(text));
}

static void peers_are_kept_apart(void **state)
{
	int first = make_peer(), second = make_peer();

	send(first, "one", 3, 0);
	run_until_guests(1);
	send(second, "two", 3, 0);
	run_until_guests(2);
	/* More from the same peer belongs to the same flow, before and after it is connected. */
	send(first, "more", 4, 0);
	connect_guest(0);
	connect_guest(1);
	expect_frame(guests[0].fd, "one");
	expect_frame(guests[0].fd, "more");
	expect_frame(guests[1].fd, "two");
	assert_int_equal(guest_count, 2);
	send_frame(guests[1].fd, "to the second");
	send_frame(guests[0].fd, "to the first");
	expect_datagram(first, "to the first");
	expect_datagram(second, "to the second");
	close(first);
	close(second);
}

static void frames_come_in_pieces(void **state)
{
	int peer = make_peer();

	send(peer, "?", 1, 0);
	run_until_guests(1);
	connect_guest(0);
	expect_frame(guests[0].fd, "?");
	assert_int_equal(mvm_write_full(guests[0].fd, "\5", 1), 1);
	assert_int_equal(mvm_write_full(guests[0].fd, "\0he", 3), 3);
	assert_int_equal(mvm_write_full(guests[0].fd, "llo\0\0\2\0ok", 9), 9);
	expect_datagram(peer, "hello");
	expect_datagram(peer, "");
	expect_datagram(peer, "ok");
	close(peer);
}

/* Sends until one of them has found the flow gone. */
static void a_flow_that_the_guest_ends_begins_anew(void **state)
{
	int peer = make_peer();

	send(peer, "?", 1, 0);
	run_until_guests(1);
	connect_guest(0);
	expect_frame(guests[0].fd, "?");
	shutdown(guests[0].fd, SHUT_RDWR);
	while (guest_count < 2) {
		send(peer, "again", 5, 0);
		run_until_readable(bound.items[0].fd);
	}
	close(peer);
}

static void nonsense_ends_the_flow(void **state)
{
	int peer = make_peer();
	char byte;

	send(peer, "?", 1, 0);
	run_until_guests(1);
	connect_guest(0);
	expect_frame(guests[0].fd, "?");
	assert_int_equal(mvm_write_full(guests[0].fd, "\xff\xff", 2), 2);
	run_until_readable(guests[0].fd);
	assert_int_equal(read(guests[0].fd, &byte, 1), 0);
	close(peer);
}

static void a_guest_that_is_not_there_is_asked_again(void **state)
{
	int peer = make_peer();

	send(peer, "?", 1, 0);
	run_until_guests(1);
	guests[0].fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	guests[0].done(guests[0].flow, -1, ECONNREFUSED);
	send(peer, "?", 1, 0);
	run_until_guests(2);
	close(peer);
}

/* The flow that was silent longest has to go, and its connection, should it still come, is closed. */
static void there_is_a_limit_to_flows(void **state)
{
	enum { LIMIT = 1024 };
	int pair[2];
	char byte;

	/* Each from an address of its own, so that none has to stay open for its port to be nobody else's. */
	for (unsigned i = 0; i <= LIMIT; i++) {
		int peer = make_peer_at(0x7f010001 + i);

		send(peer, "?", 1, 0);
		run_until_guests(i + 1);
		close(peer);
	}
	assert_int_equal(mvm_socketpair(SOCK_STREAM, pair), 0);
	guests[0].fd = pair[0];
	guests[0].done(guests[0].flow, pair[1], 0);
	assert_int_equal(read(guests[0].fd, &byte, 1), 0);
	connect_guest(1);
	expect_frame(guests[1].fd, "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(peers_are_kept_apart, start, finish),
		cmocka_unit_test_setup_teardown(frames_come_in_pieces, start, finish),
		cmocka_unit_test_setup_teardown(a_flow_that_the_guest_ends_begins_anew, start, finish),
		cmocka_unit_test_setup_teardown(nonsense_ends_the_flow, start, finish),
		cmocka_unit_test_setup_teardown(a_guest_that_is_not_there_is_asked_again, start, finish),
		cmocka_unit_test_setup_teardown(there_is_a_limit_to_flows, start, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
