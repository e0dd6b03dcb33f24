/*
 * Standard streams with socket pairs for the guest and for clients. The test's ends are non-blocking and driven
 * between single turns of the loop, so that nothing depends on time.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/state/logfile.h"
#include "runtime/supervisor/streams.h"

enum { BIG = 2 << 20, QUIET = 10 };

struct world {
	struct mvm_loop *loop;
	struct mvm_timer *timer;
	struct streams *streams;
	char *log_path;
	int logged, ended;
};

/* One end of ours: bytes to give, bytes taken. */
struct end {
	int fd;
	const char *data; /* to write */
	size_t length, sent;
	struct mvm_buf got;
	size_t most; /* bytes read in one turn; 0: it does not read */
	bool at_end, failed;
};

static void logged(void *arg)
{
	struct world *world = arg;

	world->logged++;
}

static void ended(void *arg)
{
	struct world *world = arg;

	world->ended++;
}

static void stop_loop(void *arg)
{
	mvm_loop_stop(arg);
}

static void start(struct world *world, const char *log_path, bool tty, bool stdin_once)
{
	static const struct streams_events events = {.logged = logged, .ended = ended};
	const struct streams_config config = {.tty = tty,
					      .stdin_once = stdin_once,
					      .log_path = log_path,
					      .log_policy = {.kept = true, .max_files = 1}};
	struct mvm_error *err = NULL;

	*world = (struct world){.loop = mvm_loop_create(), .log_path = mvm_strdup(log_path)};
	world->timer = mvm_loop_timer(world->loop, stop_loop, world->loop);
	assert_ok(streams_create(world->loop, &config, &events, world, &world->streams, &err));
}

static void start_plain(struct world *world, void **state)
{
	static int count;
	char *path MVM_CLEAN_FREE = mvm_format("%s/log.%d", (char *)*state, count++);

	start(world, path, false, true);
}

static void finish(struct world *world)
{
	streams_destroy(world->streams);
	mvm_loop_destroy(world->loop);
	free(world->log_path);
}

static void turn(struct world *world)
{
	struct mvm_error *err = NULL;

	mvm_timer_start(world->timer, 0);
	assert_ok(mvm_loop_run(world->loop, &err));
}

static void settle(struct world *world)
{
	for (int i = 0; i < QUIET; i++)
		turn(world);
}

/* The stream's end for the module, the other one for us. */
static int make_end(struct end *end)
{
	int pair[2];

	assert_int_equal(mvm_socketpair(SOCK_STREAM, pair), 0);
	assert_int_equal(mvm_set_nonblock(pair[1], true), 0);
	*end = (struct end){.fd = pair[1], .most = 1 << 20};
	return pair[0];
}

static void connect_end(struct world *world, enum stream_kind kind, struct end *end)
{
	streams_connect(world->streams, kind, make_end(end));
}

static void attach_end(struct world *world, enum stream_kind kind, struct end *end)
{
	streams_attach(world->streams, kind, make_end(end));
}

static void drop_end(struct end *end)
{
	mvm_close(&end->fd);
	mvm_buf_finish(&end->got);
}

static bool write_some(struct end *end)
{
	bool progress = false;

	while (end->fd >= 0 && !end->failed && end->sent < end->length) {
		ssize_t n = write(end->fd, end->data + end->sent, end->length - end->sent);

		end->failed = n < 0 && errno != EAGAIN;
		if (n < 0)
			break;
		end->sent += (size_t)n;
		progress = true;
	}
	return progress;
}

static bool read_some(struct end *end)
{
	ssize_t n;

	if (end->fd < 0 || !end->most || end->at_end)
		return false;
	n = read(end->fd, mvm_buf_reserve(&end->got, end->most), end->most);
	if (n < 0)
		return false;
	end->at_end = n == 0;
	end->got.length += (size_t)n;
	return true;
}

/* Drives writers and readers until nothing moves any more. */
static void pump(struct world *world, struct end **ends, size_t count)
{
	for (int quiet = 0; quiet < QUIET; quiet++) {
		for (size_t i = 0; i < count; i++) {
			bool wrote = write_some(ends[i]), got = read_some(ends[i]);

			if (wrote || got)
				quiet = 0;
		}
		turn(world);
	}
}
#define PUMP(world, ...) pump(world, (struct end *[]){__VA_ARGS__}, MVM_COUNT(((struct end *[]){__VA_ARGS__})))

