/*
 * Image configuration: the config blob of an image (OCI image-spec config.md, Docker's image JSON).
 *
 * Bytes in, values out, no I/O. Untrusted: INVALID where a field has the wrong type.
 */
#ifndef MVM_IMAGE_CONFIG_H
#define MVM_IMAGE_CONFIG_H

#include "image.h"

struct mvm_config_blob {
	struct mvm_image_config config;
	struct mvm_platform platform;
	time_t created;
	struct mvm_digest *diff_ids;
	size_t diff_id_count;
	json_t *json;
};

/* Fills `blob` on success only; finish it. */
int mvm_config_blob_parse(const char *data, size_t length, struct mvm_config_blob *blob, struct mvm_error **err);
void mvm_config_blob_finish(struct mvm_config_blob *blob);
#define MVM_CLEAN_CONFIG_BLOB __attribute__((cleanup(mvm_config_blob_finish)))

#endif
