/*
 * Manifests and indexes: OCI image-spec manifest.md and image-index.md, and Docker's
 * schema 2 equivalents (distribution/docs/spec/manifest-v2-2.md).
 *
 * Bytes in, values out, no I/O. The bytes come from a registry, with the digest already checked or computed, and
 * are not trusted further. Errors: INVALID for what is no manifest, UNSUPPORTED for schema 1, artifacts that are
 * no images, and layers that may not be distributed or are encrypted.
 */
#ifndef MVM_IMAGE_MANIFEST_H
#define MVM_IMAGE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "image.h"

/* What a registry may send at most, in bytes; manifests as distribution-spec recommends. */
enum { MVM_MANIFEST_MAX = 4 << 20, MVM_IMAGE_CONFIG_MAX = 8 << 20 };
/* An index may name an index; a registry that nests deeper is playing games. */
enum { MVM_INDEX_DEPTH = 4 };

#define MVM_MEDIA_OCI_INDEX	  "application/vnd.oci.image.index.v1+json"
#define MVM_MEDIA_OCI_MANIFEST	  "application/vnd.oci.image.manifest.v1+json"
#define MVM_MEDIA_DOCKER_LIST	  "application/vnd.docker.distribution.manifest.list.v2+json"
#define MVM_MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"

struct mvm_index_entry {
	struct mvm_descriptor descriptor;
	bool has_platform;
	struct mvm_platform platform;
};

/* Either an index with entries, or an image's manifest with config and layers. */
struct mvm_manifest {
	bool is_index;
	char *media_type;
	struct mvm_index_entry *entries;
	size_t entry_count;
	struct mvm_descriptor config;
	struct mvm_descriptor *layers;
	size_t layer_count;
};

/* `content_type` is the Content-Type of the answer, or the media type of the descriptor that led here; NULL where
 * unknown. Fills `manifest` on success only; finish it. */
int mvm_manifest_parse(const char *data, size_t length, const char *content_type, struct mvm_manifest *manifest,
		       struct mvm_error **err);
void mvm_manifest_finish(struct mvm_manifest *manifest);
#define MVM_CLEAN_MANIFEST __attribute__((cleanup(mvm_manifest_finish)))

/* The entry of an index that serves `wanted` best, borrowed. UNSUPPORTED lists what there is. */
int mvm_manifest_choose(const struct mvm_manifest *index, const struct mvm_platform *wanted,
			const struct mvm_index_entry **entry, struct mvm_error **err);

/* {"mediaType", "digest", "size"} of untrusted JSON; finish the descriptor. */
int mvm_descriptor_parse(const json_t *object, struct mvm_descriptor *descriptor, struct mvm_error **err);
void mvm_descriptor_finish(struct mvm_descriptor *descriptor);

#endif
