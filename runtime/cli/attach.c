/*
 * The terminal or the pipes of this process, joined to a container.
 *
 * Theory of operation: one loop. Each output has its own buffer and is read again only when that is
 * written, so that a reader of stdout that stalls does not hold up stderr. The user's descriptors stay
 * blocking, because others share them: a pipe gets at most PIPE_BUF bytes when poll() says that
 * it takes some, which never blocks. It is over when the supervisor has told the end and both outputs have ended; or,
 * for an exec, whose children may outlive it, when they have been silent for a while.
 */
#include "cli.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "awake.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/text.h"
#include "runtime/engine/client.h"
#include "runtime/state/control.h"

#define PIECE (128 * 1024)
/* As long as docker waits for the outputs of a process that has ended; here, since the last byte. */
#define LINGER_MS  2000
#define FORCE_EXIT 3 /* signals */

struct session;

/* From the container (a socket of ours, non-blocking) to a descriptor of the user's. */
struct output {
	struct session *session;
	int from, to;
	size_t most; /* bytes in one write */
	struct mvm_watch *readable, *writable;
	char *piece;
	size_t length, written;
};

struct session {
	struct mvm_loop *loop;
	struct mvm_client *client;
	const struct cli_attach *options;
	struct mvm_watch *control;
	struct output outputs[2];
	int outputs_open;

	int input; /* to the container, -1 once closed */
	struct mvm_watch *input_watch, *stdin_watch;
	char *piece, *typed;
	size_t length, sent;
	struct cli_detach detach;
	bool detached;

	uint32_t process;	  /* that of an exec; 0: the container's */
	struct mvm_timer *linger; /* an exec's: what it left behind may hold its outputs */

	json_int_t start_id;
	bool started, ended, broken_pipe;
	int ended_by;	  /* a signal that came before the start, 0 for none */
	int terminations; /* SIGINT and SIGTERM so far */
	int exit_code;
	struct mvm_error *error;
};

static struct termios saved_terminal;
static bool terminal_is_raw;

static void restore_terminal(void)
{
	if (terminal_is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
	terminal_is_raw = false;
}

static void make_terminal_raw(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &saved_terminal) < 0)
		return;
	raw = saved_terminal;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return;
	terminal_is_raw = true;
	atexit(restore_terminal);
}

static void check_end(struct session *session)
{
	if (session->ended && (!session->outputs_open || session->broken_pipe))
		mvm_loop_stop(session->loop);
}

static void end_session(struct session *session)
{
	session->ended = true;
	check_end(session);
}

/* Outputs */

static void close_output(struct output *output)
{
	mvm_watch_remove(output->readable);
	mvm_watch_remove(output->writable);
	mvm_close(&output->from);
	output->session->outputs_open--;
	check_end(output->session);
}

static void output_failed(struct output *output)
{
	struct session *session = output->session;

	/* Docker's way: the container goes on without its reader. */
	session->broken_pipe = true;
	mvm_fail(&session->error, MVM_ERR_IO, "cannot write to %s: %s; the %s",
		 output->to == STDOUT_FILENO ? "stdout" : "stderr", strerror(errno),
		 session->process ? "program goes on" : "container goes on, see 'mvm ps'");
	close_output(output);
	end_session(session);
}

static void write_output(void *arg, int fd, short revents)
{
	struct output *output = arg;
	size_t left = output->length - output->written;
	ssize_t n = write(fd, output->piece + output->written, left < output->most ? left : output->most);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		output_failed(output);
		return;
	}
	output->written += (size_t)n;
	if (output->written == output->length) {
		mvm_watch_set(output->writable, 0);
		mvm_watch_set(output->readable, POLLIN);
	}
}

static void wait_for_silence(struct session *session)
{
	if (session->process && session->ended)
		mvm_timer_start(session->linger, LINGER_MS);
}

/* The process has ended, and whoever else has its outputs says nothing. */
static void silent(void *arg)
{
	struct session *session = arg;

	for (size_t i = 0; i < MVM_COUNT(session->outputs); i++) {
		if (session->outputs[i].written < session->outputs[i].length) {
			wait_for_silence(session);
			return;
		}
	}
	for (size_t i = 0; i < MVM_COUNT(session->outputs); i++)
		if (session->outputs[i].from >= 0)
			close_output(&session->outputs[i]);
}

