/*
 * Theory of operation
 *
 * A connection is known by the pair of ports; the CIDs are always the guest's and ours. Its life:
 *
 *   guest asks   REQUEST -> INCOMING --accept: RESPONSE--> OPEN
 *   host asks    REQUESTING --RESPONSE--> OPEN             RST or time-out: refused
 *   OPEN         either side may say SHUTDOWN for one direction or both; data flows in the other
 *   guest ends   SHUTDOWN of both, or RST: gone; the SHUTDOWN is answered by RST
 *   host ends    SHUTDOWN of both -> CLOSING --RST, SHUTDOWN of both or time-out--> gone
 *
 * Whoever has a packet to send stands in the ready list once. mux_next() serves its head with one control
 * packet or one turn of data and puts it at the end, so a connection with much to send takes turns with those
 * that have little; one whose reader in the guest stalls has no credit and leaves the list until it has.
 *
 * Credit (§5.10.6.3): each side may have buf_alloc - (sent - the other's fwd_cnt) bytes under way. All counters are
 * 32 bits and wrap. A guest that sends more than it may is reset. We tell of freed space when a
 * quarter of the window has been freed, in whatever packet goes that way, or else in one of its own. Linux of
 * late sends no more ahead than it would itself take, so it is a quarter of the smaller window.
 */
#include "mux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"

#define SECOND 1000000000ull
/* A kernel answers at once; this is for one that never does. */
#define REQUEST_TIMEOUT (20 * SECOND)
#define CLOSE_TIMEOUT	(8 * SECOND)

/* Our own ports: this bit, and the others take turns. */
enum { EPHEMERAL_PORT = 1 << 30, TURN_MASK = EPHEMERAL_PORT - 1 };

static const struct mux_event no_event = {.type = EVENT_NONE};

void mux_init(struct mux *mux, uint64_t guest_cid, size_t conn_size)
{
	memset(mux, 0, sizeof(*mux));
	mux->guest_cid = guest_cid;
	mux->conn_size = conn_size;
	for (size_t i = 0; i < MVM_COUNT(mux->buckets); i++)
		mvm_list_init(&mux->buckets[i]);
	mvm_list_init(&mux->ready);
	mvm_list_init(&mux->requesting);
	mvm_list_init(&mux->closing);
}

static unsigned listener_index(const struct mux *mux, uint32_t port)
{
	unsigned i = 0;

	while (i < mux->listener_count && mux->listeners[i] != port)
		i++;
	return i;
}

int mux_listen(struct mux *mux, uint32_t port)
{
	unsigned index = listener_index(mux, port);

	if (index < mux->listener_count)
		return 0;
	if (index == MUX_MAX_LISTENERS)
		return -1;
	mux->listeners[mux->listener_count++] = port;
	return 0;
}

void mux_unlisten(struct mux *mux, uint32_t port)
{
	unsigned index = listener_index(mux, port);

	if (index < mux->listener_count)
		mux->listeners[index] = mux->listeners[--mux->listener_count];
}

static struct mvm_list *bucket_of(struct mux *mux, uint32_t guest_port, uint32_t host_port)
{
	uint32_t hash = (guest_port * 0x9e3779b1u) ^ (host_port * 0x85ebca6bu);

	return &mux->buckets[(hash ^ hash >> 16) % MUX_BUCKETS];
}

static struct conn *find(struct mux *mux, uint32_t guest_port, uint32_t host_port)
{
	struct mvm_list *bucket = bucket_of(mux, guest_port, host_port);

	for (struct mvm_list *node = bucket->next; node != bucket; node = node->next) {
		struct conn *conn = mvm_list_entry(node, struct conn, bucket);

		if (conn->guest_port == guest_port && conn->host_port == host_port)
			return conn;
	}
	return NULL;
}

static struct conn *add(struct mux *mux, uint32_t guest_port, uint32_t host_port, enum conn_state state)
{
	struct conn *conn = mvm_alloc(mux->conn_size);

	conn->guest_port = guest_port;
	conn->host_port = host_port;
	conn->state = state;
	conn->buf_alloc = MUX_WINDOW_SMALL;
	mux->promised += conn->buf_alloc;
	mux->count++;
	mvm_list_append(bucket_of(mux, guest_port, host_port), &conn->bucket);
	mvm_list_init(&conn->ready);
	mvm_list_init(&conn->timer);
	return conn;
}

static void take_out(struct mux *mux, struct conn *conn)
{
	mvm_list_remove(&conn->bucket);
	mvm_list_remove(&conn->ready);
	mvm_list_remove(&conn->timer);
	conn->state = CONN_GONE;
	mux->promised -= conn->buf_alloc;
	mux->count--;
}

static bool sends_data(const struct conn *conn)
{
	return conn->state == CONN_OPEN && conn->readable && !(conn->host_shut & SHUT_NO_SEND) && mux_credit(conn);
}

