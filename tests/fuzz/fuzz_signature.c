/* What a registry has as signatures: the manifest of them, and what was signed. The bytes are also taken for a
 * signature itself, which for some keys is DER. */
#include "fuzz.h"

#include "image/public_key.h"
#include "image/signature.h"
#include "runtime/base/mem.h"

static bool take_claim(const char *data, size_t size)
{
	struct mvm_signed_claim claim MVM_CLEAN_SIGNED_CLAIM = {0};

	if (mvm_signed_claim_parse(data, size, &claim, NULL) < 0)
		return false;
	fuzz_check(mvm_digest_is_set(&claim.digest) && claim.name);
	return true;
}

/* No bytes that anybody can find are one. */
static void verify(const uint8_t *data, size_t size)
{
	static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
				  "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsKtMY6p9uS8CV0gkayEI8UwSV6uc\n"
				  "J9pmQl4ncfF5605wKcAFFC7rh0hYSxfz+r6qWpCyOh2Fxj6uDlKbVshwaw==\n"
				  "-----END PUBLIC KEY-----\n";
	struct mvm_public_key *key = NULL;

	fuzz_check(mvm_public_key_parse(pem, sizeof(pem) - 1, "key", &key, NULL) == 0);
	fuzz_check(!mvm_public_key_verifies(key, "text", 4, data, size));
	mvm_public_key_destroy(key);
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct mvm_signatures signatures MVM_CLEAN_SIGNATURES = {0};

	verify(data, size);
	if (mvm_signatures_parse((const char *)data, size, &signatures, NULL) < 0)
		return take_claim((const char *)data, size);
	fuzz_check(signatures.count <= MVM_SIGNATURES_MAX);
	for (size_t i = 0; i < signatures.count; i++)
		fuzz_check(signatures.items[i].text.size && signatures.items[i].text.size <= MVM_SIGNED_MAX &&
			   signatures.items[i].length);
	return true;
}
