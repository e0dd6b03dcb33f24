#include "batch.h"

#include "registry_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/loop.h"

/* How often to look whether to stop, in milliseconds, while nothing arrives. */
#define STOP_INTERVAL 250

bool mvm_batch_retry(struct mvm_batch_job *job, const struct mvm_error *cause)
{
	enum mvm_error_code code = mvm_error_code(cause);
	/* Waiting out a silence takes long: once more, and no more. */
	int tries = code == MVM_ERR_TIMEOUT ? 2 : MVM_REGISTRY_TRIES;
	int wait;

	if (!job->transfer->transient || code == MVM_ERR_INTERRUPTED || ++job->tries >= tries)
		return false;
	wait = mvm_registry_backoff(&job->transfer->answer, job->tries);
	if (wait < 0)
		return false;
	job->not_before = mvm_now_ns() + (uint64_t)wait * 1000000;
	return true;
}

static void stop(CURLM *multi, struct mvm_batch_job *job)
{
	if (!job->transfer)
		return;
	mvm_curl.multi_remove_handle(multi, job->transfer->curl);
	mvm_http_destroy(job->transfer);
	job->transfer = NULL;
}

/* 1 where every job is done. */
static int start_due(const struct mvm_batch *batch, CURLM *multi, struct mvm_error **err)
{
	uint64_t now = mvm_now_ns();
	size_t running = 0;
	int all_done = 1;

	for (size_t i = 0; i < batch->count; i++)
		running += batch->jobs[i]->transfer != NULL;
	for (size_t i = 0; i < batch->count; i++) {
		struct mvm_batch_job *job = batch->jobs[i];

		all_done &= job->done;
		if (job->done || job->transfer || job->not_before > now || running >= batch->running)
			continue;
		if (batch->start(job, &job->transfer, err) < 0)
			return -1;
		mvm_curl.multi_add_handle(multi, job->transfer->curl);
		running++;
	}
	return all_done;
}

/* 1 where some have ended. */
static int finish_ended(const struct mvm_batch *batch, CURLM *multi, struct mvm_error **err)
{
	CURLMsg *message;
	int left, ended = 0;

	while ((message = mvm_curl.multi_info_read(multi, &left))) {
		CURLcode code = message->data.result;
		CURL *curl = message->easy_handle;

		if (message->msg != CURLMSG_DONE)
			continue;
		ended = 1;
		for (size_t i = 0; i < batch->count; i++) {
			struct mvm_batch_job *job = batch->jobs[i];

			if (!job->transfer || job->transfer->curl != curl)
				continue;
			if (batch->finish(job, code, err) < 0)
				return -1;
			stop(multi, job);
		}
	}
	return ended;
}

static int wait_for_news(const struct mvm_batch *batch, CURLM *multi, struct mvm_error **err)
{
	int ready = 0;

	if (mvm_curl.multi_poll(multi, NULL, 0, STOP_INTERVAL, &ready) != CURLM_OK)
		return mvm_fail(err, MVM_ERR_INTERNAL, "cannot wait for the network");
	for (size_t i = 0; i < batch->count && !ready && batch->tick; i++)
		if (!batch->jobs[i]->done && batch->tick(batch->jobs[i], err) < 0)
			return -1;
	return 0;
}

static int run(const struct mvm_batch *batch, CURLM *multi, struct mvm_error **err)
{
	const struct mvm_http_limits *limits = batch->limits;

	for (;;) {
		int running, outcome;

		if (limits->stopped && limits->stopped(limits->arg))
			return mvm_fail(err, MVM_ERR_INTERRUPTED, "interrupted");
		outcome = start_due(batch, multi, err);
		if (outcome != 0)
			return outcome < 0 ? -1 : 0;
		mvm_curl.multi_perform(multi, &running);
		outcome = finish_ended(batch, multi, err);
		if (outcome < 0 || (!outcome && wait_for_news(batch, multi, err) < 0))
			return -1;
	}
}

int mvm_batch_run(struct mvm_batch *batch, struct mvm_error **err)
{
	CURLM *multi = mvm_curl.multi_init();
	int result;

	if (!multi)
		abort(); /* only memory can be missing */
	result = run(batch, multi, err);
	for (size_t i = 0; i < batch->count; i++)
		stop(multi, batch->jobs[i]);
	mvm_curl.multi_cleanup(multi);
	return result;
}
