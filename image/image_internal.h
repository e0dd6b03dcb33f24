/* What store.c and pull.c share of struct mvm_image: how one is made. */
#ifndef MVM_IMAGE_IMAGE_INTERNAL_H
#define MVM_IMAGE_IMAGE_INTERNAL_H

#include "config.h"
#include "image.h"
#include "manifest.h"

struct mvm_image {
	struct mvm_descriptor descriptor; /* of the manifest */
	struct mvm_digest repo_digest;
	struct mvm_strv names;
	struct mvm_strv repo_digests;
	struct mvm_manifest manifest;
	struct mvm_config_blob blob;
	struct mvm_image_layer *layers; /* borrow their strings from the manifest */
};

/* Makes an image of the bytes of its manifest and its config, both of which have the right digest.
 * INVALID or UNSUPPORTED. */
int mvm_image_create(const struct mvm_descriptor *descriptor, const struct mvm_buf *manifest,
		     const struct mvm_buf *config, struct mvm_image **image, struct mvm_error **err);

#endif
