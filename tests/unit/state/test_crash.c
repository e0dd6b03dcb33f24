/* What dead processes leave behind, and what the next command makes of it. */
#include "world.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "runtime/base/io.h"

/* Another process that holds a lock until it is told to end, or killed. */
struct holder {
	pid_t pid;
	int end;
};

static struct holder hold(const char *lock_path)
{
	struct holder holder;
	int ready[2], end[2];
	char byte;

	assert_int_equal(mvm_pipe(ready), 0);
	assert_int_equal(mvm_pipe(end), 0);
	holder.pid = fork();
	if (holder.pid == 0) {
		int fd;

		close(end[1]);
		if (mvm_lock(lock_path, MVM_LOCK_TRY, &fd, NULL) != 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(read(end[0], &byte, 1) == 0 ? 0 : 1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	close(end[0]);
	holder.end = end[1];
	return holder;
}

static void kill_holder(struct holder *holder)
{
	kill(holder->pid, SIGKILL);
	assert_int_equal(waitpid(holder->pid, NULL, 0), holder->pid);
	close(holder->end);
}

static struct holder hold_container(struct world *world, const char *id)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/containers/%s/lock", world->folder, id);

	return hold(path);
}

static struct mvm_container *find(struct world *world, const char *id)
{
	struct mvm_container *found = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_find(world->state, id, &found, &err));
	return found;
}

static void assert_crashed(const struct mvm_container *container)
{
	assert_int_equal(container->state.status, MVM_STATUS_EXITED);
	assert_int_equal(container->state.exit_code, 255);
	assert_int_equal(container->state.pid, 0);
	assert_string_equal(container->state.error, "the supervisor of the VM was killed");
	assert_true(container->state.finished.tv_sec >= container->state.started.tv_sec);
	assert_true(container->state.started.tv_sec > 0);
}

static void running_without_anybody_in_charge_has_crashed(void **state)
{
	static const enum mvm_status alive[] = {MVM_STATUS_RUNNING, MVM_STATUS_PAUSED};
	struct world *world = *state;

	for (size_t i = 0; i < MVM_COUNT(alive); i++) {
		char *id MVM_CLEAN_FREE = world_add(world, NULL, false, NULL);
		char *socket MVM_CLEAN_FREE = mvm_state_socket_path(world->state, id);
		struct mvm_container *found MVM_CLEAN_CONTAINER = NULL, *loaded MVM_CLEAN_CONTAINER = NULL;
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;

		world_set_status(world, id, alive[i]);
		assert_ok(mvm_replace_file(socket, "", 0, 0600, &err));
		found = find(world, id);
		assert_crashed(found);
		assert_int_equal(access(socket, F_OK), -1);
		/* For whoever looks without asking questions, too. */
		assert_ok(mvm_state_load(world->state, id, &loaded, &err));
		assert_crashed(loaded);
	}
}

/* How it ended is known, and what its policy and the user have to say of the next start. */
static void dead_between_two_runs_has_ended_as_it_did(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, NULL, false, NULL);
	char *history MVM_CLEAN_FREE = mvm_format("%s/events/history", world->folder);
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL, *found MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	world_set_status(world, id, MVM_STATUS_RESTARTING);
	assert_ok(mvm_state_load(world->state, id, &container, &err));
	container->state.exit_code = 7;
	container->state.finished = (struct timespec){100, 0};
	container->state.restart_count = 3;
	container->state.stopped_by_user = true;
	assert_ok(mvm_state_save(container, &err));
	found = find(world, id);
	assert_int_equal(found->state.status, MVM_STATUS_EXITED);
	assert_int_equal(found->state.exit_code, 7);
	assert_int_equal(found->state.finished.tv_sec, 100);
	assert_int_equal(found->state.restart_count, 3);
	assert_true(found->state.stopped_by_user);
	assert_int_equal(found->state.pid, 0);
	/* Its end was told when it came. */
	assert_int_equal(access(history, F_OK), -1);
}

static void listing_settles_as_finding_does(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, NULL, false, NULL);
	struct mvm_container **list;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	size_t count;

	world_set_status(world, id, MVM_STATUS_RUNNING);
	assert_ok(mvm_state_list(world->state, &list, &count, &err));
	assert_int_equal(count, 1);
	assert_crashed(list[0]);
	mvm_container_free(list[0]);
	free(list);
}

