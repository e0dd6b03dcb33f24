#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "io.h"
#include "loop.h"
#include "mem.h"
#include "spawn.h"

/* What is past the limit is read and thrown away, so that the program comes to its end. */
static void keep(struct mvm_buf *output, const char *piece, size_t length)
{
	size_t room = MVM_OUTPUT_MAX - output->length;

	mvm_buf_add(output, piece, length < room ? length : room);
}

/* Until nobody has the other end any more: 0; -1 with errno set, ETIMEDOUT where it takes too long. */
static int read_all(int fd, uint64_t end, struct mvm_buf *output)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	char piece[4096];

	for (;;) {
		uint64_t now = mvm_now_ns();
		ssize_t n = -1;

		errno = ETIMEDOUT;
		if (now < end && poll(&ready, 1, (int)((end - now) / 1000000 + 1)) > 0)
			n = read(fd, piece, sizeof(piece));
		if (n > 0)
			keep(output, piece, (size_t)n);
		else if (n == 0)
			return 0;
		else if (errno != EINTR)
			return -1;
	}
}

int mvm_spawn_output(const char *program, char *const *argv, char *const *envp, int seconds, char **text, int *status,
		     struct mvm_error **err)
{
	uint64_t end = mvm_now_ns() + (uint64_t)seconds * 1000000000u;
	struct mvm_buf output = {0};
	int ends[2], failure, rc;
	pid_t pid;

	if (mvm_pipe(ends) < 0)
		return mvm_fail_errno(err, errno, "cannot make a pipe");
	const struct mvm_spawn_fd fds[] = {{ends[1], STDOUT_FILENO}, {ends[1], STDERR_FILENO}};
	const struct mvm_spawn spawn = {
		.program = program, .argv = argv, .envp = envp, .fds = fds, .fd_count = MVM_COUNT(fds)};
	rc = mvm_spawn(&spawn, &pid, err);
	close(ends[1]);
	failure = rc == 0 && read_all(ends[0], end, &output) < 0 ? errno : 0;
	close(ends[0]);
	if (failure)
		kill(pid, SIGKILL);
	while (rc == 0 && waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	if (failure == ETIMEDOUT)
		rc = mvm_fail(err, MVM_ERR_TIMEOUT, "%s has not ended within %d s", program, seconds);
	else if (failure)
		rc = mvm_fail_errno(err, failure, "cannot read what %s says", program);
	if (rc == 0)
		*text = mvm_buf_steal(&output);
	mvm_buf_finish(&output);
	return rc;
}
