/*
 * Requests of several jobs at once, in one thread over one curl multi handle: blobs on their way here (fetch.c) and
 * away (upload.c).
 *
 * Theory of operation: a job makes one request after the other. start() makes the next one; finish() looks at what came
 * of it and either marks the job as done or leaves it to be started again, not before the time it sets. A job that
 * fails ends everything.
 */
#ifndef MVM_IMAGE_BATCH_H
#define MVM_IMAGE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http.h"

/* The first member of the caller's own. */
struct mvm_batch_job {
	struct mvm_http_transfer *transfer; /* NULL unless running; the batch destroys it */
	bool done;
	int tries;	     /* that failed, of the request at hand */
	uint64_t not_before; /* mvm_now_ns() */
};

struct mvm_batch {
	struct mvm_batch_job **jobs;
	size_t count;
	size_t running; /* at a time, in the order given */
	const struct mvm_http_limits *limits;
	int (*start)(struct mvm_batch_job *job, struct mvm_http_transfer **transfer, struct mvm_error **err);
	/* For mvm_http_result(). */
	int (*finish)(struct mvm_batch_job *job, CURLcode code, struct mvm_error **err);
	/* Called now and then for each that is not done while nothing arrives: whoever shows speeds must know that time
	 * passes. May be NULL. */
	int (*tick)(struct mvm_batch_job *job, struct mvm_error **err);
};

/* 0 where every job is done. On failure what was running is abandoned. */
int mvm_batch_run(struct mvm_batch *batch, struct mvm_error **err);

/* For finish(): sets the time for the request to be made again; false where that is not worth while for `cause`, or was
 * done often enough. */
bool mvm_batch_retry(struct mvm_batch_job *job, const struct mvm_error *cause);

#endif
