#include "tar_internal.h"

#include <string.h>

/* GNU's base-256: big-endian two's complement, the first byte's top bit marks it. */
static bool base256_number(const unsigned char *field, size_t width, int64_t *value)
{
	bool negative = field[0] & 0x40;
	uint64_t number = negative ? UINT64_MAX : 0;

	for (size_t i = 0; i < width; i++) {
		unsigned char byte = field[i];

		if (i == 0)
			byte = negative ? byte | 0x80 : byte & 0x7f;
		if ((number >> 56) != (negative ? 0xff : 0))
			return false;
		number = number << 8 | byte;
	}
	if ((number >> 63) != negative)
		return false;
	*value = (int64_t)number;
	return true;
}

bool tar_number(const char *field, size_t width, int64_t *value)
{
	const char *end = field + width;
	uint64_t number = 0;

	if (field[0] & 0x80)
		return base256_number((const unsigned char *)field, width, value);
	while (field < end && (*field == ' ' || *field == '\0'))
		field++;
	/* At most 12 digits of three bits: no overflow. */
	for (; field < end && *field >= '0' && *field <= '7'; field++)
		number = number << 3 | (uint64_t)(*field - '0');
	for (; field < end; field++) {
		if (*field != ' ' && *field != '\0')
			return false;
	}
	*value = (int64_t)number;
	return true;
}

bool tar_is_zero(const struct tar_header *header)
{
	static const char zero[TAR_BLOCK];

	return memcmp(header, zero, TAR_BLOCK) == 0;
}

bool tar_checksum_ok(const struct tar_header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	size_t from = offsetof(struct tar_header, checksum);
	size_t to = from + sizeof(header->checksum);
	int64_t stated, sum = 0, signed_sum = 0;

	if (!tar_number(header->checksum, sizeof(header->checksum), &stated))
		return false;
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		unsigned char byte = i >= from && i < to ? ' ' : bytes[i];

		sum += byte;
		signed_sum += (signed char)byte; /* some old writers did */
	}
	return stated == sum || stated == signed_sum;
}

char *tar_header_name(const struct tar_header *header)
{
	size_t name = strnlen(header->name, sizeof(header->name));
	size_t prefix = 0;

	if (memcmp(header->magic, "ustar", 6) == 0) {
		bool star = memcmp(header->pad + 8, "tar", 4) == 0;

		prefix = strnlen(header->prefix, star ? 131 : sizeof(header->prefix));
	}
	if (!prefix)
		return mvm_strndup(header->name, name);
	return mvm_format("%.*s/%.*s", (int)prefix, header->prefix, (int)name, header->name);
}