static char *random_bytes(size_t length)
{
	char *data = mvm_alloc(length);
	unsigned seed = 42;

	for (size_t i = 0; i < length; i++)
		data[i] = (char)(rand_r(&seed) >> 7);
	return data;
}

static void assert_got(const struct end *end, const char *data, size_t length)
{
	assert_int_equal(end->got.length, length);
	if (length)
		assert_memory_equal(end->got.data, data, length);
}

static void assert_log_holds(const struct world *world, enum mvm_log_stream stream, const char *data, size_t length)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	char *log MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;
	size_t total, at = 0;

	assert_ok(mvm_read_file(world->log_path, 64 << 20, &log, &total, &err));
	while (at < total) {
		struct mvm_log_record record;
		long used = mvm_log_parse(log + at, total - at, &record);

		assert_true(used > 0);
		if (record.stream == stream)
			mvm_buf_add(&text, record.text, record.text_length + record.full);
		at += (size_t)used;
	}
	assert_int_equal(text.length, length);
	assert_memory_equal(text.data, data, length);
}

/* Output */

static void every_sink_and_the_log_get_every_byte(void **state)
{
	char *data MVM_CLEAN_FREE = random_bytes(BIG);
	struct end guest, error, fast, slow;
	struct world world;

	start_plain(&world, state);
	connect_end(&world, STREAM_STDOUT, &guest);
	connect_end(&world, STREAM_STDERR, &error);
	attach_end(&world, STREAM_STDOUT, &fast);
	attach_end(&world, STREAM_STDOUT, &slow);
	slow.most = 7001;
	guest.data = data;
	guest.length = BIG;
	PUMP(&world, &guest, &fast, &slow);
	assert_got(&fast, data, BIG);
	assert_got(&slow, data, BIG);
	assert_false(fast.at_end);
	drop_end(&guest);
	PUMP(&world, &fast, &slow);
	assert_true(fast.at_end && slow.at_end);
	/* The other stream is still there. */
	assert_int_equal(world.ended, 0);
	drop_end(&error);
	settle(&world);
	assert_int_equal(world.ended, 1);
	assert_true(world.logged > 0);
	assert_log_holds(&world, MVM_LOG_STDOUT, data, BIG);
	finish(&world);
	drop_end(&fast);
	drop_end(&slow);
}

static void a_sink_that_stalls_stalls_the_guest_and_loses_nothing(void **state)
{
	char *data MVM_CLEAN_FREE = random_bytes(BIG);
	struct end guest, error, fast, slow;
	struct world world;

	start_plain(&world, state);
	connect_end(&world, STREAM_STDOUT, &guest);
	connect_end(&world, STREAM_STDERR, &error);
	attach_end(&world, STREAM_STDOUT, &fast);
	attach_end(&world, STREAM_STDOUT, &slow);
	slow.most = 0;
	guest.data = data;
	guest.length = BIG;
	PUMP(&world, &guest, &fast, &slow);
	assert_true(guest.sent < BIG);
	assert_true(fast.got.length < guest.sent);
	/* The other stream flows on. */
	error.data = "error\n";
	error.length = 6;
	PUMP(&world, &error);
	assert_log_holds(&world, MVM_LOG_STDERR, "error\n", 6);
	/* It ends while the last piece still waits for the slow one. */
	slow.most = 100000;
	PUMP(&world, &guest, &fast, &slow);
	drop_end(&guest);
	drop_end(&error);
	PUMP(&world, &fast, &slow);
	assert_got(&fast, data, BIG);
	assert_got(&slow, data, BIG);
	assert_true(slow.at_end);
	assert_int_equal(world.ended, 1);
	finish(&world);
	drop_end(&fast);
	drop_end(&slow);
}

static void the_end_waits_for_a_sink_that_has_not_taken_all(void **state)
{
	char *data MVM_CLEAN_FREE = random_bytes(BIG);
	struct end guest, error, slow;
	struct world world;

	start_plain(&world, state);
	connect_end(&world, STREAM_STDOUT, &guest);
	connect_end(&world, STREAM_STDERR, &error);
	drop_end(&error);
	attach_end(&world, STREAM_STDOUT, &slow);
	slow.most = 0;
	guest.data = data;
	guest.length = BIG;
	PUMP(&world, &guest);
	drop_end(&guest);
	settle(&world);
	assert_int_equal(world.ended, 0);
	slow.most = 1 << 20;
	PUMP(&world, &slow);
	assert_int_equal(world.ended, 1);
	assert_got(&slow, data, guest.sent);
	assert_true(slow.at_end);
	finish(&world);
	drop_end(&slow);
}

