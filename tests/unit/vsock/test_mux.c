#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/vsock/mux.h"

enum { CID = 3, PORT = 1024, GUEST_PORT = 5000, GUEST_WINDOW = 256 << 10 };

#define SECOND 1000000000ull

static struct mux mux;

static int start_mux(void **state)
{
	mux_init(&mux, CID, sizeof(struct conn));
	return mux_listen(&mux, PORT);
}

static int finish_mux(void **state)
{
	struct conn *conn;

	while ((conn = mux_drain(&mux, true)))
		free(conn);
	return mux.count || mux.promised ? -1 : 0;
}

static struct packet from_guest(enum packet_op op, uint32_t guest_port, uint32_t host_port)
{
	return (struct packet){.src_cid = CID,
			       .dst_cid = CID_HOST,
			       .src_port = guest_port,
			       .dst_port = host_port,
			       .type = PACKET_TYPE_STREAM,
			       .op = (uint16_t)op,
			       .buf_alloc = GUEST_WINDOW};
}

static struct mux_event receive(enum packet_op op, const struct conn *conn)
{
	struct packet packet = from_guest(op, conn->guest_port, conn->host_port);

	packet.fwd_cnt = conn->peer_fwd_cnt;
	return mux_receive(&mux, &packet, 0);
}

static struct mux_event receive_shutdown(const struct conn *conn, uint32_t flags)
{
	struct packet packet = from_guest(OP_SHUTDOWN, conn->guest_port, conn->host_port);

	packet.flags = flags;
	return mux_receive(&mux, &packet, 0);
}

static struct mux_event receive_data(const struct conn *conn, uint32_t length)
{
	struct packet packet = from_guest(OP_RW, conn->guest_port, conn->host_port);

	packet.len = length;
	packet.fwd_cnt = conn->peer_fwd_cnt;
	return mux_receive(&mux, &packet, length);
}

static void receive_credit(const struct conn *conn, uint32_t window, uint32_t forwarded)
{
	struct packet packet = from_guest(OP_CREDIT_UPDATE, conn->guest_port, conn->host_port);

	packet.buf_alloc = window;
	packet.fwd_cnt = forwarded;
	assert_int_equal(mux_receive(&mux, &packet, 0).type, EVENT_NONE);
}

static struct packet next_control(void)
{
	struct packet packet;
	struct conn *conn;

	assert_int_equal(mux_next(&mux, &packet, &conn), NEXT_CONTROL);
	assert_int_equal(packet.src_cid, CID_HOST);
	assert_int_equal(packet.dst_cid, CID);
	return packet;
}

static void expect_control(enum packet_op op, uint32_t guest_port, uint32_t host_port)
{
	struct packet packet = next_control();

	assert_int_equal(packet.op, op);
	assert_int_equal(packet.dst_port, guest_port);
	assert_int_equal(packet.src_port, host_port);
	assert_int_equal(packet.type, PACKET_TYPE_STREAM);
}

static void expect_nothing(void)
{
	struct packet packet;
	struct conn *conn;

	assert_int_equal(mux_next(&mux, &packet, &conn), NEXT_NONE);
}

/* A turn in which at most `length` bytes are there to be sent; returns what was. */
static uint32_t send_turn(const struct conn *expected, uint32_t length)
{
	struct packet packet;
	struct conn *conn;

	assert_int_equal(mux_next(&mux, &packet, &conn), NEXT_DATA);
	assert_ptr_equal(conn, expected);
	if (length > mux_credit(conn))
		length = mux_credit(conn);
	mux_data_packet(&mux, conn, length, &packet);
	assert_int_equal(packet.op, OP_RW);
	assert_int_equal(packet.len, length);
	mux_sent(&mux, conn);
	return length;
}

static struct conn *request(uint32_t guest_port)
{
	struct packet packet = from_guest(OP_REQUEST, guest_port, PORT);
	struct mux_event event = mux_receive(&mux, &packet, 0);

	assert_int_equal(event.type, EVENT_REQUEST);
	return event.conn;
}

static struct conn *open_conn(uint32_t guest_port)
{
	struct conn *conn = request(guest_port);

