#include "digest.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#define PREFIX	      "sha256:"
#define PREFIX_LENGTH (sizeof(PREFIX) - 1)

int mvm_digest_parse(const char *text, struct mvm_digest *digest, struct mvm_error **err)
{
	const char *colon = strchr(text, ':');

	if (colon && strncmp(text, PREFIX, PREFIX_LENGTH) &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+._-") == (size_t)(colon - text))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "digest algorithm %.*s is not supported, only sha256",
				colon - text > 32 ? 32 : (int)(colon - text), text);
	if (strncmp(text, PREFIX, PREFIX_LENGTH) || strlen(text) != MVM_DIGEST_TEXT ||
	    strspn(text + PREFIX_LENGTH, "0123456789abcdef") != MVM_DIGEST_HEX)
		return mvm_fail(err, MVM_ERR_INVALID, "invalid digest \"%.100s\": not sha256: and 64 hex digits", text);
	memcpy(digest->text, text, MVM_DIGEST_TEXT + 1);
	return 0;
}

bool mvm_digest_equal(const struct mvm_digest *a, const struct mvm_digest *b)
{
	return !strcmp(a->text, b->text);
}

bool mvm_digest_is_set(const struct mvm_digest *digest)
{
	return digest->text[0] != '\0';
}

const char *mvm_digest_hex(const struct mvm_digest *digest)
{
	return mvm_digest_is_set(digest) ? digest->text + PREFIX_LENGTH : digest->text;
}

void mvm_digest_of(const void *data, size_t length, struct mvm_digest *digest)
{
	struct mvm_hash *hash MVM_CLEAN_HASH = mvm_hash_create();

	mvm_hash_update(hash, data, length);
	mvm_hash_final(hash, digest);
}

void mvm_digest_chain(struct mvm_digest *chain, const struct mvm_digest *diff_id)
{
	char text[2 * MVM_DIGEST_TEXT + 2];

	if (!mvm_digest_is_set(chain)) {
		*chain = *diff_id;
		return;
	}
	snprintf(text, sizeof(text), "%s %s", chain->text, diff_id->text);
	mvm_digest_of(text, strlen(text), chain);
}

struct mvm_hash {
	EVP_MD_CTX *context;
};

/* libcrypto fails here only without memory or without sha256, and then nothing could be verified. */
static void must(int success)
{
	if (success != 1)
		abort();
}

struct mvm_hash *mvm_hash_create(void)
{
	struct mvm_hash *hash = mvm_alloc(sizeof(*hash));

	hash->context = EVP_MD_CTX_new();
	must(hash->context != NULL);
	must(EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL));
	return hash;
}

void mvm_hash_update(struct mvm_hash *hash, const void *data, size_t length)
{
	must(EVP_DigestUpdate(hash->context, data, length));
}

void mvm_hash_final(struct mvm_hash *hash, struct mvm_digest *digest)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned length;

	must(EVP_DigestFinal_ex(hash->context, bytes, &length));
	must(EVP_DigestInit_ex(hash->context, NULL, NULL));
	memcpy(digest->text, PREFIX, PREFIX_LENGTH);
	mvm_hex(bytes, length, digest->text + PREFIX_LENGTH);
	digest->text[MVM_DIGEST_TEXT] = '\0';
}

void mvm_hash_destroy(struct mvm_hash *hash)
{
	if (!hash)
		return;
	EVP_MD_CTX_free(hash->context);
	free(hash);
}