static void a_sink_that_dies_holds_nobody_up(void **state)
{
	char *data MVM_CLEAN_FREE = random_bytes(BIG);
	struct end guest, dying, other;
	struct world world;

	start_plain(&world, state);
	connect_end(&world, STREAM_STDOUT, &guest);
	attach_end(&world, STREAM_STDOUT, &dying);
	attach_end(&world, STREAM_STDOUT, &other);
	dying.most = 0;
	guest.data = data;
	guest.length = BIG;
	PUMP(&world, &guest, &other);
	assert_true(guest.sent < BIG);
	drop_end(&dying);
	PUMP(&world, &guest, &other);
	assert_int_equal(guest.sent, BIG);
	assert_got(&other, data, BIG);
	drop_end(&guest);
	settle(&world);
	assert_log_holds(&world, MVM_LOG_STDOUT, data, BIG);
	finish(&world);
	drop_end(&other);
}

static void without_any_client_the_log_gets_all(void **state)
{
	char *data MVM_CLEAN_FREE = random_bytes(BIG);
	struct end guest;
	struct world world;

	start_plain(&world, state);
	connect_end(&world, STREAM_STDERR, &guest);
	guest.data = data;
	guest.length = BIG;
	PUMP(&world, &guest);
	drop_end(&guest);
	settle(&world);
	assert_log_holds(&world, MVM_LOG_STDERR, data, BIG);
	finish(&world);
}

static void who_attaches_late_gets_what_comes_from_then_on(void **state)
{
	struct end guest, error, late, too_late;
	struct world world;

	start_plain(&world, state);
	connect_end(&world, STREAM_STDOUT, &guest);
	connect_end(&world, STREAM_STDERR, &error);
	guest.data = "before\nafter";
	guest.length = 7;
	PUMP(&world, &guest);
	attach_end(&world, STREAM_STDOUT, &late);
	guest.length = 12;
	PUMP(&world, &guest, &late);
	assert_got(&late, "after", 5);
	drop_end(&guest);
	settle(&world);
	attach_end(&world, STREAM_STDOUT, &too_late);
	PUMP(&world, &late, &too_late);
	assert_true(late.at_end && too_late.at_end);
	assert_int_equal(too_late.got.length, 0);
	assert_log_holds(&world, MVM_LOG_STDOUT, "before\nafter", 12);
	finish(&world);
	drop_end(&error);
	drop_end(&late);
	drop_end(&too_late);
}

/* While a piece still waits for somebody else: it is none of the newcomer's, who must not hold it up either. */
static void who_attaches_amid_a_stall_gets_what_comes_behind_it(void **state)
{
	char *data MVM_CLEAN_FREE = random_bytes(BIG);
	struct end guest, slow, late;
	struct world world;
	size_t missed;

	start_plain(&world, state);
	connect_end(&world, STREAM_STDOUT, &guest);
	attach_end(&world, STREAM_STDOUT, &slow);
	slow.most = 0;
	guest.data = data;
	guest.length = BIG;
	PUMP(&world, &guest);
	attach_end(&world, STREAM_STDOUT, &late);
	slow.most = 1 << 20;
	PUMP(&world, &guest, &slow, &late);
	assert_got(&slow, data, BIG);
	assert_true(late.got.length > 0 && late.got.length < BIG);
	missed = BIG - late.got.length;
	assert_got(&late, data + missed, BIG - missed);
	finish(&world);
	drop_end(&guest);
	drop_end(&slow);
	drop_end(&late);
}

static void who_attaches_before_the_guest_gets_all(void **state)
{
	struct end guest, early;
	struct world world;

	start_plain(&world, state);
	attach_end(&world, STREAM_STDOUT, &early);
	settle(&world);
	connect_end(&world, STREAM_STDOUT, &guest);
	guest.data = "first words";
	guest.length = 11;
	PUMP(&world, &guest, &early);
	assert_got(&early, "first words", 11);
	finish(&world);
	drop_end(&guest);
	drop_end(&early);
}

static void a_terminal_has_one_output(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/tty.log", (char *)*state);
	struct end guest, out, error;
	struct world world;

	start(&world, path, true, true);
	connect_end(&world, STREAM_STDOUT, &guest);
	attach_end(&world, STREAM_STDOUT, &out);
	attach_end(&world, STREAM_STDERR, &error);
	PUMP(&world, &error);
	assert_true(error.at_end);
	guest.data = "prompt# ";
	guest.length = 8;
	PUMP(&world, &guest, &out);
	assert_got(&out, "prompt# ", 8);
	assert_int_equal(world.ended, 0);
	drop_end(&guest);
	PUMP(&world, &out);
	assert_int_equal(world.ended, 1);
	assert_log_holds(&world, MVM_LOG_STDOUT, "prompt# ", 8);
	finish(&world);
	drop_end(&out);
	drop_end(&error);
}

