/*
 * One split virtqueue seen from the device (virtio 1.2 §2.7), over a memory map.
 *
 * Runs in the device process; does no I/O, so that tests and a fuzzer can drive it.
 * Everything in the ring is written by the guest, at any time: an index or descriptor is
 * read once into a copy, checked there, and never looked at again. What is wrong with a
 * ring is told once, in vring->broken, and a broken ring gives no more chains.
 */
#ifndef MVM_VSOCK_VRING_H
#define MVM_VSOCK_VRING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "memory.h"

enum {
	VRING_MAX_SIZE = 1024,
	/* Pieces of one chain; a Linux guest needs at most 1 + 17 + 1. */
	VRING_MAX_PIECES = 64,
};

struct vring_descriptor;
struct vring_available;
struct vring_used;

struct vring_addresses {
	uint64_t descriptors; /* QEMU's addresses */
	uint64_t available;
	uint64_t used;
};

struct vring {
	uint16_t size; /* power of two */
	bool event_index;
	bool indirect;
	struct vring_addresses addresses;
	/* Of the guest's memory; NULL while the ring is not mapped. */
	const volatile struct vring_descriptor *descriptors;
	volatile struct vring_available *available;
	volatile struct vring_used *used;
	uint16_t next;	     /* the next entry of the available ring to take */
	uint16_t seen;	     /* its index as last read: entries before it are there */
	uint16_t used_index; /* entries put into the used ring, published or not */
	uint16_t published;  /* index that the guest sees */
	bool fresh;	     /* nothing published since the start */
	const char *broken;  /* a reason, or NULL */
};

/* A chain of buffers. The device reads the first `readable` pieces and writes the rest. */
struct vring_chain {
	uint16_t head;
	unsigned count;
	unsigned readable;
	uint64_t read_length;
	uint64_t write_length;
	struct iovec pieces[VRING_MAX_PIECES];
};

/* Finds the three parts in `memory`; -1 where one is outside or misaligned. */
int vring_map(struct vring *vring, const struct memory *memory);
void vring_unmap(struct vring *vring);
/* Starts at this available index, as SET_VRING_BASE says. Needs a mapped ring. */
void vring_start(struct vring *vring, uint16_t base);

/* Takes the next chain: 1 and a chain, 0 where there is none, -1 where the ring is broken. */
int vring_pop(struct vring *vring, const struct memory *memory, struct vring_chain *chain);
/* Gives back the last `count` chains taken, untouched. */
void vring_unpop(struct vring *vring, unsigned count);
/* Returns a chain to the guest with `written` bytes; it sees nothing of it before vring_publish(). */
void vring_push(struct vring *vring, uint16_t head, uint32_t written);
/* Shows all returned chains to the guest. True where it wants an interrupt. */
bool vring_publish(struct vring *vring);

/* Asks the guest not to kick, or to kick for the next chain. Asking for kicks returns true where a
 * chain has come meanwhile: it may have been added without a kick. */
void vring_no_kicks(struct vring *vring);
bool vring_want_kicks(struct vring *vring);

#endif
