/*
 * A kernel from a registry.
 *
 * Blobs come one after the other: whoever waits for another process's blob holds none itself.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel_internal.h"
#include "manifest.h"
#include "registry.h"
#include "resolve.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "verify.h"

struct pull {
	struct mvm_store *store;
	const struct mvm_reference *reference;
	const struct mvm_kernel_options *options;
	struct mvm_registry *registry;
	struct mvm_registry_manifest document;
	struct mvm_digest source; /* what the name stands for: the manifest, or an index */
	struct mvm_kernel_parts parts;
	struct mvm_kernel_config config;
};

static void pull_finish(struct pull *pull)
{
	mvm_registry_manifest_finish(&pull->document);
	mvm_kernel_config_finish(&pull->config);
	mvm_registry_close(pull->registry);
}

static bool should_stop(void *arg)
{
	const struct pull *pull = arg;

	return pull->options->interrupted && *pull->options->interrupted;
}

static bool is_index(const struct mvm_registry_manifest *document)
{
	json_t *root MVM_CLEAN_JSON = NULL;

	return mvm_json_parse(document->body.data, document->body.length, "", &root, NULL) == 0 &&
	       json_object_get(root, "manifests");
}

/* From an index to the entry for the architecture. */
static int descend(struct pull *pull, struct mvm_error **err)
{
	struct mvm_registry_manifest *document = &pull->document;
	enum mvm_arch arch = pull->options->arch ? *pull->options->arch : MVM_ARCH_OWN;
	struct mvm_manifest index MVM_CLEAN_MANIFEST = {0};
	const struct mvm_index_entry *entry;
	struct mvm_platform platform;

	if (mvm_platform_set("linux", mvm_arch_name(arch), NULL, &platform, err) < 0 ||
	    mvm_manifest_parse(document->body.data, document->body.length, document->media_type, &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index.entry_count; i++) {
		entry = &index.entries[i];
		if (entry->has_platform && mvm_platform_same(&platform, &entry->platform))
			return mvm_resolve_entry(pull->registry, entry, document, err);
	}
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "it has no kernel for %s; --arch asks for another architecture",
			mvm_arch_name(arch));
}

static int find_manifest(struct pull *pull, struct mvm_error **err)
{
	const struct mvm_reference *reference = pull->reference;
	struct mvm_registry_manifest *document = &pull->document;

	if (mvm_registry_get_manifest(pull->registry, reference->tag ? reference->tag : reference->digest.text,
				      document, err) < 0)
		return -1;
	pull->source = document->digest;
	for (int depth = 0; depth < MVM_INDEX_DEPTH && is_index(document); depth++)
		if (descend(pull, err) < 0)
			return -1;
	return mvm_kernel_manifest_parse(document->body.data, document->body.length, &pull->parts, err);
}

/* A kernel is trusted with more than an image is. */
static int check_signatures(const struct pull *pull, struct mvm_error **err)
{
	const struct mvm_digest digests[] = {pull->source, pull->document.digest};
	const struct mvm_verify verify = {.store = pull->store,
					  .registry = pull->registry,
					  .reference = pull->reference,
					  .config = pull->options->config,
					  .interrupted = pull->options->interrupted};

	return mvm_verify_signatures(&verify, digests, MVM_COUNT(digests), err);
}

struct blob {
	const struct pull *pull;
	const struct mvm_descriptor *descriptor;
	const struct mvm_ingest *ingest;
	bool shown;
};

static void tell(const struct blob *blob, enum mvm_progress_state state, uint64_t done)
{
	if (blob->shown)
		mvm_progress_layer(blob->pull->options->progress, &blob->descriptor->digest, state, done,
				   blob->descriptor->size);
}

static int on_fetch(void *arg, enum mvm_fetch_event event, unsigned seconds, struct mvm_error **err)
{
	static const enum mvm_progress_state states[] = {
		[MVM_FETCH_WAITS] = MVM_PROGRESS_WAITING,
		[MVM_FETCH_BYTES] = MVM_PROGRESS_DOWNLOADING,
		[MVM_FETCH_VERIFIES] = MVM_PROGRESS_VERIFYING,
		[MVM_FETCH_DONE] = MVM_PROGRESS_DOWNLOADED,
	};
	const struct blob *blob = arg;

	if (event != MVM_FETCH_RETRIES)
		tell(blob, states[event], blob->ingest->received);
	else if (blob->shown)
		mvm_progress_retrying(blob->pull->options->progress, &blob->descriptor->digest, seconds);
	return 0;
}

/* What is there already is read again: it may have decayed. */
static int bring(const struct pull *pull, const struct mvm_descriptor *descriptor, bool shown, struct mvm_error **err)
{
	struct blob blob = {.pull = pull, .descriptor = descriptor, .shown = shown};
	struct mvm_fetch fetch = {.changed = on_fetch, .arg = &blob};
	int result = mvm_ingest_begin(pull->store, descriptor, true, pull->options->interrupted, &fetch.ingest, err);

	if (result == MVM_INGEST_PRESENT) {
		result = mvm_store_check_blob(pull->store, descriptor, err);
		if (result == 0)
			tell(&blob, MVM_PROGRESS_EXISTS, 0);
		if (result <= 0)
			return result;
		result =
			mvm_ingest_begin(pull->store, descriptor, true, pull->options->interrupted, &fetch.ingest, err);
	}
	if (result != 0)
		return result < 0 ? -1 : 0;
	blob.ingest = fetch.ingest;
	result = mvm_registry_fetch(pull->registry, &fetch, 1, 1, err);
	mvm_ingest_destroy(fetch.ingest);
	if (result == 0)
		tell(&blob, MVM_PROGRESS_COMPLETE, 0);
	return result;
}

