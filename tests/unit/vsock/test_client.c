/* The device process as a supervisor has it, with a machine of paper: front_end.h plays QEMU and the guest's driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "front_end.h"
#include "runtime/base/error.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/vsock/packet.h"
#include "runtime/vsock/vsock.h"

enum {
	CID = 9,
	PORT = 1024,
	SERVED = 512,
	GUEST_PORT = 40000,
	TIME_LIMIT_MS = 20000,
	BUFFER = 4096 + PACKET_HEADER_SIZE
};
enum { RX = 0, TX = 1 };

static struct mvm_loop *loop;
static struct mvm_timer *limit;
static struct mvm_vsock *vsock;
static struct front_guest guest;
static uint16_t used_seen[2]; /* of each ring */
static int accepted, connected, refused;
static uint32_t host_port = PORT; /* that the guest sends to */
static char *reason;

/* --- the supervisor --- */

static void on_accepted(void *arg, uint32_t port, int fd)
{
	assert_int_equal(port, PORT);
	accepted = fd;
	mvm_loop_stop(loop);
}

static uint32_t asked, asked_port;

static void on_asked(void *arg, uint32_t port, uint32_t id)
{
	asked_port = port;
	asked = id;
	mvm_loop_stop(loop);
}

static void on_died(void *arg, const char *text)
{
	reason = mvm_strdup(text);
	mvm_loop_stop(loop);
}

static void on_connected(void *arg, int fd, int errnum)
{
	connected = fd;
	refused = errnum;
	mvm_loop_stop(loop);
}

static void on_limit(void *arg)
{
	fail_msg("nothing happened in time");
}

static const struct mvm_vsock_events events = {.accepted = on_accepted, .asked = on_asked, .died = on_died};

static void run(void)
{
	mvm_timer_start(limit, TIME_LIMIT_MS);
	assert_int_equal(mvm_loop_run(loop, NULL), 0);
	mvm_timer_stop(limit);
}

static void wait_for(int fd, short wanted)
{
	struct pollfd wait = {.fd = fd, .events = wanted};
	int count;

	/* The device process of the test before may just end. */
	do
		count = poll(&wait, 1, TIME_LIMIT_MS);
	while (count < 0 && errno == EINTR);
	assert_int_equal(count, 1);
}

/* --- the guest --- */

static uint64_t buffer_address(unsigned ring, unsigned number)
{
	return FRONT_DATA + (uint64_t)(ring * FRONT_RING_SIZE + number) * 0x2000;
}

static void kick(unsigned ring)
{
	const uint64_t one = 1;

	assert_int_equal(write(guest.kick[ring], &one, sizeof(one)), sizeof(one));
}

static void offer_receive_buffer(uint16_t number)
{
	const struct fake_descriptor whole = {buffer_address(RX, number), BUFFER, WRITE, 0};

	fake_describe(&guest.rings[RX], guest.rings[RX].descriptors, number, whole);
	fake_offer(&guest.rings[RX], number);
}

static void offer_raw(uint64_t address, uint32_t length)
{
	const struct fake_descriptor whole = {address, length, 0, 0};

	fake_describe(&guest.rings[TX], guest.rings[TX].descriptors, 0, whole);
	fake_offer(&guest.rings[TX], 0);
	kick(TX);
}

/* Waits until the device has used one more of a ring's buffers; returns its element's place. */
static uint64_t wait_used(unsigned ring)
{
	uint64_t at, count;

	while (fake_used_index(&guest.rings[ring]) == used_seen[ring]) {
		fake_set_used_event(&guest.rings[ring], used_seen[ring]);
		if (fake_used_index(&guest.rings[ring]) != used_seen[ring])
			break;
		wait_for(guest.call[ring], POLLIN);
		assert_int_equal(read(guest.call[ring], &count, sizeof(count)), sizeof(count));
	}
	at = guest.rings[ring].used + 4 + 8u * (used_seen[ring] % FRONT_RING_SIZE);
	used_seen[ring]++;
	return at;
}