	mux_accept(&mux, conn);
	expect_control(OP_RESPONSE, guest_port, PORT);
	expect_nothing();
	return conn;
}

static void expect_closed(struct mux_event event, struct conn *conn)
{
	assert_int_equal(event.type, EVENT_CLOSED);
	assert_ptr_equal(event.conn, conn);
	assert_int_equal(conn->state, CONN_GONE);
	free(conn);
}

/* --- opening --- */

static void a_request_is_answered_when_the_host_accepts(void **state)
{
	struct conn *conn = request(GUEST_PORT);
	struct packet packet;

	expect_nothing();
	mux_accept(&mux, conn);
	packet = next_control();
	assert_int_equal(packet.op, OP_RESPONSE);
	assert_int_equal(packet.buf_alloc, MUX_WINDOW_SMALL);
	assert_int_equal(packet.fwd_cnt, 0);
	assert_int_equal(packet.len, 0);
}

static void a_request_that_the_host_aborts_is_reset(void **state)
{
	struct conn *conn = request(GUEST_PORT);

	mux_abort(&mux, conn);
	free(conn);
	expect_control(OP_RST, GUEST_PORT, PORT);
	assert_int_equal(mux.count, 0);
}

static void a_request_where_nobody_listens_is_reset(void **state)
{
	struct packet packet = from_guest(OP_REQUEST, GUEST_PORT, PORT + 1);

	assert_int_equal(mux_receive(&mux, &packet, 0).type, EVENT_NONE);
	expect_control(OP_RST, GUEST_PORT, PORT + 1);
	mux_unlisten(&mux, PORT);
	packet = from_guest(OP_REQUEST, GUEST_PORT, PORT);
	assert_int_equal(mux_receive(&mux, &packet, 0).type, EVENT_NONE);
	expect_control(OP_RST, GUEST_PORT, PORT);
}

static void packets_of_no_connection_are_reset_but_resets(void **state)
{
	static const enum packet_op ops[] = {OP_RESPONSE,	OP_SHUTDOWN, OP_RW, OP_CREDIT_UPDATE,
					     OP_CREDIT_REQUEST, 0,	     99};
	struct packet packet = from_guest(OP_RST, GUEST_PORT, PORT);

	assert_int_equal(mux_receive(&mux, &packet, 0).type, EVENT_NONE);
	expect_nothing();
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		packet = from_guest(ops[i], GUEST_PORT, PORT);
		assert_int_equal(mux_receive(&mux, &packet, 0).type, EVENT_NONE);
		expect_control(OP_RST, GUEST_PORT, PORT);
	}
}

static void another_type_is_reset_in_kind(void **state)
{
	struct packet packet = from_guest(OP_REQUEST, GUEST_PORT, PORT);

	packet.type = 2;
	assert_int_equal(mux_receive(&mux, &packet, 0).type, EVENT_NONE);
	packet = next_control();
	assert_int_equal(packet.op, OP_RST);
	assert_int_equal(packet.type, 2);
}

static void other_addresses_are_ignored(void **state)
{
	struct packet packet = from_guest(OP_REQUEST, GUEST_PORT, PORT);

	packet.src_cid = CID + 1;
	assert_int_equal(mux_receive(&mux, &packet, 0).type, EVENT_NONE);
	packet = from_guest(OP_REQUEST, GUEST_PORT, PORT);
	packet.dst_cid = CID;
	assert_int_equal(mux_receive(&mux, &packet, 0).type, EVENT_NONE);
	expect_nothing();
}

static void the_host_connects(void **state)
{
	struct conn *first = mux_connect(&mux, 7000, 0), *second = mux_connect(&mux, 7000, 0);
	struct mux_event event;

	assert_int_not_equal(first->host_port, second->host_port);
	expect_control(OP_REQUEST, 7000, first->host_port);
	expect_control(OP_REQUEST, 7000, second->host_port);
	event = receive(OP_RESPONSE, second);
	assert_int_equal(event.type, EVENT_OPENED);
	assert_ptr_equal(event.conn, second);
	event = receive(OP_RST, first);
	assert_int_equal(event.type, EVENT_REFUSED);
	assert_int_equal(event.errnum, ECONNREFUSED);
	free(event.conn);
	expect_nothing();
}

