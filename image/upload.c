/*
 * Blobs and manifests on their way to a registry (distribution-spec "Push"), several at a time.
 *
 * Theory of operation: each blob is a job of a batch that takes one step after the other:
 *
 *   CHECK   HEAD: the server may have it
 *   OPEN    POST: mounts it from another repository, or opens an upload
 *   WHOLE   PUT with all of it; or, where it is large,
 *   CHUNK   PATCH with a piece, again and again, then CLOSE: PUT without a body
 *   STATUS  GET, after a PATCH that broke: how much has arrived?
 *
 * A manifest has one step. What fails and may pass is tried again from the step that finds out how things stand: CHECK
 * after a PUT that broke, for it may have arrived; STATUS after a PATCH. Tries count from the last byte that was new to
 * the server, so a long upload over a bad line comes to its end and a server that leads in circles does not hold us.
 * A server that does not take pieces gets the blob whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch.h"
#include "chunk.h"
#include "image.h"
#include "registry_internal.h"
#include "runtime/base/error.h"
#include "url.h"

/* What a server hashes and stores at least in a second. */
#define DIGESTION_RATE (4 << 20)
#define OCTETS	       "application/octet-stream"

enum step { CHECK, OPEN, WHOLE, CHUNK, CLOSE, STATUS, MANIFEST };

struct job {
	struct mvm_batch_job base;
	struct mvm_registry *registry;
	bool *chunks; /* whether the server takes them; all jobs' */
	const struct mvm_descriptor *descriptor;
	struct mvm_upload *upload; /* NULL for a manifest */
	const void *manifest;
	const char *name; /* of the manifest */
	enum step step;
	bool asked;	   /* for a token, since the last success */
	bool mount;	   /* from upload->from; not tried yet */
	char *location;	   /* of the upload */
	int fd;		   /* of the blob, -1 until it is sent */
	uint64_t at;	   /* so much the server has, */
	uint64_t piece;	   /* so much it is being sent, */
	uint64_t furthest; /* and so much it once had */
	uint64_t chunk_min;
};

static struct mvm_endpoint *endpoint_of(const struct job *job)
{
	return &job->registry->endpoints[0];
}

static void tell(const struct job *job, enum mvm_upload_event event, uint64_t bytes)
{
	if (job->upload && job->upload->changed)
		job->upload->changed(job->upload->arg, event, bytes);
}

static void on_sent(void *arg, uint64_t bytes)
{
	const struct job *job = arg;

	if (job->step == WHOLE || job->step == CHUNK)
		tell(job, MVM_UPLOAD_SENDING, job->at + bytes);
}

static char *open_url(const struct job *job)
{
	char *url = mvm_format("%s/v2/%s/blobs/uploads/", endpoint_of(job)->base, job->registry->path);
	char *with_mount, *with_from;

	if (!job->mount)
		return url;
	with_mount = mvm_url_with_field(url, "mount", job->descriptor->digest.text);
	with_from = mvm_url_with_field(with_mount ? with_mount : url, "from", job->upload->from);
	free(with_mount);
	if (!with_from)
		return url;
	free(url);
	return with_from;
}

static char *step_url(const struct job *job)
{
	const char *base = endpoint_of(job)->base, *path = job->registry->path;

	switch (job->step) {
	case CHECK:
		return mvm_format("%s/v2/%s/blobs/%s", base, path, job->descriptor->digest.text);
	case OPEN:
		return open_url(job);
	case MANIFEST:
		return mvm_format("%s/v2/%s/manifests/%s", base, path, job->name);
	case WHOLE:
	case CLOSE:
		return mvm_url_with_field(job->location, "digest", job->descriptor->digest.text);
	default:
		return mvm_strdup(job->location);
	}
}

static int open_blob(struct job *job, struct mvm_error **err)
{
	if (job->fd >= 0)
		return 0;
	job->fd = open(job->upload->path, O_RDONLY | O_CLOEXEC);
	return job->fd < 0 ? mvm_fail_errno(err, errno, "cannot read %s", job->upload->path) : 0;
}

