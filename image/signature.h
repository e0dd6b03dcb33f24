/*
 * Signatures of images as cosign and podman attach them to a repository: under the tag "sha256-<hex of the image's
 * digest>.sig" lies a manifest, each of whose layers is a signature: the layer's blob is the text that was signed, what
 * it says of which image ("simple signing"), and an annotation has the signature of those bytes.
 *
 * Bytes in, values out, no I/O. The bytes come from a registry and are not trusted; what a signature says counts only
 * once it has been verified (public_key.h). INVALID for what is none.
 */
#ifndef MVM_IMAGE_SIGNATURE_H
#define MVM_IMAGE_SIGNATURE_H

#include <stddef.h>

#include "digest.h"
#include "image.h"

struct mvm_error;

/* Of one text that was signed; of the signatures under one tag, all of which may have to be looked at. */
enum { MVM_SIGNED_MAX = 64 << 10, MVM_SIGNATURES_MAX = 64 };

#define MVM_MEDIA_SIMPLE_SIGNING "application/vnd.dev.cosign.simplesigning.v1+json"

struct mvm_signature {
	struct mvm_descriptor text; /* where what was signed lies; without a media type */
	unsigned char *bytes;
	size_t length;
};

struct mvm_signatures {
	struct mvm_signature *items;
	size_t count;
};

/* Layers of other types are passed over. Fills `signatures` on success only; finish them. */
int mvm_signatures_parse(const char *data, size_t length, struct mvm_signatures *signatures, struct mvm_error **err);
void mvm_signatures_finish(struct mvm_signatures *signatures);
#define MVM_CLEAN_SIGNATURES __attribute__((cleanup(mvm_signatures_finish)))

/* What a signed text says: the image, and the name it was signed as, which cosign gives without a tag. */
struct mvm_signed_claim {
	struct mvm_digest digest;
	char *name;
};

int mvm_signed_claim_parse(const char *data, size_t length, struct mvm_signed_claim *claim, struct mvm_error **err);
void mvm_signed_claim_finish(struct mvm_signed_claim *claim);
#define MVM_CLEAN_SIGNED_CLAIM __attribute__((cleanup(mvm_signed_claim_finish)))

/* "sha256-....sig"; the caller owns it. */
char *mvm_signature_tag(const struct mvm_digest *digest);

#endif
