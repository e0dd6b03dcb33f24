#include "memory.h"

#include <sys/mman.h>

int memory_add(struct memory *memory, const struct memory_region *region)
{
	if (memory->count == MEMORY_MAX_REGIONS || !region->size || region->guest + region->size < region->guest ||
	    region->user + region->size < region->user)
		return -1;
	memory->regions[memory->count++] = *region;
	return 0;
}

void memory_finish(struct memory *memory)
{
	for (unsigned i = 0; i < memory->count; i++)
		if (memory->regions[i].base)
			munmap(memory->regions[i].base, memory->regions[i].length);
	memory->count = 0;
}

static const struct memory_region *region_of(const struct memory *memory, uint64_t guest)
{
	for (unsigned i = 0; i < memory->count; i++)
		if (guest - memory->regions[i].guest < memory->regions[i].size)
			return &memory->regions[i];
	return NULL;
}

void *memory_at(const struct memory *memory, uint64_t guest, uint64_t length)
{
	const struct memory_region *region = region_of(memory, guest);

	if (!region || length > region->size - (guest - region->guest))
		return NULL;
	return region->mapped + (guest - region->guest);
}

void *memory_at_user(const struct memory *memory, uint64_t user, uint64_t length)
{
	for (unsigned i = 0; i < memory->count; i++) {
		const struct memory_region *region = &memory->regions[i];
		uint64_t offset = user - region->user;

		if (offset < region->size && length <= region->size - offset)
			return region->mapped + offset;
	}
	return NULL;
}

int memory_pieces(const struct memory *memory, uint64_t guest, uint32_t length, struct iovec *iov, unsigned max,
		  unsigned *count)
{
	while (length) {
		const struct memory_region *region = region_of(memory, guest);
		uint64_t offset, piece;

		if (!region || *count == max)
			return -1;
		offset = guest - region->guest;
		piece = region->size - offset;
		if (piece > length)
			piece = length;
		iov[*count].iov_base = region->mapped + offset;
		iov[*count].iov_len = (size_t)piece;
		(*count)++;
		guest += piece;
		length -= (uint32_t)piece;
	}
	return 0;
}