static void set_body(struct job *job, struct mvm_http_request *request)
{
	static const enum mvm_http_method methods[] = {
		[CHECK] = MVM_HTTP_HEAD, [OPEN] = MVM_HTTP_POST,  [WHOLE] = MVM_HTTP_PUT,   [CHUNK] = MVM_HTTP_PATCH,
		[CLOSE] = MVM_HTTP_PUT,	 [STATUS] = MVM_HTTP_GET, [MANIFEST] = MVM_HTTP_PUT};
	uint64_t size = job->descriptor->size;

	request->method = methods[job->step];
	request->body.fd = job->fd;
	if (job->step == WHOLE || job->step == CLOSE)
		request->digestion_seconds = (long)(size / DIGESTION_RATE);
	if (job->step == MANIFEST)
		request->body = (struct mvm_http_body){
			.type = job->descriptor->media_type, .data = job->manifest, .length = size};
	if (job->step == WHOLE || job->step == CHUNK) {
		job->piece = job->step == WHOLE ? size : mvm_chunk_length(job->at, size, job->chunk_min);
		request->body.type = OCTETS;
		request->body.offset = job->at;
		request->body.length = job->piece;
	}
}

static int start(struct mvm_batch_job *base, struct mvm_http_transfer **transfer, struct mvm_error **err)
{
	struct job *job = (struct job *)base;
	const struct mvm_endpoint *endpoint = endpoint_of(job);
	struct mvm_http_request request = {.max = 64 << 10, .sent = on_sent, .arg = job};
	char *url MVM_CLEAN_FREE = step_url(job);
	char *range MVM_CLEAN_FREE = NULL;

	if ((job->step == WHOLE || job->step == CHUNK) && open_blob(job, err) < 0)
		return -1;
	set_body(job, &request);
	if (job->step == CHUNK)
		request.body.range = range = mvm_format("%llu-%llu", (unsigned long long)job->at,
							(unsigned long long)(job->at + job->piece - 1));
	request.url = url;
	/* An upload may be somewhere else, where nobody needs to know who we are here. */
	if (mvm_url_same_origin(url, endpoint->base)) {
		request.authorization = endpoint->authorization;
		request.tls = &endpoint->tls;
	}
	*transfer = mvm_http_create(&request, &job->registry->limits);
	return 0;
}

static void finish_job(struct job *job, enum mvm_upload_event event)
{
	job->base.done = true;
	if (job->fd >= 0)
		close(job->fd);
	job->fd = -1;
	tell(job, event, job->descriptor->size);
}

static char *what_of(const struct job *job)
{
	if (job->step == MANIFEST)
		return mvm_format("manifest %s", job->name);
	return mvm_format("blob %.12s", mvm_digest_hex(&job->descriptor->digest));
}

static int refused(const struct job *job, struct mvm_error **err)
{
	const struct mvm_endpoint *endpoint = endpoint_of(job);
	const struct mvm_http_answer *answer = &job->base.transfer->answer;
	char *what MVM_CLEAN_FREE = what_of(job);
	char code[64], message[200];

	mvm_registry_reason(answer, code, sizeof(code), message, sizeof(message));
	if (!strcmp(code, "DIGEST_INVALID"))
		return mvm_fail(err, MVM_ERR_CORRUPT, "%s got other bytes for %s than its digest says; try again",
				endpoint->name, what);
	if (answer->status == 405)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"%s takes no pushes: it is read-only, or a mirror of another registry; push to that",
				endpoint->name);
	if (answer->status == 413)
		return mvm_fail(
			err, MVM_ERR_NO_SPACE,
			"%s does not take %s of %llu bytes%s%s; ask who runs it about its limits and your quota",
			endpoint->name, what, (unsigned long long)job->descriptor->size, *message ? ": " : "", message);
	return mvm_registry_refused(job->registry, endpoint, answer, what, err);
}

/* An answer that says the blob or manifest is there must not speak of another one. */
static int check_digest(const struct job *job, struct mvm_error **err)
{
	const char *claimed = job->base.transfer->answer.digest;
	char *what MVM_CLEAN_FREE = what_of(job);

	if (!claimed || strncmp(claimed, "sha256:", 7) || !strcmp(claimed, job->descriptor->digest.text))
		return 0;
	return mvm_fail(err, MVM_ERR_CORRUPT, "%s has stored something else than the %s that was sent: %.100s",
			endpoint_of(job)->name, what, claimed);
}