/* Sends one packet and waits until it has been taken. */
static void guest_sends(enum packet_op op, uint32_t guest_port, uint32_t flags, const void *payload, uint32_t length)
{
	static uint32_t forwarded;
	struct packet packet = {.src_cid = CID,
				.dst_cid = CID_HOST,
				.src_port = guest_port,
				.dst_port = host_port,
				.len = length,
				.type = PACKET_TYPE_STREAM,
				.op = (uint16_t)op,
				.flags = flags,
				.buf_alloc = 256 << 10,
				.fwd_cnt = forwarded};
	uint8_t *place = guest.memory + buffer_address(TX, 0);

	packet_format(&packet, place);
	if (length)
		memcpy(place + PACKET_HEADER_SIZE, payload, length);
	offer_raw(buffer_address(TX, 0), PACKET_HEADER_SIZE + length);
	wait_used(TX);
}

/* The next packet from the device; its payload in the buffer behind it until the next call. */
static struct packet guest_receives(const uint8_t **payload)
{
	uint64_t element = wait_used(RX);
	uint16_t number = (uint16_t)fake_get32(&guest.rings[RX], element);
	uint8_t *place = guest.memory + buffer_address(RX, number);
	struct packet packet;

	packet_parse(place, &packet);
	assert_int_equal(fake_get32(&guest.rings[RX], element + 4), PACKET_HEADER_SIZE + packet.len);
	assert_int_equal(packet.src_cid, CID_HOST);
	assert_int_equal(packet.dst_cid, CID);
	if (payload)
		*payload = place + PACKET_HEADER_SIZE;
	offer_receive_buffer(number);
	kick(RX);
	return packet;
}

static struct packet expect_op(enum packet_op op)
{
	struct packet packet;

	/* Credit may come at any time. */
	do
		packet = guest_receives(NULL);
	while (packet.op == OP_CREDIT_UPDATE && op != OP_CREDIT_UPDATE);
	assert_int_equal(packet.op, op);
	return packet;
}

static int guest_connects(uint32_t guest_port)
{
	guest_sends(OP_REQUEST, guest_port, 0, NULL, 0);
	accepted = -1;
	run();
	assert_true(accepted >= 0);
	assert_int_equal(expect_op(OP_RESPONSE).dst_port, guest_port);
	return accepted;
}

static int start(void **state)
{
	int fd;

	loop = mvm_loop_create();
	limit = mvm_loop_timer(loop, on_limit, NULL);
	reason = NULL;
	host_port = PORT;
	memset(used_seen, 0, sizeof(used_seen));
	if (mvm_vsock_start(loop, CID, &events, NULL, &vsock, &fd, NULL) < 0)
		return -1;
	assert_int_equal(mvm_vsock_listen(vsock, PORT, NULL), 0);
	assert_int_equal(mvm_vsock_serve(vsock, SERVED, 2, NULL), 0);
	front_guest_init(&guest, fd);
	for (uint16_t i = 0; i < FRONT_RING_SIZE; i++)
		offer_receive_buffer(i);
	front_guest_start(&guest, 0);
	return 0;
}

static int finish(void **state)
{
	mvm_vsock_destroy(vsock);
	front_guest_finish(&guest);
	mvm_close(&guest.qemu);
	mvm_loop_destroy(loop);
	free(reason);
	return 0;
}

/* --- connections --- */

static void bytes_go_both_ways(void **state)
{
	int fd = guest_connects(GUEST_PORT);
	const uint8_t *payload;
	struct packet packet;
	char bytes[8];

	guest_sends(OP_RW, GUEST_PORT, 0, "hello", 5);
	assert_int_equal(mvm_read_full(fd, bytes, 5), 5);
	assert_memory_equal(bytes, "hello", 5);
	assert_int_equal(mvm_write_full(fd, "there", 5), 5);
	packet = guest_receives(&payload);
	assert_int_equal(packet.op, OP_RW);
	assert_int_equal(packet.len, 5);
	assert_memory_equal(payload, "there", 5);
	close(fd);
	assert_int_equal(expect_op(OP_SHUTDOWN).flags, SHUT_BOTH);
}