/* Input */

static void input_arrives_whole_and_then_ends(void **state)
{
	char *data MVM_CLEAN_FREE = random_bytes(BIG);
	struct end client, guest;
	struct world world;

	start_plain(&world, state);
	attach_end(&world, STREAM_STDIN, &client);
	client.data = data;
	client.length = BIG;
	/* What comes before the guest is there waits. */
	PUMP(&world, &client);
	assert_true(client.sent < BIG);
	connect_end(&world, STREAM_STDIN, &guest);
	guest.most = 50001;
	PUMP(&world, &client, &guest);
	assert_got(&guest, data, BIG);
	assert_false(guest.at_end);
	assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
	PUMP(&world, &guest);
	assert_true(guest.at_end);
	finish(&world);
	drop_end(&client);
	drop_end(&guest);
}

/* Its end came with bytes still on their way. */
static void the_end_of_input_comes_behind_its_bytes(void **state)
{
	char *data MVM_CLEAN_FREE = random_bytes(BIG);
	struct end client, guest;
	struct world world;

	start_plain(&world, state);
	attach_end(&world, STREAM_STDIN, &client);
	client.data = data;
	client.length = BIG;
	PUMP(&world, &client);
	drop_end(&client);
	connect_end(&world, STREAM_STDIN, &guest);
	PUMP(&world, &guest);
	assert_got(&guest, data, client.sent);
	assert_true(guest.at_end);
	finish(&world);
	drop_end(&guest);
}

static void input_that_is_kept_open_takes_another_client(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/keep.log", (char *)*state);

	for (int tty = 0; tty < 2; tty++) {
		struct end first, second, guest;
		struct world world;

		start(&world, path, tty, tty);
		connect_end(&world, STREAM_STDIN, &guest);
		attach_end(&world, STREAM_STDIN, &first);
		first.data = "one ";
		first.length = 4;
		PUMP(&world, &first);
		drop_end(&first);
		PUMP(&world, &guest);
		assert_false(guest.at_end);
		attach_end(&world, STREAM_STDIN, &second);
		second.data = "two";
		second.length = 3;
		PUMP(&world, &second, &guest);
		assert_got(&guest, "one two", 7);
		finish(&world);
		drop_end(&second);
		drop_end(&guest);
	}
}

static void a_process_that_takes_no_input_ends_it_for_the_client(void **state)
{
	struct end client, late, guest;
	struct world world;

	start_plain(&world, state);
	connect_end(&world, STREAM_STDIN, &guest);
	attach_end(&world, STREAM_STDIN, &client);
	drop_end(&guest);
	client.data = "unwanted";
	client.length = 8;
	PUMP(&world, &client);
	assert_true(client.at_end);
	/* So does whoever comes later. */
	attach_end(&world, STREAM_STDIN, &late);
	PUMP(&world, &late);
	assert_true(late.at_end);
	finish(&world);
	drop_end(&client);
	drop_end(&late);
}

/* The machine's end */

static void abandoned_before_anything_arrived_ends_at_once(void **state)
{
	struct end out, in;
	struct world world;

	start_plain(&world, state);
	attach_end(&world, STREAM_STDOUT, &out);
	attach_end(&world, STREAM_STDIN, &in);
	streams_abandon(world.streams);
	streams_abandon(world.streams);
	streams_abandon(NULL);
	assert_int_equal(world.ended, 1);
	PUMP(&world, &out, &in);
	assert_true(out.at_end && in.at_end);
	assert_int_equal(world.ended, 1);
	finish(&world);
	drop_end(&out);
	drop_end(&in);
}

/* What the guest wrote before it died is still delivered. */
static void abandoned_streams_are_read_to_their_end(void **state)
{
	char *data MVM_CLEAN_FREE = random_bytes(BIG);
	struct end guest, out;
	struct world world;

	start_plain(&world, state);
	connect_end(&world, STREAM_STDOUT, &guest);
	attach_end(&world, STREAM_STDOUT, &out);
	guest.data = data;
	guest.length = BIG;
	PUMP(&world, &guest);
	drop_end(&guest);
	streams_abandon(world.streams);
	assert_int_equal(world.ended, 0);
	PUMP(&world, &out);
	assert_int_equal(world.ended, 1);
	assert_got(&out, data, guest.sent);
	assert_true(out.at_end);
	finish(&world);
	drop_end(&out);
}

