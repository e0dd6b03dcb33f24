#include "pull.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "image_internal.h"
#include "registry.h"
#include "resolve.h"
#include "runtime/base/config.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "store_internal.h"
#include "unpack.h"
#include "verify.h"

/* As docker: more would not be faster, and servers count. */
#define DEFAULT_DOWNLOADS 3
#define DOWNLOADS_KEY	  "max-concurrent-downloads"

/* A blob that one or more layers need. */
struct blob {
	struct pull *pull;
	const struct mvm_descriptor *descriptor;
	struct mvm_ingest *ingest; /* NULL unless we fetch it */
	uint64_t seen;		   /* bytes the unpacker was told of */
	bool ready;
};

struct pull {
	struct mvm_store *store;
	const struct mvm_reference *reference;
	const struct mvm_pull_options *options;
	struct mvm_platform platform;
	char *name; /* full */
	size_t downloads;
	bool news; /* the name stands for another image than before */
	struct mvm_registry *registry;
	struct mvm_image *image;
	struct mvm_digest source; /* what the name stands for at the registry: the image's manifest, or an index */
	struct blob *blobs;
	size_t blob_count;
	struct mvm_unpack *unpack; /* NULL where the disk is there already */
	bool fetched;		   /* all blobs, verified */
	bool restarted;		   /* a download began again: the unpacker may have read what was not verified */
};

/* Under use.lock still: without it, ingests may be another process's. */
static void drop_work(struct pull *pull)
{
	/* The thread first: it reads what the rest owns. */
	mvm_unpack_destroy(pull->unpack);
	pull->unpack = NULL;
	for (size_t i = 0; i < pull->blob_count; i++)
		mvm_ingest_destroy(pull->blobs[i].ingest);
	free(pull->blobs);
	pull->blobs = NULL;
	pull->blob_count = 0;
	pull->fetched = pull->restarted = false;
}

static bool interrupted(const struct pull *pull)
{
	return pull->options->interrupted && *pull->options->interrupted;
}

static bool should_stop(void *arg)
{
	struct pull *pull = arg;

	return interrupted(pull) || (pull->unpack && mvm_unpack_hopeless(pull->unpack));
}

static void tell(const struct blob *blob, enum mvm_progress_state state, uint64_t done)
{
	mvm_progress_layer(blob->pull->options->progress, &blob->descriptor->digest, state, done,
			   blob->descriptor->size);
}

/* Tells the unpacker how much of a blob there is, for every layer that it is. */
static int feed(struct blob *blob, int fd, uint64_t available, struct mvm_error **err)
{
	struct pull *pull = blob->pull;

	for (size_t i = 0; pull->unpack && i < mvm_image_layer_count(pull->image); i++)
		if (mvm_digest_equal(&mvm_image_layer(pull->image, i)->blob.digest, &blob->descriptor->digest) &&
		    mvm_unpack_feed(pull->unpack, i, fd, available, blob->ready, err) < 0)
			return -1;
	return 0;
}

static int feed_from_store(struct blob *blob, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_store_blob_path(blob->pull->store, &blob->descriptor->digest);
	int fd MVM_CLEAN_FD = -1;

	blob->ready = true;
	if (!blob->pull->unpack)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	return feed(blob, fd, blob->descriptor->size, err);
}

static void tell_event(const struct blob *blob, enum mvm_fetch_event event, unsigned seconds)
{
	static const enum mvm_progress_state states[] = {
		[MVM_FETCH_WAITS] = MVM_PROGRESS_WAITING,
		[MVM_FETCH_BYTES] = MVM_PROGRESS_DOWNLOADING,
		[MVM_FETCH_VERIFIES] = MVM_PROGRESS_VERIFYING,
		[MVM_FETCH_DONE] = MVM_PROGRESS_DOWNLOADED,
	};

	if (event == MVM_FETCH_RETRIES)
		mvm_progress_retrying(blob->pull->options->progress, &blob->descriptor->digest, seconds);
	else
		tell(blob, states[event], blob->ingest->received);
}

