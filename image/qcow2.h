/*
 * An empty qcow2 overlay over a raw file, written directly: starting qemu-img would cost more than the clone.
 * QEMU's docs/interop/qcow2.txt, version 3.
 */
#ifndef MVM_IMAGE_QCOW2_H
#define MVM_IMAGE_QCOW2_H

#include <stdint.h>

struct mvm_error;

/* `base` is an absolute path of at most 1023 bytes (INVALID else), `size` in bytes a multiple of 512, at most 8 TiB.
 * The file must not exist; after a failure it may be there. */
int mvm_qcow2_create(const char *path, const char *base, uint64_t size, struct mvm_error **err);

#endif
