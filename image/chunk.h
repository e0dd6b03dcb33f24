/*
 * A blob that goes up in pieces (distribution-spec "Pushing a blob in chunks"): how large a piece, and how much the
 * server says it has. Pure.
 */
#ifndef MVM_IMAGE_CHUNK_H
#define MVM_IMAGE_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

/* A blob up to this size goes in one piece, a larger one in pieces of it: small enough for proxies that limit a request
 * and for little to be lost when one breaks, large enough for the answers not to count. */
enum { MVM_CHUNK_SIZE = 16 << 20 };

/* How many bytes of `size` to send from `at` on. Pieces end where whole ones do, for servers that store in units of
 * their own. `min` is what the server wants at least of all but the last (OCI-Chunk-Min-Length); 0 for none. */
uint64_t mvm_chunk_length(uint64_t at, uint64_t size, uint64_t min);

/* Range of an upload's status, "0-1023", as a count of bytes. "0-0" is what servers say that have none, so it counts as
 * none. False for what does not begin at 0, or is no range. */
bool mvm_chunk_parse_range(const char *text, uint64_t *count);

#endif