static int on_fetch(void *arg, enum mvm_fetch_event event, unsigned seconds, struct mvm_error **err)
{
	struct blob *blob = arg;
	uint64_t received = blob->ingest->received;

	tell_event(blob, event, seconds);
	blob->ready = event == MVM_FETCH_DONE;
	if (received == blob->seen && !blob->ready)
		return 0;
	blob->pull->restarted |= received < blob->seen;
	blob->seen = received;
	return feed(blob, blob->ingest->fd, received, err);
}

static void list_blobs(struct pull *pull)
{
	size_t count = mvm_image_layer_count(pull->image);

	pull->blobs = mvm_alloc(count * sizeof(*pull->blobs));
	for (size_t i = 0; i < count; i++) {
		const struct mvm_descriptor *descriptor = &mvm_image_layer(pull->image, i)->blob;
		bool listed = false;

		for (size_t j = 0; j < pull->blob_count; j++)
			listed |= mvm_digest_equal(&pull->blobs[j].descriptor->digest, &descriptor->digest);
		if (!listed)
			pull->blobs[pull->blob_count++] = (struct blob){.pull = pull, .descriptor = descriptor};
	}
}

/* 1 where another process is at it and we do not wait; else the blob is there, or `fetch` is ready to fetch it. */
static int take_up(struct blob *blob, bool wait, struct mvm_fetch *fetch, struct mvm_error **err)
{
	struct pull *pull = blob->pull;
	int result =
		mvm_ingest_begin(pull->store, blob->descriptor, wait, pull->options->interrupted, &blob->ingest, err);

	switch (result) {
	case MVM_INGEST_PRESENT:
		if (feed_from_store(blob, err) < 0)
			return -1;
		tell(blob, pull->unpack ? MVM_PROGRESS_DOWNLOADED : MVM_PROGRESS_EXISTS, 0);
		return 0;
	case MVM_INGEST_BUSY:
		tell(blob, MVM_PROGRESS_WAITING, 0);
		return 1;
	case 0:
		tell(blob, MVM_PROGRESS_PENDING, 0);
		*fetch = (struct mvm_fetch){.ingest = blob->ingest, .changed = on_fetch, .arg = blob};
		return 0;
	default:
		return -1;
	}
}

/* First what nobody else is fetching, all at once; then the rest one by one, so that two processes never wait for each
 * other. */
static int fetch_blobs(struct pull *pull, struct mvm_error **err)
{
	struct mvm_fetch *fetches MVM_CLEAN_FREE = mvm_alloc(pull->blob_count * sizeof(*fetches));
	size_t count = 0;

	for (size_t i = 0; i < pull->blob_count; i++) {
		struct blob *blob = &pull->blobs[i];

		if (take_up(blob, false, &fetches[count], err) < 0)
			return -1;
		count += blob->ingest != NULL;
	}
	if (mvm_registry_fetch(pull->registry, fetches, count, pull->downloads, err) < 0)
		return -1;
	for (size_t i = 0; i < pull->blob_count; i++) {
		struct blob *blob = &pull->blobs[i];

		if (blob->ready)
			continue;
		if (take_up(blob, true, fetches, err) < 0 ||
		    (blob->ingest && mvm_registry_fetch(pull->registry, fetches, 1, 1, err) < 0))
			return -1;
	}
	return 0;
}

/* Starts unpacking, unless the disk is there. */
static int start_unpacking(struct pull *pull, struct mvm_error **err)
{
	struct mvm_layer *layers MVM_CLEAN_FREE = mvm_image_disk_layers(pull->image);
	struct mvm_disk_spec spec = {.layers = layers, .layer_count = mvm_image_layer_count(pull->image)};
	const char *home = mvm_store_home(pull->store);
	char *path MVM_CLEAN_FREE = NULL;
	int result = mvm_disk_find(home, &spec, &path, err);

	if (result <= 0)
		return result;
	return mvm_unpack_start(home, pull->image, pull->options->config, pull->options->progress, &pull->unpack, err);
}

