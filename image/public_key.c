#include "public_key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

enum { RSA_BITS_MIN = 2048 };

struct mvm_public_key {
	EVP_PKEY *key;
	char *name;
};

static int fail_parse(const char *pem, const char *name, struct mvm_error **err)
{
	if (strstr(pem, "PRIVATE KEY-----"))
		return mvm_fail(err, MVM_ERR_INVALID,
				"%s: a private key; name the public one, which is all that checking needs", name);
	return mvm_fail(err, MVM_ERR_INVALID, "%s: no public key in PEM (-----BEGIN PUBLIC KEY-----)", name);
}

static int check_kind(EVP_PKEY *key, const char *name, struct mvm_error **err)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
	case EVP_PKEY_ED25519:
		return 0;
	case EVP_PKEY_RSA:
		if (EVP_PKEY_get_bits(key) >= RSA_BITS_MIN)
			return 0;
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "%s: an RSA key of %d bits; %d are the least that is safe",
				name, EVP_PKEY_get_bits(key), RSA_BITS_MIN);
	default:
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "%s: neither an ECDSA, Ed25519 nor RSA key", name);
	}
}

int mvm_public_key_parse(const char *pem, size_t length, const char *name, struct mvm_public_key **key,
			 struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = mvm_strndup(pem, length);
	BIO *in = BIO_new_mem_buf(text, (int)strlen(text));
	EVP_PKEY *parsed = in ? PEM_read_bio_PUBKEY(in, NULL, NULL, NULL) : NULL;

	BIO_free(in);
	ERR_clear_error();
	if (!parsed)
		return fail_parse(text, name, err);
	if (check_kind(parsed, name, err) < 0) {
		EVP_PKEY_free(parsed);
		return -1;
	}
	*key = mvm_alloc(sizeof(**key));
	**key = (struct mvm_public_key){.key = parsed, .name = mvm_strdup(name)};
	return 0;
}

void mvm_public_key_destroy(struct mvm_public_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->key);
	free(key->name);
	free(key);
}

const char *mvm_public_key_name(const struct mvm_public_key *key)
{
	return key->name;
}

bool mvm_public_key_verifies(const struct mvm_public_key *key, const void *data, size_t length,
			     const unsigned char *signature, size_t signature_length)
{
	/* Ed25519 takes the text as it is. */
	const EVP_MD *hash = EVP_PKEY_get_base_id(key->key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context && EVP_DigestVerifyInit(context, NULL, hash, NULL, key->key) == 1 &&
		    EVP_DigestVerify(context, signature, signature_length, data, length) == 1;

	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return good;
}
