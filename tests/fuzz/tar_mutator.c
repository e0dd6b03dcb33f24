/*
 * Mutations that a tar parser gets to see: after each, the check sums of what stands where headers must are right
 * again.
 */
#include "fuzz.h"

#include "image/tar_internal.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static void fix_header(struct tar_header *header)
{
	char text[8];
	unsigned sum = 0;

	memset(header->checksum, ' ', sizeof(header->checksum));
	for (size_t i = 0; i < sizeof(*header); i++)
		sum += ((const unsigned char *)header)[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(header->checksum, text, sizeof(text));
}

static size_t content_of(const struct tar_header *header)
{
	int64_t size;

	if (!tar_number(header->size, sizeof(header->size), &size) || size < 0 || size > 1 << 20)
		return 0;
	if (header->type >= '1' && header->type <= '6')
		return 0;
	return ((size_t)size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	size = LLVMFuzzerMutate(data, size, max_size);
	for (size_t at = 0; at + TAR_BLOCK <= size; at += TAR_BLOCK) {
		struct tar_header header;

		memcpy(&header, data + at, sizeof(header));
		if (tar_is_zero(&header))
			continue;
		fix_header(&header);
		memcpy(data + at, &header, sizeof(header));
		at += content_of(&header);
	}
	return size;
}
