/* The control socket: framing, descriptors, peers that misbehave. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "runtime/base/json.h"
#include "runtime/base/control.h"

/* Two ends; what is not given to a mvm_control is plain. */
struct ends {
	struct mvm_control ours;
	int theirs;
};

static void make_ends(struct ends *ends)
{
	int pair[2];

	assert_int_equal(mvm_socketpair(SOCK_STREAM, pair), 0);
	assert_int_equal(mvm_set_nonblock(pair[0], true), 0);
	mvm_control_init(&ends->ours, pair[0]);
	ends->theirs = pair[1];
}

static void drop_ends(struct ends *ends)
{
	mvm_control_finish(&ends->ours);
	mvm_close(&ends->theirs);
}

static void send_raw(int fd, const void *data, size_t length)
{
	assert_int_equal(mvm_write_full(fd, data, length), length);
}

static void send_frame(int fd, const char *text)
{
	uint32_t length = (uint32_t)strlen(text);

	send_raw(fd, &length, sizeof(length));
	send_raw(fd, text, length);
}

static int receive(struct ends *ends, json_t **message)
{
	struct mvm_error *err = NULL;
	int result = mvm_control_receive(&ends->ours, message, &err);

	assert_null(err);
	return result;
}

static void assert_receives(struct ends *ends, const char *key, const char *value)
{
	json_t *message MVM_CLEAN_JSON = NULL;

	assert_int_equal(receive(ends, &message), 0);
	assert_string_equal(json_string_value(json_object_get(message, key)), value);
}

static void messages_go_there_and_back(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_control sender;
	struct ends ends;
	json_t *message = NULL;

	make_ends(&ends);
	mvm_control_init(&sender, ends.theirs);
	assert_ok(mvm_control_send(&sender, json_pack("{ss, si}", "op", "start", "id", 1), NULL, 0, &err));
	assert_ok(mvm_control_send(&sender, json_pack("{ss}", "op", "caf\xc3\xa9"), NULL, 0, &err));
	assert_receives(&ends, "op", "start");
	assert_receives(&ends, "op", "caf\xc3\xa9");
	assert_int_equal(receive(&ends, &message), MVM_CONTROL_AGAIN);
	assert_null(message);
	drop_ends(&ends);
}

/* A frame is the length in the host's byte order and compact JSON: what an older mvm understands. */
static void the_frame_is_as_documented(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct ends ends;
	char frame[64];
	uint32_t length;

	make_ends(&ends);
	assert_ok(mvm_control_send(&ends.ours, json_pack("{si}", "id", 7), NULL, 0, &err));
	assert_int_equal(read(ends.theirs, frame, sizeof(frame)), 4 + strlen("{\"id\":7}"));
	memcpy(&length, frame, 4);
	assert_int_equal(length, strlen("{\"id\":7}"));
	assert_memory_equal(frame + 4, "{\"id\":7}", length);
	drop_ends(&ends);
}

static void frames_may_be_split_anywhere(void **state)
{
	const char text[] = "{\"op\":\"one\"}", second[] = "{\"op\":\"two\"}";
	struct mvm_buf bytes MVM_CLEAN_BUF = {0};
	uint32_t lengths[2] = {sizeof(text) - 1, sizeof(second) - 1};

	mvm_buf_add(&bytes, &lengths[0], 4);
	mvm_buf_add(&bytes, text, lengths[0]);
	mvm_buf_add(&bytes, &lengths[1], 4);
	mvm_buf_add(&bytes, second, lengths[1]);
	for (size_t split = 1; split < bytes.length; split++) {
		struct ends ends;
		json_t *message = NULL;

		make_ends(&ends);
		send_raw(ends.theirs, bytes.data, split);
		if (split < 4 + lengths[0])
			assert_int_equal(receive(&ends, &message), MVM_CONTROL_AGAIN);
		else
			assert_receives(&ends, "op", "one");
		send_raw(ends.theirs, bytes.data + split, bytes.length - split);
		if (split < 4 + lengths[0])
			assert_receives(&ends, "op", "one");
		assert_receives(&ends, "op", "two");
		assert_int_equal(receive(&ends, &message), MVM_CONTROL_AGAIN);
		drop_ends(&ends);
	}
}

static void frames_may_come_byte_by_byte(void **state)
{
	struct ends ends;
	json_t *message = NULL;
	const char bytes[] = "\2\0\0\0{}";

	make_ends(&ends);
	for (size_t i = 0; i < sizeof(bytes) - 2; i++) {
		send_raw(ends.theirs, bytes + i, 1);
		assert_int_equal(receive(&ends, &message), MVM_CONTROL_AGAIN);
	}
	send_raw(ends.theirs, "}", 1);
	assert_int_equal(receive(&ends, &message), 0);
	json_decref(message);
	drop_ends(&ends);
}

/* Descriptors */

