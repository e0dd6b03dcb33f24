/*
 * Theory of operation
 *
 * A message is a header of three words (request, flags, size) and a payload; descriptors come with its
 * first byte. The bytes are collected until a message is whole, then the table at the end of this file finds its
 * handler, which checks the payload's size and contents. A handler that is to answer leaves the payload of the
 * answer in place of the question.
 *
 * A ring runs from SET_VRING_KICK (with SET_VRING_ENABLE, where protocol features are in use) to GET_VRING_BASE.
 * QEMU also stops the rings when the machine is paused, and starts them again where they were: only
 * a start at another place means that the guest has a new driver.
 */
#include "vhost_user.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

/* Neither of the first two changes throughput measurably; indirect tables double the packets that fit into QEMU's
 * rings of 128, event indices spare kicks. */
#define FEATURE_INDIRECT_DESC	  (1ull << 28)
#define FEATURE_EVENT_IDX	  (1ull << 29)
#define FEATURE_PROTOCOL_FEATURES (1ull << 30)
#define FEATURE_VERSION_1	  (1ull << 32)
#define FEATURES		  (FEATURE_INDIRECT_DESC | FEATURE_EVENT_IDX | FEATURE_PROTOCOL_FEATURES | FEATURE_VERSION_1)

#define PROTOCOL_REPLY_ACK (1ull << 3)
#define PROTOCOL_CONFIG	   (1ull << 9)
#define PROTOCOL_FEATURES  (PROTOCOL_REPLY_ACK | PROTOCOL_CONFIG)

enum {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	SET_VRING_ENABLE = 18,
	GET_CONFIG = 24,
};

enum {
	FLAG_VERSION_MASK = 3,
	FLAG_VERSION = 1,
	FLAG_REPLY = 4,
	FLAG_NEED_REPLY = 8,
	/* Of the word that comes with a ring's descriptor. */
	VRING_INDEX_MASK = 0xff,
	VRING_NO_FD = 0x100,
	/* Of virtio_vsock's configuration space: the guest's CID, and the most that QEMU may ask for. */
	CONFIG_SIZE = 8,
	CONFIG_MAX = 256,
};

struct header {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
};

struct vring_state {
	uint32_t index;
	uint32_t value;
};

struct vring_address {
	uint32_t index;
	uint32_t flags;
	uint64_t descriptors;
	uint64_t used;
	uint64_t available;
	uint64_t log;
};

struct region_payload {
	uint64_t guest;
	uint64_t size;
	uint64_t user;
	uint64_t offset;
};

struct mem_table {
	uint32_t count;
	uint32_t padding;
	struct region_payload regions[MEMORY_MAX_REGIONS];
};

struct config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t data[CONFIG_MAX];
};

/* Native byte order and alignment, as the protocol has it. */
union payload {
	uint64_t value;
	struct vring_state state;
	struct vring_address address;
	struct mem_table table;
	struct config config;
	uint8_t bytes[VHOST_USER_MAX_PAYLOAD];
};

static int broken(struct vhost_user *vu, const char *reason)
{
	vu->broken = reason;
	return -1;
}

void vhost_user_init(struct vhost_user *vu, int fd, uint64_t guest_cid, const struct vhost_user_ops *ops, void *arg)
{
	memset(vu, 0, sizeof(*vu));
	vu->fd = fd;
	vu->guest_cid = guest_cid;
	vu->ops = ops;
	vu->arg = arg;
	for (unsigned i = 0; i < RING_COUNT; i++)
		vu->rings[i].kick = vu->rings[i].call = -1;
}

/* --- rings --- */

static void stop_ring(struct vhost_user *vu, unsigned index)
{
	struct vhost_ring *ring = &vu->rings[index];

	if (ring->running) {
		vu->ops->stopping(vu->arg, index);
		ring->running = false;
		ring->base = ring->vring.next;
	}
}

static int start_ring(struct vhost_user *vu, unsigned index)
{
	struct vhost_ring *ring = &vu->rings[index];

	if (ring->running || ring->kick < 0 || !ring->enabled)
		return 0;
	if (vring_map(&ring->vring, &vu->memory) < 0)
		return broken(vu, "a ring lies outside of guest memory");
	ring->vring.event_index = vu->features & FEATURE_EVENT_IDX;
	ring->vring.indirect = vu->features & FEATURE_INDIRECT_DESC;
	vring_start(&ring->vring, ring->base);
	ring->running = true;
	vu->ops->started(vu->arg, index);
	return 0;
}