static int finish_unpacking(struct pull *pull, struct mvm_error **err)
{
	int result = pull->unpack ? mvm_unpack_finish(pull->unpack, pull->options->interrupted, err) : 0;

	mvm_unpack_destroy(pull->unpack);
	pull->unpack = NULL;
	return result;
}

/* Downloads and unpacks; the two run side by side. */
static int fetch_and_unpack(struct pull *pull, struct mvm_error **err)
{
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	list_blobs(pull);
	if (start_unpacking(pull, err) < 0)
		return -1;
	if (fetch_blobs(pull, &cause) < 0) {
		if (pull->unpack && mvm_unpack_hopeless(pull->unpack))
			return finish_unpacking(pull, err);
		return mvm_error_move(err, &cause);
	}
	pull->fetched = true;
	return finish_unpacking(pull, err);
}

/* Whether unpacking may have failed for bytes that were not the blobs': those of a download that began again, or of a
 * blob that has decayed on the disk since it was verified. */
static bool is_worth_another_try(struct pull *pull)
{
	bool damaged = false;

	for (size_t i = 0; i < pull->blob_count; i++)
		damaged |=
			pull->blobs[i].ready && mvm_store_check_blob(pull->store, pull->blobs[i].descriptor, NULL) == 1;
	return damaged || pull->restarted;
}

static int bring_layers(struct pull *pull, struct mvm_error **err)
{
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (fetch_and_unpack(pull, &cause) == 0)
		return 0;
	if (!pull->fetched || (mvm_error_code(cause) != MVM_ERR_CORRUPT && mvm_error_code(cause) != MVM_ERR_INVALID) ||
	    !is_worth_another_try(pull))
		return mvm_error_move(err, &cause);
	mvm_log(MVM_LOG_WARN, "once more: %s", mvm_error_message(cause));
	drop_work(pull);
	return fetch_and_unpack(pull, err);
}

static bool is_complete(const struct pull *pull, const struct mvm_image *image)
{
	for (size_t i = 0; i < mvm_image_layer_count(image); i++)
		if (!mvm_store_has_blob(pull->store, &mvm_image_layer(image, i)->blob))
			return false;
	/* An older variant may have been the best that there was. */
	return mvm_platform_same(&pull->platform, mvm_image_platform(image));
}

static char *source_text(const struct pull *pull, const struct mvm_digest *digest)
{
	char *repository MVM_CLEAN_FREE = mvm_reference_repository(pull->reference);

	return mvm_format("%s@%s", repository, digest->text);
}

/* 1 where the image that has the name already is what the registry has for it. */
static int is_up_to_date(struct pull *pull, const struct mvm_image *image, struct mvm_error **err)
{
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	char *source MVM_CLEAN_FREE = NULL;
	struct mvm_digest digest;
	int result;

	pull->source = pull->reference->digest;
	if (mvm_digest_is_set(&pull->reference->digest))
		return 1;
	result = mvm_registry_head_manifest(pull->registry, pull->reference->tag, &digest, &cause);
	if (result < 0 && (mvm_error_code(cause) == MVM_ERR_TIMEOUT || mvm_error_code(cause) == MVM_ERR_INTERRUPTED))
		return mvm_error_move(err, &cause);
	/* Servers that know no HEAD are asked again by GET, which tells best what is wrong. */
	if (result != 0)
		return 0;
	pull->source = digest;
	source = source_text(pull, &digest);
	for (size_t i = 0; i < mvm_image_repo_digests(image)->count; i++)
		if (!strcmp(mvm_image_repo_digests(image)->items[i], source))
			return 1;
	return 0;
}

static void report_digest(const struct pull *pull)
{
	const struct mvm_digest *digest = &pull->image->repo_digest;

	mvm_progress_result(pull->options->progress, "Digest: %s",
			    mvm_digest_is_set(digest) ? digest->text : pull->image->descriptor.digest.text);
}

static void report_status(const struct mvm_pull_options *options, bool news, const char *familiar)
{
	mvm_progress_result(options->progress, "Status: %s for %s",
			    news ? "Downloaded newer image" : "Image is up to date", familiar);
}