/* It never ran: docker shows such a container as created. */
static void dead_before_the_program_ran_is_created(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, NULL, false, NULL);
	struct mvm_container *found MVM_CLEAN_CONTAINER = NULL;

	world_set_status(world, id, MVM_STATUS_STARTING);
	found = find(world, id);
	assert_int_equal(found->state.status, MVM_STATUS_CREATED);
	assert_int_equal(found->state.exit_code, 125);
	assert_int_equal(found->state.pid, 0);
	assert_non_null(strstr(found->state.error, "before the program ran"));
	assert_int_equal(found->state.finished.tv_sec, 0);
}

/* One that ran before stays one that has ended. */
static void dead_before_it_ran_again_is_exited(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, NULL, false, NULL);
	struct mvm_container *found MVM_CLEAN_CONTAINER = NULL;

	world_set_status(world, id, MVM_STATUS_EXITED);
	world_set_status(world, id, MVM_STATUS_STARTING);
	found = find(world, id);
	assert_int_equal(found->state.status, MVM_STATUS_EXITED);
	assert_int_equal(found->state.exit_code, 125);
}

static void who_ended_in_order_is_left_alone(void **state)
{
	static const enum mvm_status ended[] = {MVM_STATUS_CREATED, MVM_STATUS_EXITED};
	struct world *world = *state;

	for (size_t i = 0; i < MVM_COUNT(ended); i++) {
		char *id MVM_CLEAN_FREE = world_add(world, NULL, true, NULL);
		struct mvm_container *found MVM_CLEAN_CONTAINER = NULL;

		world_set_status(world, id, ended[i]);
		found = find(world, id);
		assert_int_equal(found->state.status, ended[i]);
		assert_null(found->state.error);
	}
}

static void running_with_somebody_in_charge_runs_until_that_one_dies(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, NULL, false, NULL);
	struct mvm_container *before MVM_CLEAN_CONTAINER = NULL, *after MVM_CLEAN_CONTAINER = NULL;
	struct holder holder = hold_container(world, id);

	world_set_status(world, id, MVM_STATUS_RUNNING);
	before = find(world, id);
	assert_int_equal(before->state.status, MVM_STATUS_RUNNING);
	assert_int_equal(before->state.pid, 4242);
	kill_holder(&holder);
	after = find(world, id);
	assert_crashed(after);
}

/* A supervisor that ends in order just when somebody reads that it runs: the pipe stays open until all is done. */
static int end_meanwhile(struct world *world, const char *id, const char *path, int ready)
{
	static const char running[] = "{\"Status\": \"running\"}",
			  exited[] = "{\"Status\": \"exited\", \"ExitCode\": 7}";
	int lock, fd;

	if (mvm_state_lock(world->state, id, &lock, NULL) != 0 || write(ready, "x", 1) != 1)
		return 1;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || mvm_write_full(fd, running, strlen(running)) < 0 ||
	    mvm_replace_file(path, exited, strlen(exited), 0600, NULL) < 0)
		return 2;
	close(lock);
	close(fd);
	return 0;
}

/* state.json is a pipe at first, so that what happens between two looks at it is certain. */
static void an_end_that_is_seen_happening_is_no_crash(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, NULL, false, NULL);
	char *path MVM_CLEAN_FREE = mvm_format("%s/containers/%s/state.json", world->folder, id);
	struct mvm_container *found MVM_CLEAN_CONTAINER = NULL;
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(mvm_pipe(ready), 0);
	pid = fork();
	if (pid == 0)
		_exit(end_meanwhile(world, id, path, ready[1]));
	assert_int_equal(read(ready[0], &byte, 1), 1);
	found = find(world, id);
	assert_int_equal(found->state.status, MVM_STATUS_EXITED);
	assert_int_equal(found->state.exit_code, 7);
	assert_int_equal(wait_for_exit(pid), 0);
	close(ready[0]);
	close(ready[1]);
}