static void the_last_bytes_come_before_the_shutdown(void **state)
{
	static const char block[20000];
	int fd = guest_connects(GUEST_PORT);
	uint32_t total = 0;
	struct packet packet;

	assert_int_equal(mvm_write_full(fd, block, sizeof(block)), sizeof(block));
	close(fd);
	while ((packet = guest_receives(NULL)).op == OP_RW)
		total += packet.len;
	assert_int_equal(total, sizeof(block));
	assert_int_equal(packet.op, OP_SHUTDOWN);
	assert_int_equal(packet.flags, SHUT_BOTH);
}

static void each_direction_shuts_by_itself(void **state)
{
	int fd = guest_connects(GUEST_PORT);
	char byte;

	shutdown(fd, SHUT_WR);
	assert_int_equal(expect_op(OP_SHUTDOWN).flags, SHUT_NO_SEND);
	guest_sends(OP_RW, GUEST_PORT, 0, "x", 1);
	assert_int_equal(mvm_read_full(fd, &byte, 1), 1);
	guest_sends(OP_SHUTDOWN, GUEST_PORT, SHUT_BOTH, NULL, 0);
	assert_int_equal(read(fd, &byte, 1), 0);
	expect_op(OP_RST);
	close(fd);
	fd = guest_connects(GUEST_PORT + 1);
	guest_sends(OP_SHUTDOWN, GUEST_PORT + 1, SHUT_NO_SEND, NULL, 0);
	assert_int_equal(read(fd, &byte, 1), 0);
	assert_int_equal(mvm_write_full(fd, "y", 1), 1);
	assert_int_equal(expect_op(OP_RW).len, 1);
	close(fd);
}

static void a_reader_that_left_is_told(void **state)
{
	int fd = guest_connects(GUEST_PORT);

	shutdown(fd, SHUT_RD);
	guest_sends(OP_RW, GUEST_PORT, 0, "x", 1);
	assert_int_equal(expect_op(OP_SHUTDOWN).flags, SHUT_NO_RECEIVE);
	assert_int_equal(mvm_write_full(fd, "y", 1), 1);
	assert_int_equal(expect_op(OP_RW).len, 1);
	close(fd);
}

/* The whole window lies in our buffers when the guest goes; the host reads it all, and then the end. */
static void what_was_sent_outlives_the_guest(void **state)
{
	static uint8_t sent[64 << 10], received[64 << 10];
	int fd = guest_connects(GUEST_PORT);
	char byte;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 7 + (i >> 8));
	for (size_t i = 0; i < sizeof(sent); i += 4096)
		guest_sends(OP_RW, GUEST_PORT, 0, sent + i, 4096);
	mvm_close(&guest.qemu);
	assert_int_equal(mvm_read_full(fd, received, sizeof(received)), sizeof(received));
	assert_memory_equal(received, sent, sizeof(sent));
	assert_int_equal(read(fd, &byte, 1), 0);
	assert_true(mvm_vsock_pid(vsock) > 0);
	close(fd);
}

/* Bytes that lie in the ring, not yet looked at, when QEMU ends. */
static void what_lies_in_the_ring_is_still_delivered(void **state)
{
	int fd = guest_connects(GUEST_PORT);
	struct packet packet = {.src_cid = CID,
				.dst_cid = CID_HOST,
				.src_port = GUEST_PORT,
				.dst_port = host_port,
				.len = 4,
				.type = PACKET_TYPE_STREAM,
				.op = OP_RW};
	const struct fake_descriptor whole = {buffer_address(TX, 1), PACKET_HEADER_SIZE + 4, 0, 0};
	char bytes[5];

	packet_format(&packet, guest.memory + buffer_address(TX, 1));
	memcpy(guest.memory + buffer_address(TX, 1) + PACKET_HEADER_SIZE, "last", 4);
	fake_describe(&guest.rings[TX], guest.rings[TX].descriptors, 1, whole);
	fake_offer(&guest.rings[TX], 1); /* and no kick */
	mvm_close(&guest.qemu);
	assert_int_equal(mvm_read_full(fd, bytes, sizeof(bytes)), 4);
	assert_memory_equal(bytes, "last", 4);
	close(fd);
}

