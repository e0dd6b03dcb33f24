/*
 * Blobs, several at a time.
 *
 * Theory of operation: each blob is a job of a batch with a place to fetch from, an endpoint. A job that fails in a way
 * that may pass is put back with a time before which it is not started; one that fails for good moves on to the next
 * endpoint; the first that has none left ends everything. Starting over means from the first byte: the ingest is what
 * would know more.
 */
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "registry_internal.h"
#include "runtime/base/error.h"
#include "store_internal.h"

/* As docker: more would not be faster, and servers count. */
#define MAX_RUNNING 3

struct job {
	struct mvm_batch_job base;
	struct mvm_registry *registry;
	struct mvm_fetch *fetch;
	size_t endpoint;
	bool asked;		 /* for a token, since the last success */
	struct mvm_error *first; /* why an earlier endpoint failed */
};

static struct mvm_endpoint *endpoint_of(const struct job *job)
{
	return &job->registry->endpoints[job->endpoint];
}

static int changed(const struct job *job, bool committed, struct mvm_error **err)
{
	return job->fetch->changed ? job->fetch->changed(job->fetch->arg, committed, err) : 0;
}

/* Bytes that are not the blob's are the server's doing. */
static int blame(const struct job *job, struct mvm_error **err)
{
	if (err && mvm_error_code(*err) == MVM_ERR_CORRUPT)
		mvm_error_wrap(err, "%s sends damaged data (try again; if it stays so, the image must be pushed anew)",
			       endpoint_of(job)->name);
	return -1;
}

static int on_data(void *arg, const void *data, size_t length, struct mvm_error **err)
{
	struct job *job = arg;
	struct mvm_ingest *ingest = job->fetch->ingest;
	curl_off_t announced = -1;

	mvm_curl.easy_getinfo(job->base.transfer->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
	if (!ingest->received && announced >= 0 && (uint64_t)announced != ingest->descriptor.size)
		return mvm_fail(
			err, MVM_ERR_CORRUPT,
			"%s sends %lld bytes for blob %.12s, whose manifest says %llu; the image must be pushed anew",
			endpoint_of(job)->name, (long long)announced, mvm_digest_hex(&ingest->descriptor.digest),
			(unsigned long long)ingest->descriptor.size);
	if (mvm_ingest_write(ingest, data, length, err) < 0)
		return blame(job, err);
	return changed(job, false, err);
}

static int start(struct mvm_batch_job *base, struct mvm_http_transfer **transfer, struct mvm_error **err)
{
	struct job *job = (struct job *)base;
	struct mvm_endpoint *endpoint = endpoint_of(job);
	char *url MVM_CLEAN_FREE = mvm_format("%s/v2/%s/blobs/%s", endpoint->base, job->registry->path,
					      job->fetch->ingest->descriptor.digest.text);
	struct mvm_http_request request = {.url = url,
					   .authorization = endpoint->authorization,
					   .tls = &endpoint->tls,
					   .sink = on_data,
					   .arg = job};

	mvm_ingest_restart(job->fetch->ingest);
	*transfer = mvm_http_create(&request, &job->registry->limits);
	return 0;
}

static int commit(struct job *job, struct mvm_error **err)
{
	if (mvm_ingest_commit(job->fetch->ingest, err) < 0)
		return blame(job, err);
	job->base.done = true;
	return changed(job, true, err);
}

/* What came of a transfer that has ended. 0: the job is done or asked for another try at once. */
static int conclude(struct job *job, CURLcode code, struct mvm_error **err)
{
	struct mvm_http_transfer *transfer = job->base.transfer;
	const struct mvm_ingest *ingest = job->fetch->ingest;
	char *what MVM_CLEAN_FREE = mvm_format("blob %.12s", mvm_digest_hex(&ingest->descriptor.digest));

	/* Our own words name the blob already. */
	if (transfer->failure)
		return mvm_http_result(transfer, code, err);
	if (mvm_http_result(transfer, code, err) < 0)
		return mvm_error_wrap(err, "%s", what);
	if (transfer->answer.status == 401 && !job->asked) {
		job->asked = true;
		job->base.not_before = 0;
		return mvm_registry_authorize(job->registry, endpoint_of(job), transfer, err);
	}
	if (transfer->answer.status != 200)
		return mvm_registry_refused(job->registry, endpoint_of(job), &transfer->answer, what, err);
	/* A server that names no length ends the body by closing, which a lost connection does too. */
	transfer->transient = ingest->received < ingest->descriptor.size;
	return commit(job, err);
}

/* False where no other try is left. */
static bool put_back(struct job *job, struct mvm_error **cause)
{
	enum mvm_error_code code = mvm_error_code(*cause);

	if (code == MVM_ERR_INTERRUPTED || code == MVM_ERR_NO_SPACE || code == MVM_ERR_IO)
		return false;
	job->asked = false;
	if (mvm_batch_retry(&job->base, *cause))
		return true;
	if (job->endpoint + 1 >= job->registry->endpoint_count)
		return false;
	job->endpoint++;
	job->base.tries = 0;
	job->base.not_before = 0;
	if (!job->first)
		mvm_error_move(&job->first, cause);
	return true;
}

static int finish(struct mvm_batch_job *base, CURLcode code, struct mvm_error **err)
{
	struct job *job = (struct job *)base;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (conclude(job, code, &cause) == 0 || put_back(job, &cause))
		return 0;
	/* The endpoint that had the manifest is the one to hear about. */
	return mvm_error_move(err, job->first ? &job->first : &cause);
}

int mvm_registry_fetch(struct mvm_registry *registry, struct mvm_fetch *fetches, size_t count, struct mvm_error **err)
{
	struct mvm_batch batch = {
		.count = count, .running = MAX_RUNNING, .limits = &registry->limits, .start = start, .finish = finish};
	struct mvm_batch_job **order MVM_CLEAN_FREE = mvm_alloc(count * sizeof(struct mvm_batch_job *));
	struct job *jobs MVM_CLEAN_FREE = mvm_alloc(count * sizeof(*jobs));
	int result;

	for (size_t i = 0; i < count; i++) {
		jobs[i] = (struct job){.registry = registry, .fetch = &fetches[i], .endpoint = registry->current};
		order[i] = &jobs[i].base;
	}
	batch.jobs = order;
	result = mvm_batch_run(&batch, err);
	for (size_t i = 0; i < count; i++)
		mvm_error_free(jobs[i].first);
	return result;
}
