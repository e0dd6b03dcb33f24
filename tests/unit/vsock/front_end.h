/*
 * QEMU's side of vhost-user, and guest memory with two rings in it: enough of a machine to drive the device
 * without one. Numbers and layouts are written down once more, from the specification.
 */
#ifndef MVM_TEST_VSOCK_FRONT_END_H
#define MVM_TEST_VSOCK_FRONT_END_H

#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake_driver.h"
#include "runtime/base/io.h"

enum {
	FRONT_GET_FEATURES = 1,
	FRONT_SET_FEATURES = 2,
	FRONT_SET_OWNER = 3,
	FRONT_SET_MEM_TABLE = 5,
	FRONT_SET_VRING_NUM = 8,
	FRONT_SET_VRING_ADDR = 9,
	FRONT_SET_VRING_BASE = 10,
	FRONT_GET_VRING_BASE = 11,
	FRONT_SET_VRING_KICK = 12,
	FRONT_SET_VRING_CALL = 13,
	FRONT_GET_PROTOCOL_FEATURES = 15,
	FRONT_SET_PROTOCOL_FEATURES = 16,
	FRONT_SET_VRING_ENABLE = 18,
	FRONT_GET_CONFIG = 24,
};

struct front_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
};

struct front_state {
	uint32_t index;
	uint32_t value;
};

struct front_address {
	uint32_t index;
	uint32_t flags;
	uint64_t descriptors;
	uint64_t used;
	uint64_t available;
	uint64_t log;
};

struct front_region {
	uint64_t guest;
	uint64_t size;
	uint64_t user;
	uint64_t offset;
};

struct front_table {
	uint32_t count;
	uint32_t padding;
	struct front_region regions[8];
};

struct front_config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t data[256];
};

static inline void front_send(int fd, uint32_t request, const void *payload, uint32_t size, const int *fds,
			      size_t count)
{
	struct {
		struct front_header header;
		uint8_t payload[512];
	} message = {.header = {request, 1, size}};

	if (size)
		memcpy(message.payload, payload, size);
	mvm_send_fds(fd, &message, sizeof(message.header) + size, fds, count);
}

static inline void front_send_word(int fd, uint32_t request, uint64_t word)
{
	front_send(fd, request, &word, sizeof(word), NULL, 0);
}

/* Blocks; -1 where the answer is longer than `size`, or there is none. */
static inline int front_receive(int fd, struct front_header *header, void *payload, uint32_t size)
{
	if (mvm_read_full(fd, header, sizeof(*header)) != (ssize_t)sizeof(*header) || header->size > size)
		return -1;
	return mvm_read_full(fd, payload, header->size) == (ssize_t)header->size ? 0 : -1;
}

/* --- guest memory and its rings --- */

#define FRONT_USER 0x7e0000000000u
#define FRONT_SIZE 0x100000

enum {
	FRONT_RING_SIZE = 16,
	FRONT_TABLE = 0,
	FRONT_AVAILABLE = 0x400,
	FRONT_USED = 0x800,
	FRONT_DATA = 0x10000,
};

/* Where a ring's parts begin. */
#define FRONT_RING(index) (0x1000u * ((index) + 1))

struct front_guest {
	int qemu; /* the vhost-user stream; borrowed */
	int fd;	  /* of the memory */
	uint8_t *memory;
	int kick[2];
	int call[2];
	struct fake_ring rings[2];
};

static inline void front_guest_init(struct front_guest *guest, int qemu)
{
	guest->qemu = qemu;
	guest->fd = memfd_create("guest", MFD_CLOEXEC);
	if (ftruncate(guest->fd, FRONT_SIZE) < 0)
		_exit(1);
	guest->memory = mmap(NULL, FRONT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, guest->fd, 0);
	for (unsigned i = 0; i < 2; i++) {
		guest->kick[i] = eventfd(0, EFD_CLOEXEC);
		guest->call[i] = eventfd(0, EFD_CLOEXEC);
		guest->rings[i] = (struct fake_ring){guest->memory,
						     FRONT_RING_SIZE,
						     FRONT_RING(i) + FRONT_TABLE,
						     FRONT_RING(i) + FRONT_AVAILABLE,
						     FRONT_RING(i) + FRONT_USED,
						     0};
	}
}

static inline void front_guest_send_memory(struct front_guest *guest)
{
	struct front_table table = {.count = 1, .regions = {{0, FRONT_SIZE, FRONT_USER, 0}}};

	front_send(guest->qemu, FRONT_SET_MEM_TABLE, &table, 40, &guest->fd, 1);
}

static inline void front_guest_start_ring(struct front_guest *guest, unsigned index, uint32_t base)
{
	const struct fake_ring *ring = &guest->rings[index];
	struct front_address address = {.index = index,
					.descriptors = FRONT_USER + ring->descriptors,
					.used = FRONT_USER + ring->used,
					.available = FRONT_USER + ring->available};
	struct front_state size = {index, FRONT_RING_SIZE}, start = {index, base}, enable = {index, 1};
	uint64_t word = index;

	front_send(guest->qemu, FRONT_SET_VRING_NUM, &size, sizeof(size), NULL, 0);
	front_send(guest->qemu, FRONT_SET_VRING_BASE, &start, sizeof(start), NULL, 0);
	front_send(guest->qemu, FRONT_SET_VRING_ADDR, &address, sizeof(address), NULL, 0);
	front_send(guest->qemu, FRONT_SET_VRING_CALL, &word, sizeof(word), &guest->call[index], 1);
	front_send(guest->qemu, FRONT_SET_VRING_KICK, &word, sizeof(word), &guest->kick[index], 1);
	front_send(guest->qemu, FRONT_SET_VRING_ENABLE, &enable, sizeof(enable), NULL, 0);
}

/* What QEMU says from its start to a driver that is ready. */
static inline void front_guest_start(struct front_guest *guest, uint32_t base)
{
	front_send(guest->qemu, FRONT_SET_OWNER, NULL, 0, NULL, 0);
	front_send_word(guest->qemu, FRONT_SET_FEATURES, 1ull << 32 | 1ull << 30 | 1ull << 29 | 1ull << 28);
	front_guest_send_memory(guest);
	for (unsigned i = 0; i < 2; i++)
		front_guest_start_ring(guest, i, base);
}

static inline void front_guest_finish(struct front_guest *guest)
{
	munmap(guest->memory, FRONT_SIZE);
	close(guest->fd);
	for (unsigned i = 0; i < 2; i++) {
		close(guest->kick[i]);
		close(guest->call[i]);
	}
}

#endif
