#include "signature.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"

#define ANNOTATION "dev.cosignproject.cosign/signature"
#define ALPHABET   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
/* That of an RSA key of 16,384 bits has 2,732 characters. */
enum { MAX_BASE64 = 4096 };

static int decode(const char *base64, struct mvm_signature *signature, struct mvm_error **err)
{
	size_t length = strlen(base64), padding = 0;
	int decoded = -1;

	if (length && length % 4 == 0 && length <= MAX_BASE64) {
		while (padding < 2 && base64[length - 1 - padding] == '=')
			padding++;
		signature->bytes = mvm_alloc(length);
	}
	/* The decoder takes white space and padding at any place. */
	if (signature->bytes && strspn(base64, ALPHABET) + padding == length)
		decoded = EVP_DecodeBlock(signature->bytes, (const unsigned char *)base64, (int)length);
	if (decoded < 0 || (size_t)decoded < padding)
		return mvm_fail(err, MVM_ERR_INVALID, "a signature that is not in base64");
	signature->length = (size_t)decoded - padding;
	return 0;
}

static int take_layer(const json_t *layer, struct mvm_signatures *signatures, struct mvm_error **err)
{
	struct mvm_signature *signature;
	struct mvm_descriptor text;
	const char *type, *base64;

	if (mvm_json_get_string(layer, "mediaType", "", &type, err) < 0)
		return -1;
	if (strcmp(type, MVM_MEDIA_SIMPLE_SIGNING) != 0)
		return 0;
	if (signatures->count == MVM_SIGNATURES_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "more than %d signatures", MVM_SIGNATURES_MAX);
	if (mvm_json_get_string(json_object_get(layer, "annotations"), ANNOTATION, "", &base64, err) < 0 ||
	    mvm_descriptor_parse(layer, &text, err) < 0)
		return -1;
	signature = &signatures->items[signatures->count++];
	signature->text = (struct mvm_descriptor){.digest = text.digest, .size = text.size};
	mvm_descriptor_finish(&text);
	if (!signature->text.size || signature->text.size > MVM_SIGNED_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "a signed text of %llu bytes, which is not between 1 and %d",
				(unsigned long long)signature->text.size, MVM_SIGNED_MAX);
	return decode(base64, signature, err);
}

int mvm_signatures_parse(const char *data, size_t length, struct mvm_signatures *out, struct mvm_error **err)
{
	struct mvm_signatures signatures MVM_CLEAN_SIGNATURES = {0};
	json_t *root MVM_CLEAN_JSON = NULL;
	const json_t *layers;

	if (length > MVM_MANIFEST_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "a manifest larger than %d bytes", MVM_MANIFEST_MAX);
	if (mvm_json_parse(data, length, "not a manifest of signatures", &root, err) < 0)
		return -1;
	layers = json_object_get(root, "layers");
	if (!json_is_array(layers))
		return mvm_fail(err, MVM_ERR_INVALID, "not a manifest of signatures");
	signatures.items = mvm_alloc(MVM_SIGNATURES_MAX * sizeof(*signatures.items));
	for (size_t i = 0; i < json_array_size(layers); i++)
		if (take_layer(json_array_get(layers, i), &signatures, err) < 0)
			return -1;
	*out = signatures;
	signatures = (struct mvm_signatures){0};
	return 0;
}

void mvm_signatures_finish(struct mvm_signatures *signatures)
{
	for (size_t i = 0; i < signatures->count; i++)
		free(signatures->items[i].bytes);
	free(signatures->items);
	*signatures = (struct mvm_signatures){0};
}

static int check_type(const json_t *critical, struct mvm_error **err)
{
	const char *type;

	if (mvm_json_get_string(critical, "type", "", &type, err) < 0)
		return -1;
	if (!strcmp(type, "cosign container image signature") || !strcmp(type, "atomic container signature"))
		return 0;
	return mvm_fail(err, MVM_ERR_INVALID, "a signed text of the type \"%.100s\", not of an image's signature",
			type);
}

int mvm_signed_claim_parse(const char *data, size_t length, struct mvm_signed_claim *claim, struct mvm_error **err)
{
	json_t *root MVM_CLEAN_JSON = NULL;
	const json_t *critical;
	const char *digest, *name;
	struct mvm_digest parsed;

	if (length > MVM_SIGNED_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "a signed text of more than %d bytes", MVM_SIGNED_MAX);
	if (mvm_json_parse(data, length, "a signed text that is not JSON", &root, err) < 0)
		return -1;
	critical = json_object_get(root, "critical");
	if (!json_is_object(critical))
		return mvm_fail(err, MVM_ERR_INVALID, "a signed text that says nothing of an image");
	if (check_type(critical, err) < 0 ||
	    mvm_json_get_string(json_object_get(critical, "image"), "docker-manifest-digest", "", &digest, err) < 0 ||
	    mvm_json_get_string(json_object_get(critical, "identity"), "docker-reference", "", &name, err) < 0 ||
	    mvm_digest_parse(digest, &parsed, err) < 0)
		return -1;
	*claim = (struct mvm_signed_claim){.digest = parsed, .name = mvm_strdup(name)};
	return 0;
}

void mvm_signed_claim_finish(struct mvm_signed_claim *claim)
{
	free(claim->name);
	*claim = (struct mvm_signed_claim){0};
}

char *mvm_signature_tag(const struct mvm_digest *digest)
{
	return mvm_format("sha256-%s.sig", mvm_digest_hex(digest));
}
