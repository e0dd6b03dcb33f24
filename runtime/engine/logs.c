/*
 * Reading container.log and what was rotated away from it. While it is followed the supervisor says when there is more;
 * nothing is polled.
 *
 * Only whole records are taken from a file: what is behind the last may still be completed, or taken back by a
 * supervisor whose disk is full. When container.log is another file than the one that was read, the old one has its
 * end, and what follows it in the row of files comes next.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "log_files.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"
#include "runtime/state/control.h"
#include "runtime/state/log_policy.h"
#include "runtime/state/logfile.h"

#define CHUNK	  ((size_t)256 * 1024)
#define LAST_TIME 253402300799 /* the end of the year 9999 */

struct mvm_log_reader {
	char *path;
	int64_t rotated;
	struct log_files files;
	struct log_place at;
	struct log_place from[2]; /* where each stream is shown from */
	struct {
		bool within; /* a line, of which a part has come */
		bool shown;
	} lines[2];
	char since_text[MVM_TIME_LENGTH + 1], until_text[MVM_TIME_LENGTH + 1];
	const char *since, *until; /* MVM_TIME_LENGTH characters, NULL: no limit */
	bool over;		   /* `until` is reached */
	struct mvm_log_sink sink;
	struct mvm_client *client; /* that says when there is more; NULL: it is not followed */
	bool begun;
	bool ends; /* at `end` */
	struct timespec end;
};

/* Times of records have all the same length and zone, and so the order of their characters. */
static int compare_times(const char *a, const char *b)
{
	return memcmp(a, b, MVM_TIME_LENGTH);
}

static void hand_out(struct mvm_log_reader *reader, const struct mvm_log_record *record)
{
	enum mvm_log_stream stream = record->stream;
	bool begins = !reader->lines[stream].within;

	if (log_place_before(&reader->at, &reader->from[stream]))
		return;
	if (begins && reader->until && compare_times(record->time, reader->until) > 0) {
		reader->over = true;
		return;
	}
	if (begins)
		reader->lines[stream].shown = !reader->since || compare_times(record->time, reader->since) >= 0;
	reader->lines[stream].within = !record->full;
	if (reader->lines[stream].shown)
		reader->sink.write(reader->sink.arg, record, begins);
}

/* Hands out the complete records and goes on behind them; what cannot be read is skipped. */
static void take_records(struct mvm_log_reader *reader, const char *data, size_t length)
{
	while (length && !reader->over) {
		struct mvm_log_record record;
		long used = mvm_log_parse(data, length, &record);

		if (used == 0)
			return;
		if (used > 0)
			hand_out(reader, &record);
		else
			used = (const char *)memchr(data, '\n', length) - data + 1;
		data += used;
		length -= (size_t)used;
		reader->at.offset += used;
	}
}

static int read_file(struct mvm_log_reader *reader, struct mvm_error **err)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	int fd = reader->files.fds[reader->at.file];
	size_t want = CHUNK;
	ssize_t n;

	do {
		off_t before = reader->at.offset;

		if (lseek(fd, before, SEEK_SET) < 0 || (n = mvm_read_full(fd, mvm_buf_reserve(&buf, want), want)) < 0)
			return mvm_fail_errno(err, errno, "container.log");
		take_records(reader, buf.data, (size_t)n);
		/* No newline in all that: damage, which is skipped when its end is seen. */
		if (reader->at.offset == before)
			want *= 2;
	} while ((size_t)n >= CHUNK && !reader->over);
	return 0;
}

/* What follows our file: in the row of files as it is now, where ours may have gone. */
static int look_again(struct mvm_log_reader *reader, struct mvm_error **err)
{
	struct log_files fresh = {0};
	size_t next = 0;

	if (log_files_open(reader->path, reader->rotated, &fresh, err) < 0)
		return -1;
	if (reader->files.count) {
		next = log_files_find(&fresh, reader->files.fds[reader->at.file]) + 1;
		if (next > fresh.count)
			next = 0;
	}
	if (next == fresh.count) {
		log_files_finish(&fresh);
		return 1;
	}
	log_files_finish(&reader->files);
	reader->files = fresh;
	reader->at = (struct log_place){next, 0};
	reader->from[0] = reader->from[1] = (struct log_place){0, 0};
	return 0;
}

