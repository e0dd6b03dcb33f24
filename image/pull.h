/*
 * Pulling an image: resolve the name at its registry or a mirror, fetch config and layers
 * into the store, unpack them into a disk, and only then give the image its name.
 *
 * Every byte is checked against its digest and size before anything is visible or reused; a failure or
 * a kill at any point leaves no name and no half image. Blobs already in the store are not fetched; a blob that another
 * process is fetching is waited for.
 *
 * What a pull has fetched that then fails for the network's sake, is interrupted or killed stays in the store: the next
 * pull of the image takes it up, in the middle of a blob too. The end of any other pull, a removal and a prune drop it.
 *
 * Blocks, for the network and the unpacking: call it where that is fine (the CLI's process).
 * Registries, mirrors and all they send are untrusted. Errors: NETWORK, TIMEOUT, AUTH, NOT_FOUND (no
 * such name or tag), CORRUPT (size or digest differs), INVALID (not a manifest, ...), UNSUPPORTED, NO_SPACE,
 * INTERRUPTED.
 */
#ifndef MVM_IMAGE_PULL_H
#define MVM_IMAGE_PULL_H

#include <signal.h>

#include "progress.h"
#include "store.h"

struct mvm_config;

struct mvm_pull_options {
	const struct mvm_platform
		*platform; /* NULL: the host's architecture, Linux; or what there is where a name stands
			      for one image alone, of which one that was asked for is warned of */
	const struct mvm_progress *progress;	  /* NULL: silent */
	const struct mvm_config *config;	  /* runtime/base/config.h: mirrors, timeouts, the number of
						     downloads at once; NULL: none */
	size_t downloads;			  /* layers at once; 0: as configured, else 3 */
	const volatile sig_atomic_t *interrupted; /* NULL, or becomes non-zero to stop the pull (INTERRUPTED) */
};

/* 0: `image` is in the store under `reference`, its disk is unpacked, and the caller owns the object. */
int mvm_image_pull(struct mvm_store *store, const struct mvm_reference *reference,
		   const struct mvm_pull_options *options, struct mvm_image **image, struct mvm_error **err);

/* The same for every tag that the registry lists for the repository of `reference`. Whatever came before a failure is
 * in `images`, which must be empty and is the caller's to finish. */
int mvm_image_pull_tags(struct mvm_store *store, const struct mvm_reference *reference,
			const struct mvm_pull_options *options, struct mvm_image_list *images, struct mvm_error **err);

#endif
