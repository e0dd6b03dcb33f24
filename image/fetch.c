/*
 * Blobs, several at a time, in one thread over one curl multi handle.
 *
 * Theory of operation: each blob is a job with a place to fetch from (an endpoint and a count of tries) and a state:
 * waiting for its time, running, or done. A job that fails in a way that may pass is put back with a time before which
 * it is not started; one that fails for good moves on to the next endpoint; the first that has none left ends
 * everything. Starting over means from the first byte: the ingest is what would know more.
 */
#include <stdlib.h>
#include <string.h>

#include "registry_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/loop.h"
#include "store_internal.h"

/* As docker: more would not be faster, and servers count. */
#define MAX_RUNNING 3
/* How often to look whether to stop, in milliseconds, while nothing arrives. */
#define STOP_INTERVAL 250

struct job {
	struct mvm_registry *registry;
	struct mvm_fetch *fetch;
	struct mvm_http_transfer *transfer; /* NULL unless running */
	size_t endpoint;
	int tries;  /* at this endpoint */
	bool asked; /* for a token, since the last success */
	bool done;
	uint64_t not_before;	 /* mvm_now_ns() */
	struct mvm_error *first; /* why an earlier endpoint failed */
};

struct batch {
	CURLM *multi;
	struct job *jobs;
	size_t count;
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

