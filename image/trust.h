/*
 * Whose signature an image needs, by "signaturePolicy" of the configuration file, which is what podman and skopeo have
 * in policy.json (containers-policy.json(5)), for images from registries:
 *
 *   {"default": [{"type": "insecureAcceptAnything"}],
 *    "transports": {"docker": {
 *      "registry.example": [{"type": "sigstoreSigned", "keyPath": "/etc/keys/ours.pub",
 *                            "signedIdentity": {"type": "matchRepository"}}],
 *      "*.example.org": [{"type": "reject"}]}}}
 *
 * Of the scopes the narrowest that fits counts: NAME:TAG, NAME, what NAME begins with up to a slash, the registry,
 * "*." and a part of the registry's domain, "", and "default". All requirements of its list must hold. What is not
 * known is refused, for it may be what somebody relies on.
 *
 * No I/O but reading keys. Errors name the configuration file.
 */
#ifndef MVM_IMAGE_TRUST_H
#define MVM_IMAGE_TRUST_H

#include <stdbool.h>
#include <stddef.h>

#include "reference.h"

struct mvm_config;
struct mvm_error;
struct mvm_public_key;

enum mvm_trust_kind { MVM_TRUST_ANYTHING, MVM_TRUST_NOTHING, MVM_TRUST_SIGNED };

/* Which name a signature must be for. */
enum mvm_trust_identity {
	MVM_TRUST_REPO_DIGEST_OR_EXACT, /* the reference's with its tag; by digest, its repository */
	MVM_TRUST_EXACT,
	MVM_TRUST_REPOSITORY,
	MVM_TRUST_EXACT_REFERENCE, /* the name that the policy gives */
	MVM_TRUST_EXACT_REPOSITORY,
};

struct mvm_trust_requirement {
	enum mvm_trust_kind kind;
	struct mvm_public_key **keys; /* any of them will do */
	size_t key_count;
	enum mvm_trust_identity identity;
	char *name; /* of MVM_TRUST_EXACT_REFERENCE and _REPOSITORY, else NULL */
};

struct mvm_trust {
	struct mvm_trust_requirement *items;
	size_t count;
};

/* What `reference` needs; nothing where there is no policy or no configuration. Finish it. */
int mvm_trust_find(const struct mvm_config *config, const struct mvm_reference *reference, struct mvm_trust *trust,
		   struct mvm_error **err);
void mvm_trust_finish(struct mvm_trust *trust);
#define MVM_CLEAN_TRUST __attribute__((cleanup(mvm_trust_finish)))

/* Whether a signature for `name` is one for `reference`. `name` is from a signature that has been verified. */
bool mvm_trust_identity_fits(const struct mvm_trust_requirement *requirement, const struct mvm_reference *reference,
			     const char *name);

#endif
