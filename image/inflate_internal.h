/*
 * What the decompressors share with inflate.c.
 */
#ifndef MVM_IMAGE_INFLATE_INTERNAL_H
#define MVM_IMAGE_INFLATE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

struct mvm_error;

struct inflate_io {
	const unsigned char *in;
	size_t in_left;
	unsigned char *out;
	size_t out_left;
};

struct inflate_decoder {
	void *(*create)(void);
	/* Whether a member or frame can begin with this byte. */
	bool (*begins)(unsigned char first);
	/* As far as input and room go: 0 wants more of one, 1 the member or frame has ended and the decoder stands
	 * ready for another, -1 malformed. */
	int (*run)(void *state, struct inflate_io *io, struct mvm_error **err);
	void (*destroy)(void *state);
};

extern const struct inflate_decoder inflate_gzip;
extern const struct inflate_decoder inflate_zstd;
extern const struct inflate_decoder inflate_none;

#endif