static void read_output(void *arg, int fd, short revents)
{
	struct output *output = arg;
	ssize_t n = read(fd, output->piece, PIECE);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		close_output(output);
		return;
	}
	output->length = (size_t)n;
	output->written = 0;
	wait_for_silence(output->session);
	mvm_watch_set(output->readable, 0);
	mvm_watch_set(output->writable, POLLOUT);
}

static void open_output(struct session *session, struct output *output, int from, int to)
{
	struct stat st;

	*output = (struct output){.session = session, .from = from, .to = to, .most = PIECE};
	if (from < 0)
		return;
	if (fstat(to, &st) == 0 && S_ISFIFO(st.st_mode))
		output->most = PIPE_BUF;
	mvm_set_nonblock(from, true);
	output->piece = mvm_alloc(PIECE);
	output->readable = mvm_loop_watch(session->loop, from, POLLIN, read_output, output);
	output->writable = mvm_loop_watch(session->loop, to, 0, write_output, output);
	session->outputs_open++;
}

/* Input */

static void close_input(struct session *session)
{
	mvm_watch_remove(session->stdin_watch);
	mvm_watch_remove(session->input_watch);
	session->stdin_watch = session->input_watch = NULL;
	mvm_close(&session->input);
}

static void write_input(void *arg, int fd, short revents)
{
	struct session *session = arg;

	while (session->sent < session->length) {
		ssize_t n = send(session->input, session->piece + session->sent, session->length - session->sent, 0);

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			mvm_watch_set(session->input_watch, POLLOUT);
			mvm_watch_set(session->stdin_watch, 0);
			return;
		}
		if (n < 0 && errno != EINTR) {
			close_input(session);
			return;
		}
		if (n > 0)
			session->sent += (size_t)n;
	}
	mvm_watch_set(session->input_watch, 0);
	mvm_watch_set(session->stdin_watch, POLLIN);
}

static void say_detached(struct session *session)
{
	json_t *fields = session->process ? json_pack("{sI}", "process", (json_int_t)session->process) : NULL;
	json_int_t id;

	mvm_client_send(session->client, "detach", fields, &id, NULL);
	mvm_loop_stop(session->loop);
}

static void read_input(void *arg, int fd, short revents)
{
	struct session *session = arg;
	ssize_t n = read(fd, session->typed, PIECE);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		shutdown(session->input, SHUT_WR);
		close_input(session);
		return;
	}
	session->detached =
		cli_detach_filter(&session->detach, session->typed, (size_t)n, session->piece, &session->length);
	session->sent = 0;
	write_input(session, session->input, 0);
	/* Whoever leaves does not wait until the rest is taken. */
	if (session->detached)
		say_detached(session);
}

static void open_input(struct session *session, int fd)
{
	session->input = fd;
	if (fd < 0)
		return;
	mvm_set_nonblock(fd, true);
	session->piece = mvm_alloc(PIECE + CLI_DETACH_KEYS);
	session->typed = mvm_alloc(PIECE);
	/* Pipes have no keys. */
	if (session->options->tty)
		session->detach = session->options->detach;
	session->input_watch = mvm_loop_watch(session->loop, fd, 0, write_input, session);
	session->stdin_watch = mvm_loop_watch(session->loop, STDIN_FILENO, POLLIN, read_input, session);
}

/* Signals: their numbers in the guest are Linux's, whatever the host's are. */

static const struct {
	int signo;
	const char *name;
} proxied[] = {
	{SIGHUP, "HUP"},   {SIGINT, "INT"},   {SIGQUIT, "QUIT"}, {SIGUSR1, "USR1"},
	{SIGUSR2, "USR2"}, {SIGTERM, "TERM"}, {SIGALRM, "ALRM"},
};

