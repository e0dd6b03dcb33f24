/*
 * Decompression of a layer while it is read: gzip (of several members), Zstandard (of several frames, skippable ones
 * included) or none, told apart by magic number.
 *
 * Gzip is inflated by ISA-L where the build has it, 2.5 times as fast as zlib, else by zlib; check sums are
 * verified either way. Zero bytes after the end are padding, anything else there is refused.
 *
 * One thread at a time. The input is untrusted: INVALID where malformed or cut short, UNSUPPORTED for compressions
 * that mvm does not know; errors of the source pass through.
 */
#ifndef MVM_IMAGE_INFLATE_H
#define MVM_IMAGE_INFLATE_H

#include <stddef.h>
#include <sys/types.h>

#include "layer.h"

struct mvm_inflate;

/* Reads nothing yet. */
struct mvm_inflate *mvm_inflate_create(struct mvm_source source);
void mvm_inflate_destroy(struct mvm_inflate *inflate);

/* Fills `data` as far as there are bytes: less than `length`, 0 too, is the end. -1 with *err set. */
ssize_t mvm_inflate_read(struct mvm_inflate *inflate, void *data, size_t length, struct mvm_error **err);

#endif