static void each_connection_has_a_port_of_its_own(void **state)
{
	struct conn *first = mux_connect(&mux, 7000, 0), *second = mux_connect(&mux, 7000, 0);

	assert_int_not_equal(first->host_port, second->host_port);
	assert_true(first->host_port >= 1 << 30);
}

static void what_the_guest_has_ended_was_not_broken_off(void **state)
{
	struct conn *ended = open_conn(GUEST_PORT), *broken = open_conn(GUEST_PORT + 1);
	struct packet packet = from_guest(OP_SHUTDOWN, GUEST_PORT, PORT);

	packet.flags = SHUT_NO_SEND;
	assert_int_equal(mux_receive(&mux, &packet, 0).type, EVENT_SHUTDOWN);
	packet.flags = SHUT_BOTH;
	assert_int_equal(mux_receive(&mux, &packet, 0).type, EVENT_CLOSED);
	assert_true(ended->finished);
	packet = from_guest(OP_SHUTDOWN, GUEST_PORT + 1, PORT);
	packet.flags = SHUT_BOTH;
	assert_int_equal(mux_receive(&mux, &packet, 0).type, EVENT_CLOSED);
	assert_false(broken->finished);
	free(ended);
	free(broken);
}

static void a_guest_that_does_not_answer_times_out(void **state)
{
	struct conn *conn = mux_connect(&mux, 7000, SECOND);
	uint64_t deadline = mux_deadline(&mux);
	struct mux_event event;

	assert_true(deadline > SECOND && deadline != UINT64_MAX);
	assert_int_equal(mux_expire(&mux, deadline - 1).type, EVENT_NONE);
	event = mux_expire(&mux, deadline);
	assert_int_equal(event.type, EVENT_REFUSED);
	assert_int_equal(event.errnum, ETIMEDOUT);
	assert_ptr_equal(event.conn, conn);
	assert_true(mux_deadline(&mux) == UINT64_MAX);
	free(conn);
}

static void nonsense_for_an_answer_is_a_refusal(void **state)
{
	struct conn *conn = mux_connect(&mux, 7000, 0);
	uint32_t port = conn->host_port;
	struct mux_event event;

	expect_control(OP_REQUEST, 7000, port);
	event = receive_data(conn, 100);
	assert_int_equal(event.type, EVENT_REFUSED);
	free(event.conn);
	expect_control(OP_RST, 7000, port);
}

static void there_is_a_limit_to_connections(void **state)
{
	struct packet packet;

	for (uint32_t i = 0; i < MUX_MAX_CONNECTIONS; i++)
		request(10000 + i);
	packet = from_guest(OP_REQUEST, GUEST_PORT, PORT);
	assert_int_equal(mux_receive(&mux, &packet, 0).type, EVENT_NONE);
	expect_control(OP_RST, GUEST_PORT, PORT);
	assert_null(mux_connect(&mux, 7000, 0));
	assert_true(mux.promised <= MUX_WINDOW_BUDGET);
}

/* --- credit --- */

static void what_the_guest_may_send_is_bounded(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);

	assert_int_equal(receive_data(conn, MUX_WINDOW_SMALL).type, EVENT_DATA);
	expect_closed(receive_data(conn, 1), conn);
	expect_control(OP_RST, GUEST_PORT, PORT);
}

static void one_packet_beyond_the_window_is_reset(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);

	expect_closed(receive_data(conn, MUX_WINDOW_SMALL + 1), conn);
}

static void freed_space_is_told_at_a_quarter(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);
	struct packet packet;

	assert_int_equal(receive_data(conn, MUX_WINDOW_SMALL / 4).type, EVENT_DATA);
	mux_forwarded(&mux, conn, MUX_WINDOW_SMALL / 4 - 1);
	expect_nothing();
	mux_forwarded(&mux, conn, 1);
	packet = next_control();
	assert_int_equal(packet.op, OP_CREDIT_UPDATE);
	assert_int_equal(packet.fwd_cnt, MUX_WINDOW_SMALL / 4);
	expect_nothing();
}