/* Into the ready list where it belongs there. */
static void schedule(struct mux *mux, struct conn *conn)
{
	if (conn->state == CONN_OPEN && conn->readable && !conn->asked && !mux_credit(conn)) {
		conn->asked = true;
		conn->pending |= 1u << OP_CREDIT_REQUEST;
	}
	if (mvm_list_empty(&conn->ready) && (conn->pending || sends_data(conn)))
		mvm_list_append(&mux->ready, &conn->ready);
}

static void send_later(struct mux *mux, struct conn *conn, enum packet_op op)
{
	conn->pending |= 1u << op;
	schedule(mux, conn);
}

static void reset_later(struct mux *mux, uint32_t guest_port, uint32_t host_port, uint16_t type)
{
	struct mux_reset *reset = &mux->resets[(mux->first_reset + mux->reset_count) % MUX_MAX_RESETS];

	if (mux->reset_count == MUX_MAX_RESETS)
		return;
	*reset = (struct mux_reset){guest_port, host_port, type};
	mux->reset_count++;
}

bool mux_is_full(const struct mux *mux)
{
	/* Each packet taken adds one at most; the rest is for what the host resets. */
	return mux->reset_count >= MUX_MAX_RESETS / 2;
}

static struct mux_event end(struct mux *mux, struct conn *conn, enum mux_event_type type, int errnum)
{
	take_out(mux, conn);
	return (struct mux_event){type, conn, errnum};
}

/* Ends it and says so to the guest. */
static struct mux_event reset(struct mux *mux, struct conn *conn, enum mux_event_type type, int errnum)
{
	reset_later(mux, conn->guest_port, conn->host_port, PACKET_TYPE_STREAM);
	return end(mux, conn, type, errnum);
}

static struct mux_event receive_unknown(struct mux *mux, const struct packet *packet)
{
	struct conn *conn;

	if (packet->op == OP_RST)
		return no_event;
	if (packet->op != OP_REQUEST || mux->count >= MUX_MAX_CONNECTIONS ||
	    listener_index(mux, packet->dst_port) == mux->listener_count) {
		reset_later(mux, packet->src_port, packet->dst_port, packet->type);
		return no_event;
	}
	conn = add(mux, packet->src_port, packet->dst_port, CONN_INCOMING);
	conn->peer_buf_alloc = packet->buf_alloc;
	conn->peer_fwd_cnt = packet->fwd_cnt;
	return (struct mux_event){.type = EVENT_REQUEST, .conn = conn};
}

static struct mux_event receive_requesting(struct mux *mux, struct conn *conn, const struct packet *packet)
{
	if (packet->op == OP_RST)
		return end(mux, conn, EVENT_REFUSED, ECONNREFUSED);
	if (packet->op != OP_RESPONSE)
		return reset(mux, conn, EVENT_REFUSED, EPROTO);
	mvm_list_remove(&conn->timer);
	conn->state = CONN_OPEN;
	return (struct mux_event){.type = EVENT_OPENED, .conn = conn};
}

static struct mux_event receive_data(struct mux *mux, struct conn *conn, uint64_t payload)
{
	uint32_t under_way = conn->received - conn->forwarded;

	if (conn->guest_shut & SHUT_NO_SEND || payload > conn->buf_alloc - under_way)
		return reset(mux, conn, EVENT_CLOSED, EPROTO);
	conn->received += (uint32_t)payload;
	return (struct mux_event){.type = EVENT_DATA, .conn = conn};
}

static struct mux_event receive_shutdown(struct mux *mux, struct conn *conn, uint32_t flags)
{
	conn->guest_shut |= flags & SHUT_BOTH;
	if (conn->guest_shut == SHUT_BOTH)
		return reset(mux, conn, EVENT_CLOSED, 0);
	conn->finished = conn->guest_shut == SHUT_NO_SEND;
	return (struct mux_event){.type = EVENT_SHUTDOWN, .conn = conn};
}

static struct mux_event receive_open(struct mux *mux, struct conn *conn, const struct packet *packet, uint64_t payload)
{
	switch (packet->op) {
	case OP_RW:
		return receive_data(mux, conn, payload);
	case OP_SHUTDOWN:
		return receive_shutdown(mux, conn, packet->flags);
	case OP_RST:
		return end(mux, conn, EVENT_CLOSED, 0);
	case OP_CREDIT_REQUEST:
		send_later(mux, conn, OP_CREDIT_UPDATE);
		return no_event;
	case OP_CREDIT_UPDATE:
		return no_event;
	default:
		return reset(mux, conn, EVENT_CLOSED, EPROTO);
	}
}

