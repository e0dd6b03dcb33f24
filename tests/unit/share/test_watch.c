/* What is told of a folder that changes, by the kernel's own inotify and, for root, by its fanotify. */
#include "share/watch.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "runtime/base/loop.h"
#include "share/watch_set.h"
#include "tests/unit/unit.h"

enum { LIMIT_MS = 20000, EVENTS_MAX = 20000, MANY = 18000 };

static struct {
	char *folder;
	struct mvm_loop *loop;
	struct mvm_timer *timer;
	struct mvm_watcher *watcher;
	struct mvm_strv told; /* all, so far */
	struct mvm_strv warnings;
	bool late, asks; /* whose a change is */
	pid_t own;
} world;

static void on_changed(void *arg)
{
	mvm_loop_stop(world.loop);
}

static void on_warning(void *arg, const char *text)
{
	mvm_strv_add(&world.warnings, text);
}

static void on_late(void *arg)
{
	world.late = true;
	mvm_loop_stop(world.loop);
}

static bool is_own(void *arg, pid_t who)
{
	return who == world.own;
}

static int setup(void **state)
{
	world.folder = scratch_create();
	world.loop = mvm_loop_create();
	world.timer = mvm_loop_timer(world.loop, on_late, NULL);
	world.late = false;
	return 0;
}

static int teardown(void **state)
{
	mvm_watcher_stop(world.watcher);
	world.watcher = NULL;
	mvm_loop_destroy(world.loop);
	mvm_strv_finish(&world.told);
	mvm_strv_finish(&world.warnings);
	scratch_remove(world.folder);
	return 0;
}

static char *place(const char *path)
{
	return mvm_format("%s/%s", world.folder, path);
}

