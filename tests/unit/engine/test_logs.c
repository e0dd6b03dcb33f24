/* Reading container.log, whole and while it grows. */
#include "world.h"

#include <fcntl.h>
#include <poll.h>
#include <time.h>

#define AT "2026-11-21T06:18:03.123456789Z "

static const struct mvm_log_request all = {.tail = -1}, following = {.follow = true, .tail = -1};

/* What came out: stderr in brackets, "|" where a line begins. */
struct output {
	struct mvm_buf text;
};

static void collect(void *arg, const struct mvm_log_record *record, bool begins)
{
	struct output *output = arg;
	bool is_stderr = record->stream == MVM_LOG_STDERR;

	mvm_buf_addf(&output->text, "%s%s", begins ? "|" : "", is_stderr ? "[" : "");
	mvm_buf_add(&output->text, record->text, record->text_length + record->full);
	mvm_buf_addf(&output->text, is_stderr ? "]" : "");
}

static char *log_path(struct world *world, const char *id, const char *suffix)
{
	return mvm_format("%s/containers/%s/container.log%s", world->home, id, suffix);
}

static void append_to(struct world *world, const char *id, const char *suffix, const void *data, size_t length)
{
	char *path MVM_CLEAN_FREE = log_path(world, id, suffix);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || mvm_write_full(fd, data, length) < 0)
		_exit(98);
	close(fd);
}

static void append(struct world *world, const char *id, const void *data, size_t length)
{
	append_to(world, id, "", data, length);
}

static void append_text(struct world *world, const char *id, const char *text)
{
	append(world, id, text, strlen(text));
}

static void assert_request(struct world *world, const char *what, const struct mvm_log_request *request,
			   const char *expected)
{
	struct output output = {0};
	const struct mvm_log_sink sink = {.write = collect, .arg = &output};
	struct mvm_error *err = NULL;

	assert_ok(mvm_engine_logs(world->engine, what, request, &sink, &err));
	assert_string_equal(output.text.data ? output.text.data : "", expected);
	mvm_buf_finish(&output.text);
}

static void assert_logs(struct world *world, const char *what, bool follow, const char *expected)
{
	const struct mvm_log_request request = {.follow = follow, .tail = -1};

	assert_request(world, what, &request, expected);
}

static void assert_tail(struct world *world, const char *what, int64_t tail, const char *expected)
{
	const struct mvm_log_request request = {.tail = tail};

	assert_request(world, what, &request, expected);
}

static void both_streams_come_in_order(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);

	append_text(world, id,
		    AT "stdout F one\n" AT "stderr F two\n" AT "stdout F \n" AT "stdout P part " AT "stdout F rest\n");
	assert_logs(world, "web", false, "|one\n|[two\n]|\n|part " AT "stdout F rest");
	assert_logs(world, id, true, "|one\n|[two\n]|\n|part " AT "stdout F rest");
}

static void parts_are_put_together(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);

	append_text(world, id, AT "stdout P long \n" AT "stdout P line\n" AT "stdout F !\n" AT "stdout P no end\n");
	assert_logs(world, "web", false, "|long line!\n|no end");
}

/* A crash or a full disk cut a line; what else can be read is read. */
static void damage_is_skipped(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);

	append_text(world, id,
		    "\n" AT "stdout F one\n"
		    "garbage\n" AT "stdin F x\n" AT "stdout\n" AT "stderr F two\n" AT "stdout F cut without a newl");
	assert_logs(world, "web", false, "|one\n|[two\n]");
}

static void bytes_are_exact(void **state)
{
	static const char record[] = AT "stdout F a\0b\xff\r\n";
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct output output = {0};
	const struct mvm_log_sink sink = {.write = collect, .arg = &output};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	append(world, id, record, sizeof(record) - 1);
	assert_ok(mvm_engine_logs(world->engine, "web", &all, &sink, &err));
	assert_int_equal(output.text.length, 7);
	assert_memory_equal(output.text.data, "|a\0b\xff\r\n", 7);
	mvm_buf_finish(&output.text);
}

/* Larger than what is read at once, so that records lie across the pieces. */
static void large_logs_come_whole(void **state)
{
	enum { LINES = 20000 };
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct mvm_buf log MVM_CLEAN_BUF = {0}, text MVM_CLEAN_BUF = {0};

	for (int i = 0; i < LINES; i++) {
		mvm_buf_addf(&log, AT "stdout F line %d\n", i);
		mvm_buf_addf(&text, "|line %d\n", i);
	}
	append(world, id, log.data, log.length);
	assert_logs(world, "web", false, text.data);
}

