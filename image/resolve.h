/*
 * From a name to an image: the manifest of the wanted platform and its config, fetched and verified.
 *
 * Same process and rules as pull.h, which is its caller.
 */
#ifndef MVM_IMAGE_RESOLVE_H
#define MVM_IMAGE_RESOLVE_H

#include <signal.h>

#include "image.h"
#include "reference.h"

struct mvm_descriptor;
struct mvm_error;
struct mvm_index_entry;
struct mvm_registry;
struct mvm_registry_manifest;
struct mvm_store;

/* Puts manifest and config into the store (under no name yet; the caller holds use.lock) and makes the image of them,
 * with its repo digest set. UNSUPPORTED where there is none for the platform, or it is not for Linux. A name that
 * stands for one image alone gives that, whatever platform it is for. */
int mvm_image_resolve(struct mvm_store *store, struct mvm_registry *registry, const struct mvm_reference *reference,
		      const struct mvm_platform *platform, const volatile sig_atomic_t *interrupted,
		      struct mvm_image **image, struct mvm_error **err);

/* What an entry of an index leads to, in place of what is in `document`: what the entry says of it must hold. */
int mvm_resolve_entry(struct mvm_registry *registry, const struct mvm_index_entry *entry,
		      struct mvm_registry_manifest *document, struct mvm_error **err);

/* A small blob, by way of the store: INVALID where it has more than `max` bytes. The caller holds use.lock and finishes
 * `blob`. */
int mvm_resolve_blob(struct mvm_store *store, struct mvm_registry *registry, const struct mvm_descriptor *descriptor,
		     size_t max, const volatile sig_atomic_t *interrupted, struct mvm_buf *blob,
		     struct mvm_error **err);

#endif