/* Neither an error on the reader's side nor a wait, though nobody took what the host wrote. */
static void unread_bytes_do_not_spoil_the_end(void **state)
{
	static const char block[100000];
	int fd = guest_connects(GUEST_PORT);
	char byte;

	guest_sends(OP_CREDIT_UPDATE, GUEST_PORT, 0, NULL, 0);
	assert_int_equal(mvm_write_full(fd, block, sizeof(block)), sizeof(block));
	guest_sends(OP_RST, GUEST_PORT, 0, NULL, 0);
	assert_int_equal(read(fd, &byte, 1), 0);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	close(fd);
}

/* A read that has filled all buffers does not say whether there is more. */
static void what_fills_a_buffer_stalls_nobody(void **state)
{
	static const char block[BUFFER - PACKET_HEADER_SIZE];
	int fd = guest_connects(GUEST_PORT), other;

	assert_int_equal(mvm_write_full(fd, block, sizeof(block)), sizeof(block));
	assert_int_equal(expect_op(OP_RW).len, sizeof(block));
	other = guest_connects(GUEST_PORT + 1);
	close(other);
	close(fd);
}

/* --- served ports --- */

/* The guest asks for a connection to a socket of the host's; it is not answered yet. */
static void guest_asks(uint32_t guest_port)
{
	host_port = SERVED + 1;
	asked = 0;
	guest_sends(OP_REQUEST, guest_port, 0, NULL, 0);
	run();
	assert_int_equal(asked_port, SERVED + 1);
	assert_true(asked > 0);
}

static void a_served_connection_is_what_the_answer_says(void **state)
{
	int pair[2];
	char bytes[8];

	guest_asks(GUEST_PORT);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	mvm_vsock_answer(vsock, asked, pair[1]);
	expect_op(OP_RESPONSE);
	guest_sends(OP_RW, GUEST_PORT, 0, "question", 8);
	assert_int_equal(mvm_read_full(pair[0], bytes, 8), 8);
	assert_int_equal(mvm_write_full(pair[0], "answer", 6), 6);
	assert_int_equal(expect_op(OP_RW).len, 6);
	/* Unix sockets know no reset: what came before the guest broke off is read. */
	guest_sends(OP_RW, GUEST_PORT, 0, "last", 4);
	guest_sends(OP_RST, GUEST_PORT, 0, NULL, 0);
	assert_int_equal(mvm_read_full(pair[0], bytes, 8), 4);
	close(pair[0]);
}

static void a_served_connection_can_be_refused(void **state)
{
	guest_asks(GUEST_PORT);
	mvm_vsock_answer(vsock, asked, -1);
	expect_op(OP_RST);
}

static void an_answer_for_nobody_is_closed(void **state)
{
	int pair[2];
	char byte;

	guest_asks(GUEST_PORT);
	guest_sends(OP_RST, GUEST_PORT, 0, NULL, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	mvm_vsock_answer(vsock, asked, pair[1]);
	assert_int_equal(read(pair[0], &byte, 1), 0);
	close(pair[0]);
	/* And for one that never was. */
	mvm_vsock_answer(vsock, asked + 1000, -1);
	host_port = PORT;
	close(guest_connects(GUEST_PORT));
}

static void other_ports_are_not_served(void **state)
{
	for (uint32_t port = SERVED - 1; port <= SERVED + 2; port += 3) {
		host_port = port;
		guest_sends(OP_REQUEST, GUEST_PORT, 0, NULL, 0);
		expect_op(OP_RST);
	}
}

/* --- published ports --- */

enum { PUBLISHED = 0x10000 + 8080 };

/* A published socket and somebody who has connected; the guest has been asked. */
static int published_peer(int *listening)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	struct packet packet;
	int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(*listening, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(*listening, 16), 0);
	getsockname(*listening, (struct sockaddr *)&address, &length);
	assert_int_equal(mvm_vsock_publish(vsock, *listening, PUBLISHED, NULL), 0);
	assert_int_equal(connect(peer, (struct sockaddr *)&address, length), 0);
	packet = expect_op(OP_REQUEST);
	assert_int_equal(packet.dst_port, PUBLISHED);
	host_port = packet.src_port;
	return peer;
}

