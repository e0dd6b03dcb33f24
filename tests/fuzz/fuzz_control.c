/* Messages over a control socket: the same ones however they come, and the reader ends where they do. Taken: the stream
 * is whole messages to its end. */
#include "fuzz.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/control.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"

struct reading {
	int sender;
	struct mvm_control control;
	struct mvm_buf texts; /* of the messages */
};

/* Until nothing is there; false where what is there is no message. */
static bool receive_all(struct reading *reading)
{
	for (;;) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		json_t *message = NULL;
		char *text MVM_CLEAN_FREE = NULL;
		int result = mvm_control_receive(&reading->control, &message, &err);

		fuzz_check((result < 0) == (err != NULL) && (result == 0) == (message != NULL));
		if (result)
			return result > 0;
		text = json_dumps(message, JSON_COMPACT);
		fuzz_check(text);
		mvm_buf_add(&reading->texts, text, strlen(text) + 1);
		json_decref(message);
	}
}

static bool read_all(const uint8_t *data, size_t size, size_t piece, struct mvm_buf *texts)
{
	struct reading reading = {0};
	bool taken = true;
	int ends[2];

	fuzz_check(mvm_socketpair(SOCK_STREAM, ends) == 0);
	mvm_set_nonblock(ends[0], true);
	mvm_set_nonblock(ends[1], true);
	mvm_control_init(&reading.control, ends[0]);
	for (size_t at = 0; taken && at < size;) {
		ssize_t n = write(ends[1], data + at, size - at < piece ? size - at : piece);

		fuzz_check(n > 0);
		at += (size_t)n;
		taken = receive_all(&reading);
	}
	close(ends[1]);
	fuzz_check(!taken || receive_all(&reading));
	taken = taken && !reading.control.in.length;
	mvm_control_finish(&reading.control);
	*texts = reading.texts;
	return taken;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct mvm_buf whole MVM_CLEAN_BUF = {0}, pieces MVM_CLEAN_BUF = {0};
	bool taken = read_all(data, size, SIZE_MAX / 2, &whole);

	fuzz_check(read_all(data, size, size > 4096 ? 4093 : 5, &pieces) == taken);
	fuzz_check(whole.length == pieces.length && (!whole.length || !memcmp(whole.data, pieces.data, whole.length)));
	return taken;
}
