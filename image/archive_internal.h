/*
 * What load, save and import share.
 */
#ifndef MVM_IMAGE_ARCHIVE_INTERNAL_H
#define MVM_IMAGE_ARCHIVE_INTERNAL_H

#include <stdbool.h>

#include "archive.h"
#include "layer.h"
#include "runtime/base/mem.h"
#include "store_internal.h"

#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"

/* A file of an archive, by its name below the archive's root. */
struct archive_file {
	char *name;
	char *target;		    /* of a symlink or hard link, below the root too; NULL for a file */
	struct mvm_descriptor blob; /* of a file; its media type is that of a layer that begins so, a literal */
	size_t number;		    /* in the order of the archive */
};

/* An image of the archive that is whole and in the store. */
struct archive_image {
	struct mvm_image *image;
	struct mvm_strv names; /* full */
};

struct archive {
	struct mvm_store *store;
	const struct mvm_archive_options *options;
	struct archive_file *files; /* but those that follow; by name, each once, after archive_read() */
	size_t file_count;
	size_t name_bytes;
	struct mvm_buf manifest_json, index_json, oci_layout; /* data is NULL where there is none */
	struct archive_image *images;
	size_t image_count;
};

void archive_finish(struct archive *archive);

/* load_read.c: the whole archive, its files into the store. */
int archive_read(struct archive *archive, int fd, struct mvm_error **err);
/* A file's blob, through links; NOT_FOUND. `what` says what it was wanted as. */
int archive_find(const struct archive *archive, const char *name, const char *what, const struct mvm_descriptor **blob,
		 struct mvm_error **err);
/* The path that `text` means in `folder` (of `length` bytes), without ".", ".." and slashes at the ends; NULL where it
 * climbs out. The caller owns it. */
char *archive_path(const char *folder, size_t length, const char *text);

/* load_docker.c, load_oci.c: fill images. */
int archive_resolve_docker(struct archive *archive, struct mvm_error **err);
int archive_resolve_oci(struct archive *archive, struct mvm_error **err);
/* Takes the image and sets it to NULL, unless it has the same already. UNSUPPORTED where it is not for the platform
 * that was asked for. */
int archive_add_image(struct archive *archive, struct mvm_image **image, const char *name, struct mvm_error **err);

/* archive.c: reads up to the end or `length` bytes from a descriptor. */
ssize_t archive_read_fd(int fd, void *data, size_t length, const struct mvm_archive_options *options,
			struct mvm_error **err);
bool archive_interrupted(const struct mvm_archive_options *options);
/* bring.c: a layer that `fd` gives as a tar, plain or compressed, into the store. The caller holds use.lock. */
struct archive_layer {
	struct mvm_descriptor blob; /* the media type is a literal */
	struct mvm_digest diff_id;
	bool empty; /* there is no entry in it */
};
int archive_bring_layer(struct mvm_store *store, int fd, const struct mvm_archive_options *options,
			struct archive_layer *layer, struct mvm_error **err);
int archive_write_config(struct mvm_store *store, const json_t *config, struct mvm_descriptor *blob,
			 struct mvm_error **err);
/* NULL: it is there, without a name. */
int archive_give_name(struct mvm_store *store, const struct mvm_image *image, const struct mvm_reference *reference,
		      struct mvm_error **err);
/* The media type of a layer that begins with these bytes. */
const char *archive_layer_type(const unsigned char *magic, size_t length);
/* A manifest for a config and layers that are in the store, put there too, and the image that it makes. */
int archive_make_image(struct mvm_store *store, const struct mvm_descriptor *config,
		       const struct mvm_descriptor *layers, size_t count, struct mvm_image **image,
		       struct mvm_error **err);
/* The image's disk, from blobs in the store; NOT_FOUND where one is not there. */
int archive_unpack(struct mvm_store *store, const struct mvm_image *image, const struct mvm_archive_options *options,
		   struct mvm_error **err);
/* Puts the image there where the store has no image of that manifest yet; it has no name. */
int archive_put_nameless(struct mvm_store *store, const struct mvm_image *image, struct mvm_error **err);

#endif