/* A guest that takes little sends as little ahead, whatever our window, and would wait for word for ever. */
static void freed_space_is_told_at_a_quarter_of_the_guests_window(void **state)
{
	enum { LITTLE = 16 << 10 };
	struct conn *conn = open_conn(GUEST_PORT);

	receive_credit(conn, LITTLE, 0);
	assert_int_equal(receive_data(conn, MUX_WINDOW_SMALL).type, EVENT_DATA);
	mux_forwarded(&mux, conn, MUX_WINDOW_SMALL);
	assert_int_equal(next_control().buf_alloc, MUX_WINDOW_LARGE);
	receive_credit(conn, LITTLE, 0);
	mux_forwarded(&mux, conn, LITTLE / 4 - 1);
	expect_nothing();
	mux_forwarded(&mux, conn, 1);
	assert_int_equal(next_control().fwd_cnt, MUX_WINDOW_SMALL + LITTLE / 4);
}

static void a_busy_connection_gets_a_larger_window(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);
	struct packet packet;

	assert_int_equal(receive_data(conn, MUX_WINDOW_SMALL).type, EVENT_DATA);
	mux_forwarded(&mux, conn, MUX_WINDOW_SMALL);
	packet = next_control();
	assert_int_equal(packet.op, OP_CREDIT_UPDATE);
	assert_int_equal(packet.buf_alloc, MUX_WINDOW_LARGE);
	assert_int_equal(receive_data(conn, MUX_WINDOW_LARGE).type, EVENT_DATA);
}

static void windows_do_not_grow_past_the_budget(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);

	mux.promised += MUX_WINDOW_BUDGET;
	assert_int_equal(receive_data(conn, MUX_WINDOW_SMALL).type, EVENT_DATA);
	mux_forwarded(&mux, conn, MUX_WINDOW_SMALL);
	assert_int_equal(next_control().buf_alloc, MUX_WINDOW_SMALL);
	mux.promised -= MUX_WINDOW_BUDGET;
}

static void a_credit_request_is_answered(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);

	assert_int_equal(receive_data(conn, 1000).type, EVENT_DATA);
	mux_forwarded(&mux, conn, 1000);
	expect_nothing();
	assert_int_equal(receive(OP_CREDIT_REQUEST, conn).type, EVENT_NONE);
	assert_int_equal(next_control().fwd_cnt, 1000);
}

static void any_packet_carries_credit(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);

	assert_int_equal(receive_data(conn, 40000).type, EVENT_DATA);
	mux_forwarded(&mux, conn, 20000); /* an update is due */
	mux_shutdown(&mux, conn, SHUT_NO_SEND, 0);
	assert_int_equal(next_control().fwd_cnt, 20000);
	expect_nothing();
}

static void nothing_is_sent_beyond_the_guests_credit(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);

	receive_credit(conn, 10000, 0);
	mux_readable(&mux, conn, true);
	assert_int_equal(send_turn(conn, 6000), 6000);
	assert_int_equal(send_turn(conn, 6000), 4000);
	/* Asked for once, however often there is more to send. */
	expect_control(OP_CREDIT_REQUEST, GUEST_PORT, PORT);
	mux_readable(&mux, conn, true);
	expect_nothing();
	receive_credit(conn, 10000, 9000);
	assert_int_equal(send_turn(conn, 100000), 9000);
}

static void a_guest_that_lies_about_credit_gets_none(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);

	receive_credit(conn, 10000, 1); /* it forwarded what it never got */
	mux_readable(&mux, conn, true);
	expect_control(OP_CREDIT_REQUEST, GUEST_PORT, PORT);
	expect_nothing();
	receive_credit(conn, 0, 0);
	expect_control(OP_CREDIT_REQUEST, GUEST_PORT, PORT);
	expect_nothing();
}

