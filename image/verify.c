#include "verify.h"

#include <stdlib.h>
#include <string.h>

#include "public_key.h"
#include "registry.h"
#include "resolve.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "signature.h"
#include "trust.h"

/* Why no signature would do so far: the best of the reasons that were met. */
enum reason { NONE_THERE, BY_OTHERS, OF_ANOTHER_IMAGE, FOR_ANOTHER_NAME };

struct finding {
	enum reason reason;
	char *key, *name; /* of FOR_ANOTHER_NAME and OF_ANOTHER_IMAGE: whose signature, and for what */
};

static void finding_finish(struct finding *finding)
{
	free(finding->key);
	free(finding->name);
}

static void note(struct finding *finding, enum reason reason, const struct mvm_public_key *key, const char *name)
{
	if (reason < finding->reason)
		return;
	finding_finish(finding);
	*finding = (struct finding){.reason = reason,
				    .key = key ? mvm_strdup(mvm_public_key_name(key)) : NULL,
				    .name = name ? mvm_strdup(name) : NULL};
}

static const struct mvm_public_key *signer(const struct mvm_trust_requirement *requirement, const struct mvm_buf *text,
					   const struct mvm_signature *signature)
{
	for (size_t i = 0; i < requirement->key_count; i++)
		if (mvm_public_key_verifies(requirement->keys[i], text->data, text->length, signature->bytes,
					    signature->length))
			return requirement->keys[i];
	return NULL;
}

/* 0 where it is what the requirement asks for, 1 where it is not, and the finding says why. Nothing of the text is read
 * before its signature has been verified. */
static int check_signature(const struct mvm_verify *verify, const struct mvm_trust_requirement *requirement,
			   const struct mvm_digest *digest, const struct mvm_signature *signature,
			   struct finding *finding, struct mvm_error **err)
{
	struct mvm_signed_claim claim MVM_CLEAN_SIGNED_CLAIM = {0};
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	const struct mvm_public_key *key;

	if (mvm_resolve_blob(verify->store, verify->registry, &signature->text, MVM_SIGNED_MAX, verify->interrupted,
			     &text, err) < 0)
		return -1;
	key = signer(requirement, &text, signature);
	if (!key) {
		note(finding, BY_OTHERS, NULL, NULL);
		return 1;
	}
	if (mvm_signed_claim_parse(text.data, text.length, &claim, err) < 0)
		return mvm_error_wrap(err, "what %s has signed", mvm_public_key_name(key));
	if (!mvm_digest_equal(&claim.digest, digest)) {
		note(finding, OF_ANOTHER_IMAGE, key, claim.digest.text);
		return 1;
	}
	if (!mvm_trust_identity_fits(requirement, verify->reference, claim.name)) {
		note(finding, FOR_ANOTHER_NAME, key, claim.name);
		return 1;
	}
	return 0;
}

/* As check_signature(), over all that are attached to one digest. */
static int check_digest(const struct mvm_verify *verify, const struct mvm_trust_requirement *requirement,
			const struct mvm_digest *digest, struct finding *finding, struct mvm_error **err)
{
	struct mvm_registry_manifest document MVM_CLEAN_REGISTRY_MANIFEST = {0};
	struct mvm_signatures signatures MVM_CLEAN_SIGNATURES = {0};
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	char *tag MVM_CLEAN_FREE = mvm_signature_tag(digest);

	if (mvm_registry_get_manifest(verify->registry, tag, &document, &cause) < 0) {
		if (mvm_error_code(cause) == MVM_ERR_NOT_FOUND)
			return 1;
		mvm_error_move(err, &cause);
		return mvm_error_wrap(err, "signatures");
	}
	if (mvm_signatures_parse(document.body.data, document.body.length, &signatures, err) < 0)
		return mvm_error_wrap(err, "signatures (tag %s)", tag);
	for (size_t i = 0; i < signatures.count; i++) {
		int result = check_signature(verify, requirement, digest, &signatures.items[i], finding, err);

		if (result <= 0)
			return result;
	}
	return 1;
}

static char *list_keys(const struct mvm_trust_requirement *requirement)
{
	struct mvm_buf text = {0};

	for (size_t i = 0; i < requirement->key_count; i++)
		mvm_buf_addf(&text, "%s%s", i ? " or " : "", mvm_public_key_name(requirement->keys[i]));
	return mvm_buf_steal(&text);
}

static int refuse(const struct mvm_trust_requirement *requirement, const struct mvm_digest *digest,
		  const struct finding *finding, struct mvm_error **err)
{
	char *keys MVM_CLEAN_FREE = list_keys(requirement);

	switch (finding->reason) {
	case NONE_THERE:
		return mvm_fail(err, MVM_ERR_INVALID,
				"it is not signed (the registry has no signature for %s), and \"signaturePolicy\" asks "
				"for one by %s",
				digest->text, keys);
	case BY_OTHERS:
		return mvm_fail(err, MVM_ERR_INVALID,
				"none of its signatures is by %s, which \"signaturePolicy\" asks for", keys);
	case OF_ANOTHER_IMAGE:
		return mvm_fail(err, MVM_ERR_INVALID, "what %s has signed is another image, %s, not this one, %s",
				finding->key, finding->name, digest->text);
	case FOR_ANOTHER_NAME:
		break;
	}
	return mvm_fail(
		err, MVM_ERR_INVALID,
		"%s has signed it as \"%s\", which is not the name that \"signaturePolicy\" asks for; a "
		"\"signedIdentity\" of the type matchRepository takes names without a tag, as cosign signs them",
		finding->key, finding->name);
}

static int check_requirement(const struct mvm_verify *verify, const struct mvm_trust_requirement *requirement,
			     const struct mvm_digest *digests, size_t count, struct mvm_error **err)
{
	struct finding finding __attribute__((cleanup(finding_finish))) = {0};

	if (requirement->kind == MVM_TRUST_ANYTHING)
		return 0;
	if (requirement->kind == MVM_TRUST_NOTHING)
		return mvm_fail(err, MVM_ERR_INVALID, "\"signaturePolicy\" rejects images of that name");
	for (size_t i = 0; i < count; i++) {
		int result = check_digest(verify, requirement, &digests[i], &finding, err);

		if (result <= 0)
			return result;
	}
	return refuse(requirement, &digests[0], &finding, err);
}

int mvm_verify_signatures(const struct mvm_verify *verify, const struct mvm_digest *digests, size_t count,
			  struct mvm_error **err)
{
	struct mvm_trust trust MVM_CLEAN_TRUST = {0};

	if (mvm_trust_find(verify->config, verify->reference, &trust, err) < 0)
		return -1;
	/* An index of one's own choosing is the same twice. */
	if (count > 1 && mvm_digest_equal(&digests[0], &digests[1]))
		count = 1;
	for (size_t i = 0; i < trust.count; i++)
		if (check_requirement(verify, &trust.items[i], digests, count, err) < 0)
			return -1;
	return 0;
}