static struct mux_event receive_closing(struct mux *mux, struct conn *conn, const struct packet *packet)
{
	if (packet->op == OP_RST)
		return end(mux, conn, EVENT_CLOSED, 0);
	if (packet->op == OP_SHUTDOWN)
		conn->guest_shut |= packet->flags & SHUT_BOTH;
	if (conn->guest_shut == SHUT_BOTH || packet->op == OP_REQUEST)
		return reset(mux, conn, EVENT_CLOSED, 0);
	return no_event; /* data that crossed our shutdown */
}

static void note_credit(struct mux *mux, struct conn *conn, const struct packet *packet)
{
	if (conn->peer_fwd_cnt != packet->fwd_cnt || conn->peer_buf_alloc != packet->buf_alloc)
		conn->asked = false;
	conn->peer_buf_alloc = packet->buf_alloc;
	conn->peer_fwd_cnt = packet->fwd_cnt;
	schedule(mux, conn);
}

struct mux_event mux_receive(struct mux *mux, const struct packet *packet, uint64_t payload)
{
	struct conn *conn;

	if (packet->src_cid != mux->guest_cid || packet->dst_cid != CID_HOST)
		return no_event;
	if (packet->type != PACKET_TYPE_STREAM) {
		if (packet->op != OP_RST)
			reset_later(mux, packet->src_port, packet->dst_port, packet->type);
		return no_event;
	}
	conn = find(mux, packet->src_port, packet->dst_port);
	if (!conn)
		return receive_unknown(mux, packet);
	note_credit(mux, conn, packet);
	switch (conn->state) {
	case CONN_REQUESTING:
		return receive_requesting(mux, conn, packet);
	case CONN_OPEN:
		return receive_open(mux, conn, packet, payload);
	case CONN_CLOSING:
		return receive_closing(mux, conn, packet);
	default: /* INCOMING: the guest has nothing to say but that it gives up */
		return packet->op == OP_RST ? end(mux, conn, EVENT_CLOSED, 0) : reset(mux, conn, EVENT_CLOSED, EPROTO);
	}
}

struct conn *mux_connect(struct mux *mux, uint32_t guest_port, uint64_t now)
{
	struct conn *conn;
	uint32_t port;

	if (mux->count >= MUX_MAX_CONNECTIONS)
		return NULL;
	do
		port = EPHEMERAL_PORT | (++mux->turn & TURN_MASK);
	while (find(mux, guest_port, port));
	conn = add(mux, guest_port, port, CONN_REQUESTING);
	conn->deadline = now + REQUEST_TIMEOUT;
	mvm_list_append(&mux->requesting, &conn->timer);
	send_later(mux, conn, OP_REQUEST);
	return conn;
}

void mux_accept(struct mux *mux, struct conn *conn)
{
	conn->state = CONN_OPEN;
	send_later(mux, conn, OP_RESPONSE);
}

void mux_abort(struct mux *mux, struct conn *conn)
{
	reset(mux, conn, EVENT_CLOSED, 0);
}

void mux_readable(struct mux *mux, struct conn *conn, bool readable)
{
	conn->readable = readable;
	if (readable)
		schedule(mux, conn);
}

void mux_shutdown(struct mux *mux, struct conn *conn, unsigned flags, uint64_t now)
{
	if (conn->state != CONN_OPEN || !(flags & ~conn->host_shut))
		return;
	conn->host_shut |= flags;
	if (conn->host_shut == SHUT_BOTH) {
		conn->state = CONN_CLOSING;
		conn->deadline = now + CLOSE_TIMEOUT;
		mvm_list_append(&mux->closing, &conn->timer);
	}
	send_later(mux, conn, OP_SHUTDOWN);
}