static void close_both(int peer, int listening)
{
	close(peer);
	close(listening);
}

static void a_published_connection_is_the_guests(void **state)
{
	int listening, peer = published_peer(&listening);
	char bytes[8];

	/* What comes before the guest has answered waits. */
	assert_int_equal(mvm_write_full(peer, "early", 5), 5);
	guest_sends(OP_RESPONSE, PUBLISHED, 0, NULL, 0);
	assert_int_equal(expect_op(OP_RW).len, 5);
	guest_sends(OP_RW, PUBLISHED, 0, "answer", 6);
	assert_int_equal(mvm_read_full(peer, bytes, 6), 6);
	assert_memory_equal(bytes, "answer", 6);

	/* Each direction ends by itself, and so does the connection. */
	shutdown(peer, SHUT_WR);
	assert_int_equal(expect_op(OP_SHUTDOWN).flags, SHUT_NO_SEND);
	guest_sends(OP_RW, PUBLISHED, 0, "last", 4);
	guest_sends(OP_SHUTDOWN, PUBLISHED, SHUT_NO_SEND, NULL, 0);
	assert_int_equal(mvm_read_full(peer, bytes, 8), 4);
	guest_sends(OP_SHUTDOWN, PUBLISHED, SHUT_BOTH, NULL, 0);
	assert_int_equal(read(peer, bytes, 1), 0);
	close_both(peer, listening);
}

