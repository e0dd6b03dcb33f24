/*
 * The guest's memory: a memfd, because the vhost-user devices map it too, of 4096-byte pages that the host makes
 * when they are first touched.
 *
 * Each first touch costs a vCPU some microseconds, and the kernel's boot touches 14,000 pages, always the same. While
 * QEMU starts, which takes one processor, a thread makes these pages on another. It touches next to nothing that
 * the boot would not.
 */
#ifndef MVM_BACKEND_QEMU_MEMORY_H
#define MVM_BACKEND_QEMU_MEMORY_H

#include <stdint.h>

struct mvm_error;

/* `size` in bytes, whole pages. The descriptor is the caller's. */
int memory_create(uint64_t size, int *fd, struct mvm_error **err);
/* Starts the thread, which keeps a copy of the descriptor until it is done. It is of help only: failures are silent. */
void memory_warm(int fd, uint64_t size);

#endif
