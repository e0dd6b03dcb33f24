/* Kernels that come from files, and kernels that go. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_internal.h"
#include "manifest.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/kernel.h"

enum { CHUNK = 1 << 20 };

/* cpio(5), "New ASCII Format": what the kernel unpacks. */
#define CPIO_MAGIC "070701"

static int check_initramfs(const char *path, const char *name, struct mvm_error **err)
{
	int fd MVM_CLEAN_FD = open(path, O_RDONLY | O_CLOEXEC);
	char magic[sizeof(CPIO_MAGIC)] = "";
	ssize_t n = fd < 0 ? -1 : mvm_read_full(fd, magic, strlen(CPIO_MAGIC));

	if (n < 0)
		return mvm_fail_errno(err, errno, "cannot read the initramfs %s", name);
	if (strcmp(magic, CPIO_MAGIC) != 0)
		return mvm_fail(err, MVM_ERR_INVALID, "%s is no initramfs: it must be an uncompressed cpio archive",
				name);
	return 0;
}

int kernel_check_files(const char *image, const char *initramfs, const struct mvm_kernel_names *names,
		       struct mvm_kernel_config *config, struct mvm_error **err)
{
	struct mvm_kernel_facts facts;

	if (mvm_kernel_examine(image, names->image, &facts, err) < 0 ||
	    check_initramfs(initramfs, names->initramfs, err) < 0)
		return -1;
	if (!config->version) {
		config->arch = facts.arch;
		config->version = mvm_strdup(facts.version);
		return 0;
	}
	if (facts.arch != config->arch)
		return mvm_fail(err, MVM_ERR_INVALID, "its config says %s, and its kernel is one for %s",
				mvm_arch_name(config->arch), mvm_arch_name(facts.arch));
	if (*facts.version && strcmp(facts.version, config->version) != 0)
		return mvm_fail(err, MVM_ERR_INVALID, "its config says version \"%s\", and its kernel is %s",
				config->version, facts.version);
	return 0;
}

static int give_name(struct mvm_store *store, const struct mvm_descriptor *manifest, enum mvm_arch arch,
		     const struct mvm_reference *name, const char *source, struct mvm_error **err)
{
	char *full MVM_CLEAN_FREE = name ? mvm_reference_full(name) : NULL;
	struct mvm_platform platform;

	if (mvm_platform_set("linux", mvm_arch_name(arch), NULL, &platform, err) < 0)
		return -1;
	return mvm_store_put(store, manifest, &platform, full, source, err);
}

int kernel_put(struct mvm_store *store, const char *manifest, size_t length, const struct mvm_kernel_config *config,
	       const struct mvm_reference *name, const char *source, struct mvm_descriptor *descriptor,
	       struct mvm_error **err)
{
	*descriptor = (struct mvm_descriptor){.size = length, .media_type = (char *)MVM_MEDIA_OCI_MANIFEST};
	mvm_digest_of(manifest, length, &descriptor->digest);
	if (mvm_store_write_blob(store, descriptor, manifest, length, err) < 0)
		return -1;
	return give_name(store, descriptor, config->arch, name, source, err);
}

/* A copy of a file that may change while it is read: what has arrived is what counts. */
static int copy_file(const struct mvm_store *store, const char *path, struct mvm_descriptor *blob,
		     struct mvm_error **err)
{
	int fd MVM_CLEAN_FD = open(path, O_RDONLY | O_CLOEXEC);
	char *chunk MVM_CLEAN_FREE = mvm_alloc(CHUNK);
	struct mvm_ingest *ingest;
	int result = 0;
	ssize_t n = 0;

	if (fd < 0)
		return mvm_fail_errno(err, errno, "cannot read %s", path);
	if (mvm_ingest_begin_unknown(store, &ingest, err) < 0)
		return -1;
	while (result == 0 && (n = mvm_read_full(fd, chunk, CHUNK)) > 0)
		result = ingest->received + (uint64_t)n > MVM_KERNEL_FILE_MAX
				 ? mvm_fail(err, MVM_ERR_INVALID, "%s is larger than %d MiB", path,
					    MVM_KERNEL_FILE_MAX >> 20)
				 : mvm_ingest_write(ingest, chunk, (size_t)n, err);
	if (result == 0 && n < 0)
		result = mvm_fail_errno(err, errno, "cannot read %s", path);
	if (result == 0)
		result = mvm_ingest_commit(ingest, err);
	if (result == 0)
		*blob = (struct mvm_descriptor){.digest = ingest->descriptor.digest, .size = ingest->descriptor.size};
	mvm_ingest_destroy(ingest);
	return result;
}

/* The copies are looked at, not the files. */
static int take_files(struct mvm_store *store, const struct mvm_kernel_names *names, struct mvm_kernel_parts *parts,
		      struct mvm_kernel_config *config, struct mvm_error **err)
{
	char *image MVM_CLEAN_FREE = NULL, *initramfs MVM_CLEAN_FREE = NULL, *text MVM_CLEAN_FREE = NULL;