static struct vhost_ring *ring_of(struct vhost_user *vu, uint32_t index)
{
	return index < RING_COUNT ? &vu->rings[index] : NULL;
}

static int set_vring_num(struct vhost_user *vu, union payload *payload)
{
	struct vhost_ring *ring = ring_of(vu, payload->state.index);
	uint32_t size = payload->state.value;

	if (!ring || ring->running || !size || size > VRING_MAX_SIZE || size & (size - 1))
		return broken(vu, "SET_VRING_NUM for no such ring, or of a wrong size");
	ring->vring.size = (uint16_t)size;
	return 0;
}

static int set_vring_addr(struct vhost_user *vu, union payload *payload)
{
	struct vhost_ring *ring = ring_of(vu, payload->address.index);

	if (!ring || ring->running)
		return broken(vu, "SET_VRING_ADDR for no such ring, or one that runs");
	ring->vring.addresses = (struct vring_addresses){
		.descriptors = payload->address.descriptors,
		.available = payload->address.available,
		.used = payload->address.used,
	};
	return 0;
}

static int set_vring_base(struct vhost_user *vu, union payload *payload)
{
	struct vhost_ring *ring = ring_of(vu, payload->state.index);

	if (!ring || ring->running || payload->state.value > UINT16_MAX)
		return broken(vu, "SET_VRING_BASE for no such ring, or one that runs");
	if (ring->base != payload->state.value)
		vu->ops->reset(vu->arg);
	ring->base = (uint16_t)payload->state.value;
	return 0;
}

static int get_vring_base(struct vhost_user *vu, union payload *payload)
{
	struct vhost_ring *ring = ring_of(vu, payload->state.index);

	if (!ring)
		return broken(vu, "GET_VRING_BASE for no such ring");
	stop_ring(vu, payload->state.index);
	mvm_close(&ring->kick);
	vring_unmap(&ring->vring);
	payload->state.value = ring->base;
	return 0;
}

/* Takes the one descriptor that came with the message; -1 where none is meant. */
static int take_ring_fd(struct vhost_user *vu, const union payload *payload, int *fd)
{
	if (payload->value & VRING_NO_FD) {
		*fd = -1;
		return 0;
	}
	if (vu->fd_count != 1)
		return broken(vu, "a ring's message without its descriptor");
	*fd = vu->fds[0];
	vu->fd_count = 0;
	return 0;
}

static int set_vring_kick(struct vhost_user *vu, union payload *payload)
{
	uint32_t index = payload->value & VRING_INDEX_MASK;
	struct vhost_ring *ring = ring_of(vu, index);
	int fd;

	if (!ring)
		return broken(vu, "SET_VRING_KICK for no such ring");
	if (take_ring_fd(vu, payload, &fd) < 0)
		return -1;
	if (fd < 0)
		return broken(vu, "a ring without kicks");
	stop_ring(vu, index);
	mvm_close(&ring->kick);
	ring->kick = fd;
	if (!(vu->features & FEATURE_PROTOCOL_FEATURES))
		ring->enabled = true;
	return start_ring(vu, index);
}

static int set_vring_call(struct vhost_user *vu, union payload *payload)
{
	struct vhost_ring *ring = ring_of(vu, payload->value & VRING_INDEX_MASK);
	int fd;

	if (!ring)
		return broken(vu, "SET_VRING_CALL for no such ring");
	if (take_ring_fd(vu, payload, &fd) < 0)
		return -1;
	mvm_close(&ring->call);
	ring->call = fd;
	return 0;
}

static int set_vring_enable(struct vhost_user *vu, union payload *payload)
{
	struct vhost_ring *ring = ring_of(vu, payload->state.index);

	if (!ring)
		return broken(vu, "SET_VRING_ENABLE for no such ring");
	ring->enabled = payload->state.value;
	if (ring->enabled)
		return start_ring(vu, payload->state.index);
	stop_ring(vu, payload->state.index);
	return 0;
}

/* --- memory --- */