/* Also of an image that is there already: the policy may be younger. */
static int check_signatures(const struct pull *pull, struct mvm_error **err)
{
	const struct mvm_digest digests[] = {pull->source, pull->image->descriptor.digest};
	const struct mvm_verify verify = {.store = pull->store,
					  .registry = pull->registry,
					  .reference = pull->reference,
					  .config = pull->options->config,
					  .interrupted = pull->options->interrupted};

	return mvm_verify_signatures(&verify, digests, MVM_COUNT(digests), err);
}

/* Brings what is missing and gives the name last. `existing` is the image that the name has now, or NULL; it is taken
 * when it is still the right one. */
static int bring(struct pull *pull, struct mvm_image **existing, struct mvm_error **err)
{
	struct mvm_image *old = *existing;
	int current = old && is_complete(pull, old) ? is_up_to_date(pull, old, err) : 0;
	char *source MVM_CLEAN_FREE = NULL;
	bool news;

	if (current < 0)
		return -1;
	if (current) {
		pull->image = old;
		*existing = NULL;
	} else {
		if (mvm_image_resolve(pull->store, pull->registry, pull->reference, &pull->platform,
				      pull->options->interrupted, &pull->image, err) < 0)
			return -1;
		pull->source = pull->image->repo_digest;
	}
	if (check_signatures(pull, err) < 0)
		return -1;
	news = !current && !(old && mvm_digest_equal(&old->descriptor.digest, &pull->image->descriptor.digest));
	if (bring_layers(pull, err) < 0)
		return -1;
	if (!current) {
		source = source_text(pull, &pull->image->repo_digest);
		if (mvm_store_put(pull->store, &pull->image->descriptor, &pull->image->blob.platform, pull->name,
				  source, err) < 0)
			return -1;
	}
	report_digest(pull);
	pull->news = news;
	return 0;
}

static int pull_locked(struct pull *pull, struct mvm_error **err)
{
	struct mvm_image *existing MVM_CLEAN_IMAGE = NULL;
	int lock MVM_CLEAN_FD = -1;
	int result;

	/* For as long as this is held nothing is collected that we have found or brought. */
	if (mvm_store_lock_use(pull->store, MVM_LOCK_SHARED, &lock, err) < 0 ||
	    mvm_registry_open(pull->reference, NULL, pull->options->config, should_stop, pull, &pull->registry, err) <
		    0)
		return -1;
	mvm_store_find_reference(pull->store, pull->reference, &existing, NULL);
	mvm_progress_message(pull->options->progress, "%s: Pulling from %s",
			     pull->reference->tag ? pull->reference->tag : pull->reference->digest.text,
			     pull->reference->path);
	result = bring(pull, &existing, err);
	drop_work(pull);
	mvm_registry_close(pull->registry);
	return result;
}

static int configure(struct pull *pull, struct mvm_error **err)
{
	const struct mvm_pull_options *options = pull->options;

	if (options->platform)
		pull->platform = *options->platform;
	else
		mvm_platform_default(&pull->platform);
	pull->downloads = DEFAULT_DOWNLOADS;
	if (mvm_config_count(options->config, DOWNLOADS_KEY, &pull->downloads, err) < 0)
		return -1;
	if (options->downloads)
		pull->downloads = options->downloads;
	return 0;
}

/* Drops what the name stood for before, and what failures and kills have left; but not what another try will want. Not
 * worth failing for. */
static void collect(struct pull *pull, const struct mvm_error *failure)
{
	enum mvm_error_code code = mvm_error_code(failure);
	bool may_pass = failure && (code == MVM_ERR_NETWORK || code == MVM_ERR_TIMEOUT || code == MVM_ERR_INTERRUPTED);

	mvm_store_collect_but(pull->store, may_pass ? pull->image : NULL, NULL);
}