static void send_signal(void *arg, int signo)
{
	struct session *session = arg;
	json_int_t id;
	int theirs = 0;

	/* As docker: whoever insists leaves, though the container may not have ended, or nobody may hear us. */
	if ((signo == SIGINT || signo == SIGTERM) && ++session->terminations == FORCE_EXIT) {
		fprintf(stderr, "\nmvm: got %d SIGTERM/SIGINTs, forcefully exiting\n", FORCE_EXIT);
		session->exit_code = 1;
		session->ended_by = 0;
		mvm_loop_stop(session->loop);
		return;
	}
	for (size_t i = 0; i < MVM_COUNT(proxied); i++)
		if (proxied[i].signo == signo)
			mvm_parse_signal(proxied[i].name, &theirs);
	if (session->started) {
		mvm_client_send(session->client, "signal", json_pack("{si}", "signo", theirs), &id, NULL);
	} else if (signo == SIGINT || signo == SIGTERM || signo == SIGHUP || signo == SIGQUIT) {
		session->ended_by = theirs;
		mvm_client_send(session->client, "destroy", NULL, &id, NULL);
	}
}

void cli_window_size(int *rows, int *cols)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
	*rows = size.ws_row;
	*cols = size.ws_col;
}

static json_t *window_size(void)
{
	int rows, cols;

	cli_window_size(&rows, &cols);
	return json_pack("{si, si}", "rows", rows, "cols", cols);
}

static void window_changed(void *arg, int signo)
{
	struct session *session = arg;
	json_t *fields = window_size();
	json_int_t id;

	if (session->process)
		json_object_set_new(fields, "process", json_integer(session->process));
	mvm_client_send(session->client, "resize", fields, &id, NULL);
}

/* The process goes on without us. */
static void leave(void *arg, int signo)
{
	struct session *session = arg;

	session->exit_code = 128 + signo;
	mvm_loop_stop(session->loop);
}

