#include "helper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/spawn.h"

#define NOT_FOUND_MESSAGE "credentials not found in native keychain"
/* Cloud registries' tokens are of some thousand bytes. */
#define MAX_OUTPUT  (64 << 10)
#define MAX_MESSAGE 300
/* Milliseconds between looks at whether it has ended, while its streams are silent or closed. */
#define SILENT_INTERVAL 100
#define CLOSED_INTERVAL 2

struct helper {
	char *program;
	pid_t pid;
	int in, out, errors;
	const char *input;
	size_t left; /* of the input */
	struct mvm_buf *output;
	struct mvm_buf said; /* on stderr */
	bool overlong;
};

static void helper_finish(struct helper *helper)
{
	if (helper->pid > 0) {
		kill(helper->pid, SIGKILL);
		waitpid(helper->pid, NULL, 0);
	}
	mvm_close(&helper->in);
	mvm_close(&helper->out);
	mvm_close(&helper->errors);
	mvm_buf_finish(&helper->said);
	free(helper->program);
}

static int start(struct helper *helper, const char *action, struct mvm_error **err)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, errors[2] = {-1, -1}, result = -1;

	if (mvm_pipe(in) < 0 || mvm_pipe(out) < 0 || mvm_pipe(errors) < 0) {
		mvm_fail_errno(err, errno, "cannot start %s", helper->program);
	} else {
		char *argv[] = {helper->program, (char *)action, NULL};
		struct mvm_spawn_fd fds[] = {{in[0], 0}, {out[1], 1}, {errors[1], 2}};
		struct mvm_spawn spawn = {
			.program = helper->program, .argv = argv, .fds = fds, .fd_count = 3, .die_with_parent = true};

		result = mvm_spawn(&spawn, &helper->pid, err);
	}
	mvm_close(&in[0]);
	mvm_close(&out[1]);
	mvm_close(&errors[1]);
	helper->in = in[1];
	helper->out = out[0];
	helper->errors = errors[0];
	if (result < 0)
		return -1;
	mvm_set_nonblock(helper->in, true);
	mvm_set_nonblock(helper->out, true);
	mvm_set_nonblock(helper->errors, true);
	return 0;
}

/* One that does not want to hear more may be right: its answer decides. */
static void feed(struct helper *helper)
{
	ssize_t n = helper->left ? write(helper->in, helper->input, helper->left) : 0;

	if (n > 0) {
		helper->input += n;
		helper->left -= (size_t)n;
	}
	if (!helper->left || (n < 0 && errno != EAGAIN && errno != EINTR))
		mvm_close(&helper->in);
}

/* All that is there. Closes the descriptor at its end. */
static void drain(struct helper *helper, int *fd, struct mvm_buf *into)
{
	char piece[4096];
	ssize_t n;

	while (*fd >= 0) {
		n = read(*fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			mvm_close(fd);
		else if (into->length + (size_t)n <= MAX_OUTPUT)
			mvm_buf_add(into, piece, (size_t)n);
		else
			helper->overlong = true;
		if (helper->overlong)
			return;
	}
}

/* Until it has ended: 1, and 0 where its time is up. It is its end that counts, not that of its streams, which
 * something it started in the background may hold on to. */
static int run(struct helper *helper, int seconds, int *status)
{
	uint64_t end = mvm_now_ns() + (uint64_t)seconds * 1000000000u;

	while (mvm_now_ns() < end && !helper->overlong) {
		struct pollfd fds[] = {{helper->in, POLLOUT, 0}, {helper->out, POLLIN, 0}, {helper->errors, POLLIN, 0}};
		bool ended;

		poll(fds, 3, helper->out < 0 && helper->errors < 0 ? CLOSED_INTERVAL : SILENT_INTERVAL);
		if (fds[0].revents)
			feed(helper);
		ended = waitpid(helper->pid, status, WNOHANG) == helper->pid;
		drain(helper, &helper->out, helper->output);
		drain(helper, &helper->errors, &helper->said);
		if (ended) {
			helper->pid = 0;
			return 1;
		}
	}
	return 0;
}

/* What it said, for people: the first line, stdout before stderr as docker's own helpers do it. */
static void message_of(const struct helper *helper, char *message, size_t size)
{
	const char *text = helper->output->length ? helper->output->data : helper->said.data;

	text = text ? text + strspn(text, " \t\r\n") : "";
	snprintf(message, size, "%.*s", (int)strcspn(text, "\r\n"), text);
	for (char *at = message; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = ' ';
}

static int conclude(struct helper *helper, const char *action, int status, struct mvm_error **err)
{
	char message[MAX_MESSAGE];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	message_of(helper, message, sizeof(message));
	if (WIFEXITED(status) && !strcmp(message, NOT_FOUND_MESSAGE))
		return 1;
	if (WIFSIGNALED(status))
		return mvm_fail(err, MVM_ERR_AUTH, "the credential helper %s was ended by signal %d (%s)",
				helper->program, WTERMSIG(status), strsignal(WTERMSIG(status)));
	return mvm_fail(err, MVM_ERR_AUTH, "'%s %s' failed with status %d%s%s", helper->program, action,
			WEXITSTATUS(status), *message ? ": " : ", without a word", message);
}

static int missing(const struct helper *helper, struct mvm_error **cause, struct mvm_error **err)
{
	if (mvm_error_code(*cause) != MVM_ERR_NOT_FOUND)
		return mvm_error_move(err, cause);
	return mvm_fail(err, MVM_ERR_NOT_FOUND,
			"the credential helper %s is not installed (not found in PATH); install it, or take it out of "
			"\"credsStore\" and \"credHelpers\"",
			helper->program);
}

int mvm_helper_run(const char *name, const char *action, const char *input, int seconds, struct mvm_buf *output,
		   struct mvm_error **err)
{
	struct helper helper __attribute__((cleanup(helper_finish))) = {
		.in = -1, .out = -1, .errors = -1, .input = input, .left = strlen(input), .output = output};
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	int status = 0, ended;

	if (!*name || strchr(name, '/'))
		return mvm_fail(err, MVM_ERR_INVALID, "\"%.100s\" is not the name of a credential helper", name);
	helper.program = mvm_format("docker-credential-%s", name);
	if (start(&helper, action, &cause) < 0)
		return missing(&helper, &cause, err);
	ended = run(&helper, seconds, &status);
	if (helper.overlong)
		return mvm_fail(err, MVM_ERR_AUTH, "'%s %s' prints more than %d bytes", helper.program, action,
				MAX_OUTPUT);
	if (!ended)
		return mvm_fail(err, MVM_ERR_TIMEOUT, "'%s %s' did not end within %d s", helper.program, action,
				seconds);
	return conclude(&helper, action, status, err);
}
