/*
 * Content digests (OCI image-spec, descriptor.md "Digests"): sha256 only, the
 * one algorithm that registries use and that every implementation must know.
 *
 * Runs in any process; no I/O. Digest text comes from registries and users and
 * is untrusted: mvm_digest_parse() is the only way to make one from text.
 */
#ifndef MVM_IMAGE_DIGEST_H
#define MVM_IMAGE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

struct mvm_error;

enum { MVM_DIGEST_HEX = 64, MVM_DIGEST_TEXT = 7 + MVM_DIGEST_HEX, MVM_DIGEST_SHORT = 12 };

/* A plain value; `text` is "sha256:" and 64 lower-case hex digits, or "" where there is none. */
struct mvm_digest {
	char text[MVM_DIGEST_TEXT + 1];
};

/* INVALID where malformed, UNSUPPORTED for another algorithm. */
int mvm_digest_parse(const char *text, struct mvm_digest *digest, struct mvm_error **err);
bool mvm_digest_equal(const struct mvm_digest *a, const struct mvm_digest *b);
bool mvm_digest_is_set(const struct mvm_digest *digest);
/* The 64 hex digits, borrowed from the digest. */
const char *mvm_digest_hex(const struct mvm_digest *digest);
void mvm_digest_of(const void *data, size_t length, struct mvm_digest *digest);
/* From the ChainID of the layers below, unset where there are none, to that with one more (OCI image-spec config.md,
 * "Layer ChainID"). */
void mvm_digest_chain(struct mvm_digest *chain, const struct mvm_digest *diff_id);

/* Streaming sha256, by libcrypto, which picks the processor's instructions. */
struct mvm_hash;
struct mvm_hash *mvm_hash_create(void);
void mvm_hash_update(struct mvm_hash *hash, const void *data, size_t length);
/* Ends the stream and makes the hash ready for another. */
void mvm_hash_final(struct mvm_hash *hash, struct mvm_digest *digest);
void mvm_hash_destroy(struct mvm_hash *hash);

static inline void mvm_hash_cleanup(struct mvm_hash **hash)
{
	mvm_hash_destroy(*hash);
}
#define MVM_CLEAN_HASH __attribute__((cleanup(mvm_hash_cleanup)))

#endif
