/*
 * Theory of operation
 *
 * The guest adds chain heads to the available ring and moves its index; we copy the index with acquire
 * order, and then read entries up to it. A chain is a list of descriptors, in the ring's own table or, where
 * the head says INDIRECT, in a table of its own. Each is copied before it is checked. A walk takes
 * at most as many steps as the table has entries, so a loop in the list ends it.
 *
 * Returned chains are written behind the published used index, which moves once for a whole batch; whether the
 * guest wants an interrupt is decided once, then, by the rules of §2.7.10 (EVENT_IDX) or by the
 * NO_INTERRUPT flag.
 *
 * Chains that were taken and not returned can be put back, because entries of the available ring are
 * the guest's only until it has been told of their use.
 */
#include "vring.h"

#include <endian.h>
#include <stddef.h>

enum {
	DESCRIPTOR_NEXT = 1,
	DESCRIPTOR_WRITE = 2,
	DESCRIPTOR_INDIRECT = 4,
	AVAILABLE_NO_INTERRUPT = 1,
	USED_NO_NOTIFY = 1,
	/* What an indirect table may hold at most; the specification says the queue's size, Linux keeps to
	 * its own number of pages. */
	MAX_INDIRECT = 1024,
};

struct vring_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
} __attribute__((packed)); /* an indirect table need not be aligned */

struct vring_available {
	uint16_t flags;
	uint16_t index;
	uint16_t ring[]; /* and used_event behind the last */
};

struct vring_used_element {
	uint32_t id;
	uint32_t length;
};

struct vring_used {
	uint16_t flags;
	uint16_t index;
	struct vring_used_element ring[]; /* and avail_event behind the last */
};

struct table {
	const volatile struct vring_descriptor *descriptors;
	unsigned size;
};

static int fail(struct vring *vring, const char *reason)
{
	vring->broken = reason;
	return -1;
}

int vring_map(struct vring *vring, const struct memory *memory)
{
	uint64_t size = vring->size;
	void *descriptors = memory_at_user(memory, vring->addresses.descriptors, size * 16);
	void *available = memory_at_user(memory, vring->addresses.available, 6 + size * 2);
	void *used = memory_at_user(memory, vring->addresses.used, 6 + size * 8);

	if (!size || !descriptors || !available || !used || (uintptr_t)descriptors % 16 || (uintptr_t)available % 2 ||
	    (uintptr_t)used % 4) {
		vring_unmap(vring);
		return -1;
	}
	vring->descriptors = descriptors;
	vring->available = available;
	vring->used = used;
	return 0;
}

void vring_unmap(struct vring *vring)
{
	vring->descriptors = NULL;
	vring->available = NULL;
	vring->used = NULL;
}

static uint16_t load16(const volatile uint16_t *from)
{
	return le16toh(__atomic_load_n(from, __ATOMIC_RELAXED));
}

static void store16(volatile uint16_t *to, uint16_t value)
{
	__atomic_store_n(to, htole16(value), __ATOMIC_RELAXED);
}

void vring_start(struct vring *vring, uint16_t base)
{
	vring->next = vring->seen = base;
	vring->used_index = vring->published = load16(&vring->used->index);
	vring->fresh = true;
	vring->broken = NULL;
}

/* True where a chain waits. */
static bool refresh(struct vring *vring)
{
	uint16_t index = le16toh(__atomic_load_n(&vring->available->index, __ATOMIC_ACQUIRE));

	if ((uint16_t)(index - vring->next) > vring->size) {
		vring->broken = "the available index runs ahead of the ring";
		return false;
	}
	vring->seen = index;
	return vring->seen != vring->next;
}

static struct vring_descriptor load_descriptor(const volatile struct vring_descriptor *from)
{
	return (struct vring_descriptor){
		.address = le64toh(from->address),
		.length = le32toh(from->length),
		.flags = le16toh(from->flags),
		.next = le16toh(from->next),
	};
}

static int add_buffer(struct vring *vring, const struct memory *memory, const struct vring_descriptor *descriptor,
		      struct vring_chain *chain)
{
	bool write = descriptor->flags & DESCRIPTOR_WRITE;