static void counters_wrap(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);

	conn->sent = conn->peer_fwd_cnt = UINT32_MAX - 100;
	conn->received = conn->forwarded = conn->told = UINT32_MAX - 100;
	receive_credit(conn, 1000, UINT32_MAX - 100);
	mux_readable(&mux, conn, true);
	assert_int_equal(send_turn(conn, 5000), 1000);
	receive_credit(conn, 1000, 899);
	assert_int_equal(mux_credit(conn), 1000);
	conn->peer_fwd_cnt = 899;
	assert_int_equal(receive_data(conn, 60000).type, EVENT_DATA);
	mux_forwarded(&mux, conn, 60000);
	assert_int_equal(receive_data(conn, MUX_WINDOW_SMALL).type, EVENT_DATA);
}

/* --- order --- */

static void connections_take_turns(void **state)
{
	struct conn *first = open_conn(1), *second = open_conn(2);

	mux_readable(&mux, first, true);
	mux_readable(&mux, second, true);
	for (int i = 0; i < 5; i++) {
		send_turn(first, 4096);
		send_turn(second, 4096);
	}
	mux_readable(&mux, first, false);
	send_turn(second, 4096); /* what was in the list and has nothing left is passed over */
	send_turn(second, 4096);
}

static void one_without_credit_does_not_hold_up_others(void **state)
{
	struct conn *stalled = open_conn(1), *other = open_conn(2);

	receive_credit(stalled, 0, 0);
	mux_readable(&mux, stalled, true);
	mux_readable(&mux, other, true);
	expect_control(OP_CREDIT_REQUEST, 1, PORT);
	for (int i = 0; i < 5; i++)
		send_turn(other, 4096);
}

static void answers_that_pile_up_stop_the_guest(void **state)
{
	struct packet packet = from_guest(OP_RW, GUEST_PORT, PORT);
	unsigned count = 0;

	for (; !mux_is_full(&mux); count++)
		mux_receive(&mux, &packet, 0);
	assert_true(count > 10);
	for (unsigned i = 0; i < count; i++)
		expect_control(OP_RST, GUEST_PORT, PORT);
	expect_nothing();
	assert_false(mux_is_full(&mux));
}

/* --- closing --- */

static void the_guest_shuts_one_direction_then_the_other(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);

	assert_int_equal(receive_shutdown(conn, SHUT_NO_SEND).type, EVENT_SHUTDOWN);
	assert_int_equal(conn->guest_shut, SHUT_NO_SEND);
	mux_readable(&mux, conn, true);
	send_turn(conn, 100); /* it still receives */
	expect_closed(receive_shutdown(conn, SHUT_NO_RECEIVE), conn);
	expect_control(OP_RST, GUEST_PORT, PORT);
}

static void data_behind_a_shutdown_is_reset(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);

	assert_int_equal(receive_shutdown(conn, SHUT_NO_SEND).type, EVENT_SHUTDOWN);
	expect_closed(receive_data(conn, 1), conn);
	expect_control(OP_RST, GUEST_PORT, PORT);
}

static void unknown_shutdown_flags_are_ignored(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);

	assert_int_equal(receive_shutdown(conn, 0xfffffffc).type, EVENT_SHUTDOWN);
	assert_int_equal(conn->guest_shut, 0);
}

static void the_host_shuts_one_direction_then_the_other(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);
	struct packet packet;

	mux_readable(&mux, conn, true);
	mux_shutdown(&mux, conn, SHUT_NO_SEND, 0);
	packet = next_control();
	assert_int_equal(packet.op, OP_SHUTDOWN);
	assert_int_equal(packet.flags, SHUT_NO_SEND);
	expect_nothing();
	assert_int_equal(receive_data(conn, 100).type, EVENT_DATA);
	mux_shutdown(&mux, conn, SHUT_NO_SEND, 0); /* no news */
	expect_nothing();
	mux_shutdown(&mux, conn, SHUT_NO_RECEIVE, 0);
	assert_int_equal(next_control().flags, SHUT_BOTH);
	assert_int_equal(conn->state, CONN_CLOSING);
	assert_int_equal(receive_data(conn, 100).type, EVENT_NONE); /* it crossed the shutdown */
	expect_closed(receive(OP_RST, conn), conn);
	expect_nothing();
}

