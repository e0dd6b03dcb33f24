/*
 * Terminal and pipes joined to a container: a child process is the client, with pipes or a terminal of ours as its
 * standard streams, and the test is its supervisor.
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "runtime/base/json.h"
#include "runtime/cli/cli.h"
#include "runtime/engine/client.h"
#include "runtime/state/control.h"

enum { FAILED = 200, BIG = 2 << 20 };

struct stage {
	pid_t pid;
	struct mvm_control control; /* the supervisor's end */
	int in, out, err;	    /* the far ends of the client's standard streams */
	int in_reader;		    /* its own end of stdin, shared */
	int terminal;		    /* or the master of its terminal */
	int streams[3];		    /* the supervisor's ends of the container's streams, as attached */
};

void cli_print_error(const struct mvm_error *err)
{
	fprintf(stderr, "mvm: %s\n", mvm_error_message(err));
}

/* The client */

static void run_client(int control, const struct cli_attach *options)
{
	struct mvm_client *client = mvm_client_create(control);
	struct mvm_error *err = NULL;
	int exit_code = 0;

	if (cli_attach_and_start(client, options, &exit_code, &err) < 0) {
		fprintf(stderr, "failed: %s: %s\n", mvm_error_code_name(mvm_error_code(err)), mvm_error_message(err));
		mvm_error_free(err);
		exit_code = FAILED;
	}
	mvm_client_destroy(client);
	fflush(stderr);
	/* Not exit(): what the test program registered is not the client's. */
	_exit(exit_code);
}

static void become_client(const int in[2], const int out[2], const int err[2], const int control[2],
			  const struct cli_attach *options)
{
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	dup2(err[1], STDERR_FILENO);
	for (int fd = STDERR_FILENO + 1; fd < 64; fd++)
		if (fd != control[1])
			close(fd);
	run_client(control[1], options);
}

static void start_client(struct stage *stage, bool stdin_on)
{
	const struct cli_attach options = {.stdin_on = stdin_on, .sig_proxy = true};
	int in[2], out[2], err[2], control[2];

	assert_int_equal(mvm_pipe(in), 0);
	assert_int_equal(mvm_pipe(out), 0);
	assert_int_equal(mvm_pipe(err), 0);
	assert_int_equal(mvm_socketpair(SOCK_STREAM, control), 0);
	fflush(stdout);
	stage->pid = fork();
	if (stage->pid == 0)
		become_client(in, out, err, control, &options);
	close(out[1]);
	close(err[1]);
	close(control[1]);
	mvm_control_init(&stage->control, control[0]);
	stage->in_reader = in[0];
	stage->in = in[1];
	stage->out = out[0];
	stage->err = err[0];
	stage->terminal = -1;
	for (int i = 0; i < 3; i++)
		stage->streams[i] = -1;
}

