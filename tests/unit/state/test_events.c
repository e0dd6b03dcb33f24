/* The history of events: several writers, torn lines, full disks, rotation, and those who watch. */
#include "world.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/loop.h"
#include "runtime/state/events.h"

static char *history(const struct world *world, const char *name)
{
	return mvm_format("%s/events/%s", world->folder, name);
}

static struct mvm_event_watch *watch(struct world *world, bool past, bool live)
{
	struct mvm_event_watch *made;
	struct mvm_error *err = NULL;

	assert_ok(mvm_event_watch_open(world->state, past, live, &made, &err));
	return made;
}

/* "action id" of the next one; NULL where there is none. The caller's. */
static char *next(struct mvm_event_watch *watch)
{
	struct mvm_event event MVM_CLEAN_EVENT = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int result = mvm_event_watch_next(watch, &event, &err);

	assert_true(result >= 0);
	return result ? NULL : mvm_format("%s %s", event.action, event.id);
}

static void expect(struct mvm_event_watch *watch, const char *what)
{
	char *got MVM_CLEAN_FREE = next(watch);

	if (!what)
		assert_null(got);
	else
		assert_string_equal(got ? got : "nothing", what);
}

static void image(struct world *world, const char *id, const char *action)
{
	mvm_event_image(world->state, id, id, NULL, action);
}

static void add_text(const struct world *world, const char *text)
{
	char *path MVM_CLEAN_FREE = history(world, "history");
	int fd MVM_CLEAN_FD = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);

	assert_int_equal(mvm_write_full(fd, text, strlen(text)), strlen(text));
}

static void container_events(void **state)
{
	struct world *world = *state;
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct mvm_event_watch *reader = watch(world, true, false);
	struct mvm_event event MVM_CLEAN_EVENT = {0};
	struct mvm_error *err = NULL;
	struct timespec before, after;

	assert_ok(mvm_state_load(world->state, id, &container, &err));
	mvm_strv_add(&container->config.labels, "role=front");
	mvm_strv_add(&container->config.labels, "bare=");
	mvm_strv_add(&container->config.labels, "name=lost");
	/* Another process gives it another name, which the supervisor does not know. */
	assert_ok(mvm_state_rename(world->state, id, "shop", &err));
	clock_gettime(CLOCK_REALTIME, &before);
	mvm_event_container(world->state, &container->config, "exec_die",
			    (const char *const[]){"exitCode", "3", "execID", "7", NULL});
	clock_gettime(CLOCK_REALTIME, &after);
	assert_int_equal(mvm_event_watch_next(reader, &event, &err), 0);
	assert_string_equal(event.type, "container");
	assert_string_equal(event.action, "exec_die");
	assert_string_equal(event.id, id);
	assert_int_equal(json_object_size(event.attributes), 6);
	assert_string_equal(mvm_event_attribute(&event, "image"), "alpine");
	assert_string_equal(mvm_event_attribute(&event, "name"), "shop");
	assert_string_equal(mvm_event_attribute(&event, "role"), "front");
	assert_string_equal(mvm_event_attribute(&event, "bare"), "");
	assert_string_equal(mvm_event_attribute(&event, "exitCode"), "3");
	assert_string_equal(mvm_event_attribute(&event, "execID"), "7");
	assert_true(event.time_ns >= before.tv_sec * 1000000000LL + before.tv_nsec);
	assert_true(event.time_ns <= after.tv_sec * 1000000000LL + after.tv_nsec);
	expect(reader, NULL);
	assert_int_equal(mvm_event_watch_fd(reader), -1);
	mvm_event_watch_close(reader);
}

static void ends(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_event_watch *reader = watch(world, false, false);
	struct mvm_event oom MVM_CLEAN_EVENT = {0}, die MVM_CLEAN_EVENT = {0};
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_load(world->state, id, &container, &err));
	container->state = (struct mvm_container_state){
		.exit_code = 137, .oom_killed = true, .started = {100, 900000000}, .finished = {103, 800000000}};
	mvm_event_died(world->state, container);
	assert_int_equal(mvm_event_watch_next(reader, &oom, &err), 0);
	assert_int_equal(mvm_event_watch_next(reader, &die, &err), 0);
	assert_string_equal(oom.action, "oom");
	assert_string_equal(die.action, "die");
	assert_string_equal(mvm_event_attribute(&die, "exitCode"), "137");
	assert_string_equal(mvm_event_attribute(&die, "execDuration"), "2");
	mvm_event_watch_close(reader);
}