static void both_sides_closing_at_once_end_with_a_reset(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);

	mux_shutdown(&mux, conn, SHUT_BOTH, 0);
	expect_control(OP_SHUTDOWN, GUEST_PORT, PORT);
	expect_closed(receive_shutdown(conn, SHUT_BOTH), conn);
	expect_control(OP_RST, GUEST_PORT, PORT);
}

static void a_guest_that_does_not_confirm_is_reset(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);

	mux_shutdown(&mux, conn, SHUT_BOTH, SECOND);
	expect_control(OP_SHUTDOWN, GUEST_PORT, PORT);
	assert_int_equal(mux_expire(&mux, SECOND).type, EVENT_NONE);
	expect_closed(mux_expire(&mux, mux_deadline(&mux)), conn);
	expect_control(OP_RST, GUEST_PORT, PORT);
}

static void a_reset_ends_it(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);

	mux_readable(&mux, conn, true);
	expect_closed(receive(OP_RST, conn), conn);
	expect_nothing();
}

static void a_second_request_or_response_is_reset(void **state)
{
	struct conn *conn = open_conn(GUEST_PORT);

	expect_closed(receive(OP_REQUEST, conn), conn);
	expect_control(OP_RST, GUEST_PORT, PORT);
	conn = open_conn(GUEST_PORT);
	expect_closed(receive(OP_RESPONSE, conn), conn);
	expect_control(OP_RST, GUEST_PORT, PORT);
}

static void a_guest_gives_up_before_the_host_has_answered(void **state)
{
	struct conn *conn = request(GUEST_PORT);

	expect_closed(receive(OP_RST, conn), conn);
	conn = request(GUEST_PORT);
	expect_closed(receive_data(conn, 1), conn);
	expect_control(OP_RST, GUEST_PORT, PORT);
}

static void draining_spares_requests_that_were_not_sent(void **state)
{
	struct conn *sent = mux_connect(&mux, 1, 0), *unsent;

	expect_control(OP_REQUEST, 1, sent->host_port);
	unsent = mux_connect(&mux, 2, 0);
	assert_ptr_equal(mux_drain(&mux, false), sent);
	assert_null(mux_drain(&mux, false));
	free(sent);
	expect_control(OP_REQUEST, 2, unsent->host_port);
}

/* --- anything at all --- */

static uint64_t random_state = 0x9e3779b97f4a7c15;

static unsigned random_below(unsigned limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % limit;
}

enum { POOL = 64 };

/* Connections that the mux owns, as the events told. */
static struct conn *pool[POOL];

static void add_to_pool(struct conn *conn)
{
	for (unsigned i = 0; conn && i < POOL; i++)
		if (!pool[i]) {
			pool[i] = conn;
			return;
		}
}

static void drop_from_pool(struct conn *conn)
{
	for (unsigned i = 0; i < POOL; i++)
		if (pool[i] == conn)
			pool[i] = NULL;
	free(conn);
}

static void take_event(struct mux_event event)
{
	if (event.type == EVENT_REQUEST)
		add_to_pool(event.conn);
	if (event.type == EVENT_CLOSED || event.type == EVENT_REFUSED)
		drop_from_pool(event.conn);
}

static void random_packet(uint64_t now)
{
	struct packet packet = from_guest(random_below(9), random_below(8), PORT);
	struct conn *conn = pool[random_below(POOL)];

	if (conn && random_below(4)) {
		packet.src_port = conn->guest_port;
		packet.dst_port = conn->host_port;
		if (random_below(2))
			packet.fwd_cnt = conn->sent;
	}
	packet.len = random_below(40000);
	packet.flags = random_below(8) ? random_below(3) : random_below(16);
	packet.buf_alloc = random_below(3) ? GUEST_WINDOW : random_below(1000);
	if (!mux_is_full(&mux))
		take_event(mux_receive(&mux, &packet, packet.len));
	take_event(mux_expire(&mux, now));
}

