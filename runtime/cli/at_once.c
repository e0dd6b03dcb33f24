/*
 * One action on several containers at the same time, each in a process of its own: what takes long is waiting. What
 * they say comes in the order in which the containers were named.
 */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/io.h"

#define AT_ONCE	  50
#define REPLY_MAX 8192 /* an error's code and message */

struct job {
	pid_t pid;
	int said;  /* what it wrote to stdout */
	int error; /* the code's name and the message, on two lines; nothing where it worked */
};

static int act(char *arg, cli_action_fn action, void *context, struct mvm_error **err)
{
	char *args[] = {arg, NULL};

	return cli_for_each(args, action, context, err);
}

static void run_job(char *arg, cli_action_fn action, void *context, int said, int error)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *reply MVM_CLEAN_FREE = NULL;

	if (dup2(said, STDOUT_FILENO) < 0)
		_exit(1);
	if (act(arg, action, context, &err) < 0)
		reply = mvm_format("%s\n%s", mvm_error_code_name(mvm_error_code(err)), mvm_error_message(err));
	fflush(stdout);
	if (reply)
		mvm_write_full(error, reply, strlen(reply));
	_exit(0);
}

static int start_job(char *arg, cli_action_fn action, void *context, struct job *job, struct mvm_error **err)
{
	int said[2], error[2];

	if (mvm_pipe(said) < 0)
		return mvm_fail_errno(err, errno, "cannot make a pipe");
	if (mvm_pipe(error) < 0) {
		close(said[0]);
		close(said[1]);
		return mvm_fail_errno(err, errno, "cannot make a pipe");
	}
	fflush(NULL);
	job->pid = fork();
	if (job->pid == 0)
		run_job(arg, action, context, said[1], error[1]);
	close(said[1]);
	close(error[1]);
	job->said = said[0];
	job->error = error[0];
	return job->pid < 0 ? mvm_fail_errno(err, errno, "cannot start a process") : 0;
}

static void pass_on(int fd)
{
	char piece[4096];
	ssize_t n;

	while ((n = mvm_read_full(fd, piece, sizeof(piece))) > 0)
		fwrite(piece, 1, (size_t)n, stdout);
	fflush(stdout);
}

/* Waits for its end. */
static int end_job(struct job *job, const char *arg, struct mvm_error **err)
{
	char *reply MVM_CLEAN_FREE = mvm_alloc(REPLY_MAX + 1);
	char *message;
	ssize_t n;
	int status;

	pass_on(job->said);
	n = mvm_read_full(job->error, reply, REPLY_MAX);
	mvm_close(&job->said);
	mvm_close(&job->error);
	while (waitpid(job->pid, &status, 0) < 0)
		if (errno != EINTR)
			return mvm_fail_errno(err, errno, "%s", arg);
	message = n > 0 ? strchr(reply, '\n') : NULL;
	if (message) {
		*message++ = '\0';
		return mvm_fail(err, mvm_error_code_parse(reply), "%s", message);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return mvm_fail(err, MVM_ERR_INTERRUPTED, "%s: the process that was to do it was killed", arg);
	return 0;
}

int cli_at_once(char **args, cli_action_fn action, void *context, struct mvm_error **err)
{
	struct job *jobs MVM_CLEAN_FREE = NULL;
	size_t count = 0, started = 0;
	int result = 0;

	while (args[count])
		count++;
	if (count == 1)
		return cli_for_each(args, action, context, err);
	jobs = mvm_alloc(count * sizeof(*jobs));
	for (size_t i = 0; i < count; i++) {
		struct mvm_error *local = NULL;

		while (started < count && started - i < AT_ONCE &&
		       start_job(args[started], action, context, &jobs[started], &local) == 0)
			started++;
		/* What could not be started now may be when one of those that run has ended. */
		if (started > i)
			mvm_error_clear(&local);
		if (started > i ? end_job(&jobs[i], args[i], &local) < 0 : local != NULL)
			result = cli_note_failure(local, err);
		started = started > i ? started : i + 1;
	}
	return result;
}
