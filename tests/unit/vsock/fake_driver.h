/* The driver's side of a split virtqueue over plain memory, honest or not. */
#ifndef MVM_TEST_VSOCK_FAKE_DRIVER_H
#define MVM_TEST_VSOCK_FAKE_DRIVER_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

struct fake_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};

struct fake_ring {
	uint8_t *memory; /* guest address 0 */
	uint16_t size;
	/* Guest addresses of the three parts. */
	uint64_t descriptors;
	uint64_t available;
	uint64_t used;
	uint16_t index; /* of the available ring */
};

static inline void fake_put16(struct fake_ring *ring, uint64_t at, uint16_t value)
{
	value = htole16(value);
	memcpy(ring->memory + at, &value, sizeof(value));
}

static inline uint16_t fake_get16(struct fake_ring *ring, uint64_t at)
{
	uint16_t value;

	memcpy(&value, ring->memory + at, sizeof(value));
	return le16toh(value);
}

static inline uint32_t fake_get32(struct fake_ring *ring, uint64_t at)
{
	uint32_t value;

	memcpy(&value, ring->memory + at, sizeof(value));
	return le32toh(value);
}

/* Into any table: the ring's own or an indirect one. */
static inline void fake_describe(struct fake_ring *ring, uint64_t table, unsigned number,
				 struct fake_descriptor descriptor)
{
	descriptor.address = htole64(descriptor.address);
	descriptor.length = htole32(descriptor.length);
	descriptor.flags = htole16(descriptor.flags);
	descriptor.next = htole16(descriptor.next);
	memcpy(ring->memory + table + number * sizeof(descriptor), &descriptor, sizeof(descriptor));
}

static inline void fake_offer(struct fake_ring *ring, uint16_t head)
{
	fake_put16(ring, ring->available + 4 + 2u * (ring->index % ring->size), head);
	fake_put16(ring, ring->available + 2, ++ring->index);
}

/* §2.7.10: the used index that is to be told by an interrupt, and the available index to be told by a kick. */
static inline void fake_set_used_event(struct fake_ring *ring, uint16_t index)
{
	fake_put16(ring, ring->available + 4 + 2u * ring->size, index);
}

static inline uint16_t fake_available_event(struct fake_ring *ring)
{
	return fake_get16(ring, ring->used + 4 + 8u * ring->size);
}

static inline uint16_t fake_used_index(struct fake_ring *ring)
{
	return fake_get16(ring, ring->used + 2);
}

#endif