/* Whatever answers 200 to all and everything is no registry: a 200 must name the digest, or the size. */
static bool is_there(const struct job *job)
{
	const struct mvm_http_transfer *transfer = job->base.transfer;
	curl_off_t size = -1;

	if (transfer->answer.status != 200)
		return false;
	if (transfer->answer.digest)
		return !strcmp(transfer->answer.digest, job->descriptor->digest.text);
	mvm_curl.easy_getinfo(transfer->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
	return size == (curl_off_t)job->descriptor->size;
}

/* From the beginning, over a new upload. */
static void reopen(struct job *job)
{
	job->step = OPEN;
	job->at = 0;
}

/* What is there in the end is found out by sending it: not all servers know HEAD, and some deny it. */
static int on_checked(struct job *job, struct mvm_error **err)
{
	if (is_there(job))
		finish_job(job, job->piece ? MVM_UPLOAD_DONE : MVM_UPLOAD_EXISTS);
	else
		reopen(job);
	return 0;
}

static int take_location(struct job *job, struct mvm_error **err)
{
	struct mvm_http_answer *answer = &job->base.transfer->answer;

	if (!answer->location)
		return mvm_fail(err, MVM_ERR_NETWORK,
				"%s opens an upload and does not say where it is to go; is it a registry?",
				endpoint_of(job)->name);
	/* What began under TLS does not go on without. */
	if (!strncmp(job->registry->endpoints[0].base, "https:", 6) && strncmp(answer->location, "https:", 6))
		return mvm_fail(err, MVM_ERR_NETWORK,
				"%s wants the upload sent to %.200s, which is not encrypted; if it is behind a proxy, "
				"that has to tell it X-Forwarded-Proto",
				endpoint_of(job)->name, answer->location);
	free(job->location);
	job->location = answer->location;
	answer->location = NULL;
	return 0;
}

static int on_opened(struct job *job, struct mvm_error **err)
{
	const struct mvm_http_answer *answer = &job->base.transfer->answer;

	if (job->mount && answer->status == 201) {
		if (check_digest(job, err) < 0)
			return -1;
		finish_job(job, MVM_UPLOAD_MOUNTED);
		return 0;
	}
	if (job->mount && answer->status != 202) {
		/* Not there, not ours to see, or never heard of. */
		job->mount = false;
		return 0;
	}
	if (answer->status != 202)
		return refused(job, err);
	job->mount = false;
	job->chunk_min = answer->chunk_min;
	job->at = 0;
	job->step = *job->chunks && job->descriptor->size > MVM_CHUNK_SIZE ? CHUNK : WHOLE;
	return take_location(job, err);
}

/* 201 is the rule; what anything might answer has to name the digest. */
static int on_stored(struct job *job, struct mvm_error **err)
{
	const struct mvm_http_answer *answer = &job->base.transfer->answer;

	if (answer->status != 201 && (answer->status / 100 != 2 || !answer->digest))
		return refused(job, err);
	if (check_digest(job, err) < 0)
		return -1;
	finish_job(job, MVM_UPLOAD_DONE);
	return 0;
}

static void advance(struct job *job, uint64_t at)
{
	job->at = at;
	if (at > job->furthest) {
		job->furthest = at;
		job->base.tries = 0;
	}
	job->step = at < job->descriptor->size ? CHUNK : CLOSE;
}

/* Some servers' Range lags behind. It is believed where it says that a part of the piece was taken; otherwise 202 is
 * the answer, and the digest has the last word. */
static int on_piece(struct job *job, struct mvm_error **err)
{
	const struct mvm_http_answer *answer = &job->base.transfer->answer;
	uint64_t end = job->at + job->piece, count;

	if (answer->status / 100 != 2)
		return refused(job, err);
	if (answer->location && take_location(job, err) < 0)
		return -1;
	if (answer->range && mvm_chunk_parse_range(answer->range, &count) && count > job->at && count < end)
		end = count;
	advance(job, end);
	return 0;
}

static int on_status(struct job *job, struct mvm_error **err)
{
	const struct mvm_http_answer *answer = &job->base.transfer->answer;
	uint64_t count = 0;

	if (answer->status / 100 != 2)
		return refused(job, err);
	if ((answer->range && !mvm_chunk_parse_range(answer->range, &count)) || count > job->at + job->piece)
		return mvm_fail(err, MVM_ERR_NETWORK, "%s says that it has %.100s of what was sent",
				endpoint_of(job)->name, answer->range);
	if (answer->location && take_location(job, err) < 0)
		return -1;
	advance(job, count);
	return 0;
}

/* 0: the job is done, or its next step is set. */
static int conclude(struct job *job, CURLcode code, struct mvm_error **err)
{
	static int (*const handlers[])(struct job * job, struct mvm_error * *err) = {
		[CHECK] = on_checked, [OPEN] = on_opened,   [WHOLE] = on_stored,   [CHUNK] = on_piece,
		[CLOSE] = on_stored,  [STATUS] = on_status, [MANIFEST] = on_stored};
	struct mvm_http_transfer *transfer = job->base.transfer;

	if (mvm_http_result(transfer, code, err) < 0) {
		char *what MVM_CLEAN_FREE = what_of(job);

		return mvm_error_wrap(err, "%s", what);
	}
	if (transfer->transient)
		return refused(job, err);
	if (transfer->answer.status == 401 && !job->asked) {
		job->asked = true;
		return mvm_registry_authorize(job->registry, endpoint_of(job), transfer, err);
	}
	if (transfer->answer.status / 100 == 2)
		job->asked = false;
	return handlers[job->step](job, err);
}

/* Sets the step that finds out how things stand; false where there is none. */
static bool go_back(struct job *job, bool transient)
{
	switch (job->step) {
	case WHOLE:
		job->step = CHECK;
		return transient;
	case CLOSE:
		if (!transient)
			*job->chunks = false;
		job->step = CHECK;
		return true;
	case CHUNK:
		if (transient || job->at) {
			job->step = STATUS;
			return true;
		}
		*job->chunks = false;
		reopen(job);
		return true;
	case STATUS:
		if (!transient)
			reopen(job);
		return true;
	default:
		return transient;
	}
}

static int finish(struct mvm_batch_job *base, CURLcode code, struct mvm_error **err)
{
	struct job *job = (struct job *)base;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	bool ours = base->transfer->failure != NULL;

	if (conclude(job, code, &cause) == 0)
		return 0;
	if (ours || mvm_error_code(cause) == MVM_ERR_AUTH)
		return mvm_error_move(err, &cause);
	job->asked = false;
	if (mvm_batch_retry(base, cause) && go_back(job, true))
		return 0;
	/* What a STATUS follows was counted. */
	if (!base->transfer->transient && (job->step == STATUS || ++base->tries < MVM_REGISTRY_TRIES) &&
	    go_back(job, false))
		return 0;
	return mvm_error_move(err, &cause);
}

static int run(struct mvm_registry *registry, struct job *jobs, size_t count, size_t at_once, struct mvm_error **err)
{
	struct mvm_batch_job **order MVM_CLEAN_FREE = mvm_alloc(count * sizeof(*order));
	struct mvm_batch batch = {.jobs = order,
				  .count = count,
				  .running = at_once,
				  .limits = &registry->limits,
				  .start = start,
				  .finish = finish};
	int result;

	for (size_t i = 0; i < count; i++)
		order[i] = &jobs[i].base;
	result = mvm_batch_run(&batch, err);
	for (size_t i = 0; i < count; i++) {
		if (jobs[i].fd >= 0)
			close(jobs[i].fd);
		free(jobs[i].location);
	}
	return result;
}

int mvm_registry_upload(struct mvm_registry *registry, struct mvm_upload *uploads, size_t count, size_t at_once,
			struct mvm_error **err)
{
	struct job *jobs MVM_CLEAN_FREE = mvm_alloc(count * sizeof(*jobs));
	bool chunks = true;

	for (size_t i = 0; i < count; i++)
		jobs[i] = (struct job){.registry = registry,
				       .chunks = &chunks,
				       .descriptor = uploads[i].descriptor,
				       .upload = &uploads[i],
				       .step = CHECK,
				       .mount = uploads[i].from != NULL,
				       .fd = -1};
	return run(registry, jobs, count, at_once, err);
}

int mvm_registry_put_manifest(struct mvm_registry *registry, const char *name, const struct mvm_descriptor *descriptor,
			      const void *manifest, struct mvm_error **err)
{
	struct job job = {.registry = registry,
			  .descriptor = descriptor,
			  .manifest = manifest,
			  .name = name,
			  .step = MANIFEST,
			  .fd = -1};

	return run(registry, &job, 1, 1, err);
}
