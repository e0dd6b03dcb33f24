/*
 * What a disk of ours holds, as guest-agent/proto/listing.h has it: the base with which the guest compares its root.
 *
 * Reads a file system that the host has written and no guest could change: disks/<key>/rootfs.ext4, never a clone of
 * it. Blocks. Memory grows with the names in the folders of one path.
 */
#ifndef MVM_IMAGE_EXT4_LIST_H
#define MVM_IMAGE_EXT4_LIST_H

#include <stddef.h>

struct mvm_error;

struct mvm_ext4_sink {
	/* Negative ends it, with the error set. */
	int (*write)(void *arg, const void *data, size_t length, struct mvm_error **err);
	void *arg;
};

/* `made`: what the runtime makes for its own sake where the disk does not have it, NULL at the end: "proc/", "etc/",
 * "etc/hosts". A folder has a slash at its end, and is named if something in it is. Errors: the sink's, IO, CORRUPT. */
int mvm_ext4_list(const char *path, const char *const *made, const struct mvm_ext4_sink *sink, struct mvm_error **err);

#endif