/* All there is, across files. */
static int read_to_end(struct mvm_log_reader *reader, struct mvm_error **err)
{
	int result = 0;

	while (!reader->over) {
		bool last = reader->at.file + 1 >= reader->files.count;
		/* Asked first: what is in the file then is all that it will ever hold. */
		bool rotated = last && log_files_rotated(&reader->files, reader->path);

		if (reader->files.count && read_file(reader, err) < 0)
			return -1;
		if (!last)
			reader->at = (struct log_place){reader->at.file + 1, 0};
		else if (!rotated || (result = look_again(reader, err)) > 0)
			break;
		if (result < 0)
			return -1;
	}
	if (reader->sink.flush)
		reader->sink.flush(reader->sink.arg);
	return 0;
}

int engine_time_left(const struct timespec *until)
{
	struct timespec now;
	double left;

	if (!until)
		return -1;
	clock_gettime(CLOCK_REALTIME, &now);
	left = (double)(until->tv_sec - now.tv_sec) * 1e3 + (double)(until->tv_nsec - now.tv_nsec) / 1e6;
	return left <= 0 ? 0 : left > 1e9 ? 1000000000 : (int)left + 1;
}

/* Should it be started again, it is followed no further: docker's rule. */
static bool is_end(const json_t *message)
{
	const char *event = json_string_value(json_object_get(message, "event"));

	return event && !strcmp(event, "exit");
}

/* All that the supervisor has said. 1: nothing more will come. */
static int hear(struct mvm_log_reader *reader, struct mvm_error **err)
{
	for (;;) {
		json_t *message MVM_CLEAN_JSON = NULL;
		int result = mvm_client_receive(reader->client, &message, NULL);

		if (result == MVM_CONTROL_AGAIN)
			return read_to_end(reader, err);
		/* A supervisor that was killed ends it as one that has ended. */
		if (result < 0 || result == MVM_CONTROL_CLOSED || is_end(message))
			return read_to_end(reader, err) < 0 ? -1 : 1;
	}
}

static const char *limit(const struct timespec *time, char *text)
{
	struct timespec within;

	if (!time)
		return NULL;
	within = *time;
	within.tv_sec = within.tv_sec < 0 ? 0 : within.tv_sec > LAST_TIME ? LAST_TIME : within.tv_sec;
	mvm_format_time(&within, text);
	return text;
}

static int begin(struct mvm_log_reader *reader, struct mvm_error **err)
{
	reader->begun = true;
	reader->at = log_place_before(&reader->from[0], &reader->from[1]) ? reader->from[0] : reader->from[1];
	return read_to_end(reader, err);
}

int mvm_log_reader_step(struct mvm_log_reader *reader, struct mvm_error **err)
{
	int result = reader->begun ? 0 : begin(reader, err);

	if (result == 0 && reader->client && !reader->over)
		result = hear(reader, err);
	if (result < 0)
		return -1;
	/* No line can be early enough any more. */
	return result || !reader->client || reader->over || mvm_log_reader_left(reader) == 0;
}

int mvm_log_reader_fd(const struct mvm_log_reader *reader)
{
	return reader->client ? mvm_client_fd(reader->client) : -1;
}

int mvm_log_reader_left(const struct mvm_log_reader *reader)
{
	return engine_time_left(reader->ends ? &reader->end : NULL);
}

void mvm_log_reader_close(struct mvm_log_reader *reader)
{
	if (!reader)
		return;
	mvm_client_destroy(reader->client);
	log_files_finish(&reader->files);
	free(reader->path);
	free(reader);
}

