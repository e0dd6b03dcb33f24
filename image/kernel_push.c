/* A kernel to a registry: its blobs, and the manifest last, byte for byte as the store has it. */
#include <stdlib.h>
#include <string.h>

#include "kernel_internal.h"
#include "manifest.h"
#include "registry.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"

enum { PARTS = 3 };

struct push {
	struct mvm_store *store;
	const struct mvm_kernel_options *options;
	struct mvm_registry *registry;
};

static void push_finish(struct push *push)
{
	mvm_registry_close(push->registry);
}

static bool should_stop(void *arg)
{
	const struct push *push = arg;

	return push->options->interrupted && *push->options->interrupted;
}

struct blob {
	const struct push *push;
	const struct mvm_descriptor *descriptor;
	char *path;
	bool shown;
};

static void on_changed(void *arg, enum mvm_upload_event event, uint64_t bytes)
{
	static const enum mvm_progress_state states[] = {[MVM_UPLOAD_SENDING] = MVM_PROGRESS_PUSHING,
							 [MVM_UPLOAD_DONE] = MVM_PROGRESS_PUSHED,
							 [MVM_UPLOAD_EXISTS] = MVM_PROGRESS_PUSHED_EARLIER,
							 [MVM_UPLOAD_MOUNTED] = MVM_PROGRESS_PUSHED_EARLIER};
	const struct blob *blob = arg;

	if (blob->shown)
		mvm_progress_layer(blob->push->options->progress, &blob->descriptor->digest, states[event], bytes,
				   blob->descriptor->size);
}

/* A registry that got other bytes than the digest says may be right. */
static int blame(const struct push *push, const struct mvm_upload *uploads, struct mvm_error **cause,
		 struct mvm_error **err)
{
	for (size_t i = 0; mvm_error_code(*cause) == MVM_ERR_CORRUPT && i < PARTS; i++)
		if (mvm_store_check_blob(push->store, uploads[i].descriptor, NULL) == 1)
			return mvm_fail(err, MVM_ERR_CORRUPT,
					"blob %.12s was damaged on the disk and has been dropped; pull or build the "
					"kernel again",
					mvm_digest_hex(&uploads[i].descriptor->digest));
	return mvm_error_move(err, cause);
}

static int send_blobs(const struct push *push, const struct mvm_kernel_parts *parts, struct mvm_error **err)
{
	struct blob blobs[PARTS] = {{.descriptor = &parts->image, .shown = true},
				    {.descriptor = &parts->initramfs, .shown = true},
				    {.descriptor = &parts->config}};
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	struct mvm_upload uploads[PARTS];
	int result;

	for (size_t i = 0; i < PARTS; i++) {
		blobs[i].push = push;
		blobs[i].path = mvm_store_blob_path(push->store, &blobs[i].descriptor->digest);
		uploads[i] = (struct mvm_upload){.descriptor = blobs[i].descriptor,
						 .path = blobs[i].path,
						 .changed = on_changed,
						 .arg = &blobs[i]};
		if (blobs[i].shown)
			mvm_progress_layer(push->options->progress, &blobs[i].descriptor->digest,
					   MVM_PROGRESS_PREPARING, 0, 0);
	}
	result = mvm_registry_upload(push->registry, uploads, PARTS, PARTS, &cause);
	for (size_t i = 0; i < PARTS; i++)
		free(blobs[i].path);
	return result < 0 ? blame(push, uploads, &cause, err) : 0;
}

/* `name` is a tag or the manifest's digest. */
static int send_kernel(const struct push *push, const struct mvm_kernel *kernel, const char *name,
		       struct mvm_error **err)
{
	struct mvm_buf manifest MVM_CLEAN_BUF = {0};

	if (send_blobs(push, &kernel->parts, err) < 0 ||
	    mvm_store_read_blob(push->store, &kernel->manifest, MVM_MANIFEST_MAX, &manifest, err) < 0)
		return -1;
	return mvm_registry_put_manifest(push->registry, name, &kernel->manifest, manifest.data, err);
}

static int find_kernel(const struct push *push, const struct mvm_reference *reference, struct mvm_kernel **kernel,
		       struct mvm_error **err)
{
	char *familiar MVM_CLEAN_FREE = mvm_reference_familiar(reference), *name MVM_CLEAN_FREE = NULL;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (!reference->tag)
		return mvm_fail(err, MVM_ERR_USAGE, "cannot push a digest reference: %s; give it a tag with --from",
				familiar);
	name = mvm_reference_full(reference);
	if (mvm_kernels_find(push->store, name, kernel, &cause) == 0)
		return 0;
	if (mvm_error_code(cause) != MVM_ERR_NOT_FOUND)
		return mvm_error_move(err, &cause);
	return mvm_fail(err, MVM_ERR_NOT_FOUND,
			"A kernel does not exist locally with the tag: %s; --from says which is to have it", familiar);
}