	mvm_curl.easy_getinfo(job->transfer->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
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

static void start(struct batch *batch, struct job *job)
{
	struct mvm_endpoint *endpoint = endpoint_of(job);
	char *url MVM_CLEAN_FREE = mvm_format("%s/v2/%s/blobs/%s", endpoint->base, job->registry->path,
					      job->fetch->ingest->descriptor.digest.text);
	struct mvm_http_request request = {.url = url, .token = endpoint->token, .sink = on_data, .arg = job};

	mvm_ingest_restart(job->fetch->ingest);
	job->transfer = mvm_http_create(&request, &job->registry->limits);
	mvm_curl.multi_add_handle(batch->multi, job->transfer->curl);
}

static void stop(struct batch *batch, struct job *job)
{
	if (!job->transfer)
		return;
	mvm_curl.multi_remove_handle(batch->multi, job->transfer->curl);
	mvm_http_destroy(job->transfer);
	job->transfer = NULL;
}

static int commit(struct job *job, struct mvm_error **err)
{
	if (mvm_ingest_commit(job->fetch->ingest, err) < 0)
		return blame(job, err);
	job->done = true;
	return changed(job, true, err);
}

/* What came of a transfer that has ended. 0: the job is done or asked for another try at once. */
static int conclude(struct job *job, CURLcode code, struct mvm_error **err)
{
	struct mvm_http_transfer *transfer = job->transfer;
	const struct mvm_ingest *ingest = job->fetch->ingest;
	char *what MVM_CLEAN_FREE = mvm_format("blob %.12s", mvm_digest_hex(&ingest->descriptor.digest));

	/* Our own words name the blob already. */
	if (transfer->failure)
		return mvm_http_result(transfer, code, err);
	if (mvm_http_result(transfer, code, err) < 0)
		return mvm_error_wrap(err, "%s", what);
	if (transfer->answer.status == 401 && !job->asked) {
		job->asked = true;
		job->not_before = 0;
		return mvm_registry_authorize(job->registry, endpoint_of(job), transfer->answer.challenge, err);
	}
	if (transfer->answer.status != 200)
		return mvm_registry_refused(job->registry, endpoint_of(job), &transfer->answer, what, err);
	/* A server that names no length ends the body by closing, which a lost connection does too. */
	transfer->transient = ingest->received < ingest->descriptor.size;
	return commit(job, err);
}

/* False where no other try is left. */
static bool put_back(struct job *job, bool transient, const struct mvm_http_answer *answer, struct mvm_error **cause)
{
	enum mvm_error_code code = mvm_error_code(*cause);
	/* Waiting out a silence takes long: once more, and no more. */
	int tries = code == MVM_ERR_TIMEOUT ? 2 : MVM_REGISTRY_TRIES;
	int wait = transient && ++job->tries < tries ? mvm_registry_backoff(answer, job->tries) : -1;

	if (code == MVM_ERR_INTERRUPTED || code == MVM_ERR_NO_SPACE || code == MVM_ERR_IO)
		return false;
	if (wait < 0 && job->endpoint + 1 >= job->registry->endpoint_count)
		return false;
	if (wait < 0) {
		job->endpoint++;
		job->tries = 0;
		if (!job->first)
			mvm_error_move(&job->first, cause);
	}
	job->asked = false;
	job->not_before = mvm_now_ns() + (wait > 0 ? (uint64_t)wait * 1000000 : 0);
	return true;
}

static int finish(struct batch *batch, struct job *job, CURLcode code, struct mvm_error **err)
{
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	bool again;

	if (conclude(job, code, &cause) == 0) {
		stop(batch, job);
		return 0;
	}
	again = put_back(job, job->transfer->transient, &job->transfer->answer, &cause);
	stop(batch, job);
	if (again)
		return 0;
	/* The endpoint that had the manifest is the one to hear about. */
	return mvm_error_move(err, job->first ? &job->first : &cause);
}

/* False where every job is done. */
static bool start_due(struct batch *batch)
{
	bool waiting = false;
	size_t running = 0;
	uint64_t now = mvm_now_ns();

	for (size_t i = 0; i < batch->count; i++)
		running += batch->jobs[i].transfer != NULL;
	for (size_t i = 0; i < batch->count; i++) {
		struct job *job = &batch->jobs[i];

		waiting |= !job->done;
		if (job->done || job->transfer || job->not_before > now || running >= MAX_RUNNING)
			continue;
		start(batch, job);
		running++;
	}
	return waiting;
}

/* 1 where some have ended. */
static int finish_ended(struct batch *batch, struct mvm_error **err)
{
	CURLMsg *message;
	int left, ended = 0;

	while ((message = mvm_curl.multi_info_read(batch->multi, &left))) {
		CURLcode code = message->data.result;
		CURL *curl = message->easy_handle;

		if (message->msg != CURLMSG_DONE)
			continue;
		ended = 1;
		for (size_t i = 0; i < batch->count; i++)
			if (batch->jobs[i].transfer && batch->jobs[i].transfer->curl == curl &&
			    finish(batch, &batch->jobs[i], code, err) < 0)
				return -1;
	}
	return ended;
}

static int check_stop(const struct batch *batch, struct mvm_error **err)
{
	const struct mvm_http_limits *limits = &batch->jobs[0].registry->limits;

	if (limits->stopped && limits->stopped(limits->arg))
		return mvm_fail(err, MVM_ERR_INTERRUPTED, "interrupted");
	return 0;
}

static int run(struct batch *batch, struct mvm_error **err)
{
	for (;;) {
		int running, ended;

		if (check_stop(batch, err) < 0)
			return -1;
		if (!start_due(batch))
			return 0;
		mvm_curl.multi_perform(batch->multi, &running);
		ended = finish_ended(batch, err);
		if (ended < 0)
			return -1;
		if (!ended && mvm_curl.multi_poll(batch->multi, NULL, 0, STOP_INTERVAL, NULL) != CURLM_OK)
			return mvm_fail(err, MVM_ERR_INTERNAL, "cannot wait for the network");
	}
}

int mvm_registry_fetch(struct mvm_registry *registry, struct mvm_fetch *fetches, size_t count, struct mvm_error **err)
{
	struct batch batch = {.count = count};
	int result;

	if (!count)
		return 0;
	batch.jobs = mvm_alloc(count * sizeof(*batch.jobs));
	for (size_t i = 0; i < count; i++)
		batch.jobs[i] = (struct job){.registry = registry, .fetch = &fetches[i], .endpoint = registry->current};
	batch.multi = mvm_curl.multi_init();
	result = run(&batch, err);
	for (size_t i = 0; i < count; i++) {
		stop(&batch, &batch.jobs[i]);
		mvm_error_free(batch.jobs[i].first);
	}
	mvm_curl.multi_cleanup(batch.multi);
	free(batch.jobs);
	return result;
}
