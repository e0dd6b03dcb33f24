/*
 * Layers: one compressed OCI layer, pulled from a source, becomes changes to an ext4 image under construction.
 *
 * Runs in whichever process unpacks images (the CLI during pull or run). A layer is read and inflated on one
 * thread and hashed on another while the caller's reads the tar and writes the disk; nothing is unpacked onto the
 * host's file system. Every byte of a layer is untrusted: a malformed one fails with MVM_ERR_INVALID, one whose
 * uncompressed digest differs with MVM_ERR_CORRUPT, one that takes more than the image's budget with
 * MVM_ERR_UNSUPPORTED; all name the entry where there is one.
 *
 * Follows OCI image-spec 1.1 layer.md ("Applying Changesets", "Whiteouts") and the media types of media-types.md
 * with Docker's equivalents. Zstandard layers may hold skippable frames, gzip layers several members.
 */
#ifndef MVM_IMAGE_LAYER_H
#define MVM_IMAGE_LAYER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mvm_budget;
struct mvm_error;
struct mvm_ext4;

/* Where a layer's bytes come from, as the registry or the store has them (compressed). Returns the count, 0 at the
 * end, -1 with *err set. Called on a thread that is not the caller's, never twice at once, and no more after the
 * function that was given the source has returned. It may block. */
struct mvm_source {
	ssize_t (*read)(void *arg, void *data, size_t length, struct mvm_error **err);
	void *arg;
};

/* A blob that is an open file, read from its present position. `fd` points to a descriptor that stays the caller's. */
struct mvm_source mvm_source_from_fd(int *fd);

/* What an image's manifest and configuration say about one layer. All strings are borrowed. */
struct mvm_layer {
	const char *media_type; /* application/vnd.oci.image.layer.v1.tar[+gzip|+zstd], Docker's rootfs.diff.tar.gzip,
				   ... */
	const char *digest;  /* of the blob, "sha256:<hex>"; used for messages and opening, checked by who stores it */
	uint64_t size;	     /* of the blob, in bytes */
	const char *diff_id; /* of the uncompressed tar, "sha256:<hex>"; checked here */
};

/* Reads the layer to its end and applies it. The compression is found by its magic number and must be one that mvm
 * knows; the media type must be that of a layer (MVM_ERR_UNSUPPORTED otherwise). After a failure the image
 * under construction is good for nothing but mvm_ext4_destroy(). The error does not say which layer it was. */
int mvm_layer_apply(struct mvm_ext4 *fs, struct mvm_budget *budget, const struct mvm_layer *layer,
		    struct mvm_source source, struct mvm_error **err);

#endif