	if (!write && chain->write_length)
		return fail(vring, "a readable buffer follows a writable one");
	if (memory_pieces(memory, descriptor->address, descriptor->length, chain->pieces, VRING_MAX_PIECES,
			  &chain->count) < 0)
		return fail(vring, "a buffer is outside of guest memory or in too many pieces");
	if (write) {
		chain->write_length += descriptor->length;
	} else {
		chain->read_length += descriptor->length;
		chain->readable = chain->count;
	}
	return 0;
}

/* Switches the walk to the indirect table that the head names (§2.7.5.3). */
static int enter_indirect(struct vring *vring, const struct memory *memory, const struct vring_descriptor *head,
			  struct table *table)
{
	if (!vring->indirect || head->flags & DESCRIPTOR_NEXT)
		return fail(vring, "an indirect table where none may be");
	if (!head->length || head->length % 16 || head->length / 16 > MAX_INDIRECT)
		return fail(vring, "an indirect table of impossible size");
	table->descriptors = memory_at(memory, head->address, head->length);
	table->size = head->length / 16;
	if (!table->descriptors)
		return fail(vring, "an indirect table outside of guest memory");
	return 0;
}

static int walk(struct vring *vring, const struct memory *memory, struct vring_chain *chain)
{
	struct table table = {vring->descriptors, vring->size};
	struct vring_descriptor descriptor = load_descriptor(&table.descriptors[chain->head]);

	if (descriptor.flags & DESCRIPTOR_INDIRECT) {
		if (enter_indirect(vring, memory, &descriptor, &table) < 0)
			return -1;
		descriptor = load_descriptor(&table.descriptors[0]);
	}
	for (unsigned steps = 1;; steps++) {
		if (descriptor.flags & DESCRIPTOR_INDIRECT)
			return fail(vring, "an indirect table inside a chain");
		if (add_buffer(vring, memory, &descriptor, chain) < 0)
			return -1;
		if (!(descriptor.flags & DESCRIPTOR_NEXT))
			return 0;
		if (steps == table.size)
			return fail(vring, "a chain runs in a circle");
		if (descriptor.next >= table.size)
			return fail(vring, "a descriptor number is out of range");
		descriptor = load_descriptor(&table.descriptors[descriptor.next]);
	}
}

int vring_pop(struct vring *vring, const struct memory *memory, struct vring_chain *chain)
{
	if (vring->broken)
		return -1;
	if (vring->next == vring->seen && !refresh(vring))
		return vring->broken ? -1 : 0;
	chain->head = load16(&vring->available->ring[vring->next & (vring->size - 1)]);
	chain->count = chain->readable = 0;
	chain->read_length = chain->write_length = 0;
	if (chain->head >= vring->size)
		return fail(vring, "a chain's head is out of range");
	if (walk(vring, memory, chain) < 0)
		return -1;
	vring->next++;
	return 1;
}

void vring_unpop(struct vring *vring, unsigned count)
{
	vring->next = (uint16_t)(vring->next - count);
}

void vring_push(struct vring *vring, uint16_t head, uint32_t written)
{
	volatile struct vring_used_element *element = &vring->used->ring[vring->used_index & (vring->size - 1)];

	element->id = htole32(head);
	element->length = htole32(written);
	vring->used_index++;
}

bool vring_publish(struct vring *vring)
{
	uint16_t old = vring->published, event;
	bool fresh = vring->fresh;

	if (old == vring->used_index)
		return false;
	vring->published = vring->used_index;
	vring->fresh = false;
	__atomic_store_n(&vring->used->index, htole16(vring->published), __ATOMIC_RELEASE);
	/* The guest must see the index before we look at whether it wants to be told. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!vring->event_index)
		return !(load16(&vring->available->flags) & AVAILABLE_NO_INTERRUPT);
	event = load16(&vring->available->ring[vring->size]);
	return fresh || (uint16_t)(vring->published - event - 1) < (uint16_t)(vring->published - old);
}

static volatile uint16_t *available_event(struct vring *vring)
{
	return (volatile uint16_t *)&vring->used->ring[vring->size];
}

void vring_no_kicks(struct vring *vring)
{
	/* With EVENT_IDX an event index that stays behind asks for nothing. */
	if (!vring->event_index)
		store16(&vring->used->flags, USED_NO_NOTIFY);
}

bool vring_want_kicks(struct vring *vring)
{
	if (vring->event_index)
		store16(available_event(vring), vring->next);
	else
		store16(&vring->used->flags, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return refresh(vring);
}
