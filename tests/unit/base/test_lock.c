/* Locks of io.h: shared, exclusive, tried, waited for, and held by whoever keeps the descriptor. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

static char *lock_path(void **state)
{
	return mvm_format("%s/lock", (char *)*state);
}

static int try_lock(const char *path, unsigned flags)
{
	int fd MVM_CLEAN_FD = -1;

	return mvm_lock(path, flags | MVM_LOCK_TRY, &fd, NULL);
}

/* What another process gets; flock() belongs to the open file, but processes are what it is for. */
static int try_elsewhere(const char *path, unsigned flags)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(try_lock(path, flags));
	return wait_for_exit(pid);
}

static void exclusive_keeps_everybody_out(void **state)
{
	char *path MVM_CLEAN_FREE = lock_path(state);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int fd MVM_CLEAN_FD = -1;
	struct stat st;

	assert_ok(mvm_lock(path, 0, &fd, &err));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(try_elsewhere(path, 0), 1);
	assert_int_equal(try_elsewhere(path, MVM_LOCK_SHARED), 1);
	assert_int_equal(try_lock(path, 0), 1);
	mvm_close(&fd);
	assert_int_equal(try_elsewhere(path, 0), 0);
}

static void shared_lets_others_share(void **state)
{
	char *path MVM_CLEAN_FREE = lock_path(state);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int fd MVM_CLEAN_FD = -1;

	assert_ok(mvm_lock(path, MVM_LOCK_SHARED, &fd, &err));
	assert_int_equal(try_elsewhere(path, MVM_LOCK_SHARED), 0);
	assert_int_equal(try_elsewhere(path, 0), 1);
}

static void a_busy_lock_leaves_the_descriptor_alone(void **state)
{
	char *path MVM_CLEAN_FREE = lock_path(state);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int fd MVM_CLEAN_FD = -1, other = -7;

	assert_ok(mvm_lock(path, 0, &fd, &err));
	assert_int_equal(mvm_lock(path, MVM_LOCK_TRY, &other, &err), 1);
	assert_null(err);
	assert_int_equal(other, -7);
}

/* The creator hands its descriptor to the supervisor: the lock outlives the creator. */
static void a_child_that_keeps_the_descriptor_keeps_the_lock(void **state)
{
	char *path MVM_CLEAN_FREE = lock_path(state);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int fd MVM_CLEAN_FD = -1, hold[2];
	char byte;
	pid_t pid;

	assert_ok(mvm_lock(path, 0, &fd, &err));
	assert_int_equal(mvm_pipe(hold), 0);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		_exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
	}
	mvm_close(&fd);
	assert_int_equal(try_lock(path, 0), 1);
	close(hold[1]);
	close(hold[0]);
	assert_int_equal(wait_for_exit(pid), 0);
	assert_int_equal(try_lock(path, 0), 0);
}

static void a_killed_holder_lets_go(void **state)
{
	char *path MVM_CLEAN_FREE = lock_path(state);
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(mvm_pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int fd;

		if (mvm_lock(path, 0, &fd, NULL) != 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(try_lock(path, 0), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(try_lock(path, 0), 0);
	close(ready[0]);
	close(ready[1]);
}

/* Without TRY it waits: the child gets the lock when we let go, and not before we wrote our word. */
static void waiting_ends_when_the_holder_lets_go(void **state)
{
	char *path MVM_CLEAN_FREE = lock_path(state), *word MVM_CLEAN_FREE = mvm_format("%s/word", (char *)*state);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int fd MVM_CLEAN_FD = -1, started[2];
	char byte;
	pid_t pid;

	assert_ok(mvm_lock(path, 0, &fd, &err));
	assert_int_equal(mvm_pipe(started), 0);
	pid = fork();
	if (pid == 0) {
		int mine = -1;

		close(fd);
		if (write(started[1], "x", 1) != 1 || mvm_lock(path, 0, &mine, NULL) != 0)
			_exit(1);
		_exit(access(word, F_OK) == 0 ? 0 : 2);
	}
	assert_int_equal(read(started[0], &byte, 1), 1);
	wait_until_asleep(pid);
	assert_ok(mvm_replace_file(word, "x", 1, 0600, &err));
	mvm_close(&fd);
	assert_int_equal(wait_for_exit(pid), 0);
	close(started[0]);
	close(started[1]);
}

static void a_lock_that_cannot_be_made_says_where(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int fd = -1;

	assert_error(mvm_lock("/nowhere/lock", 0, &fd, &err), MVM_ERR_NOT_FOUND, "/nowhere/lock");
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exclusive_keeps_everybody_out),
		cmocka_unit_test(shared_lets_others_share),
		cmocka_unit_test(a_busy_lock_leaves_the_descriptor_alone),
		cmocka_unit_test(a_child_that_keeps_the_descriptor_keeps_the_lock),
		cmocka_unit_test(a_killed_holder_lets_go),
		cmocka_unit_test(waiting_ends_when_the_holder_lets_go),
		cmocka_unit_test(a_lock_that_cannot_be_made_says_where),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