/* Waits for its end and gives its exit status. */
static int finish_client(struct stage *stage)
{
	int status;

	assert_int_equal(waitpid(stage->pid, &status, 0), stage->pid);
	mvm_control_finish(&stage->control);
	mvm_close(&stage->in_reader);
	mvm_close(&stage->in);
	mvm_close(&stage->out);
	mvm_close(&stage->err);
	mvm_close(&stage->terminal);
	for (int i = 0; i < 3; i++)
		mvm_close(&stage->streams[i]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* The supervisor */

/* The next request, which must be `op`. The caller owns it. */
static json_t *expect(struct stage *stage, const char *op)
{
	struct mvm_error *err = NULL;
	json_t *request = NULL;

	assert_ok(mvm_control_receive(&stage->control, &request, &err));
	assert_string_equal(json_string_value(json_object_get(request, "op")), op);
	return request;
}

static void say(struct stage *stage, json_t *message, const int *fds, size_t count)
{
	struct mvm_error *err = NULL;

	assert_non_null(message);
	assert_ok(mvm_control_send(&stage->control, message, fds, count, &err));
}

static void answer(struct stage *stage, const json_t *request)
{
	say(stage, json_pack("{sI, sb}", "id", json_integer_value(json_object_get(request, "id")), "ok", 1), NULL, 0);
}

static void take_attach(struct stage *stage)
{
	static const char *const names[] = {"stdin", "stdout", "stderr"};
	json_t *request MVM_CLEAN_JSON = expect(stage, "attach");
	json_t *reply = json_pack("{sO, sb}", "id", json_object_get(request, "id"), "ok", 1);
	int theirs[3];
	size_t count = 0;

	for (int i = 0; i < 3; i++) {
		int pair[2];

		if (!json_is_true(json_object_get(request, names[i])))
			continue;
		assert_int_equal(mvm_socketpair(SOCK_STREAM, pair), 0);
		stage->streams[i] = pair[0];
		theirs[count++] = pair[1];
	}
	say(stage, reply, theirs, count);
	for (size_t i = 0; i < count; i++)
		close(theirs[i]);
}

static void take_start(struct stage *stage)
{
	json_t *request MVM_CLEAN_JSON = expect(stage, "start");

	answer(stage, request);
}

static void end_streams(struct stage *stage)
{
	for (int i = 0; i < 3; i++)
		mvm_close(&stage->streams[i]);
}

static void tell_exit(struct stage *stage, int code, const char *error)
{
	say(stage, json_pack("{ss, si, ss*}", "event", "exit", "exit_code", code, "error", error), NULL, 0);
}

static void write_text(int fd, const char *text)
{
	assert_int_equal(mvm_write_full(fd, text, strlen(text)), strlen(text));
}

/* All that comes until the end; the caller owns it. */
static char *read_all(int fd)
{
	struct mvm_buf buf = {0};
	ssize_t n;

	while ((n = read(fd, mvm_buf_reserve(&buf, 65536), 65536)) > 0)
		buf.length += (size_t)n;
	return mvm_buf_steal(&buf);
}

static void assert_reads(int fd, const char *expected)
{
	char *text MVM_CLEAN_FREE = read_all(fd);

	assert_string_equal(text, expected);
}

/* Outputs and the outcome */

static void streams_are_separate_and_the_exit_code_is_passed_on(void **state)
{
	struct stage stage;

	start_client(&stage, false);
	take_attach(&stage);
	assert_int_equal(stage.streams[0], -1);
	take_start(&stage);
	write_text(stage.streams[1], "to stdout\n");
	write_text(stage.streams[2], "to stderr\n");
	end_streams(&stage);
	tell_exit(&stage, 42, NULL);
	assert_reads(stage.out, "to stdout\n");
	assert_reads(stage.err, "to stderr\n");
	assert_int_equal(finish_client(&stage), 42);
}

/* What is still on its way when the end is told must be written too. */
static void the_end_waits_for_the_output(void **state)
{
	struct stage stage;

	start_client(&stage, false);
	take_attach(&stage);
	take_start(&stage);
	tell_exit(&stage, 7, NULL);
	write_text(stage.streams[1], "late");
	mvm_close(&stage.streams[2]);
	write_text(stage.streams[1], " words");
	end_streams(&stage);
	assert_reads(stage.out, "late words");
	assert_int_equal(finish_client(&stage), 7);
}

static void a_refused_start_is_an_error(void **state)
{
	struct stage stage;
	json_t *request;

	start_client(&stage, false);
	take_attach(&stage);
	request = expect(&stage, "start");
	say(&stage,
	    json_pack("{sO, s{ss, ss}}", "id", json_object_get(request, "id"), "error", "code", "no-program", "message",
		      "exec: \"nope\" not found"),
	    NULL, 0);
	json_decref(request);
	tell_exit(&stage, 127, "exec: \"nope\" not found");
	end_streams(&stage);
	assert_reads(stage.out, "");
	assert_reads(stage.err, "failed: no-program: exec: \"nope\" not found\n");
	assert_int_equal(finish_client(&stage), FAILED);
}

static void a_refused_attach_is_an_error(void **state)
{
	struct stage stage;
	json_t *request;

	start_client(&stage, false);
	request = expect(&stage, "attach");
	say(&stage,
	    json_pack("{sO, s{ss, ss}}", "id", json_object_get(request, "id"), "error", "code", "unsupported",
		      "message", "no such backend"),
	    NULL, 0);
	json_decref(request);
	assert_reads(stage.err, "failed: unsupported: no such backend\n");
	assert_int_equal(finish_client(&stage), FAILED);
}

static void a_machine_that_died_is_told_and_has_its_code(void **state)
{
	struct stage stage;

	start_client(&stage, false);
	take_attach(&stage);
	take_start(&stage);
	write_text(stage.streams[1], "before");
	end_streams(&stage);
	tell_exit(&stage, 255, "the VM's kernel panicked");
	assert_reads(stage.out, "before");
	assert_reads(stage.err, "mvm: the VM's kernel panicked\n");
	assert_int_equal(finish_client(&stage), 255);
}

static void a_supervisor_that_was_killed_is_told(void **state)
{
	struct stage stage;

	start_client(&stage, false);
	take_attach(&stage);
	take_start(&stage);
	write_text(stage.streams[1], "before");
	end_streams(&stage);
	mvm_control_finish(&stage.control);
	stage.control.fd = -1;
	assert_reads(stage.out, "before");
	assert_reads(stage.err, "mvm: the supervisor of the container was killed\n");
	assert_int_equal(finish_client(&stage), 255);
}

static void notices_go_to_stderr(void **state)
{
	struct stage stage;

	start_client(&stage, false);
	say(&stage, json_pack("{ss, ss}", "event", "notice", "text", "KVM does not work here"), NULL, 0);
	take_attach(&stage);
	take_start(&stage);
	say(&stage, json_pack("{ss, ss}", "event", "notice", "text", "second"), NULL, 0);
	end_streams(&stage);
	tell_exit(&stage, 0, NULL);
	assert_reads(stage.out, "");
	assert_reads(stage.err, "mvm: KVM does not work here\nmvm: second\n");
	assert_int_equal(finish_client(&stage), 0);
}

/* Nobody reads stderr: stdout flows on, all of it. */
static void a_reader_that_stalls_holds_up_its_own_stream_only(void **state)
{
	char *data MVM_CLEAN_FREE = mvm_alloc(BIG), *got MVM_CLEAN_FREE = mvm_alloc(BIG);
	struct stage stage;
	unsigned seed = 7;
	pid_t writer;

	for (size_t i = 0; i < BIG; i++)
		data[i] = (char)(rand_r(&seed) >> 7);
	start_client(&stage, false);
	take_attach(&stage);
	take_start(&stage);
	writer = fork();
	if (writer == 0) {
		mvm_close(&stage.streams[1]);
		_exit(mvm_write_full(stage.streams[2], data, BIG) == BIG ? 0 : 1);
	}
	mvm_close(&stage.streams[2]);
	for (size_t sent = 0; sent < BIG; sent += BIG / 64) {
		assert_int_equal(mvm_write_full(stage.streams[1], data + sent, BIG / 64), BIG / 64);
		assert_int_equal(mvm_read_full(stage.out, got + sent, BIG / 64), BIG / 64);
	}
	assert_memory_equal(got, data, BIG);
	assert_int_equal(waitpid(writer, NULL, WNOHANG), 0);
	assert_int_equal(mvm_read_full(stage.err, got, BIG), BIG);
	assert_memory_equal(got, data, BIG);
	assert_int_equal(wait_for_exit(writer), 0);
	end_streams(&stage);
	tell_exit(&stage, 0, NULL);
	assert_int_equal(finish_client(&stage), 0);
}

static void a_reader_that_goes_ends_the_client_and_not_the_container(void **state)
{
	struct stage stage;

	start_client(&stage, false);
	take_attach(&stage);
	take_start(&stage);
	mvm_close(&stage.out);
	write_text(stage.streams[1], "nobody reads this");
	assert_reads(stage.err,
		     "failed: io: cannot write to stdout: Broken pipe; the container goes on, see 'mvm ps'\n");
	assert_int_equal(finish_client(&stage), FAILED);
}

/* Input */

static void input_goes_to_the_container_and_ends_there(void **state)
{
	char *data MVM_CLEAN_FREE = mvm_alloc(BIG), *got MVM_CLEAN_FREE = mvm_alloc(BIG);
	struct stage stage;
	unsigned seed = 9;
	pid_t writer;
	char byte;

	for (size_t i = 0; i < BIG; i++)
		data[i] = (char)(rand_r(&seed) >> 7);
	start_client(&stage, true);
	take_attach(&stage);
	assert_true(stage.streams[0] >= 0);
	take_start(&stage);
	writer = fork();
	if (writer == 0)
		_exit(mvm_write_full(stage.in, data, BIG) == BIG ? 0 : 1);
	mvm_close(&stage.in);
	assert_int_equal(mvm_read_full(stage.streams[0], got, BIG), BIG);
	assert_memory_equal(got, data, BIG);
	assert_int_equal(wait_for_exit(writer), 0);
	assert_int_equal(mvm_read_full(stage.streams[0], &byte, 1), 0);
	/* Its end is not ours. */
	write_text(stage.streams[1], "answer");
	end_streams(&stage);
	tell_exit(&stage, 0, NULL);
	assert_reads(stage.out, "answer");
	assert_int_equal(finish_client(&stage), 0);
}

static void input_that_the_container_does_not_take_is_no_error(void **state)
{
	struct stage stage;

	start_client(&stage, true);
	take_attach(&stage);
	take_start(&stage);
	mvm_close(&stage.streams[0]);
	write_text(stage.in, "unwanted");
	write_text(stage.streams[1], "goes on");
	end_streams(&stage);
	tell_exit(&stage, 3, NULL);
	assert_reads(stage.out, "goes on");
	assert_reads(stage.err, "");
	assert_int_equal(finish_client(&stage), 3);
}

static void without_interest_input_is_not_read(void **state)
{
	struct stage stage;
	char text[17];

	start_client(&stage, false);
	write_text(stage.in, "for somebody else");
	take_attach(&stage);
	take_start(&stage);
	end_streams(&stage);
	tell_exit(&stage, 0, NULL);
	assert_reads(stage.out, "");
	mvm_close(&stage.in);
	assert_int_equal(mvm_read_full(stage.in_reader, text, sizeof(text)), sizeof(text));
	assert_memory_equal(text, "for somebody else", sizeof(text));
	assert_int_equal(finish_client(&stage), 0);
}

/* Signals */

/* It has read the answer to the start when it writes what comes later. */
static void wait_until_started(struct stage *stage)
{
	char byte;

	write_text(stage->streams[1], "x");
	assert_int_equal(read(stage->out, &byte, 1), 1);
	say(stage, json_pack("{ss, ss}", "event", "notice", "text", "x"), NULL, 0);
	do
		assert_int_equal(read(stage->err, &byte, 1), 1);
	while (byte != '\n');
}

static void signals_go_to_the_program(void **state)
{
	static const struct {
		int ours, guests;
	} cases[] = {{SIGTERM, 15}, {SIGINT, 2}, {SIGHUP, 1}, {SIGQUIT, 3}, {SIGUSR1, 10}, {SIGUSR2, 12}};
	struct stage stage;

	start_client(&stage, false);
	take_attach(&stage);
	take_start(&stage);
	wait_until_started(&stage);
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		json_t *request MVM_CLEAN_JSON = NULL;

		assert_int_equal(kill(stage.pid, cases[i].ours), 0);
		request = expect(&stage, "signal");
		assert_int_equal(json_integer_value(json_object_get(request, "signo")), cases[i].guests);
		answer(&stage, request);
	}
	end_streams(&stage);
	tell_exit(&stage, 143, NULL);
	assert_reads(stage.out, "");
	assert_int_equal(finish_client(&stage), 143);
}

/* As docker: nobody need answer for that. */
static void the_third_of_its_signals_ends_the_client(void **state)
{
	json_t *first MVM_CLEAN_JSON = NULL, *second MVM_CLEAN_JSON = NULL;
	struct stage stage;

	start_client(&stage, false);
	take_attach(&stage);
	take_start(&stage);
	wait_until_started(&stage);
	assert_int_equal(kill(stage.pid, SIGINT), 0);
	first = expect(&stage, "signal");
	assert_int_equal(kill(stage.pid, SIGTERM), 0);
	second = expect(&stage, "signal");
	assert_int_equal(kill(stage.pid, SIGINT), 0);
	assert_reads(stage.err, "\nmvm: got 3 SIGTERM/SIGINTs, forcefully exiting\n");
	assert_int_equal(finish_client(&stage), 1);
}

/* A boot takes a while; Ctrl-C must not wait for it. */
static void a_signal_before_the_start_gives_up(void **state)
{
	static const struct {
		int signo, status;
	} cases[] = {{SIGINT, 130}, {SIGTERM, 143}};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		json_t *request MVM_CLEAN_JSON = NULL, *start MVM_CLEAN_JSON = NULL;
		struct stage stage;

		start_client(&stage, false);
		take_attach(&stage);
		start = expect(&stage, "start");
		assert_int_equal(kill(stage.pid, cases[i].signo), 0);
		request = expect(&stage, "destroy");
		say(&stage,
		    json_pack("{sO, s{ss, ss}}", "id", json_object_get(start, "id"), "error", "code", "interrupted",
			      "message", "removed before it ran"),
		    NULL, 0);
		end_streams(&stage);
		tell_exit(&stage, 125, "removed before it ran");
		assert_reads(stage.err, "");
		assert_int_equal(finish_client(&stage), cases[i].status);
	}
}

