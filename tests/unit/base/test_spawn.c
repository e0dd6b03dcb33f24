/*
 * Child programs: what they get and what they must not get. The test program is its own child: with an argument it
 * says what it sees on descriptor 1.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "runtime/base/spawn.h"

static char self[4096];

/* Child side */

static bool is_null(int fd)
{
	struct stat st, null;

	return fstat(fd, &st) == 0 && stat("/dev/null", &null) == 0 && st.st_rdev == null.st_rdev;
}

/* One word a descriptor: its number, "=null" for /dev/null, or what can be read from it. */
static int child_list(void)
{
	for (int fd = 0; fd < 1024; fd++) {
		char text[16] = "";
		struct stat st;

		if (fd == STDOUT_FILENO || fstat(fd, &st) < 0)
			continue;
		if (S_ISFIFO(st.st_mode) && read(fd, text, sizeof(text) - 1) < 0)
			return 1;
		printf("%d=%s ", fd, is_null(fd) ? "null" : text);
	}
	return 0;
}

static int child_signals(void)
{
	sigset_t mask;
	int ignored = 0, blocked = 0;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int signo = 1; signo < 32; signo++) {
		struct sigaction action;

		if (sigaction(signo, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			ignored++;
		blocked += sigismember(&mask, signo);
	}
	printf("%d %d", ignored, blocked);
	return 0;
}

static int child_forever(void)
{
	if (printf("ready") < 0 || fflush(stdout) != 0)
		return 1;
	for (;;)
		pause();
}

static int run_as_child(int argc, char **argv)
{
	if (!strcmp(argv[1], "list"))
		return child_list();
	if (!strcmp(argv[1], "signals"))
		return child_signals();
	if (!strcmp(argv[1], "session"))
		return printf("%d", getsid(0) == getpid()) < 0;
	if (!strcmp(argv[1], "env"))
		return printf("%s,%s", getenv("GIVEN") ? getenv("GIVEN") : "-", getenv("OURS") ? getenv("OURS") : "-") <
		       0;
	if (!strcmp(argv[1], "forever"))
		return child_forever();
	return argc == 3 ? atoi(argv[2]) : 99;
}

/* Test side */

static char *read_all(int fd)
{
	struct mvm_buf buf = {0};
	char piece[256];
	ssize_t n;

	while ((n = mvm_read_full(fd, piece, sizeof(piece))) > 0)
		mvm_buf_add(&buf, piece, (size_t)n);
	return mvm_buf_steal(&buf);
}

/* Swaps descriptors 0, 1 and 2 for `saved`: -1 closes them. */
static void swap_standard_streams(int saved[3])
{
	for (int fd = 0; fd < 3; fd++) {
		int copy = fcntl(fd, F_DUPFD_CLOEXEC, 60);

		if (saved[fd] >= 0)
			dup2(saved[fd], fd);
		else
			close(fd);
		mvm_close(&saved[fd]);
		saved[fd] = copy;
	}
}

/* Runs ourselves with `spawn` and `what`, adding a pipe for descriptor 1; gives what came out of it. */
static char *output_of(struct mvm_spawn spawn, const char *what, const struct mvm_spawn_fd *fds, size_t count)
{
	char *argv[] = {(char *)"child", (char *)what, NULL};
	struct mvm_spawn_fd all[16];
	struct mvm_error *err = NULL;
	char *text;
	int out[2];
	pid_t pid;

	assert_int_equal(mvm_pipe(out), 0);
	for (size_t i = 0; i < count; i++)
		all[i] = fds[i];
	all[count] = (struct mvm_spawn_fd){out[1], STDOUT_FILENO};
	spawn.program = self;
	spawn.argv = argv;
	spawn.fds = all;
	spawn.fd_count = count + 1;
	assert_ok(mvm_spawn(&spawn, &pid, &err));
	close(out[1]);
	text = read_all(out[0]);
	close(out[0]);
	assert_int_equal(wait_for_exit(pid), 0);
	return text;
}

/* The reading end of a pipe that holds `text` and its end. */
static int pipe_with(const char *text)
{
	int fds[2];

	assert_int_equal(mvm_pipe(fds), 0);
	assert_int_equal(write(fds[1], text, strlen(text)), strlen(text));
	close(fds[1]);
	return fds[0];
}

static void missing_programs_fail_at_once(void **state)
{
	char *argv[] = {(char *)"x", NULL};
	struct mvm_spawn spawn = {.program = "no-such-program-anywhere", .argv = argv};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	pid_t pid = -7;

	assert_error(mvm_spawn(&spawn, &pid, &err), MVM_ERR_NOT_FOUND, "no-such-program-anywhere");
	spawn.program = "/no/such/program";
	assert_error(mvm_spawn(&spawn, &pid, &err), MVM_ERR_NOT_FOUND, "/no/such/program");
	spawn.program = "/";
	assert_error(mvm_spawn(&spawn, &pid, &err), MVM_ERR_IO, "cannot start /");
	assert_int_equal(pid, -7);
	/* The child that failed is reaped. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void a_file_that_is_no_program_fails_at_once(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/not-executable", (char *)*state);
	char *argv[] = {(char *)"x", NULL};
	struct mvm_spawn spawn = {.program = path, .argv = argv};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	pid_t pid;

	assert_ok(mvm_replace_file(path, "junk", 4, 0755, &err));
	assert_error(mvm_spawn(&spawn, &pid, &err), MVM_ERR_IO, path);
	assert_ok(mvm_replace_file(path, "#!/no/such/interpreter\n", 23, 0755, &err));
	assert_error(mvm_spawn(&spawn, &pid, &err), MVM_ERR_NOT_FOUND, path);
}

static void exit_status_is_the_programs(void **state)
{
	char *argv[] = {(char *)"child", (char *)"exit", (char *)"42", NULL};
	struct mvm_spawn spawn = {.program = self, .argv = argv};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	pid_t pid;

	assert_ok(mvm_spawn(&spawn, &pid, &err));
	assert_int_equal(wait_for_exit(pid), 42);
}

static int output_of_shell(const char *script, int seconds, char **text, int *status, struct mvm_error **err)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};

	return mvm_spawn_output("/bin/sh", argv, NULL, seconds, text, status, err);
}

static void what_a_program_says_is_read(void **state)
{
	struct mvm_error *err = NULL;
	char *text = NULL;
	int status;

	assert_ok(output_of_shell("echo out; echo err >&2; exit 3", 20, &text, &status, &err));
	assert_string_equal(text, "out\nerr\n");
	assert_int_equal(WEXITSTATUS(status), 3);
	free(text);
	/* More than is kept does not block it. */
	assert_ok(output_of_shell("head -c 300000 /dev/zero | tr '\\0' x", 20, &text, &status, &err));
	assert_int_equal(strlen(text), MVM_OUTPUT_MAX);
	assert_int_equal(status, 0);
	free(text);
	assert_error(output_of_shell("exec sleep 60", 0, &text, &status, &err), MVM_ERR_TIMEOUT,
		     "has not ended within 0 s");
	assert_true(WIFSIGNALED(status));
	assert_error(mvm_spawn_output("/none", (char *[]){(char *)"none", NULL}, NULL, 1, &text, &status, &err),
		     MVM_ERR_NOT_FOUND, "/none");
}

static void standard_streams_are_null_and_nothing_else_is_there(void **state)
{
	/* Not close-on-exec, as what a shell or a test runner left us. */
	int leaked = dup2(STDIN_FILENO, 123), fifo = pipe_with("x");
	char *text MVM_CLEAN_FREE = NULL;

	assert_int_equal(leaked, 123);
	assert_int_equal(mvm_set_cloexec(fifo, false), 0);
	text = output_of((struct mvm_spawn){0}, "list", NULL, 0);
	assert_string_equal(text, "0=null 2=null ");
	close(leaked);
	close(fifo);
}

static void descriptors_land_on_their_numbers(void **state)
{
	int a = pipe_with("a"), b = pipe_with("b"), c = pipe_with("c");
	const struct mvm_spawn_fd fds[] = {{a, 0}, {b, 7}, {c, 40}};
	char *text MVM_CLEAN_FREE = output_of((struct mvm_spawn){0}, "list", fds, 3);

	assert_string_equal(text, "0=a 2=null 7=b 40=c ");
	/* Ours stay open, and close-on-exec. */
	assert_true(fcntl(a, F_GETFD) & FD_CLOEXEC);
	close(a);
	close(b);
	close(c);
}

/* The source of one is the target of the other. */
static void numbers_may_be_swapped(void **state)
{
	int a = pipe_with("a"), b = pipe_with("b");
	const struct mvm_spawn_fd fds[] = {{a, b}, {b, a}};
	char *text MVM_CLEAN_FREE = output_of((struct mvm_spawn){0}, "list", fds, 2);
	char *expected MVM_CLEAN_FREE = mvm_format("0=null 2=null %d=%s %d=%s ", a < b ? a : b, a < b ? "b" : "a",
						   a < b ? b : a, a < b ? "a" : "b");

	assert_string_equal(text, expected);
	close(a);
	close(b);
}

static void one_descriptor_may_have_two_numbers_or_its_own(void **state)
{
	int a = pipe_with("a"), b = pipe_with("b");
	const struct mvm_spawn_fd fds[] = {{a, a}, {b, 50}, {STDIN_FILENO, 51}};
	char *text MVM_CLEAN_FREE = output_of((struct mvm_spawn){0}, "list", fds, 2);
	char *expected MVM_CLEAN_FREE = mvm_format("0=null 2=null %d=a 50=b ", a);

	assert_string_equal(text, expected);
	close(a);
	close(b);
}

/* /dev/null itself is opened as one of those numbers then. */
static void streams_that_we_closed_are_null_there(void **state)
{
	char *argv[] = {(char *)"child", (char *)"list", NULL}, *text MVM_CLEAN_FREE = NULL;
	int out[2], saved[3] = {-1, -1, -1}, result;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_spawn_fd fd = {.to = STDOUT_FILENO};
	const struct mvm_spawn spawn = {.program = self, .argv = argv, .fds = &fd, .fd_count = 1};
	pid_t pid;

	assert_int_equal(mvm_pipe(out), 0);
	fd.from = out[1];
	fflush(stdout);
	swap_standard_streams(saved);
	result = mvm_spawn(&spawn, &pid, &err);
	swap_standard_streams(saved);
	assert_ok(result);
	close(out[1]);
	text = read_all(out[0]);
	close(out[0]);
	assert_int_equal(wait_for_exit(pid), 0);
	assert_string_equal(text, "0=null 2=null ");
}

static void too_many_descriptors_are_refused(void **state)
{
	char *argv[] = {(char *)"x", NULL};
	struct mvm_spawn_fd fds[17];
	struct mvm_spawn spawn = {.program = self, .argv = argv, .fds = fds, .fd_count = 17};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	pid_t pid;

	for (int i = 0; i < 17; i++)
		fds[i] = (struct mvm_spawn_fd){STDIN_FILENO, 10 + i};
	assert_error(mvm_spawn(&spawn, &pid, &err), MVM_ERR_IO, "cannot start");
}

static void signals_are_at_their_defaults(void **state)
{
	char *text MVM_CLEAN_FREE = NULL;
	sigset_t mask, old;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, &old);
	text = output_of((struct mvm_spawn){0}, "signals", NULL, 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGHUP, SIG_DFL);
	assert_string_equal(text, "0 0");
}

