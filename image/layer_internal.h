/*
 * What the files of the layer module share.
 */
#ifndef MVM_IMAGE_LAYER_INTERNAL_H
#define MVM_IMAGE_LAYER_INTERNAL_H

#include "budget.h"
#include "ext4.h"
#include "tar.h"

/* Tar entries become nodes. */
struct layer_target {
	struct mvm_ext4 *fs;
	struct mvm_budget *budget;
	struct mvm_ext4_node *file; /* whose content is coming; NULL where there is none */
	uint64_t filled;	    /* where its next byte goes unless a hole comes first */
	char *name;		    /* of the present entry; NULL between entries */
};

extern const struct mvm_tar_ops layer_ops;

/* The next bytes of the layer, within what the image may take. */
int layer_feed(struct layer_target *target, struct mvm_tar *tar, const void *data, size_t length,
	       struct mvm_error **err);

#endif