static void without_a_log_there_is_nothing(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	const struct mvm_log_sink sink = {.write = collect};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_logs(world, id, false, "");
	assert_logs(world, id, true, "");
	assert_error(mvm_engine_logs(world->engine, "nope", &all, &sink, &err), MVM_ERR_NOT_FOUND,
		     "No such container: nope");
}

/* Following */

static int log_event(struct mvm_control *client)
{
	return mvm_control_send(client, json_pack("{ss}", "event", "log"), NULL, 0, NULL);
}

static int write_more(struct world *world, const char *id, struct mvm_control *client)
{
	json_t *request = world_request(client, "follow");

	if (!request || world_answer(client, request) < 0)
		return 1;
	json_decref(request);
	append_text(world, id, AT "stdout F two\n" AT "stdout F thr");
	if (log_event(client) < 0)
		return 2;
	append_text(world, id, "ee\n");
	if (log_event(client) < 0)
		return 3;
	/* What comes with the end is not announced: the client has read all and waits. */
	wait_until_asleep(getppid());
	append_text(world, id, AT "stdout P four\n");
	return 0;
}

static void following_goes_on_until_the_end(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	pid_t pid;

	append_text(world, id, AT "stdout F one\n");
	pid = world_supervise(world, id, write_more);
	assert_logs(world, "web", true, "|one\n|two\n|three\n|four");
	assert_int_equal(wait_for_exit(pid), 0);
}

static int be_removed(struct world *world, const char *id, struct mvm_control *client)
{
	json_t *request = world_request(client, "follow");

	if (!request || world_answer(client, request) < 0)
		return 1;
	json_decref(request);
	append_text(world, id, AT "stdout F last words\n");
	if (log_event(client) < 0)
		return 2;
	return mvm_state_remove(mvm_engine_state(world->engine), id, NULL) < 0 ? 3 : 0;
}

/* With --rm the folder goes before the followers learn of the end; the first line is there before that. */
static void following_one_that_is_removed_at_its_end(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", true, NULL);
	struct output output = {0};
	const struct mvm_log_sink sink = {.write = collect, .arg = &output};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	pid_t pid;

	append_text(world, id, AT "stdout F one\n");
	pid = world_supervise(world, id, be_removed);
	assert_ok(mvm_engine_logs(world->engine, "web", &following, &sink, &err));
	assert_int_equal(wait_for_exit(pid), 0);
	assert_int_equal(world_count(world), 0);
	mvm_buf_finish(&output.text);
}

/* The supervisor ends with a request before it that it has not read. */
static int leave_unanswered(struct world *world, const char *id, struct mvm_control *client)
{
	struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};

	append_text(world, id, AT "stdout F last words\n");
	return poll(&poll_fd, 1, -1) == 1 ? 0 : 1;
}

static void a_supervisor_that_ends_before_it_answers_is_the_end(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	pid_t pid;

	append_text(world, id, AT "stdout F one\n");
	pid = world_supervise(world, id, leave_unanswered);
	assert_logs(world, "web", true, "|one\n|last words\n");
	assert_int_equal(wait_for_exit(pid), 0);
}

/* Rotated files */

static char *add_rotating(struct world *world, const char *driver, int files)
{
	char *id = world_add(world, driver, false, NULL), *path MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;
	json_t *json MVM_CLEAN_JSON = NULL;
	char *option MVM_CLEAN_FREE = mvm_format("max-file=%d", files);

	path = mvm_format("%s/containers/%s/config.json", world->home, id);
	assert_ok(mvm_json_load(path, 1 << 20, &json, &err));
	json_object_set_new(json, "LogConfig", json_pack("{ss, s[s]}", "Type", driver, "Options", option));
	assert_ok(mvm_json_save(path, json, &err));
	return id;
}

static void move_log(struct world *world, const char *id, const char *from, const char *to)
{
	char *old MVM_CLEAN_FREE = log_path(world, id, from), *new MVM_CLEAN_FREE = log_path(world, id, to);

	if (rename(old, new) < 0)
		_exit(97);
}