/* The terminal */

static void become_terminal_client(const char *name, const int control[2])
{
	const struct cli_attach options = {.tty = true, .stdin_on = true, .sig_proxy = true};
	int fd;

	setsid();
	fd = open(name, O_RDWR);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	for (fd = STDERR_FILENO + 1; fd < 64; fd++)
		if (fd != control[1])
			close(fd);
	run_client(control[1], &options);
}

/* Keeps the terminal's slave open, so that it can be looked at when the client is gone. */
static void start_terminal_client(struct stage *stage, int *slave)
{
	const struct winsize size = {.ws_row = 33, .ws_col = 101};
	int master = posix_openpt(O_RDWR | O_NOCTTY), control[2];
	const char *name;

	if (master < 0)
		skip();
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	name = ptsname(master);
	*slave = open(name, O_RDWR | O_NOCTTY);
	assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
	assert_int_equal(mvm_socketpair(SOCK_STREAM, control), 0);
	*stage = (struct stage){
		.in_reader = -1, .in = -1, .out = -1, .err = -1, .terminal = master, .streams = {-1, -1, -1}};
	fflush(stdout);
	stage->pid = fork();
	if (stage->pid == 0)
		become_terminal_client(name, control);
	close(control[1]);
	mvm_control_init(&stage->control, control[0]);
}

