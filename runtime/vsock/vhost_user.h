/*
 * The vhost-user protocol's back-end side (QEMU docs/interop/vhost-user): features, the memory table, the rings'
 * addresses and descriptors, and the configuration space with the guest's CID.
 *
 * Runs in the device process. The peer is QEMU, which a guest may have taken over: messages
 * are untrusted, a wrong one ends the session.
 */
#ifndef MVM_VSOCK_VHOST_USER_H
#define MVM_VSOCK_VHOST_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "memory.h"
#include "vring.h"

enum {
	RING_RX = 0, /* the guest receives */
	RING_TX = 1, /* the guest transmits */
	RING_COUNT = 2,
};

struct vhost_ring {
	struct vring vring;
	int kick; /* -1 while stopped */
	int call;
	bool enabled;
	bool running;  /* mapped, started and enabled */
	uint16_t base; /* where it stopped, or is to start */
};

struct vhost_user_ops {
	/* After this the ring's kick descriptor is to be watched and the ring looked at. */
	void (*started)(void *arg, unsigned index);
	/* Before the ring goes away; the kick descriptor is closed after it. */
	void (*stopping)(void *arg, unsigned index);
	/* The guest has a new driver that knows of no connection. */
	void (*reset)(void *arg);
};

enum { VHOST_USER_MAX_PAYLOAD = 512, VHOST_USER_MAX_FDS = 8, VHOST_USER_HEADER_SIZE = 12 };

struct vhost_user {
	int fd;
	uint64_t guest_cid;
	const struct vhost_user_ops *ops;
	void *arg;
	uint64_t features;
	uint64_t protocol_features;
	struct memory memory;
	struct vhost_ring rings[RING_COUNT];
	/* The message that is being received. */
	uint8_t message[VHOST_USER_HEADER_SIZE + VHOST_USER_MAX_PAYLOAD];
	unsigned filled;
	int fds[VHOST_USER_MAX_FDS];
	unsigned fd_count;
	const char *broken; /* what was wrong with a message, or NULL */
};

/* `fd` is a connected stream, taken over. `ops` and `arg` are borrowed. */
void vhost_user_init(struct vhost_user *vu, int fd, uint64_t guest_cid, const struct vhost_user_ops *ops, void *arg);
void vhost_user_finish(struct vhost_user *vu);

/* Handles what has come, without blocking. 0 is done for now; 1 is that QEMU has
 * closed; -1 is that it spoke nonsense, see vu->broken. */
int vhost_user_read(struct vhost_user *vu);

#endif