static void image_events(void **state)
{
	struct world *world = *state;
	struct mvm_event_watch *reader = watch(world, true, false);
	json_t *labels MVM_CLEAN_JSON = json_pack("{ss, si}", "maintainer", "us", "odd", 1);
	struct mvm_event pull MVM_CLEAN_EVENT = {0}, prune MVM_CLEAN_EVENT = {0};
	struct mvm_error *err = NULL;

	mvm_event_image(world->state, "alpine:latest", "alpine", labels, "pull");
	mvm_event_prune(world->state, "image", 12345);
	assert_int_equal(mvm_event_watch_next(reader, &pull, &err), 0);
	assert_string_equal(pull.id, "alpine:latest");
	assert_string_equal(mvm_event_attribute(&pull, "name"), "alpine");
	assert_string_equal(mvm_event_attribute(&pull, "maintainer"), "us");
	assert_null(mvm_event_attribute(&pull, "odd"));
	assert_int_equal(mvm_event_watch_next(reader, &prune, &err), 0);
	assert_string_equal(prune.type, "image");
	assert_string_equal(prune.id, "");
	assert_string_equal(mvm_event_attribute(&prune, "reclaimed"), "12345");
	mvm_event_watch_close(reader);
}

/* What a killed or a full disk's writer has left spoils no other line, nor does anything else that stands there. */
static void torn_lines(void **state)
{
	struct world *world = *state;
	struct mvm_event_watch *reader = watch(world, true, false);
	size_t huge_size = 600 * 1024;
	char *huge MVM_CLEAN_FREE = mvm_alloc(huge_size + 1);

	image(world, "one", "tag");
	add_text(world, "\n{\"Type\":\"image\",\"Acti");
	expect(reader, "tag one");
	expect(reader, NULL);
	image(world, "two", "tag");
	memset(huge, 'x', huge_size);
	add_text(world, huge);
	image(world, "three", "tag");
	add_text(world, "\n\n{}\n[1]\nnull\n\"x\"\n");
	image(world, "four", "tag");
	expect(reader, "tag two");
	expect(reader, "tag three");
	expect(reader, "tag four");
	expect(reader, NULL);
	mvm_event_watch_close(reader);
}

/* The file grows by less than an event: what was written of it is as good as torn, and nothing fails. */
static void full_disk(void **state)
{
	struct world *world = *state;
	struct mvm_event_watch *reader = watch(world, true, false);
	char *path MVM_CLEAN_FREE = history(world, "history");
	struct rlimit before, small;
	struct stat info;

	image(world, "one", "tag");
	assert_int_equal(stat(path, &info), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = (rlim_t)info.st_size + 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	image(world, "two", "tag");
	image(world, "three", "tag");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	image(world, "four", "tag");
	expect(reader, "tag one");
	expect(reader, "tag four");
	expect(reader, NULL);
	mvm_event_watch_close(reader);
}

/* More labels than a line holds are left out; what is no text for JSON is seen to. */
static void large_events(void **state)
{
	struct world *world = *state;
	struct mvm_event_watch *reader = watch(world, true, false);
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	char *large MVM_CLEAN_FREE = mvm_alloc(300 * 1024);
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_event event MVM_CLEAN_EVENT = {0}, cut MVM_CLEAN_EVENT = {0};
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_load(world->state, id, &container, &err));
	memset(large, 'x', 300 * 1024 - 1);
	mvm_strv_addf(&container->config.labels, "big=%s", large);
	mvm_event_container(world->state, &container->config, "kill", (const char *const[]){"signal", "9", NULL});
	assert_int_equal(mvm_event_watch_next(reader, &event, &err), 0);
	assert_null(mvm_event_attribute(&event, "big"));
	assert_string_equal(mvm_event_attribute(&event, "signal"), "9");
	assert_string_equal(mvm_event_attribute(&event, "name"), "web");
	mvm_event_container(world->state, &container->config, large, (const char *const[]){"bad", "\xff", NULL});
	assert_int_equal(mvm_event_watch_next(reader, &cut, &err), 0);
	assert_int_equal(strlen(cut.action), 16384);
	assert_string_equal(mvm_event_attribute(&cut, "bad"), "\xef\xbf\xbd");
	mvm_event_watch_close(reader);
}

