/* Reading container.log, whole and while it grows. */
#include "world.h"

#include <fcntl.h>

#define AT "2026-11-21T06:18:03.123456789Z "

/* What came out, stderr in brackets. */
struct output {
	struct mvm_buf text;
	size_t pieces;
};

static void collect(void *arg, bool is_stderr, const char *text, size_t length)
{
	struct output *output = arg;

	mvm_buf_addf(&output->text, is_stderr ? "[" : "");
	mvm_buf_add(&output->text, text, length);
	mvm_buf_addf(&output->text, is_stderr ? "]" : "");
	output->pieces++;
}

static void append(struct world *world, const char *id, const void *data, size_t length)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/containers/%s/container.log", world->home, id);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || mvm_write_full(fd, data, length) < 0)
		_exit(98);
	close(fd);
}

static void append_text(struct world *world, const char *id, const char *text)
{
	append(world, id, text, strlen(text));
}

static void assert_logs(struct world *world, const char *what, bool follow, const char *expected)
{
	struct output output = {0};
	const struct mvm_log_sink sink = {.write = collect, .arg = &output};
	struct mvm_error *err = NULL;

	assert_ok(mvm_engine_logs(world->engine, what, follow, &sink, &err));
	assert_string_equal(output.text.data ? output.text.data : "", expected);
	mvm_buf_finish(&output.text);
}

static void both_streams_come_in_order(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);

	append_text(world, id,
		    AT "stdout F one\n" AT "stderr F two\n" AT "stdout F \n" AT "stdout P part " AT "stdout F rest\n");
	assert_logs(world, "web", false, "one\n[two\n]\npart " AT "stdout F rest");
	assert_logs(world, id, true, "one\n[two\n]\npart " AT "stdout F rest");
}

static void parts_are_put_together(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);

	append_text(world, id, AT "stdout P long \n" AT "stdout P line\n" AT "stdout F !\n" AT "stdout P no end\n");
	assert_logs(world, "web", false, "long line!\nno end");
}

/* A crash or a full disk cut a line; what else can be read is read. */
static void damage_is_skipped(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);

	append_text(world, id,
		    "\n" AT "stdout F one\n"
		    "garbage\n" AT "stdin F x\n" AT "stdout\n" AT "stderr F two\n" AT "stdout F cut without a newl");
	assert_logs(world, "web", false, "one\n[two\n]");
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
	assert_ok(mvm_engine_logs(world->engine, "web", false, &sink, &err));
	assert_int_equal(output.text.length, 6);
	assert_memory_equal(output.text.data, "a\0b\xff\r\n", 6);
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
		mvm_buf_addf(&text, "line %d\n", i);
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
	assert_error(mvm_engine_logs(world->engine, "nope", false, &sink, &err), MVM_ERR_NOT_FOUND,
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
	assert_logs(world, "web", true, "one\ntwo\nthree\nfour");
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
	assert_ok(mvm_engine_logs(world->engine, "web", true, &sink, &err));
	assert_int_equal(wait_for_exit(pid), 0);
	assert_int_equal(world_count(world), 0);
	mvm_buf_finish(&output.text);
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
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
