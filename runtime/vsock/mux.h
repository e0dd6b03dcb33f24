/*
 * The connections of one virtio socket device: a state machine for each, credit in both directions, and
 * the order in which they get the guest's receive buffers (virtio 1.2 §5.10.6).
 *
 * Runs in the device process; does no I/O. A packet from the guest goes in and gives one
 * event; what the host side did goes in by mux_accept() and its neighbours; packets for
 * the guest come out of mux_next().
 *
 * The mux owns every connection that it has told of, until it gives EVENT_CLOSED or EVENT_REFUSED for it or
 * mux_abort() is called; from then on the connection belongs to the caller, who frees it
 * with free(). Everything in a packet is untrusted. Times are nanoseconds of the monotonic clock.
 */
#ifndef MVM_VSOCK_MUX_H
#define MVM_VSOCK_MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/list.h"
#include "packet.h"

enum {
	MUX_MAX_CONNECTIONS = 4096,
	MUX_MAX_LISTENERS = 128,
	/* What a guest may send ahead of the host's reader: at first, and once a connection has moved that much. */
	MUX_WINDOW_SMALL = 64 << 10,
	MUX_WINDOW_LARGE = 256 << 10,
	/* Sum of all windows, past which none grows. */
	MUX_WINDOW_BUDGET = 320 << 20,
};

enum conn_state {
	CONN_INCOMING,	 /* the guest asked, the host has not answered */
	CONN_REQUESTING, /* we asked, the guest has not answered */
	CONN_OPEN,
	CONN_CLOSING, /* we said we neither send nor receive; the guest owes a reset */
	CONN_GONE,    /* the guest knows nothing of it any more */
};

/* Embedded first in what the caller keeps for a connection. */
struct conn {
	struct mvm_list bucket; /* with others of the same hash */
	struct mvm_list ready;	/* in mux->ready while it has something to send */
	struct mvm_list timer;	/* in one of the mux's timer lists */
	uint64_t deadline;
	uint32_t guest_port;
	uint32_t host_port;
	enum conn_state state;
	unsigned pending; /* bits of packets to be sent: 1u << op */
	/* Towards the guest: what it can take. All counters wrap. */
	uint32_t peer_buf_alloc;
	uint32_t peer_fwd_cnt;
	uint32_t sent;
	bool asked;    /* a credit request is under way */
	bool readable; /* the host has bytes */
	/* From the guest: what it may send. */
	uint32_t buf_alloc;
	uint32_t received;
	uint32_t forwarded;
	uint32_t told;	     /* `forwarded` in the last header it got */
	unsigned guest_shut; /* SHUT_ flags that the guest sent */
	unsigned host_shut;  /* and those that we sent or are about to */
	bool finished;	     /* the guest ended what it sends before it closed: nothing was broken off */
};

struct mux_reset {
	uint32_t guest_port;
	uint32_t host_port;
	uint16_t type;
};

enum { MUX_BUCKETS = 512, MUX_MAX_RESETS = 256 };

struct mux {
	uint64_t guest_cid;
	size_t conn_size;
	struct mvm_list buckets[MUX_BUCKETS];
	struct mvm_list ready;
	struct mvm_list requesting;
	struct mvm_list closing;
	unsigned count;
	uint64_t promised; /* sum of buf_alloc */
	uint32_t turn;	   /* of host ports */
	uint32_t listeners[MUX_MAX_LISTENERS];
	unsigned listener_count;
	/* Resets for connections that do not exist, oldest first. */
	struct mux_reset resets[MUX_MAX_RESETS];
	unsigned first_reset;
	unsigned reset_count;
};

/* A connection is `conn_size` bytes, zeroed, with a struct conn first. */
void mux_init(struct mux *mux, uint64_t guest_cid, size_t conn_size);

/* -1 where there are too many. Twice is once. */
int mux_listen(struct mux *mux, uint32_t port);
void mux_unlisten(struct mux *mux, uint32_t port);

enum mux_event_type {
	EVENT_NONE,
	EVENT_REQUEST,	/* answer with mux_accept() or mux_abort() */
	EVENT_OPENED,	/* the guest accepted our request */
	EVENT_REFUSED,	/* it did not: `errnum` */
	EVENT_DATA,	/* the packet's payload is for the host; count it with mux_forwarded() when it is there */
	EVENT_SHUTDOWN, /* conn->guest_shut has grown */
	EVENT_CLOSED,	/* over; bytes not yet forwarded are still the host's */
};

struct mux_event {
	enum mux_event_type type;
	struct conn *conn;
	int errnum;
};

/* Takes a packet with `payload` bytes behind its header. Must not be called while mux_is_full(). */
struct mux_event mux_receive(struct mux *mux, const struct packet *packet, uint64_t payload);
/* True while too many answers wait for receive buffers: transmit buffers must wait as well (§5.10.6.1.2). */
bool mux_is_full(const struct mux *mux);

/* Asks the guest for a connection. NULL where there are too many. */
struct conn *mux_connect(struct mux *mux, uint32_t guest_port, uint64_t now);
void mux_accept(struct mux *mux, struct conn *conn);
/* Resets it; the connection is the caller's to free. */
void mux_abort(struct mux *mux, struct conn *conn);
void mux_readable(struct mux *mux, struct conn *conn, bool readable);
/* The host will not send (SHUT_NO_SEND: only after its last byte went to the guest), or not
 * receive any more. */
void mux_shutdown(struct mux *mux, struct conn *conn, unsigned flags, uint64_t now);
/* `count` bytes of the guest's reached the host. */
void mux_forwarded(struct mux *mux, struct conn *conn, uint32_t count);

/* What goes into the guest's next receive buffer. */
enum mux_next {
	NEXT_NONE,
	NEXT_CONTROL, /* *packet, complete */
	NEXT_DATA,    /* up to mux_credit() bytes of *conn: mux_sent() must follow */
};
enum mux_next mux_next(struct mux *mux, struct packet *packet, struct conn **conn);
bool mux_wants_buffers(const struct mux *mux);
uint32_t mux_credit(const struct conn *conn);
/* The header of a data packet of `length` bytes, which are counted as sent. */
void mux_data_packet(struct mux *mux, struct conn *conn, uint32_t length, struct packet *packet);
/* Ends a turn that NEXT_DATA began. */
void mux_sent(struct mux *mux, struct conn *conn);

/* The next time at which mux_expire() has something, or UINT64_MAX. */
uint64_t mux_deadline(const struct mux *mux);
struct mux_event mux_expire(struct mux *mux, uint64_t now);

/* The guest has a new driver, or none: takes any connection out, without a word to the guest. NULL when none is
 * left. Those that the guest has not been asked for yet are spared unless `unsent`. Waiting resets are dropped. */
struct conn *mux_drain(struct mux *mux, bool unsent);

#endif