static void take_limits(struct mvm_log_reader *reader, const struct mvm_log_request *request)
{
	reader->since = limit(request->since, reader->since_text);
	reader->until = limit(request->until, reader->until_text);
	reader->ends = request->until;
	if (request->until)
		reader->end = *request->until;
}

/* A supervisor that ends meanwhile does not answer, and nothing more will come. */
static void connect_reader(struct mvm_log_reader *reader, struct mvm_engine *engine,
			   const struct mvm_container *container)
{
	if (mvm_engine_connect(engine, container, &reader->client, NULL) < 0)
		return;
	if (mvm_client_call(reader->client, "follow", NULL, NULL, NULL) == 0 &&
	    mvm_set_nonblock(mvm_client_fd(reader->client), true) == 0)
		return;
	mvm_client_destroy(reader->client);
	reader->client = NULL;
}

/* Opened first: with --rm the folder goes when the container ends. Then connected, so that nothing written after the
 * last read goes unannounced. */
static int open_reader(struct mvm_log_reader *reader, struct mvm_engine *engine, const struct mvm_container *container,
		       const struct mvm_log_request *request, struct mvm_error **err)
{
	struct mvm_log_policy policy;

	if (mvm_log_policy_parse(container->config.log_driver, &container->config.log_options, &policy, err) < 0)
		return -1;
	if (!policy.kept)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "configured logging driver does not support reading");
	reader->path = mvm_format("%s/container.log", container->folder);
	reader->rotated = policy.max_files - 1;
	take_limits(reader, request);
	if (log_files_open(reader->path, reader->rotated, &reader->files, err) < 0)
		return -1;
	if (request->follow)
		connect_reader(reader, engine, container);
	return request->tail >= 0 ? log_files_tail(&reader->files, request->tail, reader->from, err) : 0;
}

int mvm_log_reader_open(struct mvm_engine *engine, const struct mvm_container *container,
			const struct mvm_log_request *request, const struct mvm_log_sink *sink,
			struct mvm_log_reader **out, struct mvm_error **err)
{
	struct mvm_log_reader *reader = mvm_alloc(sizeof(*reader));

	reader->sink = *sink;
	if (open_reader(reader, engine, container, request, err) < 0) {
		mvm_log_reader_close(reader);
		return -1;
	}
	*out = reader;
	return 0;
}

int mvm_engine_logs(struct mvm_engine *engine, const char *what, const struct mvm_log_request *request,
		    const struct mvm_log_sink *sink, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_log_reader *reader;
	int result;

	if (mvm_state_find(mvm_engine_state(engine), what, &container, err) < 0 ||
	    mvm_log_reader_open(engine, container, request, sink, &reader, err) < 0)
		return -1;
	while ((result = mvm_log_reader_step(reader, err)) == 0) {
		struct pollfd poll_fd = {.fd = mvm_log_reader_fd(reader), .events = POLLIN};

		poll(&poll_fd, 1, mvm_log_reader_left(reader));
	}
	mvm_log_reader_close(reader);
	return result < 0 ? -1 : 0;
}

int mvm_engine_boot_log(struct mvm_engine *engine, const char *what, int fd, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	char *path MVM_CLEAN_FREE = NULL;
	int log MVM_CLEAN_FD = -1;
	ssize_t n;

	if (mvm_state_find(mvm_engine_state(engine), what, &container, err) < 0)
		return -1;
	path = mvm_format("%s/boot.log", container->folder);
	log = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (log < 0 && errno == ENOENT)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "container %s has no boot log: it has not been started", what);
	if (log < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	do {
		n = mvm_read_full(log, mvm_buf_reserve(&buf, CHUNK), CHUNK);
		if (n < 0)
			return mvm_fail_errno(err, errno, "%s", path);
		if (mvm_write_full(fd, buf.data, (size_t)n) < 0)
			return mvm_fail_errno(err, errno, "cannot write the boot log");
	} while (n == (ssize_t)CHUNK);
	return 0;
}
