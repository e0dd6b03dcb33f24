/*
 * An image in the content store: names, platform, layers and configuration, read
 * from its manifest and config blob (OCI image-spec, manifest.md and config.md).
 *
 * Immutable once made; getters borrow from the image. Made by store.h and pull.h,
 * owned by the caller. Every value comes from a registry and is untrusted: it has been
 * checked for type, size and digest, not for sense.
 */
#ifndef MVM_IMAGE_IMAGE_H
#define MVM_IMAGE_IMAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "digest.h"
#include "platform.h"
#include "runtime/base/mem.h"

struct mvm_error;
struct mvm_image;
struct mvm_layer;

/* OCI descriptor (descriptor.md). */
struct mvm_descriptor {
	struct mvm_digest digest;
	uint64_t size;
	char *media_type; /* owned by whatever holds the descriptor */
};

struct mvm_image_layer {
	struct mvm_descriptor blob; /* as transferred: plain, gzip or zstd tar */
	struct mvm_digest diff_id;  /* of the uncompressed tar */
};

/* What the image asks of a container; what is absent is empty or NULL. */
struct mvm_image_config {
	struct mvm_strv env; /* "NAME=value" */
	struct mvm_strv entrypoint;
	struct mvm_strv cmd;
	struct mvm_strv exposed_ports; /* "80/tcp" */
	struct mvm_strv volumes;       /* "/data" */
	char *user;		       /* "1000:1000", "postgres" */
	char *working_dir;
	char *stop_signal;   /* "SIGQUIT" */
	json_t *labels;	     /* object of strings */
	json_t *healthcheck; /* docker's HealthConfig object as it stands */
};

void mvm_image_destroy(struct mvm_image *image);
static inline void mvm_image_cleanup(struct mvm_image **image)
{
	mvm_image_destroy(*image);
}
#define MVM_CLEAN_IMAGE __attribute__((cleanup(mvm_image_cleanup)))

/* Digest of the config blob: docker's image ID. Its first 12 hex digits are the short form. */
const struct mvm_digest *mvm_image_id(const struct mvm_image *image);
const struct mvm_descriptor *mvm_image_manifest(const struct mvm_image *image);
/* What the registry answered for the name, an index or the manifest: docker's "Digest:" line. Unset for an image
 * that came from no registry. */
const struct mvm_digest *mvm_image_repo_digest(const struct mvm_image *image);
/* Full names with tags, "docker.io/library/alpine:latest"; empty for an image that lost its name. */
const struct mvm_strv *mvm_image_names(const struct mvm_image *image);
/* "docker.io/library/alpine@sha256:..." for each repository it was pulled from, or digest it was asked for by. */
const struct mvm_strv *mvm_image_repo_digests(const struct mvm_image *image);
const struct mvm_platform *mvm_image_platform(const struct mvm_image *image);
/* NOT_FOUND, in docker's words, where it is not for that platform; `name` is what the user calls it. */
int mvm_image_check_platform(const struct mvm_image *image, const char *name, const struct mvm_platform *wanted,
			     struct mvm_error **err);
/* When the image was built; 0 where it does not say. */
time_t mvm_image_created(const struct mvm_image *image);
/* Bytes of config and layers as they lie in the store (compressed). */
uint64_t mvm_image_size(const struct mvm_image *image);
size_t mvm_image_layer_count(const struct mvm_image *image);
const struct mvm_image_layer *mvm_image_layer(const struct mvm_image *image, size_t index);
/* The layers as disk.h wants them, mvm_image_layer_count() of them, lowest first. The caller frees the array; the
 * strings in it are the image's. */
struct mvm_layer *mvm_image_disk_layers(const struct mvm_image *image);
const struct mvm_image_config *mvm_image_config(const struct mvm_image *image);
/* Whether it has the label "name", or "name=value". */
bool mvm_image_has_label(const struct mvm_image *image, const char *wanted);
/* The whole config blob, for `inspect`. */
const json_t *mvm_image_config_json(const struct mvm_image *image);

#endif