static void a_session_of_its_own_on_demand(void **state)
{
	char *own MVM_CLEAN_FREE = output_of((struct mvm_spawn){.new_session = true}, "session", NULL, 0);
	char *ours MVM_CLEAN_FREE = output_of((struct mvm_spawn){0}, "session", NULL, 0);

	assert_string_equal(own, "1");
	assert_string_equal(ours, "0");
}

static void environment_is_ours_or_the_one_given(void **state)
{
	char *given[] = {(char *)"GIVEN=yes", (char *)"ASAN_OPTIONS=detect_leaks=0", NULL};
	char *first MVM_CLEAN_FREE = NULL, *second MVM_CLEAN_FREE = NULL;

	setenv("OURS", "1", 1);
	first = output_of((struct mvm_spawn){.envp = given}, "env", NULL, 0);
	second = output_of((struct mvm_spawn){0}, "env", NULL, 0);
	assert_string_equal(first, "yes,-");
	assert_string_equal(second, "-,1");
}

/* The middle process: starts a child that must go with it or stay, and says its pid. */
static void spawn_and_wait(int out, int say, bool die_with_parent)
{
	char *argv[] = {(char *)"child", (char *)"forever", NULL};
	const struct mvm_spawn_fd fd = {out, STDOUT_FILENO};
	struct mvm_spawn spawn = {
		.program = self, .argv = argv, .fds = &fd, .fd_count = 1, .die_with_parent = die_with_parent};
	pid_t pid;

	if (mvm_spawn(&spawn, &pid, NULL) < 0 || write(say, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	for (;;)
		pause();
}

/* The child's end shows as the end of the pipe that it writes to. */
static void child_of_the_dead(bool die_with_parent)
{
	int out[2], say[2];
	struct pollfd end;
	pid_t middle, pid;
	char text[5];

	assert_int_equal(mvm_pipe(out), 0);
	assert_int_equal(mvm_pipe(say), 0);
	middle = fork();
	if (middle == 0)
		spawn_and_wait(out[1], say[1], die_with_parent);
	close(out[1]);
	close(say[1]);
	assert_int_equal(mvm_read_full(say[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(mvm_read_full(out[0], text, 5), 5);
	assert_memory_equal(text, "ready", 5);
	kill(middle, SIGKILL);
	assert_int_equal(waitpid(middle, NULL, 0), middle);
	end = (struct pollfd){.fd = out[0], .events = POLLIN};
	assert_int_equal(poll(&end, 1, die_with_parent ? 10000 : 0), die_with_parent);
	if (!die_with_parent)
		assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(mvm_read_full(out[0], text, 1), 0);
	close(out[0]);
	close(say[0]);
}

static void children_die_with_their_parent_on_demand(void **state)
{
#ifdef __linux__
	child_of_the_dead(true);
#endif
	child_of_the_dead(false);
}

static void programs_are_found_in_path(void **state)
{
	char *folder = *state, *path MVM_CLEAN_FREE = NULL,
	     *expected MVM_CLEAN_FREE = mvm_format("%s/second/tool", folder);
	char *first MVM_CLEAN_FREE = mvm_format("%s/first/tool", folder), *old = mvm_strdup(getenv("PATH"));
	char *search MVM_CLEAN_FREE = mvm_format("/nowhere::%s/first:%s/second", folder, folder);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	/* In the first folder it is a folder. */
	assert_ok(mvm_make_folders(first, &err));
	assert_ok(mvm_make_folders(expected, &err));
	assert_int_equal(rmdir(expected), 0);
	assert_ok(mvm_replace_file(expected, "#!/bin/sh\n", 10, 0755, &err));
	setenv("PATH", search, 1);
	assert_ok(mvm_find_program("tool", &path, &err));
	assert_string_equal(path, expected);
	assert_int_equal(chmod(expected, 0644), 0);
	free(path);
	path = NULL;
	assert_error(mvm_find_program("tool", &path, &err), MVM_ERR_NOT_FOUND, "tool is not installed");
	unsetenv("PATH");
	assert_ok(mvm_find_program("sh", &path, &err));
	setenv("PATH", old, 1);
	free(old);
	assert_non_null(strstr(path, "/bin/sh"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(missing_programs_fail_at_once),
		cmocka_unit_test(a_file_that_is_no_program_fails_at_once),
		cmocka_unit_test(exit_status_is_the_programs),
		cmocka_unit_test(what_a_program_says_is_read),
		cmocka_unit_test(standard_streams_are_null_and_nothing_else_is_there),
		cmocka_unit_test(descriptors_land_on_their_numbers),
		cmocka_unit_test(numbers_may_be_swapped),
		cmocka_unit_test(one_descriptor_may_have_two_numbers_or_its_own),
		cmocka_unit_test(streams_that_we_closed_are_null_there),
		cmocka_unit_test(too_many_descriptors_are_refused),
		cmocka_unit_test(signals_are_at_their_defaults),
		cmocka_unit_test(a_session_of_its_own_on_demand),
		cmocka_unit_test(environment_is_ours_or_the_one_given),
		cmocka_unit_test(children_die_with_their_parent_on_demand),
		cmocka_unit_test(programs_are_found_in_path),
	};

	if (argc > 1)
		return run_as_child(argc, argv);
	if (!realpath(argv[0], self))
		return 1;
	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