static void take_resize(struct stage *stage, int rows, int cols)
{
	json_t *request MVM_CLEAN_JSON = expect(stage, "resize");

	assert_int_equal(json_integer_value(json_object_get(request, "rows")), rows);
	assert_int_equal(json_integer_value(json_object_get(request, "cols")), cols);
	answer(stage, request);
}

static bool is_raw(int terminal)
{
	struct termios settings;

	assert_int_equal(tcgetattr(terminal, &settings), 0);
	return !(settings.c_lflag & (ICANON | ECHO | ISIG));
}

static void the_terminal_is_raw_meanwhile_and_sane_afterwards(void **state)
{
	struct stage stage;
	char text[16];
	int slave, master;

	start_terminal_client(&stage, &slave);
	/* Without a master the slave cannot be asked. */
	master = dup(stage.terminal);
	assert_false(is_raw(slave));
	take_resize(&stage, 33, 101);
	take_attach(&stage);
	/* A terminal has one output. */
	assert_int_equal(stage.streams[2], -1);
	take_start(&stage);
	assert_true(is_raw(slave));
	write_text(stage.streams[1], "# ");
	assert_int_equal(mvm_read_full(stage.terminal, text, 2), 2);
	assert_memory_equal(text, "# ", 2);
	/* Ctrl-C is the program's, not ours. */
	write_text(stage.terminal, "\003x");
	assert_int_equal(mvm_read_full(stage.streams[0], text, 2), 2);
	assert_memory_equal(text, "\003x", 2);
	end_streams(&stage);
	tell_exit(&stage, 5, NULL);
	assert_int_equal(finish_client(&stage), 5);
	assert_false(is_raw(slave));
	close(master);
	close(slave);
}