/* A connection that moves much gets a larger window. */
static bool grow_window(struct mux *mux, struct conn *conn)
{
	uint32_t more = MUX_WINDOW_LARGE - MUX_WINDOW_SMALL;

	if (conn->buf_alloc != MUX_WINDOW_SMALL || conn->forwarded < MUX_WINDOW_SMALL / 2 ||
	    mux->promised + more > MUX_WINDOW_BUDGET)
		return false;
	conn->buf_alloc += more;
	mux->promised += more;
	return true;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static bool has_news(const struct conn *conn)
{
	uint32_t freed = conn->forwarded - conn->told;

	return freed && freed >= least(conn->buf_alloc, conn->peer_buf_alloc) / 4;
}

void mux_forwarded(struct mux *mux, struct conn *conn, uint32_t count)
{
	conn->forwarded += count;
	if (conn->state != CONN_OPEN || conn->guest_shut & SHUT_NO_SEND)
		return;
	if (grow_window(mux, conn) || has_news(conn))
		send_later(mux, conn, OP_CREDIT_UPDATE);
}

uint32_t mux_credit(const struct conn *conn)
{
	uint32_t under_way = conn->sent - conn->peer_fwd_cnt;

	return under_way < conn->peer_buf_alloc ? conn->peer_buf_alloc - under_way : 0;
}

static void fill(const struct mux *mux, struct conn *conn, enum packet_op op, struct packet *packet)
{
	*packet = (struct packet){
		.src_cid = CID_HOST,
		.dst_cid = mux->guest_cid,
		.src_port = conn->host_port,
		.dst_port = conn->guest_port,
		.type = PACKET_TYPE_STREAM,
		.op = (uint16_t)op,
		.buf_alloc = conn->buf_alloc,
		.fwd_cnt = conn->forwarded,
	};
	conn->told = conn->forwarded;
	conn->pending &= ~(1u << OP_CREDIT_UPDATE);
}

static void next_reset(struct mux *mux, struct packet *packet)
{
	const struct mux_reset *oldest = &mux->resets[mux->first_reset];

	*packet = (struct packet){
		.src_cid = CID_HOST,
		.dst_cid = mux->guest_cid,
		.src_port = oldest->host_port,
		.dst_port = oldest->guest_port,
		.type = oldest->type,
		.op = OP_RST,
	};
	mux->first_reset = (mux->first_reset + 1) % MUX_MAX_RESETS;
	mux->reset_count--;
}

/* A response opens the way for data, a shutdown ends it; credit goes with anything. */
static enum packet_op next_op(const struct conn *conn)
{
	static const enum packet_op order[] = {OP_REQUEST, OP_RESPONSE, OP_SHUTDOWN, OP_CREDIT_REQUEST,
					       OP_CREDIT_UPDATE};
	size_t i = 0;

	while (!(conn->pending & 1u << order[i]))
		i++;
	return order[i];
}

static void next_control(struct mux *mux, struct conn *conn, struct packet *packet)
{
	enum packet_op op = next_op(conn);

	fill(mux, conn, op, packet);
	conn->pending &= ~(1u << op);
	if (op == OP_SHUTDOWN)
		packet->flags = conn->host_shut;
	schedule(mux, conn);
}

bool mux_wants_buffers(const struct mux *mux)
{
	return mux->reset_count || !mvm_list_empty(&mux->ready);
}

enum mux_next mux_next(struct mux *mux, struct packet *packet, struct conn **conn)
{
	if (mux->reset_count) {
		next_reset(mux, packet);
		return NEXT_CONTROL;
	}
	while (!mvm_list_empty(&mux->ready)) {
		struct conn *first = mvm_list_entry(mux->ready.next, struct conn, ready);

		mvm_list_remove(&first->ready);
		if (first->pending) {
			next_control(mux, first, packet);
			return NEXT_CONTROL;
		}
		if (sends_data(first)) {
			*conn = first;
			return NEXT_DATA;
		}
	}
	return NEXT_NONE;
}

void mux_data_packet(struct mux *mux, struct conn *conn, uint32_t length, struct packet *packet)
{
	fill(mux, conn, OP_RW, packet);
	packet->len = length;
	conn->sent += length;
}

void mux_sent(struct mux *mux, struct conn *conn)
{
	schedule(mux, conn);
}

static const struct conn *first_timer(const struct mvm_list *timers)
{
	return mvm_list_empty(timers) ? NULL : mvm_list_entry(timers->next, struct conn, timer);
}

uint64_t mux_deadline(const struct mux *mux)
{
	const struct conn *requesting = first_timer(&mux->requesting), *closing = first_timer(&mux->closing);
	uint64_t deadline = requesting ? requesting->deadline : UINT64_MAX;

	return closing && closing->deadline < deadline ? closing->deadline : deadline;
}

struct mux_event mux_expire(struct mux *mux, uint64_t now)
{
	struct mvm_list *const timers[] = {&mux->requesting, &mux->closing};

	for (size_t i = 0; i < MVM_COUNT(timers); i++) {
		struct conn *conn = (struct conn *)first_timer(timers[i]);

		if (conn && conn->deadline <= now)
			return reset(mux, conn, conn->state == CONN_REQUESTING ? EVENT_REFUSED : EVENT_CLOSED,
				     ETIMEDOUT);
	}
	return no_event;
}

/* A request that still waits for a receive buffer belongs to the next driver. */
static bool is_unsent(const struct conn *conn)
{
	return conn->state == CONN_REQUESTING && conn->pending & 1u << OP_REQUEST;
}

struct conn *mux_drain(struct mux *mux, bool unsent)
{
	mux->reset_count = 0;
	for (size_t i = 0; i < MVM_COUNT(mux->buckets); i++) {
		struct mvm_list *bucket = &mux->buckets[i];

		for (struct mvm_list *node = bucket->next; node != bucket; node = node->next) {
			struct conn *conn = mvm_list_entry(node, struct conn, bucket);

			if (unsent || !is_unsent(conn)) {
				take_out(mux, conn);
				return conn;
			}
		}
	}
	return NULL;
}