	if (copy_file(store, names->image, &parts->image, err) < 0 ||
	    copy_file(store, names->initramfs, &parts->initramfs, err) < 0)
		return -1;
	image = mvm_store_blob_path(store, &parts->image.digest);
	initramfs = mvm_store_blob_path(store, &parts->initramfs.digest);
	if (kernel_check_files(image, initramfs, names, config, err) < 0)
		return -1;
	text = mvm_kernel_config_format(config->arch, config->version);
	parts->config.size = strlen(text);
	mvm_digest_of(text, strlen(text), &parts->config.digest);
	return mvm_store_write_blob(store, &parts->config, text, strlen(text), err);
}

static int add_locked(struct mvm_store *store, const struct mvm_kernel_names *names, const struct mvm_reference *name,
		      struct mvm_kernel **kernel, struct mvm_error **err)
{
	struct mvm_kernel_config config MVM_CLEAN_KERNEL_CONFIG = {0};
	struct mvm_kernel_parts parts = {0};
	char *manifest MVM_CLEAN_FREE = NULL;
	struct mvm_descriptor descriptor;
	int lock MVM_CLEAN_FD = -1;

	if (mvm_store_lock_use(store, MVM_LOCK_SHARED, &lock, err) < 0 ||
	    take_files(store, names, &parts, &config, err) < 0)
		return -1;
	manifest = mvm_kernel_manifest_format(&parts);
	if (kernel_put(store, manifest, strlen(manifest), &config, name, NULL, &descriptor, err) < 0)
		return -1;
	return mvm_kernels_find(store, descriptor.digest.text, kernel, err);
}

int mvm_kernels_add(struct mvm_store *store, const char *image, const char *initramfs, const struct mvm_reference *name,
		    struct mvm_kernel **kernel, struct mvm_error **err)
{
	const struct mvm_kernel_names names = {.image = image, .initramfs = initramfs};
	int result = add_locked(store, &names, name, kernel, err);

	mvm_store_collect(store, NULL);
	return result;
}

int mvm_kernels_tag(struct mvm_store *store, const struct mvm_kernel *kernel, const struct mvm_reference *name,
		    struct mvm_kernel **tagged, struct mvm_error **err)
{
	int lock MVM_CLEAN_FD = -1;

	if (mvm_store_lock_use(store, MVM_LOCK_SHARED, &lock, err) < 0)
		return -1;
	if (name && mvm_store_has_blob(store, &kernel->manifest) &&
	    give_name(store, &kernel->manifest, kernel->config.arch, name, NULL, err) < 0)
		return -1;
	return mvm_kernels_find(store, kernel->manifest.digest.text, tagged, err);
}

static int check_removal(const struct mvm_kernel *kernel,
			 int (*check)(void *arg, const struct mvm_kernel *kernel, struct mvm_error **err), void *arg,
			 struct mvm_error **err)
{
	char *display MVM_CLEAN_FREE = mvm_kernel_display(kernel);
	const char *arch = mvm_arch_name(kernel->config.arch);

	if (kernel->used)
		return mvm_fail(
			err, MVM_ERR_CONFLICT,
			"conflict: unable to remove kernel %s: it is the one that %s machines boot; let `mvm kernel "
			"use` choose another, or `mvm kernel use --own %s` mvm's own",
			display, arch, arch);
	return check ? check(arg, kernel, err) : 0;
}

/* The entries that have the name, or all of the kernel's where that is NULL. */
static void drop_entries(struct mvm_entries *entries, const struct mvm_kernel *kernel, const char *name,
			 struct mvm_kernel_removed *removed)
{
	for (size_t i = entries->count; i-- > 0;) {
		const struct mvm_entry *entry = &entries->items[i];

		if (!mvm_digest_equal(&entry->descriptor.digest, &kernel->manifest.digest) ||
		    (name && (!entry->name || strcmp(entry->name, name) != 0)))
			continue;
		if (entry->name)
			mvm_strv_add(&removed->untagged, entry->name);
		mvm_entries_remove(entries, i);
	}
}

int mvm_kernels_remove(struct mvm_store *store, const char *text,
		       int (*check)(void *arg, const struct mvm_kernel *kernel, struct mvm_error **err), void *arg,
		       struct mvm_kernel_removed *removed, struct mvm_error **err)
{
	struct mvm_kernel_list list MVM_CLEAN_KERNEL_LIST = {0};
	struct mvm_entries entries MVM_CLEAN_ENTRIES = {0};
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	char *name MVM_CLEAN_FREE = NULL;
	const struct mvm_kernel *kernel;
	int lock MVM_CLEAN_FD = -1;
	size_t index;
	bool named;

	if (mvm_store_lock_index(store, 0, &lock, err) < 0 || mvm_entries_load(store, &entries, err) < 0 ||
	    kernel_list_entries(store, &entries, &list, err) < 0 || kernel_match(&list, text, &index, &named, err) < 0)
		return -1;
	kernel = list.items[index];
	if (named && kernel->names.count > 1 && mvm_reference_parse(text, &reference, err) == 0)
		name = mvm_reference_full(&reference);
	if (!name && check_removal(kernel, check, arg, err) < 0)
		return -1;
	drop_entries(&entries, kernel, name, removed);
	if (mvm_entries_save(store, &entries, err) < 0)
		return -1;
	if (!name)
		removed->deleted = kernel->manifest.digest;
	mvm_close(&lock);
	/* What cannot be dropped now is dropped by the next removal or pull. */
	mvm_store_collect(store, NULL);
	return 0;
}