static void write_file(const char *path, const char *text)
{
	char *whole MVM_CLEAN_FREE = place(path);
	int fd = open(whole, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_true(mvm_write_full(fd, text, strlen(text)) >= 0);
	close(fd);
}

static void make_folder(const char *path)
{
	char *whole MVM_CLEAN_FREE = place(path);

	assert_int_equal(mkdir(whole, 0755), 0);
}

static void move(const char *from, const char *to)
{
	char *old MVM_CLEAN_FREE = place(from), *new MVM_CLEAN_FREE = place(to);

	assert_int_equal(rename(old, new), 0);
}

static void drop(const char *path)
{
	char *whole MVM_CLEAN_FREE = place(path);

	assert_int_equal(remove(whole), 0);
}

static bool was_told(const char *path)
{
	for (size_t i = 0; i < world.told.count; i++)
		if (!strcmp(world.told.items[i], path))
			return true;
	return false;
}

static void forget(void)
{
	mvm_strv_finish(&world.told);
	world.told = (struct mvm_strv){0};
}

static int try(const char *path, struct mvm_error **err)
{
	const struct mvm_watcher_events events = {
		.changed = on_changed, .warn = on_warning, .is_own = world.asks ? is_own : NULL};
	int place = open(path, O_PATH | O_CLOEXEC);

	assert_true(place >= 0);
	return mvm_watcher_start(world.loop, place, path, &events, NULL, &world.watcher, err);
}

static void start(const char *path)
{
	struct mvm_error *err = NULL;

	assert_ok(try(path, &err));
}

static void wait_for(const char *path)
{
	struct mvm_error *err = NULL;

	mvm_timer_start(world.timer, LIMIT_MS);
	for (;;) {
		mvm_watcher_take(world.watcher, SIZE_MAX, &world.told);
		if (was_told(path))
			break;
		assert_ok(mvm_loop_run(world.loop, &err));
		if (world.late)
			fail_msg("nothing is told of '%s'", path);
	}
	mvm_timer_stop(world.timer);
}

/* All folders are watched, once a change in the one that was there last is told. */
static void start_folder(const char *last)
{
	char *probe MVM_CLEAN_FREE = mvm_format("%s%sprobe", last, *last ? "/" : "");
	struct mvm_error *err = NULL;

	start(world.folder);
	for (int i = 0; i < 1000 && !was_told(probe); i++) {
		write_file(probe, "x");
		mvm_timer_start(world.timer, 5);
		assert_ok(mvm_loop_run(world.loop, &err));
		world.late = false;
		mvm_watcher_take(world.watcher, SIZE_MAX, &world.told);
	}
	assert_true(was_told(probe));
	forget();
}

static void a_set_has_each_once_and_in_order(void **state)
{
	static struct watch_set set;
	struct mvm_strv paths = {0};

	watch_set_add(&set, "b");
	watch_set_add(&set, "a");
	watch_set_add(&set, "");
	watch_set_add(&set, "b");
	watch_set_take(&set, 4, &paths);
	assert_int_equal(paths.count, 2);
	assert_string_equal(paths.items[0], "b");
	assert_string_equal(paths.items[1], "a");
	/* What was taken may come again, and one too long for the room goes alone. */
	watch_set_add(&set, "b");
	watch_set_take(&set, 0, &paths);
	watch_set_take(&set, 0, &paths);
	assert_int_equal(paths.count, 4);
	assert_string_equal(paths.items[2], "");
	assert_string_equal(paths.items[3], "b");
	watch_set_take(&set, 9, &paths);
	assert_int_equal(paths.count, 4);
	watch_set_add(&set, "left");
	watch_set_finish(&set);
	mvm_strv_finish(&paths);
}

static void files_that_come_change_and_go(void **state)
{
	make_folder("sub");
	write_file("sub/old", "1");
	start_folder("sub");
	write_file("sub/old", "2");
	wait_for("sub/old");
	assert_false(was_told("sub"));
	write_file("new", "1");
	wait_for("new");
	/* An editor's way to save. */
	write_file("sub/.old.swp", "3");
	move("sub/.old.swp", "sub/old");
	forget();
	wait_for("sub/old");
	wait_for("sub/.old.swp");
	forget();
	drop("sub/old");
	wait_for("sub/old");
	/* Whoever looks at the folder learns of it. */
	wait_for("sub");
	assert_int_equal(world.warnings.count, 0);
}

/* All at once: what is made before its folder is watched is told as well. */
static void folders_that_come_and_go(void **state)
{
	start_folder("");
	make_folder("a");
	make_folder("a/b");
	make_folder("a/b/c");
	write_file("a/b/c/file", "1");
	wait_for("a/b/c/file");
	forget();
	move("a/b", "moved");
	wait_for("moved/c/file");
	wait_for("a");
	forget();
	write_file("moved/c/file", "2");
	wait_for("moved/c/file");
	assert_false(was_told("a/b/c/file"));
	drop("moved/c/file");
	drop("moved/c");
	drop("moved");
	wait_for("moved");
	forget();
	make_folder("moved");
	write_file("moved/file", "1");
	wait_for("moved/file");
}

static void links_are_not_followed(void **state)
{
	char *loop MVM_CLEAN_FREE = place("sub/loop"), *out MVM_CLEAN_FREE = place("sub/out");

	make_folder("sub");
	assert_int_equal(symlink("..", loop), 0);
	assert_int_equal(symlink("/", out), 0);
	start_folder("sub");
	write_file("sub/file", "1");
	wait_for("sub/file");
	for (size_t i = 0; i < world.told.count; i++)
		assert_null(strstr(world.told.items[i], "loop"));
}

static void a_single_file(void **state)
{
	char *path MVM_CLEAN_FREE = place("file");

	write_file("file", "1");
	start(path);
	write_file("beside", "1");
	write_file("file", "2");
	wait_for("");
	assert_int_equal(world.told.count, 1);
}

static void more_than_the_queue_holds(void **state)
{
	char *limit MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_read_file("/proc/sys/fs/inotify/max_queued_events", 32, &limit, NULL, &err));
	if (atoi(limit) > EVENTS_MAX)
		skip();
	make_folder("sub");
	start_folder("sub");
	for (int i = 0; i < atoi(limit) + 10; i++) {
		char *name MVM_CLEAN_FREE = mvm_format("f%d", i);
		char *whole MVM_CLEAN_FREE = place(name);

		close(open(whole, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	}
	make_folder("late");
	write_file("late/file", "1");
	wait_for("late/file");
	assert_int_equal(world.warnings.count, 1);
	assert_non_null(strstr(world.warnings.items[0], "more changed in"));
	forget();
	write_file("late/file", "2");
	wait_for("late/file");
}

/* So many that nobody takes, with long names: from some time on their folder stands for them. */
static void more_than_is_kept(void **state)
{
	struct mvm_error *err = NULL;
	size_t size = 0;

	make_folder("sub");
	start_folder("sub");
	for (int i = 0; i < MANY; i++) {
		char *name MVM_CLEAN_FREE = mvm_format("sub/%0250d", i);

		write_file(name, "");
		/* Before the kernel's queue is full. */
		if (i % 1000)
			continue;
		mvm_timer_start(world.timer, 5);
		assert_ok(mvm_loop_run(world.loop, &err));
		world.late = false;
	}
	wait_for("sub");
	for (size_t i = 0; i < world.told.count; i++)
		size += strlen(world.told.items[i]) + 1;
	assert_in_range(size, 4 << 20, (4 << 20) + 512);
	assert_int_equal(world.warnings.count, 0);
	/* Once they have been taken each is told of again. */
	forget();
	write_file("sub/late", "1");
	wait_for("sub/late");
}

/* In a user namespace of its own, whose limits it may lower; 77 where there is none to be had. */
static int with_limit(const char *name, const char *value, void (*check)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		char *path MVM_CLEAN_FREE = mvm_format("/proc/sys/user/%s", name);
		char *map MVM_CLEAN_FREE = mvm_format("0 %u 1", (unsigned)geteuid());
		int fd;

		if (unshare(CLONE_NEWUSER) < 0)
			_exit(77);
		fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
		if (mvm_write_full(fd, map, strlen(map)) < 0)
			_exit(77);
		close(fd);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (mvm_write_full(fd, value, strlen(value)) < 0)
			_exit(77);
		close(fd);
		check();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void watch_with_few(void)
{
	char *inside MVM_CLEAN_FREE = place("file");
	struct mvm_error *err = NULL;

	start(world.folder);
	mvm_timer_start(world.timer, LIMIT_MS);
	while (!world.warnings.count && !world.late) {
		mvm_timer_start(world.timer, 5);
		if (mvm_loop_run(world.loop, &err) < 0)
			_exit(1);
		world.late = false;
	}
	write_file("file", "1");
	wait_for("file");
	if (world.warnings.count != 1 || !strstr(world.warnings.items[0], "sysctl fs.inotify.max_user_watches"))
		_exit(2);
}

static void too_few_watches(void **state)
{
	int rc;

	for (int i = 0; i < 100; i++) {
		char *name MVM_CLEAN_FREE = mvm_format("d%d", i);

		make_folder(name);
	}
	rc = with_limit("max_inotify_watches", "5", watch_with_few);
	if (rc == 77)
		skip();
	assert_int_equal(rc, 0);
}

static void watch_with_none(void)
{
	struct mvm_error *err = NULL;

	if (try(world.folder, &err) == 0 || !strstr(mvm_error_message(err), "sysctl fs.inotify.max_user_instances"))
		_exit(1);
}

static void too_few_instances(void **state)
{
	int rc = with_limit("max_inotify_instances", "0", watch_with_none);

	if (rc == 77)
		skip();
	assert_int_equal(rc, 0);
}

/* A process of its own, whose changes are not told; others' are, also of what it has changed. */
static void what_is_known_already(void **state)
{
	int status, go[2];
	char byte;

	make_folder("sub");
	write_file("sub/both", "1");
	start_folder("sub");
	assert_int_equal(pipe(go), 0);
	world.own = fork();
	if (world.own == 0) {
		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		write_file("sub/both", "own");
		write_file("sub/own", "own");
		make_folder("sub/made");
		write_file("own", "own");
		drop("own");
		_exit(0);
	}
	assert_true(write(go[1], "", 1) == 1);
	assert_int_equal(waitpid(world.own, &status, 0), world.own);
	assert_int_equal(status, 0);
	write_file("probe", "1");
	wait_for("probe");
	assert_int_equal(world.told.count, 1);
	write_file("sub/both", "2");
	wait_for("sub/both");
	assert_int_equal(world.told.count, 2);
	/* The folder is watched all the same. */
	write_file("sub/made/file", "1");
	wait_for("sub/made/file");
	close(go[0]);
	close(go[1]);
}

#define WATCHED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_has_each_once_and_in_order),
		WATCHED(files_that_come_change_and_go),
		WATCHED(folders_that_come_and_go),
		WATCHED(links_are_not_followed),
		WATCHED(a_single_file),
		WATCHED(more_than_the_queue_holds),
		WATCHED(more_than_is_kept),
		WATCHED(too_few_watches),
		WATCHED(too_few_instances),
	};
	const struct CMUnitTest asking[] = {
		WATCHED(files_that_come_change_and_go), WATCHED(folders_that_come_and_go),
		WATCHED(links_are_not_followed),	WATCHED(a_single_file),
		WATCHED(more_than_the_queue_holds),	WATCHED(more_than_is_kept),
		WATCHED(what_is_known_already),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	/* Nobody else learns whose a change is. */
	if (geteuid() != 0)
		return failed;
	world.asks = true;
	return cmocka_run_group_tests(asking, NULL, NULL) + failed;
}