static void rotated_files_are_read_from_the_oldest(void **state)
{
	static const char one[] = AT "stdout F one\n" AT "stdout P tw", two[] = AT "stdout F o\n" AT "stderr F three\n",
			  three[] = AT "stdout F four\n";
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = add_rotating(world, "local", 3);

	append_to(world, id, ".2", one, sizeof(one) - 1);
	append_to(world, id, ".2", "\n", 1);
	append_to(world, id, ".1", two, sizeof(two) - 1);
	append_to(world, id, "", three, sizeof(three) - 1);
	/* Of another time, when more were kept. */
	append_to(world, id, ".3", three, sizeof(three) - 1);
	assert_logs(world, id, false, "|one\n|two\n|[three\n]|four\n");
	assert_tail(world, id, 3, "|two\n|[three\n]|four\n");
	assert_tail(world, id, 2, "|[three\n]|four\n");
	assert_tail(world, id, 1, "|four\n");
	assert_tail(world, id, 9, "|one\n|two\n|[three\n]|four\n");
	/* A rotation that was interrupted. */
	move_log(world, id, ".1", ".2");
	assert_logs(world, id, false, "|o\n|[three\n]|four\n");
}

static int rotate_twice(struct world *world, const char *id, struct mvm_control *client)
{
	json_t *request = world_request(client, "follow");

	if (!request || world_answer(client, request) < 0)
		return 1;
	json_decref(request);
	append_text(world, id, AT "stdout F two\n");
	move_log(world, id, "", ".1");
	append_text(world, id, AT "stdout F three\n");
	move_log(world, id, ".1", ".2");
	move_log(world, id, "", ".1");
	append_text(world, id, AT "stdout F four\n");
	if (log_event(client) < 0)
		return 2;
	wait_until_asleep(getppid());
	append_text(world, id, AT "stdout F five\n");
	move_log(world, id, ".1", ".2");
	move_log(world, id, "", ".1");
	append_text(world, id, AT "stdout F six\n");
	return 0;
}

static void following_goes_over_rotations(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = add_rotating(world, "json-file", 3);
	pid_t pid;

	append_text(world, id, AT "stdout F one\n");
	pid = world_supervise(world, id, rotate_twice);
	assert_logs(world, id, true, "|one\n|two\n|three\n|four\n|five\n|six\n");
	assert_int_equal(wait_for_exit(pid), 0);
}

static void none_says_so(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = add_rotating(world, "none", 1);
	const struct mvm_log_sink sink = {.write = collect};
	struct mvm_error *err = NULL;

	assert_error(mvm_engine_logs(world->engine, id, &all, &sink, &err), MVM_ERR_UNSUPPORTED,
		     "configured logging driver does not support reading");
}

/* Which part of it */

static void tails(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);

	append_text(world, id,
		    AT "stdout F one\n" AT "stderr P lo\n" AT "stdout F two\n" AT "stderr P n\n" AT "stderr F g\n"
		       "damage\n" AT "stdout F three\n" AT "stdout P fo\n" AT "stdout P ur\n" AT "stdout F half");
	assert_tail(world, id, 0, "");
	assert_tail(world, id, 1, "|four");
	assert_tail(world, id, 2, "|three\n|four");
	/* The parts of a long line are one line. */
	assert_tail(world, id, 3, "|[lo][n][g\n]|three\n|four");
	assert_tail(world, id, 4, "|[lo]|two\n[n][g\n]|three\n|four");
	assert_tail(world, id, 5, "|one\n|[lo]|two\n[n][g\n]|three\n|four");
	assert_tail(world, id, 100, "|one\n|[lo]|two\n[n][g\n]|three\n|four");
}

/* Against a plain count, with lines that lie across what is read at once. */
static void tails_of_large_logs(void **state)
{
	enum { LINES = 3000 };
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct mvm_buf log MVM_CLEAN_BUF = {0}, text MVM_CLEAN_BUF = {0};
	size_t starts[LINES];
	unsigned seed = 7;

	for (int i = 0; i < LINES; i++) {
		int length = rand_r(&seed) % 2000, parts = rand_r(&seed) % 50 ? 0 : 20;

		starts[i] = text.length;
		mvm_buf_addf(&text, "|");
		for (int part = 0; part < parts; part++) {
			mvm_buf_addf(&log, AT "stdout P %0*d\n", MVM_LOG_PART, part);
			mvm_buf_addf(&text, "%0*d", MVM_LOG_PART, part);
		}
		mvm_buf_addf(&log, AT "stdout F %0*d\n", length, i);
		mvm_buf_addf(&text, "%0*d\n", length, i);
	}
	append(world, id, log.data, log.length);
	for (int count = 1; count <= LINES; count = count * 3 + 1)
		assert_tail(world, id, count, text.data + starts[LINES - count]);
	assert_tail(world, id, LINES, text.data);
}

