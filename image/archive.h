/*
 * Images as archives: what `save` writes and `load` reads, and root file systems that `import` makes images of.
 *
 * An archive is a tar that is an OCI image layout (image-layout.md) and has docker's manifest.json and repositories
 * beside it, as docker writes since 25. What is read may be either of the two or both, plain or compressed by gzip or
 * zstd, through a file or a pipe.
 *
 * Theory of operation: an archive's entries come in any order, so every file of it goes into the content store as a
 * blob while it is read, under the digest that it turns out to have; those that are named by a digest are held to it.
 * manifest.json and index.json are kept, and say at the end which blobs are an image. Its layers are then unpacked into
 * a disk, which checks them against the config's diff_ids, and only then it gets its names. What turns out to be
 * of no use, and what a kill leaves, is collected as after a pull.
 *
 * Blocks; call it where that is fine. An archive is untrusted. Errors: INVALID, CORRUPT (a digest differs), NOT_FOUND
 * (something is missing), UNSUPPORTED, NO_SPACE, IO, INTERRUPTED; they name the entry where there is one.
 */
#ifndef MVM_IMAGE_ARCHIVE_H
#define MVM_IMAGE_ARCHIVE_H

#include <signal.h>

#include "progress.h"
#include "store.h"

struct mvm_config;

struct mvm_archive_options {
	const struct mvm_platform *platform;	  /* NULL: the host's, and for a lone image any */
	const struct mvm_progress *progress;	  /* NULL: silent */
	const struct mvm_config *config;	  /* what an image may take (budget.h); NULL: the defaults */
	const volatile sig_atomic_t *interrupted; /* NULL, or becomes non-zero to stop (INTERRUPTED) */
};

/* Called for each name that an image got, and once with NULL for an image without. `replaced` is the image that had the
 * name before, NULL where there was none or the same. */
struct mvm_load_sink {
	void (*loaded)(void *arg, const char *name, const struct mvm_digest *id, const struct mvm_digest *replaced);
	void *arg;
};

/* All images of the archive that `fd` gives, which is read to its end. */
int mvm_image_load(struct mvm_store *store, int fd, const struct mvm_archive_options *options,
		   const struct mvm_load_sink *sink, struct mvm_error **err);

/* Writes the images that the user named, as one archive: by name and tag, with that name; by repository alone, with all
 * its tags; by ID or digest, without a name. The same images give the same bytes. CORRUPT where a blob has decayed. */
int mvm_image_save(struct mvm_store *store, char *const *names, const struct mvm_archive_options *options, int fd,
		   struct mvm_error **err);

struct mvm_import {
	const struct mvm_reference *reference; /* NULL: without a name */
	const char *message;		       /* NULL: docker's */
	const struct mvm_strv *changes;	       /* instructions, see change.h */
};

/* An image of one layer, made of the tar that `fd` gives: plain or compressed by gzip or zstd, and kept as it comes. */
int mvm_image_import(struct mvm_store *store, int fd, const struct mvm_import *import,
		     const struct mvm_archive_options *options, struct mvm_digest *id, struct mvm_error **err);

/* A container's image with one more layer. Borrowed. */
struct mvm_commit {
	const struct mvm_image *base;
	const struct mvm_reference *reference; /* NULL: without a name */
	json_t *config;			       /* what the image asks of a container: the object of that name */
	const char *created_by, *author, *comment;
	/* Called when the layer has ended: whether all of it has come. */
	int (*complete)(void *arg, struct mvm_error **err);
	void *arg;
};

/* Whether the base's layers are there for mvm_image_commit(): NOT_FOUND says which one is not. */
int mvm_image_check_layers(struct mvm_store *store, const struct mvm_image *image, struct mvm_error **err);
/* The layer is the tar that `fd` gives; one without entries becomes none, as docker has it. */
int mvm_image_commit(struct mvm_store *store, int fd, const struct mvm_commit *commit,
		     const struct mvm_archive_options *options, struct mvm_digest *id, struct mvm_error **err);

#endif
