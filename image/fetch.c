/*
 * Blobs, several at a time.
 *
 * Theory of operation: each blob is a job of a batch with a place to fetch from, an endpoint. A job that fails in a way
 * that may pass is put back with a time before which it is not started; one that fails for good moves on to the next
 * endpoint; the first that has none left ends everything.
 *
 * A try asks for what is missing (RFC 9110 §14.2), whoever has sent what is there: an earlier try, another endpoint, a
 * process that was killed. What the answer says counts, not what was asked for: a 206 must go on where we stand, a 200
 * begins at the first byte. A try that brought something on is not held against the server.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "registry_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/loop.h"
#include "store_internal.h"

/* What a try must bring on, in bytes, not to count as one in vain: a server that sends less each time would go on for
 * ever. */
#define PROGRESS 65536u

struct job {
	struct mvm_batch_job base;
	struct mvm_registry *registry;
	struct mvm_fetch *fetch;
	size_t endpoint;
	bool asked;		 /* for a token, since the last success */
	bool begun;		 /* we know where the answer's bytes belong */
	bool whole;		 /* this endpoint's ranges are of no use */
	bool again;		 /* bytes that are not the blob's came, and were dropped */
	uint64_t best;		 /* the most bytes that a try ended with */
	struct mvm_error *first; /* why an earlier endpoint failed */
};

static struct mvm_endpoint *endpoint_of(const struct job *job)
{
	return &job->registry->endpoints[job->endpoint];
}

static const char *hex_of(const struct job *job)
{
	return mvm_digest_hex(&job->fetch->ingest->descriptor.digest);
}

static int tell(const struct job *job, enum mvm_fetch_event event, struct mvm_error **err)
{
	uint64_t now = mvm_now_ns(), then = job->base.not_before;
	unsigned seconds = then > now ? (unsigned)((then - now + 999999999) / 1000000000) : 0;

	return job->fetch->changed ? job->fetch->changed(job->fetch->arg, event, seconds, err) : 0;
}

/* Bytes that are not the blob's are the server's doing. */
static int blame(const struct job *job, struct mvm_error **err)
{
	if (err && mvm_error_code(*err) == MVM_ERR_CORRUPT)
		mvm_error_wrap(err, "%s sends damaged data (try again; if it stays so, the image must be pushed anew)",
			       endpoint_of(job)->name);
	return -1;
}

static int restart(struct job *job, struct mvm_error **err)
{
	if (!job->fetch->ingest->received)
		return 0;
	mvm_ingest_restart(job->fetch->ingest);
	return tell(job, MVM_FETCH_BYTES, err);
}

static int check_size(const struct job *job, uint64_t size, struct mvm_error **err)
{
	const struct mvm_descriptor *blob = &job->fetch->ingest->descriptor;

	if (size == blob->size)
		return 0;
	return mvm_fail(err, MVM_ERR_CORRUPT,
			"%s sends %" PRIu64 " bytes for blob %.12s, whose manifest says %" PRIu64
			"; the image must be pushed anew",
			endpoint_of(job)->name, size, hex_of(job), blob->size);
}

/* Decimal digits up to `end`, which *at is then behind. */
static bool take_number(const char **at, char end, uint64_t *value)
{
	size_t length = strspn(*at, "0123456789");

	if (!length || length > 19 || (*at)[length] != end)
		return false;
	*value = strtoull(*at, NULL, 10);
	*at += length + 1;
	return true;
}

/* Content-Range (RFC 9110 §14.4): "bytes FIRST-LAST/SIZE". A size of "*" is not known and leaves *size as it is. */
static bool parse_range(const char *text, uint64_t *first, uint64_t *size)
{
	uint64_t last;

	if (!text || strncmp(text, "bytes ", 6))
		return false;
	text += 6;
	if (!take_number(&text, '-', first) || !take_number(&text, '/', &last) || *first > last)
		return false;
	return !strcmp(text, "*") || take_number(&text, '\0', size);
}