/* Many, through more files than are kept: a watcher that reads along misses none, the history stays bounded. */
static void rotation(void **state)
{
	enum { EVENTS = 20000 };
	struct world *world = *state;
	struct mvm_event_watch *along = watch(world, false, false), *past;
	char *newest MVM_CLEAN_FREE = history(world, "history"), *older MVM_CLEAN_FREE = history(world, "history.1");
	struct stat info;
	size_t kept = 0;
	char *got;
	int last;

	for (int i = 0; i < EVENTS; i++) {
		char *id MVM_CLEAN_FREE = mvm_format("%d", i), *line MVM_CLEAN_FREE = mvm_format("tag %d", i);

		mvm_event_image(world->state, id, "a/name/that/is/quite/long/for/what/it/says", NULL, "tag");
		/* Behind by up to some hundred. */
		if (i % 500)
			continue;
		while ((got = next(along)))
			free(got);
		mvm_event_image(world->state, id, id, NULL, "tag");
		expect(along, line);
	}
	assert_int_equal(stat(newest, &info), 0);
	assert_true(info.st_size < (1 << 20) + 4096);
	assert_int_equal(stat(older, &info), 0);
	assert_true(info.st_size < (1 << 20) + 4096);
	past = watch(world, true, false);
	for (last = -1; (got = next(past)); kept++) {
		int number = atoi(got + 4);

		assert_true(last < 0 || number == last || number == last + 1);
		last = number;
		free(got);
	}
	assert_int_equal(last, EVENTS - 1);
	assert_true(kept > 5000);
	mvm_event_watch_close(past);
	mvm_event_watch_close(along);
}

/* A writer that has the file open would add to one that watchers have left. */
static void nothing_is_renamed_while_somebody_writes(void **state)
{
	struct world *world = *state;
	char *older MVM_CLEAN_FREE = history(world, "history.1"), *path MVM_CLEAN_FREE = history(world, "lock");
	struct mvm_error *err = NULL;
	int lock MVM_CLEAN_FD = -1;

	image(world, "first", "tag");
	assert_ok(mvm_lock(path, MVM_LOCK_SHARED, &lock, &err));
	for (int i = 0; i < 9000; i++)
		mvm_event_image(world->state, "id", "a/name/that/is/quite/long/for/what/it/says", NULL, "tag");
	assert_int_equal(access(older, F_OK), -1);
	mvm_close(&lock);
	image(world, "last", "tag");
	assert_int_equal(access(older, F_OK), 0);
}

static bool readable(const struct mvm_event_watch *watch, int milliseconds)
{
	struct pollfd poll_fd = {.fd = mvm_event_watch_fd(watch), .events = POLLIN};

	return poll(&poll_fd, 1, milliseconds) > 0;
}

static void watchers_are_woken(void **state)
{
	struct world *world = *state;
	struct mvm_event_watch *one = watch(world, false, true), *two = watch(world, true, true);

	assert_false(readable(one, 0));
	image(world, "a", "tag");
	assert_true(readable(one, 0));
	assert_true(readable(two, 0));
	expect(one, "tag a");
	expect(one, NULL);
	/* The rest of what it was woken for is there already. */
	assert_false(readable(one, 0));
	expect(two, "tag a");
	mvm_event_watch_close(two);
	/* One that is never read from holds up nobody. */
	for (int i = 0; i < 3; i++)
		image(world, "b", "tag");
	assert_true(readable(one, 0));
	expect(one, "tag b");
	mvm_event_watch_close(one);
}

static size_t count_pipes(const struct world *world)
{
	char *command MVM_CLEAN_FREE = mvm_format("ls %s/events/watchers | wc -l", world->folder);
	FILE *out = popen(command, "r");
	size_t count = 99;

	assert_int_equal(fscanf(out, "%zu", &count), 1);
	pclose(out);
	return count;
}

static void dead_watchers_are_collected(void **state)
{
	struct world *world = *state;
	struct timespec old[2] = {{1000, 0}, {1000, 0}};
	char *fresh MVM_CLEAN_FREE = history(world, "watchers/fresh"),
		    *dead MVM_CLEAN_FREE = history(world, "watchers/dead");
	struct mvm_event_watch *alive = watch(world, false, true);

	assert_int_equal(mkfifo(fresh, 0600), 0);
	assert_int_equal(mkfifo(dead, 0600), 0);
	assert_int_equal(utimensat(AT_FDCWD, dead, old, 0), 0);
	assert_int_equal(count_pipes(world), 3);
	image(world, "a", "tag");
	assert_int_equal(access(dead, F_OK), -1);
	assert_int_equal(access(fresh, F_OK), 0);
	expect(alive, "tag a");
	mvm_event_watch_close(alive);
	assert_int_equal(count_pipes(world), 1);
}

