/*
 * The kernels of a home: a content store of its own (store.h has the layout), $MVM_HOME/kernels, with artifacts of
 * kernel_manifest.h in it. The blobs are what machines boot.
 *
 *   used.json   {"arm64": "sha256:..."}: the manifest of the kernel that machines of an architecture get where nobody
 *               asks for another; replaced atomically under index.lock. One that is not in the index counts as none.
 *
 * A kill at any point, a full disk, two at once: as for images. Registries and what they send are untrusted; a kernel
 * is in the index only once all of it has its digest and size, and is what it says it is.
 *
 * pull and push block, for the network: call them where that is fine (the CLI's process). Errors are pull.h's and
 * push.h's.
 */
#ifndef MVM_IMAGE_KERNEL_H
#define MVM_IMAGE_KERNEL_H

#include <signal.h>

#include "kernel_manifest.h"
#include "progress.h"
#include "push.h"
#include "reference.h"
#include "store.h"

struct mvm_config;

struct mvm_kernel {
	struct mvm_descriptor manifest; /* its digest is the kernel's ID */
	struct mvm_kernel_parts parts;
	struct mvm_kernel_config config;
	struct mvm_strv names;	 /* full ones with tags */
	char *image, *initramfs; /* paths */
	bool used;
};
void mvm_kernel_destroy(struct mvm_kernel *kernel);
static inline void mvm_kernel_cleanup(struct mvm_kernel **kernel)
{
	mvm_kernel_destroy(*kernel);
}
#define MVM_CLEAN_KERNEL __attribute__((cleanup(mvm_kernel_cleanup)))

/* Image and initramfs. */
uint64_t mvm_kernel_size(const struct mvm_kernel *kernel);
/* What people call it: its first name, else its short ID. The caller's. */
char *mvm_kernel_display(const struct mvm_kernel *kernel);

struct mvm_kernel_list {
	struct mvm_kernel **items;
	size_t count;
};
void mvm_kernel_list_finish(struct mvm_kernel_list *list);
#define MVM_CLEAN_KERNEL_LIST __attribute__((cleanup(mvm_kernel_list_finish)))

/* Makes the store where it is missing. Closed by mvm_store_close(). */
int mvm_kernels_open(const char *home, struct mvm_store **store, struct mvm_error **err);
/* By architecture and name. */
int mvm_kernels_list(struct mvm_store *store, struct mvm_kernel_list *list, struct mvm_error **err);
/* By a name, or an ID or the beginning of one. NOT_FOUND says "no such kernel". */
int mvm_kernels_find(struct mvm_store *store, const char *text, struct mvm_kernel **kernel, struct mvm_error **err);

/* 1: none is used, and nothing is made to find that out. */
int mvm_kernels_used(const char *home, enum mvm_arch arch, struct mvm_kernel **kernel, struct mvm_error **err);
/* NULL: none any more. NOT_FOUND where it has been removed meanwhile. */
int mvm_kernels_use(struct mvm_store *store, enum mvm_arch arch, const struct mvm_kernel *kernel,
		    struct mvm_error **err);

/* Takes in two files. `name` may be NULL; else it leaves whoever had it. INVALID where they are not what they should
 * be. */
int mvm_kernels_add(struct mvm_store *store, const char *image, const char *initramfs, const struct mvm_reference *name,
		    struct mvm_kernel **kernel, struct mvm_error **err);

/* Gives one that is here another name, if any. */
int mvm_kernels_tag(struct mvm_store *store, const struct mvm_kernel *kernel, const struct mvm_reference *name,
		    struct mvm_kernel **tagged, struct mvm_error **err);

/* Takes a name away, and the kernel with its last one; by ID all of them. CONFLICT where it is used, or where `check`,
 * which is asked before a kernel goes, says so. `untagged` gets names; `deleted` is unset where the kernel stays. */
struct mvm_kernel_removed {
	struct mvm_strv untagged;
	struct mvm_digest deleted;
};
int mvm_kernels_remove(struct mvm_store *store, const char *text,
		       int (*check)(void *arg, const struct mvm_kernel *kernel, struct mvm_error **err), void *arg,
		       struct mvm_kernel_removed *removed, struct mvm_error **err);

struct mvm_kernel_options {
	const enum mvm_arch *arch; /* NULL: the host's of several, else whatever it is for */
	const struct mvm_progress *progress;
	const struct mvm_config *config;
	const volatile sig_atomic_t *interrupted;
};
int mvm_kernel_pull(struct mvm_store *store, const struct mvm_reference *reference,
		    const struct mvm_kernel_options *options, struct mvm_kernel **kernel, struct mvm_error **err);
/* Several kernels under one name: an index, whose entries are for one architecture each. CONFLICT where two are for the
 * same. */
int mvm_kernel_push_index(struct mvm_store *store, const struct mvm_reference *reference,
			  const struct mvm_kernel_list *kernels, const struct mvm_kernel_options *options,
			  struct mvm_pushed *pushed, struct mvm_error **err);
/* Pushes what has the name here. */
int mvm_kernel_push(struct mvm_store *store, const struct mvm_reference *reference,
		    const struct mvm_kernel_options *options, struct mvm_pushed *pushed, struct mvm_error **err);

#endif
