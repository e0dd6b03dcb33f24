/*
 * Reading container.log. While it is followed the supervisor says when there is more; nothing is polled.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/state/control.h"
#include "runtime/state/logfile.h"

#define CHUNK (256 * 1024)

struct reader {
	int fd;
	struct mvm_buf buf;
	const struct mvm_log_sink *sink;
};

static void hand_out(struct reader *reader)
{
	size_t at = 0;

	for (;;) {
		struct mvm_log_record record;
		const char *data = reader->buf.data + at;
		long length = mvm_log_parse(data, reader->buf.length - at, &record);

		if (length == 0)
			break;
		if (length < 0) {
			/* A line cut by a full disk or a crash: what cannot be read is skipped. */
			const char *newline = memchr(data, '\n', reader->buf.length - at);

			at += (size_t)(newline - data) + 1;
			continue;
		}
		/* The newline of a full line stands right behind its text. */
		reader->sink->write(reader->sink->arg, record.stream == MVM_LOG_STDERR, record.text,
				    record.text_length + record.full);
		at += (size_t)length;
	}
	mvm_buf_consume(&reader->buf, at);
}

static int read_to_end(struct reader *reader, struct mvm_error **err)
{
	ssize_t n;

	do {
		n = mvm_read_full(reader->fd, mvm_buf_reserve(&reader->buf, CHUNK), CHUNK);
		if (n < 0)
			return mvm_fail_errno(err, errno, "container.log");
		reader->buf.length += (size_t)n;
		if (n > 0)
			hand_out(reader);
	} while (n == CHUNK);
	return 0;
}

static int follow(struct mvm_client *client, struct reader *reader, struct mvm_error **err)
{
	for (;;) {
		json_t *message MVM_CLEAN_JSON = NULL;
		int result = mvm_client_receive(client, &message, err);

		if (result < 0 || read_to_end(reader, err) < 0)
			return -1;
		if (result == MVM_CONTROL_CLOSED)
			return 0;
	}
}

int mvm_engine_logs(struct mvm_engine *engine, const char *what, bool follow_on, const struct mvm_log_sink *sink,
		    struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_client *client MVM_CLEAN_CLIENT = NULL;
	struct reader reader = {.fd = -1, .sink = sink};
	char *path MVM_CLEAN_FREE = NULL;
	int result;

	if (mvm_state_find(mvm_engine_state(engine), what, &container, err) < 0)
		return -1;
	path = mvm_format("%s/container.log", container->folder);
	/* Connected first, so that nothing written after the last read goes unannounced. */
	if (follow_on && mvm_engine_connect(engine, container, &client, NULL) == 0 &&
	    mvm_client_call(client, "follow", NULL, NULL, err) < 0)
		return -1;
	reader.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (reader.fd < 0 && errno == ENOENT)
		return 0;
	if (reader.fd < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	result = read_to_end(&reader, err);
	if (result == 0 && client)
		result = follow(client, &reader, err);
	mvm_close(&reader.fd);
	mvm_buf_finish(&reader.buf);
	return result;
}
