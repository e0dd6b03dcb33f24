/*
 * The device process's parts that do I/O: rings, host ends of connections, control channel.
 * Shared by device.c, transmit.c, receive.c, stream.c and control.c only.
 */
#ifndef MVM_VSOCK_DEVICE_H
#define MVM_VSOCK_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "control.h"
#include "mux.h"
#include "runtime/base/mem.h"
#include "vhost_user.h"

/* Of all connections, for those that are published or served. */
enum { DEVICE_MAX_PUBLISHED = MUX_MAX_CONNECTIONS - 256 };

/* What an epoll event refers to. */
enum source_kind { SOURCE_CONTROL, SOURCE_VHOST_USER, SOURCE_RX_KICK, SOURCE_TX_KICK, SOURCE_STREAM, SOURCE_PUBLISHED };

struct source {
	enum source_kind kind;
};

/* A connection and its host end: our side of a socket pair, or, where it is published or served, the socket of whoever
 * connected or was connected to. */
struct stream {
	struct conn conn; /* first: the mux allocates it */
	struct source source;
	struct mvm_list node; /* in device->announcing, device->asked or device->dead */
	int fd;		      /* -1 before it is open and after it is closed */
	int handout;	      /* the other side, until the supervisor has it */
	uint32_t id;	      /* of the CONNECT that asked for it, or the ASKED that it waits for an answer to */
	int errnum;	      /* why it was refused */
	bool asked_by_host;
	bool published; /* the supervisor knows nothing of it, or no more */
	bool served;	/* the guest asked, and the supervisor says what for */
	bool resets;	/* its host end is TCP */
	bool gone;	/* the mux has let go of it */
	bool writable;
	unsigned burst;		 /* receive buffers beyond the first that its next turn may take */
	bool ended;		 /* the host wrote its last byte; it may still have to be read */
	bool told_end;		 /* the host has been told of the guest's last byte */
	bool hung_up;		 /* the host closed its side, or both directions are shut */
	struct mvm_buf overflow; /* the guest's bytes that the socket had no room for */
};

struct device {
	int epoll;
	int control; /* -1 once the supervisor has gone */
	struct source sources[SOURCE_STREAM];
	struct mux mux;
	struct vhost_user vu;
	bool again;		    /* there is work without an event */
	unsigned untold;	    /* transmit buffers that are used, which the guest wants to be told of */
	uint64_t tell_at;	    /* when it is told at the latest; UINT64_MAX: nothing is owed */
	struct mvm_list announcing; /* streams that the supervisor is still to be told of */
	struct mvm_list asked;	    /* those that it has been asked about */
	uint32_t last_asked;
	uint32_t served_first, served_count; /* ports */
	struct mvm_list dead;		     /* streams to be freed when no event can refer to them */
	struct mvm_list published;	     /* struct published */
	bool published_full;		     /* none of them is watched: there are too many connections */
	uint64_t now;
	char reason[CONTROL_REASON_SIZE]; /* what broke the device, or empty */
};

/* `control` and `vhost_user` are taken over. */
int device_init(struct device *device, uint64_t guest_cid, int control, int vhost_user);
/* Until the supervisor closes the control channel (0) or the device breaks (1). */
int device_run(struct device *device);

/* Notes why the device cannot go on. */
void device_break(struct device *device, const char *part, const char *reason);

struct vhost_ring *device_ring(struct device *device, unsigned index);
/* Shows used buffers to the guest and interrupts it where it wants that. */
void device_publish(struct vhost_ring *ring);
/* Interrupts the guest. */
void device_interrupt(const struct vhost_ring *ring);
/* Cuts a list of pieces down to `length` bytes. */
void pieces_trim(struct iovec *pieces, unsigned *count, size_t length);

/* --- transmit.c, receive.c --- */

/* Takes up to `budget` transmit buffers; true where more may be there. */
bool device_transmit(struct device *device, unsigned budget);
/* Interrupts for used transmit buffers where it is time. */
void device_tell_used(struct device *device, bool now);
/* Fills about `budget` receive buffers; true where more may be done. */
bool device_receive(struct device *device, int budget);
void device_handle_event(struct device *device, const struct mux_event *event);
/* Fails a connection that the host asked for and the mux has let go of. */
void device_refuse(struct device *device, struct stream *stream, int errnum);

/* --- stream.c --- */

/* Makes the socket pair of a connection; -1 where there are no descriptors. */
int stream_open(struct device *device, struct stream *stream);
/* `length` bytes from the guest; those the socket does not take are copied. */
void stream_write(struct device *device, struct stream *stream, struct iovec *pieces, unsigned count, size_t length);
/* Reads into the guest's buffers: readv()'s result; at its end and on errors the mux has been told. */
ssize_t stream_read(struct device *device, struct stream *stream, const struct iovec *pieces, unsigned count,
		    size_t length);
void stream_shutdown(struct device *device, struct stream *stream);
/* The mux has let go of it: it lives on until its overflow has been read. */
void stream_release(struct device *device, struct stream *stream);
void stream_ready(struct device *device, struct stream *stream, uint32_t events);
/* True where there were any. */
bool stream_free_dead(struct device *device);

/* --- published.c --- */

struct published;
/* Takes `fd`, which listens and does not block. */
void published_add(struct device *device, int fd, uint32_t port, bool tcp);
/* Somebody wants to connect. */
void published_ready(struct device *device, struct source *source);
/* Some connections are no more. */
void published_resume(struct device *device);

/* --- control.c --- */

/* Tells the supervisor of a stream that is open or refused, now or as soon as it reads. */
void control_announce(struct device *device, struct stream *stream);
void control_ready(struct device *device, uint32_t events);
void control_send_reason(struct device *device);

#endif