static int bring_config(struct pull *pull, struct mvm_error **err)
{
	const enum mvm_arch *wanted = pull->options->arch;
	struct mvm_buf blob MVM_CLEAN_BUF = {0};

	if (bring(pull, &pull->parts.config, false, err) < 0 ||
	    mvm_store_read_blob(pull->store, &pull->parts.config, MVM_KERNEL_CONFIG_MAX, &blob, err) < 0 ||
	    mvm_kernel_config_parse(blob.data, blob.length, &pull->config, err) < 0)
		return -1;
	if (wanted && *wanted != pull->config.arch)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "it is a kernel for %s, not for %s",
				mvm_arch_name(pull->config.arch), mvm_arch_name(*wanted));
	return 0;
}

static int bring_files(struct pull *pull, struct mvm_error **err)
{
	static const struct mvm_kernel_names names = {.image = "what it has as its kernel",
						      .initramfs = "what it has as its initramfs"};
	char *image MVM_CLEAN_FREE = mvm_store_blob_path(pull->store, &pull->parts.image.digest);
	char *initramfs MVM_CLEAN_FREE = mvm_store_blob_path(pull->store, &pull->parts.initramfs.digest);

	mvm_progress_layer(pull->options->progress, &pull->parts.image.digest, MVM_PROGRESS_PENDING, 0, 0);
	mvm_progress_layer(pull->options->progress, &pull->parts.initramfs.digest, MVM_PROGRESS_PENDING, 0, 0);
	if (bring(pull, &pull->parts.image, true, err) < 0 || bring(pull, &pull->parts.initramfs, true, err) < 0)
		return -1;
	return kernel_check_files(image, initramfs, &names, &pull->config, err);
}

/* Whether the name stands for it already. */
static bool is_known(const struct pull *pull, const char *name)
{
	struct mvm_kernel *kernel MVM_CLEAN_KERNEL = NULL;

	return mvm_kernels_find(pull->store, name, &kernel, NULL) == 0 &&
	       mvm_digest_equal(&kernel->manifest.digest, &pull->document.digest);
}

static int pull_locked(struct pull *pull, struct mvm_kernel **kernel, struct mvm_error **err)
{
	const struct mvm_progress *progress = pull->options->progress;
	char *name MVM_CLEAN_FREE = mvm_reference_full(pull->reference);
	char *familiar MVM_CLEAN_FREE = mvm_reference_familiar(pull->reference);
	char *repository MVM_CLEAN_FREE = mvm_reference_repository(pull->reference);
	char *source MVM_CLEAN_FREE = NULL;
	struct mvm_descriptor manifest;
	int lock MVM_CLEAN_FD = -1;
	bool known;

	/* For as long as this is held nothing is collected that we have found or brought. */
	if (mvm_store_lock_use(pull->store, MVM_LOCK_SHARED, &lock, err) < 0 ||
	    mvm_registry_open(pull->reference, NULL, pull->options->config, should_stop, pull, &pull->registry, err) <
		    0)
		return -1;
	mvm_progress_message(progress, "%s: Pulling from %s",
			     pull->reference->tag ? pull->reference->tag : pull->reference->digest.text,
			     pull->reference->path);
	if (find_manifest(pull, err) < 0 || check_signatures(pull, err) < 0 || bring_config(pull, err) < 0 ||
	    bring_files(pull, err) < 0)
		return -1;
	known = is_known(pull, name);
	source = mvm_format("%s@%s", repository, pull->source.text);
	if (kernel_put(pull->store, pull->document.body.data, pull->document.body.length, &pull->config,
		       pull->reference, source, &manifest, err) < 0)
		return -1;
	mvm_progress_result(progress, "Digest: %s", pull->source.text);
	mvm_progress_result(progress, "Status: %s for %s", known ? "Kernel is up to date" : "Downloaded newer kernel",
			    familiar);
	return mvm_kernels_find(pull->store, manifest.digest.text, kernel, err);
}

int mvm_kernel_pull(struct mvm_store *store, const struct mvm_reference *reference,
		    const struct mvm_kernel_options *options, struct mvm_kernel **kernel, struct mvm_error **err)
{
	struct pull pull
		__attribute__((cleanup(pull_finish))) = {.store = store, .reference = reference, .options = options};
	char *familiar MVM_CLEAN_FREE = mvm_reference_familiar(reference);
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	int result = pull_locked(&pull, kernel, &cause);
	enum mvm_error_code code = mvm_error_code(cause);

	/* What has come before the network failed is the next try's to take up. */
	if (result == 0 || (code != MVM_ERR_NETWORK && code != MVM_ERR_TIMEOUT && code != MVM_ERR_INTERRUPTED))
		mvm_store_collect(store, NULL);
	if (result == 0)
		return 0;
	if (code == MVM_ERR_NO_SPACE)
		return mvm_fail(
			err, code,
			"cannot pull kernel %s: %s; free some space, or let MVM_HOME name a folder on another disk",
			familiar, mvm_error_message(cause));
	mvm_error_move(err, &cause);
	return mvm_error_wrap(err, "cannot pull kernel %s", familiar);
}