static void a_crash_takes_a_container_that_was_to_be_removed(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", true, NULL), *again MVM_CLEAN_FREE = NULL;
	char *path MVM_CLEAN_FREE = world_path(world, id);
	struct holder holder = hold_container(world, id);
	struct mvm_container *found = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	world_set_status(world, id, MVM_STATUS_RUNNING);
	assert_int_equal(world_count(world), 1);
	kill_holder(&holder);
	assert_int_equal(world_count(world), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_error(mvm_state_find(world->state, id, &found, &err), MVM_ERR_NOT_FOUND, id);
	again = world_add(world, "web", true, NULL);
}

/* Nobody listed it since: whoever wants the name finds that it is free. */
static void the_name_of_such_a_container_is_free_at_once(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", true, NULL), *again MVM_CLEAN_FREE = NULL;

	world_set_status(world, id, MVM_STATUS_RUNNING);
	again = world_add(world, "web", true, NULL);
	assert_string_not_equal(again, id);
	assert_int_equal(world_count(world), 1);
}

static int list_when_told(struct world *world, int start)
{
	struct mvm_container **list;
	size_t count;
	char byte;

	return read(start, &byte, 1) == 1 && mvm_state_list(world->state, &list, &count, NULL) == 0 ? 0 : 1;
}

/* Several commands notice one crash at once; each gets an answer, and then it is settled. */
static void two_may_settle_the_same_crash(void **state)
{
	struct world *world = *state;

	for (int round = 0; round < 10; round++) {
		bool removed = round % 2;
		char *id MVM_CLEAN_FREE = world_add(world, NULL, removed, NULL);
		int start[2];
		pid_t pid;

		world_set_status(world, id, MVM_STATUS_RUNNING);
		assert_int_equal(mvm_pipe(start), 0);
		pid = fork();
		if (pid == 0)
			_exit(list_when_told(world, start[0]));
		assert_int_equal(write(start[1], "x", 1), 1);
		world_count(world);
		assert_int_equal(wait_for_exit(pid), 0);
		assert_int_equal(world_count(world), round / 2 + 1);
		close(start[0]);
		close(start[1]);
	}
}

/* Garbage */

static void reopen(struct world *world)
{
	struct mvm_error *err = NULL;

	mvm_state_close(world->state);
	world->state = NULL;
	assert_ok(mvm_state_open(world->folder, &world->state, &err));
}

static char *half_made(struct world *world, bool with_lock)
{
	char *folder = world_path(world, ".new-0123"), *disk MVM_CLEAN_FREE = mvm_format("%s/root.qcow2", folder);
	char *lock MVM_CLEAN_FREE = mvm_format("%s/lock", folder);
	struct mvm_error *err = NULL;

	assert_ok(mvm_make_folders(folder, &err));
	assert_ok(mvm_replace_file(disk, "disk", 4, 0600, &err));
	if (with_lock)
		assert_ok(mvm_replace_file(lock, "", 0, 0600, &err));
	return folder;
}

static void half_made_containers_of_the_dead_are_collected(void **state)
{
	struct world *world = *state;

	for (int with_lock = 0; with_lock < 2; with_lock++) {
		char *folder MVM_CLEAN_FREE = half_made(world, with_lock);

		reopen(world);
		assert_int_equal(access(folder, F_OK), -1);
	}
}

static void half_made_containers_of_the_living_stay(void **state)
{
	struct world *world = *state;
	char *folder MVM_CLEAN_FREE = half_made(world, true), *lock MVM_CLEAN_FREE = mvm_format("%s/lock", folder);
	struct holder holder = hold(lock);

	reopen(world);
	assert_int_equal(access(folder, F_OK), 0);
	kill_holder(&holder);
	reopen(world);
	assert_int_equal(access(folder, F_OK), -1);
}

/* The real maker, killed between create and commit. */
static void a_killed_maker_leaves_nothing(void **state)
{
	struct world *world = *state;
	struct mvm_container *made MVM_CLEAN_CONTAINER = world_new("web");
	char *id MVM_CLEAN_FREE = NULL;
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(mvm_pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		char *folder;
		int lock;

		if (mvm_state_create(world->state, &made->config, &folder, &lock, NULL) < 0 ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(ready[0]);
	close(ready[1]);
	id = world_add(world, "web", false, NULL);
	reopen(world);
	assert_int_equal(world_count(world), 1);
}

static void half_removed_containers_are_collected(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, NULL, false, NULL), *from MVM_CLEAN_FREE = world_path(world, id);
	char *to MVM_CLEAN_FREE = mvm_format("%s/containers/.gone-%s", world->folder, id);

	assert_int_equal(rename(from, to), 0);
	reopen(world);
	assert_int_equal(access(to, F_OK), -1);
	assert_int_equal(world_count(world), 0);
}

/* Damage */

static void damage(struct world *world, const char *id, const char *name, const char *text)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/containers/%s/%s", world->folder, id, name);
	struct mvm_error *err = NULL;

	assert_ok(mvm_replace_file(path, text, strlen(text), 0600, &err));
}

static void a_damaged_file_is_named(void **state)
{
	static const struct {
		const char *name, *text;
	} cases[] = {
		{"config.json", "{\"Id\": "},
		{"config.json", "{}"},
		{"config.json", "{\"FormatVersion\": 2}"},
		{"state.json", ""},
		{"state.json", "{\"Status\": \"sleeping\"}"},
	};
	struct world *world = *state;

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *id MVM_CLEAN_FREE = world_add(world, NULL, false, NULL);
		char *healthy MVM_CLEAN_FREE = world_add(world, "healthy", false, NULL);
		char *path MVM_CLEAN_FREE = mvm_format("%s/%s", id, cases[i].name);
		struct mvm_container *found = NULL, **list = NULL;
		struct mvm_strv damaged MVM_CLEAN_STRV = {0};
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		char *same MVM_CLEAN_FREE = NULL;
		size_t count;

		damage(world, id, cases[i].name, cases[i].text);
		assert_int_equal(mvm_state_list(world->state, &list, &count, &err), -1);
		assert_non_null(strstr(mvm_error_message(err), path));
		mvm_error_clear(&err);
		assert_ok(mvm_state_list_readable(world->state, &list, &count, &damaged, &err));
		assert_int_equal(count, 1);
		assert_int_equal(damaged.count, 1);
		assert_non_null(strstr(damaged.items[0], "'mvm rm -f"));
		mvm_container_list_free(list, count);
		assert_ok(mvm_state_find_damaged(world->state, id, &same, &err));
		assert_string_equal(same, id);
		assert_error(mvm_state_find_damaged(world->state, healthy, &same, &err), MVM_ERR_NOT_FOUND, healthy);
		assert_int_equal(mvm_state_find(world->state, id, &found, &err), -1);
		assert_non_null(strstr(mvm_error_message(err), path));
		mvm_error_clear(&err);
		assert_ok(mvm_state_find(world->state, healthy, &found, &err));
		mvm_container_free(found);
		/* What cannot be read can still be removed, by who knows its ID. */
		assert_ok(mvm_state_remove(world->state, id, &err));
		assert_ok(mvm_state_remove(world->state, healthy, &err));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(running_without_anybody_in_charge_has_crashed),
		WORLD_TEST(dead_between_two_runs_has_ended_as_it_did),
		WORLD_TEST(listing_settles_as_finding_does),
		WORLD_TEST(dead_before_the_program_ran_is_created),
		WORLD_TEST(dead_before_it_ran_again_is_exited),
		WORLD_TEST(who_ended_in_order_is_left_alone),
		WORLD_TEST(running_with_somebody_in_charge_runs_until_that_one_dies),
		WORLD_TEST(an_end_that_is_seen_happening_is_no_crash),
		WORLD_TEST(a_crash_takes_a_container_that_was_to_be_removed),
		WORLD_TEST(the_name_of_such_a_container_is_free_at_once),
		WORLD_TEST(two_may_settle_the_same_crash),
		WORLD_TEST(half_made_containers_of_the_dead_are_collected),
		WORLD_TEST(half_made_containers_of_the_living_stay),
		WORLD_TEST(a_killed_maker_leaves_nothing),
		WORLD_TEST(half_removed_containers_are_collected),
		WORLD_TEST(a_damaged_file_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
