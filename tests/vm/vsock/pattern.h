/* Bytes that both sides can make and sum, so that a transfer is proved exact without a copy to compare with. */
#ifndef MVM_TEST_VSOCK_PATTERN_H
#define MVM_TEST_VSOCK_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct pattern {
	uint64_t state;
	uint64_t word;
	unsigned left; /* bytes of `word` still to give */
};

static inline void pattern_init(struct pattern *pattern, uint64_t seed)
{
	pattern->state = seed * 0x9e3779b97f4a7c15u + 1;
	pattern->left = 0;
}

/* xorshift64: no two places of a transfer look alike. */
static inline void pattern_fill(struct pattern *pattern, unsigned char *to, size_t length)
{
	while (length) {
		unsigned part;

		if (!pattern->left) {
			pattern->state ^= pattern->state << 13;
			pattern->state ^= pattern->state >> 7;
			pattern->state ^= pattern->state << 17;
			pattern->word = pattern->state;
			pattern->left = 8;
		}
		part = pattern->left < length ? pattern->left : (unsigned)length;
		memcpy(to, &pattern->word, part);
		pattern->word = part < 8 ? pattern->word >> 8 * part : 0;
		pattern->left -= part;
		to += part;
		length -= part;
	}
}

/* Depends on every byte and on its place, however the bytes come in pieces. */
struct sum {
	uint64_t count;
	uint64_t value;
};

static inline void sum_init(struct sum *sum)
{
	sum->count = 0;
	sum->value = 0xcbf29ce484222325u;
}

static inline void sum_add(struct sum *sum, const unsigned char *data, size_t length)
{
	uint64_t value = sum->value;

	for (size_t i = 0; i < length; i++)
		value = (value ^ data[i]) * 0x100000001b3u;
	sum->value = value;
	sum->count += length;
}

#endif
