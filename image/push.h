/*
 * Pushing an image: what its repository lacks goes to the registry (never to a mirror), the manifest last and byte for
 * byte as the store has it, so that the digest stays. Of an image that was pulled from an index, the store has one
 * platform's manifest, and that is pushed.
 *
 * Layers that another repository of the same registry has, because images of ours came from there or went there, are
 * mounted. Afterwards the name has the repository's digest (mvm_image_repo_digests()).
 *
 * Blocks, for the network: call it where that is fine (the CLI's process). Several at once are safe, and nothing they
 * need is collected meanwhile. The registry and all it sends is untrusted. Errors: NETWORK, TIMEOUT, AUTH, NOT_FOUND
 * (no such image or tag here, or the registry wants the repository made first), UNSUPPORTED (another platform, or a
 * registry that takes no pushes), NO_SPACE (it takes no more), CORRUPT, INTERRUPTED.
 */
#ifndef MVM_IMAGE_PUSH_H
#define MVM_IMAGE_PUSH_H

#include <signal.h>

#include "progress.h"
#include "store.h"

struct mvm_config;

struct mvm_push_options {
	const struct mvm_platform *platform;	  /* what the image must be for; NULL: whatever it is for */
	const struct mvm_progress *progress;	  /* NULL: silent */
	const struct mvm_config *config;	  /* runtime/base/config.h: timeouts, uploads at once; NULL: none */
	const volatile sig_atomic_t *interrupted; /* NULL, or becomes non-zero to stop the push (INTERRUPTED) */
};

/* The manifest, as it is at the registry now. */
struct mvm_pushed {
	struct mvm_digest digest;
	uint64_t size;
};

int mvm_image_push(struct mvm_store *store, const struct mvm_reference *reference,
		   const struct mvm_push_options *options, struct mvm_pushed *pushed, struct mvm_error **err);

/* Full names of the images of a repository, for a push of all of them. NOT_FOUND where there is none. */
int mvm_image_names_of(struct mvm_store *store, const struct mvm_reference *repository, struct mvm_strv *names,
		       struct mvm_error **err);

#endif