static void expect_reset(int peer)
{
	char byte;

	assert_int_equal(read(peer, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
}

static void what_the_guest_breaks_off_is_reset(void **state)
{
	int listening, peer = published_peer(&listening);

	guest_sends(OP_RESPONSE, PUBLISHED, 0, NULL, 0);
	guest_sends(OP_SHUTDOWN, PUBLISHED, SHUT_BOTH, NULL, 0);
	expect_reset(peer);
	close_both(peer, listening);
}

static void what_the_guest_does_not_take_is_reset(void **state)
{
	int listening, peer = published_peer(&listening);

	guest_sends(OP_RST, PUBLISHED, 0, NULL, 0);
	expect_reset(peer);
	close_both(peer, listening);
}

static void what_the_peer_breaks_off_ends_at_once(void **state)
{
	static const struct linger at_once = {.l_onoff = 1};
	int listening, peer = published_peer(&listening);

	guest_sends(OP_RESPONSE, PUBLISHED, 0, NULL, 0);
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close_both(peer, listening);
	assert_int_equal(expect_op(OP_SHUTDOWN).flags, SHUT_BOTH);
}

static void ports_that_are_not_listened_on_are_reset(void **state)
{
	mvm_vsock_unlisten(vsock, PORT);
	/* Behind the order that goes before it: both have one reader. */
	assert_int_equal(mvm_vsock_connect(vsock, 7000, on_connected, NULL, NULL), 0);
	expect_op(OP_REQUEST);
	guest_sends(OP_REQUEST, GUEST_PORT, 0, NULL, 0);
	assert_int_equal(expect_op(OP_RST).dst_port, GUEST_PORT);
	mvm_vsock_destroy(vsock);
	vsock = NULL;
	assert_int_equal(refused, ECANCELED);
}

static void the_guest_refuses(void **state)
{
	struct packet request;

	assert_int_equal(mvm_vsock_connect(vsock, 7000, on_connected, NULL, NULL), 0);
	request = expect_op(OP_REQUEST);
	assert_int_equal(request.dst_port, 7000);
	request = (struct packet){.src_cid = CID,
				  .dst_cid = CID_HOST,
				  .src_port = 7000,
				  .dst_port = request.src_port,
				  .type = PACKET_TYPE_STREAM,
				  .op = OP_RST};
	packet_format(&request, guest.memory + buffer_address(TX, 0));
	offer_raw(buffer_address(TX, 0), PACKET_HEADER_SIZE);
	run();
	assert_int_equal(connected, -1);
	assert_int_equal(refused, ECONNREFUSED);
}

/* --- how it ends --- */

static void expect_death(const char *part)
{
	if (!reason)
		run();
	assert_non_null(reason);
	if (!strstr(reason, part))
		fail_msg("died of: %s", reason);
	assert_int_equal(mvm_vsock_pid(vsock), -1);
	assert_int_equal(mvm_vsock_listen(vsock, PORT + 1, NULL), -1);
}

static void a_buffer_outside_of_memory_ends_it(void **state)
{
	offer_raw(FRONT_SIZE - 10, 100);
	expect_death("vsock transmit ring: a buffer is outside");
}

static void a_packet_that_lies_about_its_length_ends_it(void **state)
{
	struct packet packet = {
		.src_cid = CID, .dst_cid = CID_HOST, .len = 100, .type = PACKET_TYPE_STREAM, .op = OP_RW};

	packet_format(&packet, guest.memory + buffer_address(TX, 0));
	offer_raw(buffer_address(TX, 0), PACKET_HEADER_SIZE + 99);
	expect_death("shorter than it says");
}

static void half_a_header_ends_it(void **state)
{
	offer_raw(buffer_address(TX, 0), PACKET_HEADER_SIZE - 1);
	expect_death("shorter than it says");
}

static void a_broken_receive_ring_ends_it(void **state)
{
	fake_put16(&guest.rings[RX], guest.rings[RX].available + 2, 0x8000);
	/* Seen when there is something to send. */
	assert_int_equal(mvm_vsock_connect(vsock, 7000, on_connected, NULL, NULL), 0);
	refused = 0;
	run();
	assert_int_equal(refused, ECONNRESET);
	expect_death("vsock receive ring: the available index");
}

static void nonsense_from_qemu_ends_it(void **state)
{
	front_send(guest.qemu, 4711, NULL, 0, NULL, 0);
	expect_death("QEMU: a request that was not offered");
}

static void a_killed_process_is_told_of(void **state)
{
	int fd = guest_connects(GUEST_PORT);
	char byte;

	kill(mvm_vsock_pid(vsock), SIGKILL);
	expect_death("signal 9");
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
}

static void destroying_ends_the_process(void **state)
{
	int fd = guest_connects(GUEST_PORT);
	char byte;

	mvm_vsock_destroy(vsock);
	vsock = NULL;
	wait_for(fd, POLLIN);
	assert_int_equal(read(fd, &byte, 1), 0);
	assert_null(reason);
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
	const struct CMUnitTest tests[] = {
		TEST(bytes_go_both_ways),
		TEST(the_last_bytes_come_before_the_shutdown),
		TEST(each_direction_shuts_by_itself),
		TEST(what_fills_a_buffer_stalls_nobody),
		TEST(a_served_connection_is_what_the_answer_says),
		TEST(a_served_connection_can_be_refused),
		TEST(an_answer_for_nobody_is_closed),
		TEST(other_ports_are_not_served),
		TEST(a_published_connection_is_the_guests),
		TEST(what_the_guest_breaks_off_is_reset),
		TEST(what_the_guest_does_not_take_is_reset),
		TEST(what_the_peer_breaks_off_ends_at_once),
		TEST(a_reader_that_left_is_told),
		TEST(what_was_sent_outlives_the_guest),
		TEST(what_lies_in_the_ring_is_still_delivered),
		TEST(unread_bytes_do_not_spoil_the_end),
		TEST(ports_that_are_not_listened_on_are_reset),
		TEST(the_guest_refuses),
		TEST(a_buffer_outside_of_memory_ends_it),
		TEST(a_packet_that_lies_about_its_length_ends_it),
		TEST(half_a_header_ends_it),
		TEST(a_broken_receive_ring_ends_it),
		TEST(nonsense_from_qemu_ends_it),
		TEST(a_killed_process_is_told_of),
		TEST(destroying_ends_the_process),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