static void random_host(uint64_t now)
{
	struct conn *conn = pool[random_below(POOL)];

	if (!conn) {
		if (mux.count < POOL / 2)
			add_to_pool(mux_connect(&mux, random_below(8), now));
		return;
	}
	switch (random_below(6)) {
	case 0:
		if (conn->state == CONN_INCOMING)
			mux_accept(&mux, conn);
		break;
	case 1:
		mux_abort(&mux, conn);
		drop_from_pool(conn);
		break;
	case 2:
		mux_shutdown(&mux, conn, 1 + random_below(3), now);
		break;
	case 3:
		mux_forwarded(&mux, conn, conn->received - conn->forwarded);
		break;
	default:
		mux_readable(&mux, conn, random_below(4));
	}
}

static void random_buffer(unsigned counts[8])
{
	struct packet packet;
	struct conn *conn;
	uint32_t length;

	switch (mux_next(&mux, &packet, &conn)) {
	case NEXT_CONTROL:
		assert_true(packet.op && packet.op != OP_RW && packet.op < 8);
		counts[packet.op]++;
		break;
	case NEXT_DATA:
		assert_true(mux_credit(conn) > 0);
		length = 1 + random_below(mux_credit(conn));
		mux_data_packet(&mux, conn, length, &packet);
		mux_sent(&mux, conn);
		counts[OP_RW]++;
		break;
	case NEXT_NONE:
		break;
	}
}

static void random_traffic_keeps_its_books(void **state)
{
	unsigned counts[8] = {0};

	for (uint64_t i = 0; i < 300000; i++) {
		unsigned held = 0;

		random_packet(i * SECOND / 100);
		random_host(i * SECOND / 100);
		random_buffer(counts);
		random_buffer(counts);
		for (unsigned j = 0; j < POOL; j++)
			held += pool[j] != NULL;
		assert_int_equal(held, mux.count);
	}
	for (unsigned op = OP_REQUEST; op <= OP_CREDIT_REQUEST; op++)
		assert_true(counts[op] > 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_mux, finish_mux)
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_answered_when_the_host_accepts),
		TEST(a_request_that_the_host_aborts_is_reset),
		TEST(a_request_where_nobody_listens_is_reset),
		TEST(packets_of_no_connection_are_reset_but_resets),
		TEST(another_type_is_reset_in_kind),
		TEST(other_addresses_are_ignored),
		TEST(the_host_connects),
		TEST(each_connection_has_a_port_of_its_own),
		TEST(what_the_guest_has_ended_was_not_broken_off),
		TEST(a_guest_that_does_not_answer_times_out),
		TEST(nonsense_for_an_answer_is_a_refusal),
		TEST(there_is_a_limit_to_connections),
		TEST(what_the_guest_may_send_is_bounded),
		TEST(one_packet_beyond_the_window_is_reset),
		TEST(freed_space_is_told_at_a_quarter),
		TEST(freed_space_is_told_at_a_quarter_of_the_guests_window),
		TEST(a_busy_connection_gets_a_larger_window),
		TEST(windows_do_not_grow_past_the_budget),
		TEST(a_credit_request_is_answered),
		TEST(any_packet_carries_credit),
		TEST(nothing_is_sent_beyond_the_guests_credit),
		TEST(a_guest_that_lies_about_credit_gets_none),
		TEST(counters_wrap),
		TEST(connections_take_turns),
		TEST(one_without_credit_does_not_hold_up_others),
		TEST(answers_that_pile_up_stop_the_guest),
		TEST(the_guest_shuts_one_direction_then_the_other),
		TEST(data_behind_a_shutdown_is_reset),
		TEST(unknown_shutdown_flags_are_ignored),
		TEST(the_host_shuts_one_direction_then_the_other),
		TEST(both_sides_closing_at_once_end_with_a_reset),
		TEST(a_guest_that_does_not_confirm_is_reset),
		TEST(a_reset_ends_it),
		TEST(a_second_request_or_response_is_reset),
		TEST(a_guest_gives_up_before_the_host_has_answered),
		TEST(draining_spares_requests_that_were_not_sent),
		TEST(random_traffic_keeps_its_books),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
