/*
 * A layer's uncompressed bytes: read and inflated by one thread, hashed by another, handed to the caller in order, all
 * three at once.
 */
#ifndef MVM_IMAGE_LAYER_STREAM_H
#define MVM_IMAGE_LAYER_STREAM_H

#include <stdint.h>
#include <sys/types.h>

#include "digest.h"
#include "layer.h"

struct layer_stream;

/* The processor's time that the threads have used, in nanoseconds. */
struct layer_stream_costs {
	uint64_t inflate; /* with reading the blob */
	uint64_t hash;
};

/* Starts the threads. */
int layer_stream_open(struct mvm_source source, struct layer_stream **stream, struct mvm_error **err);
/* The length of the next piece, which stays until the next call; 0 at the end; -1 where the source or inflating failed.
 */
ssize_t layer_stream_next(struct layer_stream *stream, const void **data, struct mvm_error **err);
/* After the end: the digest of all pieces. */
void layer_stream_finish(struct layer_stream *stream, struct mvm_digest *diff_id, struct layer_stream_costs *costs);
/* At any time; waits for the source's read. */
void layer_stream_close(struct layer_stream *stream);

#endif
