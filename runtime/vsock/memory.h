/*
 * The map of guest memory: where an address of the guest, or one of QEMU's own, lies in
 * this process (vhost-user, "Memory regions description").
 *
 * Runs in the device process. Addresses come from the guest and are untrusted: a
 * translation succeeds only where every byte lies inside the mapped regions.
 */
#ifndef MVM_VSOCK_MEMORY_H
#define MVM_VSOCK_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { MEMORY_MAX_REGIONS = 8 };

struct memory_region {
	uint64_t guest;	 /* guest physical address */
	uint64_t user;	 /* the same place in QEMU's address space */
	uint64_t size;	 /* bytes, never 0 */
	uint8_t *mapped; /* the same place here */
	void *base;	 /* what munmap() wants; NULL where it is somebody else's */
	size_t length;
};

struct memory {
	struct memory_region regions[MEMORY_MAX_REGIONS];
	unsigned count;
};

/* Adds a region over memory that is already mapped. -1 where it wraps or the map is full. */
int memory_add(struct memory *memory, const struct memory_region *region);

/* Unmaps everything. */
void memory_finish(struct memory *memory);

/* `length` bytes at a guest address that must lie in one region; NULL where they do not. */
void *memory_at(const struct memory *memory, uint64_t guest, uint64_t length);
/* The same for an address of QEMU's. */
void *memory_at_user(const struct memory *memory, uint64_t user, uint64_t length);

/* Appends the pieces of a guest buffer, which may span adjacent regions, to iov[*count].
 * -1 where a byte is outside of all regions or more than `max` pieces would be needed. */
int memory_pieces(const struct memory *memory, uint64_t guest, uint32_t length, struct iovec *iov, unsigned max,
		  unsigned *count);

#endif