/* A part of the blob: the one that is missing, or none that is of use. */
static int begin_part(struct job *job, struct mvm_error **err)
{
	const struct mvm_ingest *ingest = job->fetch->ingest;
	uint64_t first, size = ingest->descriptor.size;

	if (parse_range(job->base.transfer->answer.content_range, &first, &size) && first == ingest->received)
		return check_size(job, size, err);
	job->whole = true;
	job->base.transfer->transient = true;
	return mvm_fail(err, MVM_ERR_NETWORK,
			"%s sends another part of blob %.12s than it was asked for; try again later",
			endpoint_of(job)->name, hex_of(job));
}

/* The answer's head is there: where do its bytes belong? */
static int begin(struct job *job, struct mvm_error **err)
{
	curl_off_t announced = -1;

	job->begun = true;
	if (job->base.transfer->answer.status == 206)
		return begin_part(job, err);
	mvm_curl.easy_getinfo(job->base.transfer->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
	if (announced >= 0 && check_size(job, (uint64_t)announced, err) < 0)
		return -1;
	return restart(job, err);
}

static int on_data(void *arg, const void *data, size_t length, struct mvm_error **err)
{
	struct job *job = arg;

	if (!job->begun && begin(job, err) < 0)
		return -1;
	if (mvm_ingest_write(job->fetch->ingest, data, length, err) < 0)
		return blame(job, err);
	return tell(job, MVM_FETCH_BYTES, err);
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

	if (job->whole && restart(job, err) < 0)
		return -1;
	request.from = job->fetch->ingest->received;
	job->begun = false;
	if (tell(job, MVM_FETCH_BYTES, err) < 0)
		return -1;
	*transfer = mvm_http_create(&request, &job->registry->limits);
	/* Where a connection's answers have got out of step, the next one on it is as wrong. */
	mvm_curl.easy_setopt((*transfer)->curl, CURLOPT_FRESH_CONNECT, job->again ? 1L : 0L);
	return 0;
}

static int commit(struct job *job, struct mvm_error **err)
{
	if (tell(job, MVM_FETCH_VERIFIES, err) < 0)
		return -1;
	if (mvm_ingest_commit(job->fetch->ingest, err) < 0)
		return blame(job, err);
	job->base.done = true;
	return tell(job, MVM_FETCH_DONE, err);
}

static int refuse(struct job *job, const char *what, struct mvm_error **err)
{
	struct mvm_http_transfer *transfer = job->base.transfer;

	/* It has less than we do, or cannot cut. */
	if (transfer->answer.status == 416 && !job->whole)
		job->whole = transfer->transient = true;
	return mvm_registry_refused(job->registry, endpoint_of(job), &transfer->answer, what, err);
}

/* What came of a transfer that has ended. 0: the job is done or asks for another try at once. */
static int conclude(struct job *job, CURLcode code, struct mvm_error **err)
{
	struct mvm_http_transfer *transfer = job->base.transfer;
	const struct mvm_ingest *ingest = job->fetch->ingest;
	char *what MVM_CLEAN_FREE = mvm_format("blob %.12s", hex_of(job));

	/* Our own words name the blob already. */
	if (transfer->failure)
		return mvm_http_result(transfer, code, err);
	if (mvm_http_result(transfer, code, err) < 0) {
		/* It was there a moment ago, for the manifest. */
		transfer->transient |= code == CURLE_COULDNT_CONNECT && job->endpoint == job->registry->current;
		return mvm_error_wrap(err, "%s", what);
	}
	if (transfer->answer.status == 401 && !job->asked) {
		job->asked = true;
		job->base.not_before = 0;
		return mvm_registry_authorize(job->registry, endpoint_of(job), transfer, err);
	}
	if (transfer->answer.status != 200 && transfer->answer.status != 206)
		return refuse(job, what, err);
	if (!job->begun && begin(job, err) < 0)
		return -1;
	/* A server that names no length ends the body by closing, which a lost connection does too; and one may send
	 * less of a range than was asked for. */
	transfer->transient = ingest->received < ingest->descriptor.size;
	return commit(job, err);
}

/* Bytes that are not the blob's: of several tries that do not go together, or hurt on the way. It may still be whole
 * where it comes from, so it is fetched once more from the first byte. */
static bool begin_again(struct job *job, enum mvm_error_code code)
{
	bool is_short = job->base.transfer && job->base.transfer->transient;

	if (code != MVM_ERR_CORRUPT || is_short || job->again)
		return false;
	mvm_ingest_restart(job->fetch->ingest);
	job->base.not_before = 0;
	job->again = true;
	return true;
}

/* False where no other try is left. */
static bool put_back(struct job *job, struct mvm_error **cause)
{
	enum mvm_error_code code = mvm_error_code(*cause);

	if (code == MVM_ERR_INTERRUPTED || code == MVM_ERR_NO_SPACE || code == MVM_ERR_IO)
		return false;
	job->asked = false;
	if (job->fetch->ingest->received >= job->best + PROGRESS) {
		job->best = job->fetch->ingest->received;
		job->base.tries = 0;
	}
	if (begin_again(job, code) || mvm_batch_retry(&job->base, *cause))
		return true;
	if (job->endpoint + 1 >= job->registry->endpoint_count)
		return false;
	job->endpoint++;
	job->whole = job->again = false;
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

	if (conclude(job, code, &cause) == 0)
		return 0;
	if (put_back(job, &cause))
		return base->not_before ? tell(job, MVM_FETCH_RETRIES, err) : 0;
	/* The endpoint that had the manifest is the one to hear about. */
	return mvm_error_move(err, job->first && mvm_error_code(cause) != MVM_ERR_INTERRUPTED ? &job->first : &cause);
}

static int tick(struct mvm_batch_job *base, struct mvm_error **err)
{
	const struct job *job = (const struct job *)base;

	if (base->transfer)
		return tell(job, MVM_FETCH_BYTES, err);
	if (base->not_before > mvm_now_ns())
		return tell(job, MVM_FETCH_RETRIES, err);
	return tell(job, MVM_FETCH_WAITS, err);
}

/* An earlier pull may have left all of a blob, and only the name was missing. */
static int prepare(struct job *job, bool waits, struct mvm_error **err)
{
	struct mvm_ingest *ingest = job->fetch->ingest;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	job->best = ingest->received;
	if (!ingest->received || ingest->received < ingest->descriptor.size)
		return waits ? tell(job, MVM_FETCH_WAITS, err) : 0;
	if (tell(job, MVM_FETCH_BYTES, err) < 0)
		return -1;
	if (commit(job, &cause) == 0 || begin_again(job, mvm_error_code(cause)))
		return 0;
	return mvm_error_move(err, &cause);
}

int mvm_registry_fetch(struct mvm_registry *registry, struct mvm_fetch *fetches, size_t count, size_t at_once,
		       struct mvm_error **err)
{
	struct mvm_batch batch = {.count = count,
				  .running = at_once,
				  .limits = &registry->limits,
				  .start = start,
				  .finish = finish,
				  .tick = tick};
	struct mvm_batch_job **order MVM_CLEAN_FREE = mvm_alloc(count * sizeof(struct mvm_batch_job *));
	struct job *jobs MVM_CLEAN_FREE = mvm_alloc(count * sizeof(*jobs));
	int result = 0;

	for (size_t i = 0; i < count && result == 0; i++) {
		jobs[i] = (struct job){.registry = registry, .fetch = &fetches[i], .endpoint = registry->current};
		order[i] = &jobs[i].base;
		result = prepare(&jobs[i], i >= at_once, err);
	}
	batch.jobs = order;
	if (result == 0)
		result = mvm_batch_run(&batch, err);
	for (size_t i = 0; i < count; i++)
		mvm_error_free(jobs[i].first);
	return result;
}