/* To an exec docker passes none on. Where the terminal need not be put right they may end us at once. */
static void catch_signals_of_exec(struct session *session)
{
	static const int fatal[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

	if (session->options->tty)
		mvm_loop_signal(session->loop, SIGWINCH, window_changed, session);
	for (size_t i = 0; terminal_is_raw && i < MVM_COUNT(fatal); i++)
		mvm_loop_signal(session->loop, fatal[i], leave, session);
}

static void catch_signals(struct session *session)
{
	if (session->options->tty)
		mvm_loop_signal(session->loop, SIGWINCH, window_changed, session);
	for (size_t i = 0; session->options->sig_proxy && i < MVM_COUNT(proxied); i++)
		mvm_loop_signal(session->loop, proxied[i].signo, send_signal, session);
}

/* What the supervisor says */

void cli_print_event(void *arg, const json_t *event)
{
	const char *text = json_string_value(json_object_get(event, "text"));

	/* In raw mode a line end is two characters. */
	if (text)
		fprintf(stderr, "mvm: %s%s\n", text, terminal_is_raw ? "\r" : "");
}

static void handle_exit(struct session *session, const json_t *message)
{
	const char *error = json_string_value(json_object_get(message, "error"));

	session->exit_code = (int)json_integer_value(json_object_get(message, "exit_code"));
	if (error && session->started)
		mvm_fail(&session->error, MVM_ERR_MACHINE, "%s", error);
	end_session(session);
	wait_for_silence(session);
}

static void handle_message(struct session *session, const json_t *message)
{
	const char *event = json_string_value(json_object_get(message, "event"));
	const json_t *error = json_object_get(message, "error");

	if (event && !strcmp(event, "exit")) {
		handle_exit(session, message);
	} else if (event) {
		cli_print_event(NULL, message);
	} else if (json_integer_value(json_object_get(message, "id")) == session->start_id) {
		session->started = !json_is_object(error);
		if (!session->started)
			mvm_control_error_from_json(error, &session->error);
	}
}

static void read_control(void *arg, int fd, short revents)
{
	struct session *session = arg;

	for (;;) {
		json_t *message MVM_CLEAN_JSON = NULL;
		int result = mvm_client_receive(session->client, &message, &session->error);

		if (result == MVM_CONTROL_AGAIN)
			return;
		if (result == 0) {
			handle_message(session, message);
			continue;
		}
		mvm_watch_remove(session->control);
		if (!session->ended) {
			session->exit_code = 255;
			mvm_fail(&session->error, MVM_ERR_MACHINE, "the supervisor of the container was killed");
			end_session(session);
		}
		return;
	}
}

/* A program that runs already draws its screen anew when the size changes: then it changes twice, as docker has it. */
static int tell_size(struct session *session, struct mvm_error **err)
{
	json_t *size = window_size();

	if (session->options->only_joins) {
		json_t *other =
			json_pack("{si, si}", "rows", (int)json_integer_value(json_object_get(size, "rows")) + 1,
				  "cols", (int)json_integer_value(json_object_get(size, "cols")) + 1);

		if (mvm_client_call(session->client, "resize", other, NULL, err) < 0) {
			json_decref(size);
			return -1;
		}
	}
	return mvm_client_call(session->client, "resize", size, NULL, err);
}

static void watch_control(struct session *session)
{
	int fd = mvm_client_fd(session->client);

	mvm_set_nonblock(fd, true);
	session->control = mvm_loop_watch(session->loop, fd, POLLIN, read_control, session);
}

static void open_streams(struct session *session, int fds[3])
{
	open_input(session, fds[0]);
	open_output(session, &session->outputs[0], fds[1], STDOUT_FILENO);
	open_output(session, &session->outputs[1], fds[2], STDERR_FILENO);
	for (int i = 0; i < 3; i++)
		fds[i] = -1;
}

static int begin(struct session *session, struct mvm_error **err)
{
	const struct cli_attach *options = session->options;
	const bool wanted[3] = {options->stdin_on, true, !options->tty};
	int fds[3];

	mvm_client_on_event(session->client, cli_print_event, NULL);
	if ((options->tty && tell_size(session, err) < 0) || mvm_client_attach(session->client, wanted, fds, err) < 0)
		return -1;
	open_streams(session, fds);
	if (!options->only_joins && mvm_client_send(session->client, "start", NULL, &session->start_id, err) < 0)
		return -1;
	watch_control(session);
	return 0;
}

static int outcome(struct session *session, int *exit_code, struct mvm_error **err)
{
	*exit_code = session->exit_code;
	if (session->ended_by && !session->started) {
		*exit_code = 128 + session->ended_by;
		mvm_error_clear(&session->error);
	}
	if (session->detached) {
		fputs("read escape sequence\n", stderr);
		mvm_error_clear(&session->error);
		return CLI_DETACHED;
	}
	if (!session->error)
		return 0;
	/* It ran, and what is left to tell is how it ended: that has an exit code of its own. */
	if (session->started && !session->broken_pipe) {
		cli_print_error(session->error);
		mvm_error_clear(&session->error);
		return 0;
	}
	*err = session->error;
	return -1;
}

/* `result`: of what came before. */
static int finish(struct session *session, int result, int *exit_code, struct mvm_error **err)
{
	restore_terminal();
	cli_may_sleep();
	if (result == 0)
		result = outcome(session, exit_code, err);
	else
		mvm_error_free(session->error);
	close_input(session);
	for (size_t i = 0; i < MVM_COUNT(session->outputs); i++) {
		if (session->outputs[i].piece)
			mvm_close(&session->outputs[i].from);
		free(session->outputs[i].piece);
	}
	free(session->piece);
	free(session->typed);
	mvm_loop_destroy(session->loop);
	return result;
}

int cli_attach_and_start(struct mvm_client *client, const struct cli_attach *options, int *exit_code,
			 struct mvm_error **err)
{
	struct session session = {.client = client, .options = options, .input = -1, .started = options->runs};
	int result;

	session.loop = mvm_loop_create();
	cli_stay_awake();
	catch_signals(&session);
	if (options->tty && options->stdin_on)
		make_terminal_raw();
	result = begin(&session, err);
	if (result == 0)
		result = mvm_loop_run(session.loop, err);
	return finish(&session, result, exit_code, err);
}

int cli_attach_exec(struct mvm_exec *exec, const struct cli_attach *options, int *exit_code, struct mvm_error **err)
{
	struct session session = {
		.client = exec->client, .options = options, .input = -1, .process = exec->process, .started = true};

	session.loop = mvm_loop_create();
	cli_stay_awake();
	session.linger = mvm_loop_timer(session.loop, silent, &session);
	if (options->tty && options->stdin_on)
		make_terminal_raw();
	catch_signals_of_exec(&session);
	open_streams(&session, exec->streams);
	watch_control(&session);
	/* The end may have come together with the start. */
	read_control(&session, mvm_client_fd(exec->client), POLLIN);
	return finish(&session, mvm_loop_run(session.loop, err), exit_code, err);
}
