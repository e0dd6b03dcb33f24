/* What the files kernel_*.c share. */
#ifndef MVM_IMAGE_KERNEL_INTERNAL_H
#define MVM_IMAGE_KERNEL_INTERNAL_H

#include "kernel.h"
#include "store_internal.h"

/* Whether both files are what they are called, and the kernel one for `config`; `names` are what errors call them. An
 * architecture and a version that are not known yet (a NULL version) are taken from the kernel. INVALID. */
struct mvm_kernel_names {
	const char *image, *initramfs;
};
int kernel_check_files(const char *image, const char *initramfs, const struct mvm_kernel_names *names,
		       struct mvm_kernel_config *config, struct mvm_error **err);

/* One whose manifest is in the store, without names. */
int kernel_read(const struct mvm_store *store, const struct mvm_descriptor *manifest, struct mvm_kernel **kernel,
		struct mvm_error **err);
/* All in the entries, once each, with their names; what cannot be read is left out with a word in the log. Under
 * index.lock. */
int kernel_list_entries(const struct mvm_store *store, const struct mvm_entries *entries, struct mvm_kernel_list *list,
			struct mvm_error **err);
/* By a name or an ID; *by_name says which. */
int kernel_match(const struct mvm_kernel_list *list, const char *text, size_t *index, bool *by_name,
		 struct mvm_error **err);

/* Puts the manifest, whose parts are there, into the store and the index. The caller holds use.lock. */
int kernel_put(struct mvm_store *store, const char *manifest, size_t length, const struct mvm_kernel_config *config,
	       const struct mvm_reference *name, const char *source, struct mvm_descriptor *descriptor,
	       struct mvm_error **err);

#endif
