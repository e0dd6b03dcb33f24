/*
 * What the files of the layer module share.
 */
#ifndef MVM_IMAGE_LAYER_INTERNAL_H
#define MVM_IMAGE_LAYER_INTERNAL_H

#include "ext4.h"
#include "tar.h"

/* Tar entries become nodes. */
struct layer_target {
	struct mvm_ext4 *fs;
	struct mvm_ext4_node *file; /* whose content is coming; NULL where there is none */
	uint64_t size;
	char *name; /* of the present entry; NULL between entries */
};

extern const struct mvm_tar_ops layer_ops;

#endif