static int open_registry(struct push *push, const struct mvm_reference *reference, struct mvm_error **err)
{
	const struct mvm_registry_access access = {.actions = "pull,push"};

	return mvm_registry_open(reference, &access, push->options->config, should_stop, push, &push->registry, err);
}

static int push_locked(struct push *push, const struct mvm_reference *reference, struct mvm_pushed *pushed,
		       struct mvm_error **err)
{
	char *repository MVM_CLEAN_FREE = mvm_reference_repository(reference);
	char *name MVM_CLEAN_FREE = mvm_reference_full(reference);
	struct mvm_kernel *kernel MVM_CLEAN_KERNEL = NULL;
	char *source MVM_CLEAN_FREE = NULL;
	int lock MVM_CLEAN_FD = -1;

	/* For as long as this is held nothing is collected that we have found. */
	if (mvm_store_lock_use(push->store, MVM_LOCK_SHARED, &lock, err) < 0 ||
	    find_kernel(push, reference, &kernel, err) < 0 || open_registry(push, reference, err) < 0 ||
	    send_kernel(push, kernel, reference->tag, err) < 0)
		return -1;
	*pushed = (struct mvm_pushed){.digest = kernel->manifest.digest, .size = kernel->manifest.size};
	source = mvm_format("%s@%s", repository, kernel->manifest.digest.text);
	return mvm_store_set_source(push->store, &kernel->manifest.digest, name, source, err);
}

int mvm_kernel_push(struct mvm_store *store, const struct mvm_reference *reference,
		    const struct mvm_kernel_options *options, struct mvm_pushed *pushed, struct mvm_error **err)
{
	struct push push __attribute__((cleanup(push_finish))) = {.store = store, .options = options};
	char *familiar MVM_CLEAN_FREE = mvm_reference_familiar(reference);

	if (push_locked(&push, reference, pushed, err) < 0)
		return push.registry ? mvm_error_wrap(err, "cannot push kernel %s", familiar) : -1;
	return 0;
}

static int check_architectures(const struct mvm_kernel_list *kernels, struct mvm_error **err)
{
	for (size_t i = 0; i < kernels->count; i++)
		for (size_t j = 0; j < i; j++)
			if (kernels->items[i]->config.arch == kernels->items[j]->config.arch)
				return mvm_fail(err, MVM_ERR_CONFLICT,
						"two kernels for %s: under one name there can be one for each "
						"architecture",
						mvm_arch_name(kernels->items[i]->config.arch));
	return 0;
}

/* image-index.md; the caller's. */
static char *format_index(const struct mvm_kernel_list *kernels)
{
	json_t *list = json_array();
	json_t *root MVM_CLEAN_JSON =
		json_pack("{s:i, s:s, s:o}", "schemaVersion", 2, "mediaType", MVM_MEDIA_OCI_INDEX, "manifests", list);

	for (size_t i = 0; i < kernels->count; i++) {
		const struct mvm_kernel *kernel = kernels->items[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:s, s:{s:s, s:s}}", "mediaType",
						      MVM_MEDIA_OCI_MANIFEST, "digest", kernel->manifest.digest.text,
						      "size", (json_int_t)kernel->manifest.size, "artifactType",
						      MVM_MEDIA_KERNEL, "platform", "architecture",
						      mvm_arch_name(kernel->config.arch), "os", "linux"));
	}
	return json_dumps(root, JSON_COMPACT);
}

static int push_all(struct push *push, const struct mvm_reference *reference, const struct mvm_kernel_list *kernels,
		    struct mvm_pushed *pushed, struct mvm_error **err)
{
	char *index MVM_CLEAN_FREE = format_index(kernels);
	struct mvm_descriptor descriptor = {.size = strlen(index), .media_type = (char *)MVM_MEDIA_OCI_INDEX};
	int lock MVM_CLEAN_FD = -1;

	if (mvm_store_lock_use(push->store, MVM_LOCK_SHARED, &lock, err) < 0 || open_registry(push, reference, err) < 0)
		return -1;
	for (size_t i = 0; i < kernels->count; i++)
		if (send_kernel(push, kernels->items[i], kernels->items[i]->manifest.digest.text, err) < 0)
			return -1;
	mvm_digest_of(index, strlen(index), &descriptor.digest);
	*pushed = (struct mvm_pushed){.digest = descriptor.digest, .size = descriptor.size};
	return mvm_registry_put_manifest(push->registry, reference->tag, &descriptor, index, err);
}

int mvm_kernel_push_index(struct mvm_store *store, const struct mvm_reference *reference,
			  const struct mvm_kernel_list *kernels, const struct mvm_kernel_options *options,
			  struct mvm_pushed *pushed, struct mvm_error **err)
{
	struct push push __attribute__((cleanup(push_finish))) = {.store = store, .options = options};
	char *familiar MVM_CLEAN_FREE = mvm_reference_familiar(reference);

	if (check_architectures(kernels, err) < 0)
		return -1;
	if (push_all(&push, reference, kernels, pushed, err) < 0)
		return mvm_error_wrap(err, "cannot push kernel %s", familiar);
	return 0;
}