static void destroying_closes_everything_and_tells_nobody(void **state)
{
	struct end guest, out, in, error;
	struct world world;

	start_plain(&world, state);
	connect_end(&world, STREAM_STDOUT, &guest);
	connect_end(&world, STREAM_STDIN, &in);
	attach_end(&world, STREAM_STDOUT, &out);
	attach_end(&world, STREAM_STDIN, &error);
	streams_destroy(world.streams);
	streams_destroy(NULL);
	world.streams = NULL;
	assert_int_equal(world.ended, 0);
	PUMP(&world, &guest, &out, &in, &error);
	assert_true(guest.at_end && out.at_end && in.at_end && error.at_end);
	finish(&world);
	drop_end(&guest);
	drop_end(&out);
	drop_end(&in);
	drop_end(&error);
}

/* The log */

static void a_log_that_cannot_be_opened_is_an_error(void **state)
{
	static const struct streams_events events = {.logged = logged, .ended = ended};
	const struct streams_config config = {.log_path = "/nowhere/container.log",
					      .log_policy = {.kept = true, .max_files = 1}};
	struct mvm_loop *loop = mvm_loop_create();
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct streams *streams = NULL;

	assert_error(streams_create(loop, &config, &events, NULL, &streams, &err), MVM_ERR_NOT_FOUND,
		     "/nowhere/container.log");
	assert_null(streams);
	mvm_loop_destroy(loop);
}

static void a_full_disk_ends_the_log_and_not_the_container(void **state)
{
	struct end guest, out;
	struct world world;

	if (access("/dev/full", W_OK) < 0)
		skip();
	start(&world, "/dev/full", true, true);
	connect_end(&world, STREAM_STDOUT, &guest);
	attach_end(&world, STREAM_STDOUT, &out);
	guest.data = "a\nb\nc\n";
	guest.length = 6;
	PUMP(&world, &guest, &out);
	assert_got(&out, "a\nb\nc\n", 6);
	finish(&world);
	drop_end(&guest);
	drop_end(&out);
}

static void the_log_is_private_and_appended_to(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/append.log", (char *)*state);

	for (int run = 0; run < 2; run++) {
		struct end guest;
		struct world world;

		start(&world, path, true, true);
		connect_end(&world, STREAM_STDOUT, &guest);
		guest.data = "line\n";
		guest.length = 5;
		PUMP(&world, &guest);
		if (run)
			assert_log_holds(&world, MVM_LOG_STDOUT, "line\nline\n", 10);
		finish(&world);
		drop_end(&guest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sink_and_the_log_get_every_byte),
		cmocka_unit_test(a_sink_that_stalls_stalls_the_guest_and_loses_nothing),
		cmocka_unit_test(the_end_waits_for_a_sink_that_has_not_taken_all),
		cmocka_unit_test(a_sink_that_dies_holds_nobody_up),
		cmocka_unit_test(without_any_client_the_log_gets_all),
		cmocka_unit_test(who_attaches_late_gets_what_comes_from_then_on),
		cmocka_unit_test(who_attaches_amid_a_stall_gets_what_comes_behind_it),
		cmocka_unit_test(who_attaches_before_the_guest_gets_all),
		cmocka_unit_test(a_terminal_has_one_output),
		cmocka_unit_test(input_arrives_whole_and_then_ends),
		cmocka_unit_test(the_end_of_input_comes_behind_its_bytes),
		cmocka_unit_test(input_that_is_kept_open_takes_another_client),
		cmocka_unit_test(a_process_that_takes_no_input_ends_it_for_the_client),
		cmocka_unit_test(abandoned_before_anything_arrived_ends_at_once),
		cmocka_unit_test(abandoned_streams_are_read_to_their_end),
		cmocka_unit_test(destroying_closes_everything_and_tells_nobody),
		cmocka_unit_test(a_log_that_cannot_be_opened_is_an_error),
		cmocka_unit_test(a_full_disk_ends_the_log_and_not_the_container),
		cmocka_unit_test(the_log_is_private_and_appended_to),
	};

	signal(SIGPIPE, SIG_IGN);
	mvm_log_open("test", -1, MVM_LOG_ERROR);
	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
