#include "chunk.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint64_t mvm_chunk_length(uint64_t at, uint64_t size, uint64_t min)
{
	uint64_t left = size - at;
	uint64_t length = MVM_CHUNK_SIZE - at % MVM_CHUNK_SIZE;

	if (min >= left)
		return left;
	if (length < min)
		length += (min - length + MVM_CHUNK_SIZE - 1) / MVM_CHUNK_SIZE * MVM_CHUNK_SIZE;
	/* Less than `min` is what wrapped. */
	return length >= min && length < left ? length : left;
}

bool mvm_chunk_parse_range(const char *text, uint64_t *count)
{
	unsigned long long last;
	char *end;

	/* Some write it as of other ranges. */
	if (!strncmp(text, "bytes", 5) && (text[5] == '=' || text[5] == ' '))
		text += 6;
	if (strncmp(text, "0-", 2) || !isdigit((unsigned char)text[2]))
		return false;
	errno = 0;
	last = strtoull(text + 2, &end, 10);
	if (errno || *end || last == UINT64_MAX)
		return false;
	*count = last ? (uint64_t)last + 1 : 0;
	return true;
}
