/*
 * A container's own root disk: a copy-on-write clone of the image's, whose cost does not grow with the image.
 *
 * Three ways, the first that works: a clone by the file system (APFS clonefile, FICLONE on XFS and btrfs) as
 * root.ext4; a qcow2 overlay whose header we write ourselves as root.qcow2; a sparse copy as root.ext4. Runs in the
 * process that creates a container. Nothing here reads what a guest has written.
 *
 * Errors: INVALID where the size is smaller than the base's, EXISTS where the folder has a clone already, NO_SPACE, IO.
 * On failure no clone is left behind.
 *
 * The qcow2 header follows QEMU's docs/interop/qcow2.txt, version 3.
 */
#ifndef MVM_IMAGE_CLONE_H
#define MVM_IMAGE_CLONE_H

#include <stdbool.h>
#include <stdint.h>

struct mvm_error;

struct mvm_disk_clone {
	char *path;    /* <folder>/root.ext4 or <folder>/root.qcow2; owned */
	bool qcow2;    /* else raw */
	uint64_t size; /* what the guest sees, in bytes */
};

enum {
	MVM_DISK_CLONE_RAW = 1, /* never an overlay: for machines that read only raw disks (VZ) */
};

/* Clones the disk at `base` (a raw file; made absolute in an overlay) into `folder`, which must exist. A `size` of 0
 * is the base's; a larger one is rounded up to 4096 bytes and is for the guest to grow into (EXT4_IOC_RESIZE_FS). */
int mvm_disk_clone(const char *base, const char *folder, uint64_t size, unsigned flags, struct mvm_disk_clone *clone,
		   struct mvm_error **err);
void mvm_disk_clone_finish(struct mvm_disk_clone *clone);

#endif
