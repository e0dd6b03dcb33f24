/*
 * Root disks: the layers of an image as one ext4 file, written once and kept under MVM_HOME/disks/<key>/rootfs.ext4,
 * read-only (mode 0444), sparse, with a journal, nominally 64 GiB.
 *
 * Runs in whichever process unpacks images. The key names the chain of layers (the ChainID of OCI image-spec
 * config.md), the format of the disk and, where it is not the default, its nominal size; the same layers always give
 * the same bytes. A disk is built under a hidden name with a lock and renamed into place after every layer's diff_id
 * has matched and the data is on stable storage: kill -9 at any moment leaves a disk whole or not there, and the rest
 * is removed by mvm_disk_collect(). Two processes that want the same disk build it once, the second waits.
 *
 * `home` is MVM_HOME. Errors: those of layer.h, MVM_ERR_NO_SPACE, MVM_ERR_IO. Strings that come back are the caller's.
 */
#ifndef MVM_IMAGE_DISK_H
#define MVM_IMAGE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layer.h"

struct mvm_config;
struct mvm_strv;

#define MVM_DISK_DEFAULT_SIZE (64ULL << 30)

/* The layers from the lowest to the topmost. A `size` of 0 is the default. */
struct mvm_disk_spec {
	const struct mvm_layer *layers;
	size_t layer_count;
	uint64_t size;
	const struct mvm_config *config; /* what an image may take (budget.h); NULL: the defaults */
};

/* The name of the folder under disks/. INVALID where a diff_id is not a sha256 digest or the size is impossible. */
int mvm_disk_key(const struct mvm_disk_spec *spec, char **key, struct mvm_error **err);

/* 0 and the path of rootfs.ext4 where the disk is there, 1 where it is not. */
int mvm_disk_find(const char *home, const struct mvm_disk_spec *spec, char **path, struct mvm_error **err);

/* What the files of each layer take, in bytes, as they were when the disk was made; `sizes` has room for all layers.
 * 1 where the disk is not there. */
int mvm_disk_layer_sizes(const char *home, const struct mvm_disk_spec *spec, uint64_t *sizes, struct mvm_error **err);

/*
 * Building as the layers arrive. create() returns 1 and sets only *path where the disk is there already. While another
 * process builds it, create() waits for that, or with `wait` false returns MVM_DISK_BUSY. add_layer() is called once
 * for each layer of the spec, in order; it returns when the layer's source has ended, and its error says which layer it
 * was. The spec and its strings must stay until destroy(). finish() makes the disk visible and gives its path;
 * destroy() drops what was not finished.
 */
struct mvm_disk_builder;
enum { MVM_DISK_BUSY = 2 };
int mvm_disk_builder_create(const char *home, const struct mvm_disk_spec *spec, bool wait,
			    struct mvm_disk_builder **builder, char **path, struct mvm_error **err);
int mvm_disk_builder_add_layer(struct mvm_disk_builder *builder, struct mvm_source source, struct mvm_error **err);
int mvm_disk_builder_finish(struct mvm_disk_builder *builder, char **path, struct mvm_error **err);
void mvm_disk_builder_destroy(struct mvm_disk_builder *builder);

/* Opens a layer's blob for reading; the descriptor becomes the callee's. */
typedef int (*mvm_disk_open_fn)(void *arg, const struct mvm_layer *layer, int *fd, struct mvm_error **err);

/* All of the above in one: the path of the disk, built from blob files where it is not there yet. */
int mvm_disk_ensure(const char *home, const struct mvm_disk_spec *spec, mvm_disk_open_fn open_blob, void *arg,
		    char **path, struct mvm_error **err);

/* The keys of the disks that are there, in no order. No disks folder is an empty list. */
int mvm_disk_list(const char *home, struct mvm_strv *keys, struct mvm_error **err);

/* Removes a disk; one that is not there is success. Whoever calls has made sure that no container's clone stands on
 * it: a qcow2 overlay is nothing without its base. */
int mvm_disk_remove(const char *home, const char *key, struct mvm_error **err);

/* Removes what killed builds and removals have left; leaves running ones alone. */
int mvm_disk_collect(const char *home, struct mvm_error **err);

#endif