/* Somebody was stopped with the lock in his hands. */
static void a_stopped_holder_holds_up_nobody(void **state)
{
	struct world *world = *state;
	struct mvm_event_watch *reader = watch(world, true, true);
	char *path MVM_CLEAN_FREE = history(world, "lock");
	int lock MVM_CLEAN_FD = -1;
	struct mvm_error *err = NULL;
	uint64_t begin;

	assert_ok(mvm_lock(path, 0, &lock, &err));
	begin = mvm_now_ns();
	image(world, "a", "tag");
	assert_true(mvm_now_ns() - begin < 5000000000ULL);
	expect(reader, "tag a");
	mvm_event_watch_close(reader);
}

enum { WRITERS = 4, EACH = 1500 };

static void write_many(const struct world *world, int writer, int count)
{
	struct mvm_state *state;
	struct mvm_error *err = NULL;

	if (mvm_state_open(world->folder, &state, &err) < 0)
		_exit(1);
	for (int i = 0; i < count; i++) {
		char *id MVM_CLEAN_FREE = mvm_format("%d/%d", writer, i);

		mvm_event_image(state, id, "a-name-that-makes-it-longer-so-that-files-are-rotated-meanwhile-as-well",
				NULL, "tag");
	}
	mvm_state_close(state);
	_exit(0);
}

/* Reads along until everybody has ended, and checks that each writer's events come whole and in its order: `last` is
 * the last number of each. */
static void read_along(struct mvm_event_watch *reader, const pid_t *writers, int last[WRITERS])
{
	int running = WRITERS;
	bool over;

	do {
		char *got;

		over = !running;
		while ((got = next(reader))) {
			int writer, number;

			assert_int_equal(sscanf(got, "tag %d/%d", &writer, &number), 2);
			assert_int_equal(number, last[writer] + 1);
			last[writer] = number;
			free(got);
		}
		readable(reader, 5);
		for (int i = 0; i < WRITERS; i++)
			running -= waitpid(writers[i], NULL, WNOHANG) == writers[i];
	} while (!over);
}

static void start_writers(const struct world *world, pid_t *writers, int count)
{
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = fork();
		if (writers[i] == 0)
			write_many(world, i, count);
	}
}

static void several_writers(void **state)
{
	struct world *world = *state;
	struct mvm_event_watch *reader = watch(world, false, true);
	int last[WRITERS] = {-1, -1, -1, -1};
	pid_t writers[WRITERS];

	start_writers(world, writers, EACH);
	read_along(reader, writers, last);
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(last[i], EACH - 1);
	mvm_event_watch_close(reader);
}

/* Killed at any moment they leave a history that is read, and goes on. */
static void killed_writers(void **state)
{
	struct world *world = *state;

	for (int round = 0; round < 20; round++) {
		struct mvm_event_watch *reader = watch(world, false, true);
		int last[WRITERS] = {-1, -1, -1, -1};
		char *line MVM_CLEAN_FREE = mvm_format("round %d", round);
		pid_t writers[WRITERS];

		start_writers(world, writers, 1 << 30);
		/* Some events in, and then after another while that is never the same. */
		assert_true(readable(reader, 30000));
		usleep((useconds_t)(round * 317));
		for (int i = 0; i < WRITERS; i++)
			kill(writers[i], SIGKILL);
		read_along(reader, writers, last);
		image(world, "round", "tag");
		expect(reader, "tag round");
		mvm_event_watch_close(reader);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(container_events),
		WORLD_TEST(ends),
		WORLD_TEST(image_events),
		WORLD_TEST(torn_lines),
		WORLD_TEST(full_disk),
		WORLD_TEST(large_events),
		WORLD_TEST(rotation),
		WORLD_TEST(nothing_is_renamed_while_somebody_writes),
		WORLD_TEST(watchers_are_woken),
		WORLD_TEST(dead_watchers_are_collected),
		WORLD_TEST(a_stopped_holder_holds_up_nobody),
		WORLD_TEST(several_writers),
		WORLD_TEST(killed_writers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
