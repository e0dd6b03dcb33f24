/* What the guest is told of changes on the host, by the kernel's own inotify and an agent that writes down what it
 * gets. */
#include "runtime/supervisor/watches.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "calls.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/supervisor/shares.h"
#include "share/mount.h"
#include "share/source.h"

enum { LIMIT_MS = 20000, QUIET_MS = 100 };

static struct {
	char *folder;
	struct supervisor supervisor;
	struct watches *watches;
	struct mvm_timer *timer;
	agent_done_fn done;
	void *done_arg;
	bool late;
} world;

/* The parts that watches.c calls */

void agent_refresh(struct agent *agent, const struct mvm_proto_refresh *order, agent_done_fn done, void *arg)
{
	char *paths MVM_CLEAN_FREE =
		mvm_strv_join(&(struct mvm_strv){.items = (char **)order->changed, .count = 1}, " ");

	called("%s:%s%s", order->path, paths, order->changed[1] ? ",..." : "");
	world.done = done;
	world.done_arg = arg;
	mvm_loop_stop(world.supervisor.loop);
}

void clients_notice(struct supervisor *supervisor, const char *text)
{
	called("%s", text);
}

bool shares_serves(const struct shares *shares, pid_t pid)
{
	return false;
}

/* The world */

static void on_late(void *arg)
{
	world.late = true;
	mvm_loop_stop(world.supervisor.loop);
}

static int setup(void **state)
{
	world.folder = scratch_create();
	world.supervisor.loop = mvm_loop_create();
	world.timer = mvm_loop_timer(world.supervisor.loop, on_late, NULL);
	world.watches = watches_create(&world.supervisor);
	return 0;
}

static int teardown(void **state)
{
	watches_destroy(world.watches);
	mvm_loop_destroy(world.supervisor.loop);
	scratch_remove(world.folder);
	mvm_buf_finish(&calls);
	return 0;
}

static void add(const char *name)
{
	struct mvm_share_roots roots MVM_CLEAN_SHARE_ROOTS = {0};
	struct mvm_mount mount = {.source = mvm_format("%s/%s", world.folder, name), .target = mvm_format("/%s", name)};

	watches_add(world.watches, &mount, &roots);
	free(mount.source);
	free(mount.target);
}

static void write_file(const char *name)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s", world.folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(mvm_write_full(fd, "x", 1) >= 0);
	close(fd);
}

static void add_file(const char *name)
{
	write_file(name);
	add(name);
}

/* Until the agent gets an order, or for so long. */
static bool wait_for_order(uint64_t milliseconds)
{
	struct mvm_error *err = NULL;

	world.late = false;
	mvm_timer_start(world.timer, milliseconds);
	assert_ok(mvm_loop_run(world.supervisor.loop, &err));
	mvm_timer_stop(world.timer);
	return !world.late;
}

static void answer(void)
{
	world.done(world.done_arg, NULL);
}

static void one_order_at_a_time_and_each_in_its_turn(void **state)
{
	add_file("a");
	add_file("b");
	watches_run(world.watches, true);
	write_file("a");
	assert_true(wait_for_order(LIMIT_MS));
	expect_calls("/a:");
	write_file("a");
	write_file("b");
	assert_false(wait_for_order(QUIET_MS));
	answer();
	assert_true(wait_for_order(LIMIT_MS));
	expect_calls("/b:");
	answer();
	assert_true(wait_for_order(LIMIT_MS));
	expect_calls("/a:");
	answer();
	assert_false(wait_for_order(QUIET_MS));
}

static void while_it_does_not_run_changes_wait(void **state)
{
	add_file("a");
	write_file("a");
	assert_false(wait_for_order(QUIET_MS));
	watches_run(world.watches, true);
	assert_true(wait_for_order(LIMIT_MS));
	expect_calls("/a:");
	watches_run(world.watches, false);
	write_file("a");
	answer();
	assert_false(wait_for_order(QUIET_MS));
	watches_run(world.watches, true);
	assert_true(wait_for_order(LIMIT_MS));
	expect_calls("/a:");
}

static void a_guest_that_fails_is_told_of_the_next_change(void **state)
{
	struct mvm_error *failure = NULL;

	add_file("a");
	watches_run(world.watches, true);
	write_file("a");
	assert_true(wait_for_order(LIMIT_MS));
	mvm_fail(&failure, MVM_ERR_MACHINE, "cannot reach /a");
	world.done(world.done_arg, failure);
	mvm_error_free(failure);
	write_file("a");
	assert_true(wait_for_order(LIMIT_MS));
	expect_calls("/a: /a:");
}

static void what_cannot_be_watched_is_said_and_left_out(void **state)
{
	add("none");
	assert_non_null(strstr(calls.data, "/none is not watched: cannot open "));
	forget_calls();
	add_file("a");
	watches_run(world.watches, true);
	write_file("a");
	assert_true(wait_for_order(LIMIT_MS));
	expect_calls("/a:");
}

#define WATCHED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED(one_order_at_a_time_and_each_in_its_turn),
		WATCHED(while_it_does_not_run_changes_wait),
		WATCHED(a_guest_that_fails_is_told_of_the_next_change),
		WATCHED(what_cannot_be_watched_is_said_and_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