static int map_region(const struct region_payload *region, int fd, struct memory *memory)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t start = region->offset & ~(page - 1), slack = region->offset - start;
	struct memory_region added = {.guest = region->guest, .user = region->user, .size = region->size};
	off_t end = lseek(fd, 0, SEEK_END);

	/* Past the end of the file a touch would be a bus error. */
	if (end < 0 || region->offset > (uint64_t)end || region->size > (uint64_t)end - region->offset)
		return -1;
	added.length = region->size + slack;
	added.base = mmap(NULL, added.length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, (off_t)start);
	if (added.base == MAP_FAILED)
		return -1;
	/* The guest's secrets stay out of core dumps, and a dump would take minutes. */
	madvise(added.base, added.length, MADV_DONTDUMP);
	added.mapped = (uint8_t *)added.base + slack;
	if (memory_add(memory, &added) == 0)
		return 0;
	munmap(added.base, added.length);
	return -1;
}

/* Rings that run move to the new map where they stood. */
static int remap_rings(struct vhost_user *vu)
{
	for (unsigned i = 0; i < RING_COUNT; i++)
		if (vu->rings[i].running && vring_map(&vu->rings[i].vring, &vu->memory) < 0)
			return broken(vu, "a running ring lies outside of the new memory table");
	return 0;
}

static int set_mem_table(struct vhost_user *vu, union payload *payload)
{
	struct memory memory = {0};
	uint32_t count = payload->table.count;

	if (count > MEMORY_MAX_REGIONS || count != vu->fd_count)
		return broken(vu, "a memory table with more regions than descriptors");
	for (uint32_t i = 0; i < count; i++)
		if (map_region(&payload->table.regions[i], vu->fds[i], &memory) < 0) {
			memory_finish(&memory);
			return broken(vu, "a memory region that cannot be mapped");
		}
	memory_finish(&vu->memory);
	vu->memory = memory;
	return remap_rings(vu);
}

/* --- the rest --- */

static int get_features(struct vhost_user *vu, union payload *payload)
{
	payload->value = FEATURES;
	return 0;
}

static int set_features(struct vhost_user *vu, union payload *payload)
{
	if (payload->value & ~FEATURES)
		return broken(vu, "features that were not offered");
	vu->features = payload->value;
	return 0;
}

static int get_protocol_features(struct vhost_user *vu, union payload *payload)
{
	payload->value = PROTOCOL_FEATURES;
	return 0;
}

static int set_protocol_features(struct vhost_user *vu, union payload *payload)
{
	if (payload->value & ~PROTOCOL_FEATURES)
		return broken(vu, "protocol features that were not offered");
	vu->protocol_features = payload->value;
	return 0;
}

static int reset_owner(struct vhost_user *vu, union payload *payload)
{
	for (unsigned i = 0; i < RING_COUNT; i++)
		stop_ring(vu, i);
	vu->ops->reset(vu->arg);
	return 0;
}

static int get_config(struct vhost_user *vu, union payload *payload)
{
	uint8_t space[CONFIG_SIZE];
	uint64_t cid = vu->guest_cid;

	for (unsigned i = 0; i < CONFIG_SIZE; i++, cid >>= 8)
		space[i] = (uint8_t)cid;
	if (payload->config.offset > CONFIG_SIZE || payload->config.size > CONFIG_SIZE - payload->config.offset)
		return broken(vu, "GET_CONFIG past the end of the configuration space");
	memcpy(payload->config.data, space + payload->config.offset, payload->config.size);
	return 0;
}

static int accept_silently(struct vhost_user *vu, union payload *payload)
{
	return 0;
}

static const struct request {
	uint32_t size; /* of the payload, at least */
	bool reply;
	int (*handle)(struct vhost_user *vu, union payload *payload);
} requests[] = {
	[GET_FEATURES] = {0, true, get_features},
	[SET_FEATURES] = {8, false, set_features},
	[SET_OWNER] = {0, false, accept_silently},
	[RESET_OWNER] = {0, false, reset_owner},
	[SET_MEM_TABLE] = {8, false, set_mem_table},
	[SET_VRING_NUM] = {8, false, set_vring_num},
	[SET_VRING_ADDR] = {40, false, set_vring_addr},
	[SET_VRING_BASE] = {8, false, set_vring_base},
	[GET_VRING_BASE] = {8, true, get_vring_base},
	[SET_VRING_KICK] = {8, false, set_vring_kick},
	[SET_VRING_CALL] = {8, false, set_vring_call},
	[SET_VRING_ERR] = {8, false, accept_silently},
	[GET_PROTOCOL_FEATURES] = {0, true, get_protocol_features},
	[SET_PROTOCOL_FEATURES] = {8, false, set_protocol_features},
	[SET_VRING_ENABLE] = {8, false, set_vring_enable},
	[GET_CONFIG] = {12, true, get_config},
};