/* A full disk is met in many places, and the way out is the same. */
static int cannot_pull(const char *familiar, struct mvm_error **cause, struct mvm_error **err)
{
	if (mvm_error_code(*cause) == MVM_ERR_NO_SPACE)
		return mvm_fail(err, MVM_ERR_NO_SPACE,
				"cannot pull %s: %s; free some space, or let MVM_HOME name a folder on another disk",
				familiar, mvm_error_message(*cause));
	mvm_error_move(err, cause);
	return mvm_error_wrap(err, "cannot pull %s", familiar);
}

/* It is kept all the same: the registry has no other one under that name. */
static void warn_of_platform(const struct mvm_pull_options *options, const struct mvm_image *image,
			     const char *familiar)
{
	struct mvm_error *warning MVM_CLEAN_ERROR = NULL;

	if (options->platform && mvm_image_check_platform(image, familiar, options->platform, &warning) < 0)
		mvm_progress_message(options->progress, "WARNING: %s", mvm_error_message(warning));
}

static int pull_one(struct mvm_store *store, const struct mvm_reference *reference,
		    const struct mvm_pull_options *options, bool *news, struct mvm_image **image,
		    struct mvm_error **err)
{
	struct pull pull = {.store = store, .reference = reference, .options = options};
	char *familiar MVM_CLEAN_FREE = mvm_reference_familiar(reference);
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	int result;

	pull.name = mvm_reference_full(reference);
	result = configure(&pull, &cause);
	if (result == 0) {
		result = pull_locked(&pull, &cause);
		collect(&pull, cause);
	}
	mvm_image_destroy(pull.image);
	free(pull.name);
	if (result < 0)
		return cannot_pull(familiar, &cause, err);
	*news |= pull.news;
	if (mvm_store_find_reference(store, reference, image, err) < 0)
		return -1;
	warn_of_platform(options, *image, familiar);
	return 0;
}

int mvm_image_pull(struct mvm_store *store, const struct mvm_reference *reference,
		   const struct mvm_pull_options *options, struct mvm_image **image, struct mvm_error **err)
{
	char *familiar MVM_CLEAN_FREE = mvm_reference_familiar(reference);
	bool news = false;

	if (pull_one(store, reference, options, &news, image, err) < 0)
		return -1;
	report_status(options, news, familiar);
	return 0;
}

static bool is_interrupted(void *arg)
{
	const struct mvm_pull_options *options = arg;

	return options->interrupted && *options->interrupted;
}

static int list_tags(const struct mvm_reference *reference, const struct mvm_pull_options *options,
		     struct mvm_strv *tags, struct mvm_error **err)
{
	struct mvm_registry *registry;
	int result;

	if (mvm_registry_open(reference, NULL, options->config, is_interrupted, (void *)options, &registry, err) < 0)
		return -1;
	result = mvm_registry_list_tags(registry, tags, err);
	mvm_registry_close(registry);
	return result;
}

int mvm_image_pull_tags(struct mvm_store *store, const struct mvm_reference *reference,
			const struct mvm_pull_options *options, struct mvm_image_list *images, struct mvm_error **err)
{
	char *repository MVM_CLEAN_FREE = mvm_reference_repository(reference);
	char *familiar MVM_CLEAN_FREE = mvm_reference_familiar_repository(reference);
	struct mvm_strv tags MVM_CLEAN_STRV = {0};
	bool news = false;

	if (list_tags(reference, options, &tags, err) < 0)
		return mvm_error_wrap(err, "cannot pull %s", familiar);
	if (!tags.count)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "cannot pull %s: the repository has no tags", familiar);
	images->items = mvm_alloc(tags.count * sizeof(struct mvm_image *));
	for (size_t i = 0; i < tags.count; i++) {
		char *text MVM_CLEAN_FREE = mvm_format("%s:%s", repository, tags.items[i]);
		struct mvm_reference tagged MVM_CLEAN_REFERENCE = {0};

		if (mvm_reference_parse(text, &tagged, err) < 0 ||
		    pull_one(store, &tagged, options, &news, &images->items[images->count], err) < 0)
			return -1;
		images->count++;
	}
	report_status(options, news, familiar);
	return 0;
}