static void the_terminal_is_restored_whatever_happens(void **state)
{
	for (int how = 0; how < 3; how++) {
		struct stage stage;
		int slave, master;

		start_terminal_client(&stage, &slave);
		master = dup(stage.terminal);
		take_resize(&stage, 33, 101);
		if (how > 0)
			take_attach(&stage);
		if (how > 1)
			take_start(&stage);
		/* The supervisor dies. */
		end_streams(&stage);
		mvm_control_finish(&stage.control);
		stage.control.fd = -1;
		assert_int_equal(finish_client(&stage), how > 1 ? 255 : FAILED);
		assert_false(is_raw(slave));
		close(master);
		close(slave);
	}
}

static void a_new_size_is_told(void **state)
{
	const struct winsize size = {.ws_row = 10, .ws_col = 20};
	struct stage stage;
	int slave;

	start_terminal_client(&stage, &slave);
	take_resize(&stage, 33, 101);
	take_attach(&stage);
	take_start(&stage);
	assert_int_equal(ioctl(stage.terminal, TIOCSWINSZ, &size), 0);
	/* The kernel tells the foreground processes of a session; ours may have no such terminal. */
	kill(stage.pid, SIGWINCH);
	take_resize(&stage, 10, 20);
	end_streams(&stage);
	tell_exit(&stage, 0, NULL);
	assert_int_equal(finish_client(&stage), 0);
	close(slave);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_are_separate_and_the_exit_code_is_passed_on),
		cmocka_unit_test(the_end_waits_for_the_output),
		cmocka_unit_test(a_refused_start_is_an_error),
		cmocka_unit_test(a_refused_attach_is_an_error),
		cmocka_unit_test(a_machine_that_died_is_told_and_has_its_code),
		cmocka_unit_test(a_supervisor_that_was_killed_is_told),
		cmocka_unit_test(notices_go_to_stderr),
		cmocka_unit_test(a_reader_that_stalls_holds_up_its_own_stream_only),
		cmocka_unit_test(a_reader_that_goes_ends_the_client_and_not_the_container),
		cmocka_unit_test(input_goes_to_the_container_and_ends_there),
		cmocka_unit_test(input_that_the_container_does_not_take_is_no_error),
		cmocka_unit_test(without_interest_input_is_not_read),
		cmocka_unit_test(signals_go_to_the_program),
		cmocka_unit_test(the_third_of_its_signals_ends_the_client),
		cmocka_unit_test(a_signal_before_the_start_gives_up),
		cmocka_unit_test(the_terminal_is_raw_meanwhile_and_sane_afterwards),
		cmocka_unit_test(the_terminal_is_restored_whatever_happens),
		cmocka_unit_test(a_new_size_is_told),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