static void since_and_until(void **state)
{
	static const struct timespec second = {1700000001, 500}, third = {1700000002, 0}, never = {1LL << 60, 0};
	const struct mvm_log_request since = {.tail = -1, .since = &second}, until = {.tail = -1, .until = &second},
				     both = {.tail = -1, .since = &second, .until = &third},
				     tail = {.tail = 3, .since = &third}, far = {.tail = -1, .since = &never},
				     end = {.tail = -1, .until = &never};
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);

	append_text(world, id,
		    "2023-11-14T22:13:20.000000000Z stdout F one\n"
		    "2023-11-14T22:13:21.000000499Z stdout P t\n"
		    "2023-11-14T22:13:21.000000501Z stdout F wo\n"
		    "2023-11-14T22:13:21.000000500Z stdout F three\n"
		    "2023-11-14T22:13:22.000000000Z stderr F four\n"
		    "2023-11-14T22:13:22.000000001Z stdout F five\n");
	assert_request(world, id, &since, "|three\n|[four\n]|five\n");
	assert_request(world, id, &until, "|one\n|two\n|three\n");
	assert_request(world, id, &both, "|three\n|[four\n]");
	assert_request(world, id, &tail, "|[four\n]|five\n");
	assert_request(world, id, &far, "");
	assert_request(world, id, &end, "|one\n|two\n|three\n|[four\n]|five\n");
}

/* Nobody says anything: that the time has passed is the end. */
static int stay_silent(struct world *world, const char *id, struct mvm_control *client)
{
	json_t *request = world_request(client, "follow"), *more = NULL;

	if (!request || world_answer(client, request) < 0)
		return 1;
	json_decref(request);
	return mvm_control_receive(client, &more, NULL) == MVM_CONTROL_CLOSED ? 0 : 2;
}

static void following_ends_with_the_time_that_was_asked_for(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct timespec until;
	const struct mvm_log_request request = {.follow = true, .tail = -1, .until = &until};
	pid_t pid;

	append_text(world, id, "2023-11-14T22:13:20.000000000Z stdout F one\n");
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 100000000;
	pid = world_supervise(world, id, stay_silent);
	assert_request(world, id, &request, "|one\n");
	assert_int_equal(wait_for_exit(pid), 0);
}

/* The boot log */

static void the_boot_log_comes_as_it_is(void **state)
{
	static const char text[] = "Linux\0\x1b[0m\r\nno newline";
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL), *got MVM_CLEAN_FREE = NULL;
	char *path MVM_CLEAN_FREE = mvm_format("%s/containers/%s/boot.log", world->home, id);
	char *copy MVM_CLEAN_FREE = mvm_format("%s/copy", world->home);
	struct mvm_error *err = NULL;
	int fd = open(copy, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	size_t length;

	assert_error(mvm_engine_boot_log(world->engine, "web", fd, &err), MVM_ERR_NOT_FOUND, "has no boot log");
	assert_ok(mvm_replace_file(path, text, sizeof(text), 0600, &err));
	assert_ok(mvm_engine_boot_log(world->engine, "web", fd, &err));
	close(fd);
	assert_ok(mvm_read_file(copy, 4096, &got, &length, &err));
	assert_int_equal(length, sizeof(text));
	assert_memory_equal(got, text, length);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(both_streams_come_in_order),
		WORLD_TEST(parts_are_put_together),
		WORLD_TEST(damage_is_skipped),
		WORLD_TEST(bytes_are_exact),
		WORLD_TEST(large_logs_come_whole),
		WORLD_TEST(without_a_log_there_is_nothing),
		WORLD_TEST(following_goes_on_until_the_end),
		WORLD_TEST(following_one_that_is_removed_at_its_end),
		WORLD_TEST(a_supervisor_that_ends_before_it_answers_is_the_end),
		WORLD_TEST(rotated_files_are_read_from_the_oldest),
		WORLD_TEST(following_goes_over_rotations),
		WORLD_TEST(none_says_so),
		WORLD_TEST(tails),
		WORLD_TEST(tails_of_large_logs),
		WORLD_TEST(since_and_until),
		WORLD_TEST(following_ends_with_the_time_that_was_asked_for),
		WORLD_TEST(the_boot_log_comes_as_it_is),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
