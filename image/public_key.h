/*
 * Public keys that images are signed with, and whether a signature is one of theirs: ECDSA over the curves of NIST,
 * Ed25519, and RSA (PKCS #1 v1.5) from 2048 bits on, as `cosign generate-key-pair` and `openssl` make them. All but
 * Ed25519 over SHA-256.
 *
 * No I/O; by libcrypto. The key is the user's, what was signed and the signature are untrusted.
 */
#ifndef MVM_IMAGE_PUBLIC_KEY_H
#define MVM_IMAGE_PUBLIC_KEY_H

#include <stdbool.h>
#include <stddef.h>

struct mvm_error;
struct mvm_public_key;

/* From PEM; `name` is for messages and copied. INVALID where it is none, UNSUPPORTED for another kind of key. */
int mvm_public_key_parse(const char *pem, size_t length, const char *name, struct mvm_public_key **key,
			 struct mvm_error **err);
void mvm_public_key_destroy(struct mvm_public_key *key);

/* Borrowed. */
const char *mvm_public_key_name(const struct mvm_public_key *key);

bool mvm_public_key_verifies(const struct mvm_public_key *key, const void *data, size_t length,
			     const unsigned char *signature, size_t signature_length);

#endif