static void close_fds(struct vhost_user *vu)
{
	for (unsigned i = 0; i < vu->fd_count; i++)
		close(vu->fds[i]);
	vu->fd_count = 0;
}

static int send_reply(struct vhost_user *vu, uint32_t request, const union payload *payload, uint32_t size)
{
	struct header header = {request, FLAG_VERSION | FLAG_REPLY, size};
	uint8_t bytes[sizeof(header) + sizeof(*payload)];
	size_t length = sizeof(header) + size;

	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), payload, size);
	/* An answer is small and QEMU waits for it: there is always room. */
	if (send(vu->fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
		return broken(vu, "an answer could not be sent");
	return 0;
}

static const struct request *find_request(struct vhost_user *vu, const struct header *header)
{
	if ((header->flags & FLAG_VERSION_MASK) != FLAG_VERSION) {
		broken(vu, "a message of another protocol version");
		return NULL;
	}
	if (header->request >= MVM_COUNT(requests) || !requests[header->request].handle) {
		broken(vu, "a request that was not offered");
		return NULL;
	}
	if (header->size < requests[header->request].size) {
		broken(vu, "a message that is too short");
		return NULL;
	}
	return &requests[header->request];
}

/* The payload is zeroed behind its `header->size` bytes. */
static int handle(struct vhost_user *vu, const struct header *header, union payload *payload)
{
	const struct request *request = find_request(vu, header);

	if (!request)
		return -1;
	mvm_log(MVM_LOG_DEBUG, "vhost-user request %u", header->request);
	if (request->handle(vu, payload) < 0)
		return -1;
	if (request->reply)
		return send_reply(vu, header->request, payload, header->size < 8 ? 8 : header->size);
	if (!(header->flags & FLAG_NEED_REPLY) || !(vu->protocol_features & PROTOCOL_REPLY_ACK))
		return 0;
	payload->value = 0;
	return send_reply(vu, header->request, payload, 8);
}

static void handle_message(struct vhost_user *vu)
{
	union payload payload;
	struct header header;

	memset(&payload, 0, sizeof(payload));
	memcpy(&header, vu->message, sizeof(header));
	memcpy(&payload, vu->message + sizeof(header), header.size);
	vu->filled = 0;
	handle(vu, &header, &payload);
	close_fds(vu);
}

/* Bytes that the message still lacks, as far as can be told; -1 where it cannot be one. */
static int lacking(struct vhost_user *vu)
{
	struct header header;

	if (vu->filled < sizeof(header))
		return (int)(sizeof(header) - vu->filled);
	memcpy(&header, vu->message, sizeof(header));
	if (header.size > VHOST_USER_MAX_PAYLOAD)
		return broken(vu, "a message that is too long");
	return (int)(sizeof(header) + header.size - vu->filled);
}

/* 1 where bytes came, 0 where none are there now, -1 at the end or on failure. */
static int receive(struct vhost_user *vu, size_t length)
{
	size_t count;
	ssize_t n = mvm_recv_fds(vu->fd, vu->message + vu->filled, length, vu->fds + vu->fd_count,
				 VHOST_USER_MAX_FDS - vu->fd_count, &count);

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	vu->fd_count += (unsigned)count;
	vu->filled += (unsigned)n;
	return n > 0 ? 1 : -1;
}

int vhost_user_read(struct vhost_user *vu)
{
	int wanted, result;

	while (!vu->broken) {
		wanted = lacking(vu);
		if (wanted > 0) {
			result = receive(vu, (size_t)wanted);
			if (result <= 0)
				return result < 0;
			continue;
		}
		if (wanted == 0)
			handle_message(vu);
	}
	return -1;
}

void vhost_user_finish(struct vhost_user *vu)
{
	for (unsigned i = 0; i < RING_COUNT; i++) {
		stop_ring(vu, i);
		vring_unmap(&vu->rings[i].vring);
		mvm_close(&vu->rings[i].kick);
		mvm_close(&vu->rings[i].call);
	}
	close_fds(vu);
	memory_finish(&vu->memory);
	mvm_close(&vu->fd);
}