static void descriptors_come_with_their_message(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_control sender;
	struct ends ends;
	int pipes[2], got[2] = {-1, -1};
	char byte;

	make_ends(&ends);
	mvm_control_init(&sender, ends.theirs);
	assert_int_equal(mvm_pipe(pipes), 0);
	assert_ok(mvm_control_send(&sender, json_pack("{ss}", "op", "none"), NULL, 0, &err));
	assert_ok(mvm_control_send(&sender, json_pack("{ss}", "op", "two"), pipes, 2, &err));
	assert_receives(&ends, "op", "none");
	assert_receives(&ends, "op", "two");
	assert_ok(mvm_control_steal_fds(&ends.ours, &got[0], 1, &err));
	assert_ok(mvm_control_steal_fds(&ends.ours, &got[1], 1, &err));
	assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	send_raw(got[1], "x", 1);
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_error(mvm_control_steal_fds(&ends.ours, got, 1, &err), MVM_ERR_CORRUPT, "expected 1 descriptors, got 0");
	for (int i = 0; i < 2; i++) {
		close(pipes[i]);
		close(got[i]);
	}
	drop_ends(&ends);
}

static size_t open_descriptors(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Whatever a client sends along that nobody asked for must not stay open. */
static void descriptors_that_nobody_takes_are_closed(void **state)
{
	size_t before = open_descriptors();
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_control sender;
	const int zeros[8] = {0};
	struct ends ends;

	make_ends(&ends);
	mvm_control_init(&sender, ends.theirs);
	for (int i = 0; i < 3; i++) {
		assert_ok(mvm_control_send(&sender, json_pack("{ss}", "op", "flood"), zeros, 8, &err));
		assert_receives(&ends, "op", "flood");
	}
	assert_int_equal(open_descriptors(), before + 2 + MVM_CONTROL_MAX_FDS);
	drop_ends(&ends);
	assert_int_equal(open_descriptors(), before);
}

/* Peers that misbehave */

static void what_is_too_large_is_refused(void **state)
{
	static const uint32_t lengths[] = {MVM_CONTROL_MAX + 1, UINT32_MAX, 0x7fffffff};

	for (size_t i = 0; i < MVM_COUNT(lengths); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		struct ends ends;
		json_t *message = NULL;

		make_ends(&ends);
		send_raw(ends.theirs, &lengths[i], 4);
		assert_error(mvm_control_receive(&ends.ours, &message, &err), MVM_ERR_INVALID, "a message of");
		assert_null(message);
		drop_ends(&ends);
	}
}

/* Larger than a socket holds: the sender waits in another process. */
static void the_largest_message_arrives(void **state)
{
	enum { TEXT = MVM_CONTROL_MAX - 8 };
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *text MVM_CLEAN_FREE = mvm_alloc(TEXT + 1);
	json_t *message MVM_CLEAN_JSON = NULL;
	struct mvm_control sender;
	struct ends ends;
	pid_t pid;

	memset(text, 'x', TEXT);
	make_ends(&ends);
	mvm_set_nonblock(ends.ours.fd, false);
	pid = fork();
	if (pid == 0) {
		mvm_control_init(&sender, ends.theirs);
		_exit(mvm_control_send(&sender, json_pack("{ss}", "a", text), NULL, 0, NULL) == 0 ? 0 : 1);
	}
	assert_ok(mvm_control_receive(&ends.ours, &message, &err));
	assert_int_equal(json_string_length(json_object_get(message, "a")), TEXT);
	assert_int_equal(wait_for_exit(pid), 0);
	drop_ends(&ends);
}

static void nonsense_is_refused(void **state)
{
	static const char *const texts[] = {"", "{", "nonsense", "{\"a\":1}x", "{\"a\":1,\"a\":1}", "42"};

	for (size_t i = 0; i < MVM_COUNT(texts); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		struct ends ends;
		json_t *message = NULL;

		make_ends(&ends);
		send_frame(ends.theirs, texts[i]);
		assert_error(mvm_control_receive(&ends.ours, &message, &err), MVM_ERR_INVALID, "control message");
		assert_null(message);
		drop_ends(&ends);
	}
}

static void the_end_is_told_wherever_it_comes(void **state)
{
	const char bytes[] = "\2\0\0\0{}";

	for (size_t sent = 0; sent < sizeof(bytes) - 1; sent++) {
		struct ends ends;
		json_t *message = NULL;

		make_ends(&ends);
		send_raw(ends.theirs, bytes, sent);
		mvm_close(&ends.theirs);
		assert_int_equal(receive(&ends, &message), MVM_CONTROL_CLOSED);
		assert_int_equal(receive(&ends, &message), MVM_CONTROL_CLOSED);
		drop_ends(&ends);
	}
}

/* What stands complete in the socket is still read. */
static void the_last_message_comes_before_the_end(void **state)
{
	struct ends ends;
	json_t *message = NULL;

	make_ends(&ends);
	send_frame(ends.theirs, "{\"op\":\"last\"}");
	mvm_close(&ends.theirs);
	assert_receives(&ends, "op", "last");
	assert_int_equal(receive(&ends, &message), MVM_CONTROL_CLOSED);
	drop_ends(&ends);
}

/* It closes without having read what we sent: the kernel calls that a reset. */
static void a_reset_is_an_end(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct ends ends;
	json_t *message = NULL;

	make_ends(&ends);
	assert_ok(mvm_control_send(&ends.ours, json_object(), NULL, 0, &err));
	mvm_close(&ends.theirs);
	assert_int_equal(receive(&ends, &message), MVM_CONTROL_CLOSED);
	assert_error(mvm_control_send(&ends.ours, json_object(), NULL, 0, &err), MVM_ERR_IO, "control socket");
	drop_ends(&ends);
}

static void a_peer_that_does_not_read_is_not_waited_for(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct ends ends;
	int sent = 0, result;

	make_ends(&ends);
	do
		result = mvm_control_send(&ends.ours, json_pack("{ss}", "op", "event"), NULL, 0, &err);
	while (result == 0 && sent++ < 1000000);
	assert_error(result, MVM_ERR_TIMEOUT, "control socket");
	assert_true(sent > 100);
	drop_ends(&ends);
}

static void a_message_that_json_cannot_hold_is_an_error(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct ends ends;
	char byte;

	make_ends(&ends);
	assert_error(mvm_control_send(&ends.ours, json_pack("{ss}", "a", "\xff"), NULL, 0, &err), MVM_ERR_INTERNAL,
		     "JSON cannot hold");
	assert_int_equal(recv(ends.theirs, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	drop_ends(&ends);
}

/* Errors as messages */

static void errors_go_there_and_back(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL, *sent MVM_CLEAN_ERROR = NULL;
	json_t *json MVM_CLEAN_JSON = NULL;

	mvm_fail(&sent, MVM_ERR_NO_PROGRAM, "exec: \"nope\": not found");
	json = mvm_control_error_to_json(sent);
	assert_error(mvm_control_error_from_json(json, &err), MVM_ERR_NO_PROGRAM, "exec: \"nope\": not found");
	assert_error(mvm_control_error_from_json(NULL, &err), MVM_ERR_INTERNAL, "unknown error");
}

/* The name of a program that is not there may be any bytes. */
static void errors_that_quote_bytes_are_sent_all_the_same(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL, *sent MVM_CLEAN_ERROR = NULL;
	json_t *json MVM_CLEAN_JSON = NULL;

	mvm_fail(&sent, MVM_ERR_NO_PROGRAM, "\xff: not found");
	json = mvm_control_error_to_json(sent);
	assert_non_null(json);
	assert_error(mvm_control_error_from_json(json, &err), MVM_ERR_NO_PROGRAM, "\xef\xbf\xbd: not found");
}

/* Sockets with a name */

static void listening_and_connecting(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/socket", (char *)*state);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int listener MVM_CLEAN_FD = -1, client MVM_CLEAN_FD = -1, server MVM_CLEAN_FD = -1;

	assert_error(mvm_control_connect(path, &client, &err), MVM_ERR_NOT_FOUND, path);
	assert_ok(mvm_control_listen(path, &listener, &err));
	assert_true(fcntl(listener, F_GETFD) & FD_CLOEXEC);
	assert_ok(mvm_control_connect(path, &client, &err));
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	assert_ok(mvm_control_check_peer(server, &err));
	assert_ok(mvm_control_check_peer(client, &err));
	/* Its process has died; another takes its place. */
	mvm_close(&listener);
	mvm_close(&client);
	assert_error(mvm_control_connect(path, &client, &err), MVM_ERR_IO, path);
	assert_ok(mvm_control_listen(path, &listener, &err));
	assert_ok(mvm_control_connect(path, &client, &err));
}

static void a_path_that_is_too_long_says_what_to_do(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char path[200];
	int fd = -1;

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_error(mvm_control_listen(path, &fd, &err), MVM_ERR_INVALID, "XDG_RUNTIME_DIR");
	assert_error(mvm_control_connect(path, &fd, &err), MVM_ERR_INVALID, "XDG_RUNTIME_DIR");
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_go_there_and_back),
		cmocka_unit_test(the_frame_is_as_documented),
		cmocka_unit_test(frames_may_be_split_anywhere),
		cmocka_unit_test(frames_may_come_byte_by_byte),
		cmocka_unit_test(descriptors_come_with_their_message),
		cmocka_unit_test(descriptors_that_nobody_takes_are_closed),
		cmocka_unit_test(what_is_too_large_is_refused),
		cmocka_unit_test(the_largest_message_arrives),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(the_end_is_told_wherever_it_comes),
		cmocka_unit_test(the_last_message_comes_before_the_end),
		cmocka_unit_test(a_reset_is_an_end),
		cmocka_unit_test(a_peer_that_does_not_read_is_not_waited_for),
		cmocka_unit_test(a_message_that_json_cannot_hold_is_an_error),
		cmocka_unit_test(errors_go_there_and_back),
		cmocka_unit_test(errors_that_quote_bytes_are_sent_all_the_same),
		cmocka_unit_test(listening_and_connecting),
		cmocka_unit_test(a_path_that_is_too_long_says_what_to_do),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
