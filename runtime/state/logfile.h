/*
 * container.log: what the container's process wrote, in the format that Kubernetes' runtimes
 * use (CRI): one line each,
 *
 *   2026-11-21T06:18:03.123456789Z stdout F text
 *
 * F ends a line of output; P is a part of one: longer than MVM_LOG_PART bytes, or the last
 * before the end of the stream without a newline. Any byte but the newline stands for itself.
 */
#ifndef MVM_STATE_LOGFILE_H
#define MVM_STATE_LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "runtime/base/mem.h"

enum { MVM_LOG_PART = 16384 };

enum mvm_log_stream { MVM_LOG_STDOUT, MVM_LOG_STDERR };

/* Collects output into lines. One for each stream; zero it to start. */
struct mvm_log_writer {
	enum mvm_log_stream stream;
	struct mvm_buf part; /* the line so far */
};

/* Appends the records that `data` completes to `out`. */
void mvm_log_write(struct mvm_log_writer *writer, const struct timespec *now, const char *data, size_t length,
		   struct mvm_buf *out);
/* The stream has ended: what is left becomes a part. */
void mvm_log_flush(struct mvm_log_writer *writer, const struct timespec *now, struct mvm_buf *out);

struct mvm_log_record {
	enum mvm_log_stream stream;
	const char *time;   /* MVM_TIME_LENGTH characters, not terminated */
	const char *text;   /* borrowed from the input */
	size_t text_length; /* without the newline that a full line had */
	bool full;
};

/* Parses one record at the start of data. Returns its length with the newline, 0 where it is not complete, -1
 * where it is malformed (then skip to the next newline). */
long mvm_log_parse(const char *data, size_t length, struct mvm_log_record *record);

#endif
