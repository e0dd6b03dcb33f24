/*
 * Unpacking while downloading: a thread that builds an image's root disk from layers that are still arriving.
 *
 * The thread that downloads tells how much of each layer is there; this one reads no further, and sees a layer's end
 * only once its blob has been verified. So the disk can be finished only when everything has matched (disk.h keeps it
 * invisible until then).
 */
#ifndef MVM_IMAGE_UNPACK_H
#define MVM_IMAGE_UNPACK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "image.h"

struct mvm_config;
struct mvm_error;
struct mvm_progress;
struct mvm_unpack;

/* Starts the thread. All but `unpack` must outlive it. `config` says what an image may take; it may be NULL. */
int mvm_unpack_start(const char *home, const struct mvm_image *image, const struct mvm_config *config,
		     const struct mvm_progress *progress, struct mvm_unpack **unpack, struct mvm_error **err);
/* The first `available` bytes of the layer can be read from `fd`, of which a copy is kept. A number smaller than before
 * is a download that begins again. `complete`: all of it is there and verified. */
int mvm_unpack_feed(struct mvm_unpack *unpack, size_t layer, int fd, uint64_t available, bool complete,
		    struct mvm_error **err);
/* True once unpacking has failed for want of space or a working disk: downloading on would be for nothing. (What it
 * finds wrong with a layer counts only once the blob has been verified: a server that lies is the better story.) */
bool mvm_unpack_hopeless(struct mvm_unpack *unpack);
/* Waits until every layer is unpacked and the disk is in place, or `interrupted`, which may be NULL, is set
 * (INTERRUPTED). */
int mvm_unpack_finish(struct mvm_unpack *unpack, const volatile sig_atomic_t *interrupted, struct mvm_error **err);
/* Gives up where it was not finished; the thread ends at its next read. NULL is fine. */
void mvm_unpack_destroy(struct mvm_unpack *unpack);

#endif
