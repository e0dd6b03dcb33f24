#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "error.h"
#include "io.h"
#include "mem.h"

int mvm_find_program(const char *name, char **path, struct mvm_error **err)
{
	const char *search = getenv("PATH");

	if (strchr(name, '/')) {
		*path = mvm_strdup(name);
		return 0;
	}
	if (!search || !*search)
		search = "/usr/local/bin:/usr/bin:/bin";
	while (*search) {
		size_t length = strcspn(search, ":");
		char *candidate = mvm_format("%.*s/%s", (int)length, search, name);
		struct stat st;

		if (stat(candidate, &st) == 0 && S_ISREG(st.st_mode) && access(candidate, X_OK) == 0) {
			*path = candidate;
			return 0;
		}
		free(candidate);
		search += length + (search[length] == ':');
	}
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "%s is not installed (not found in PATH)", name);
}

static void default_signals(void)
{
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		signal(signo, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What our own caller left open, a shell's lock file perhaps, is none of the child's business. */
static void close_others_on_exec(void)
{
#ifdef __linux__
	if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		return;
#endif
	for (int fd = 3; fd < getdtablesize(); fd++)
		mvm_set_cloexec(fd, true);
}

/* Descriptors are first lifted above every target, so that no dup2() can hit one still needed. */
static int place_fds(const struct mvm_spawn *spawn, int *report)
{
	int lifted[16], highest = 3, null;

	if (spawn->fd_count > MVM_COUNT(lifted)) {
		errno = EINVAL;
		return -1;
	}
	for (size_t i = 0; i < spawn->fd_count; i++)
		if (spawn->fds[i].to >= highest)
			highest = spawn->fds[i].to + 1;
	*report = fcntl(*report, F_DUPFD_CLOEXEC, highest);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* It may have become 0, 1 or 2 itself, which dup2() would leave as they are. */
	null = null < 0 ? -1 : fcntl(null, F_DUPFD_CLOEXEC, highest);
	if (*report < 0 || null < 0)
		return -1;
	for (size_t i = 0; i < spawn->fd_count; i++) {
		lifted[i] = fcntl(spawn->fds[i].from, F_DUPFD_CLOEXEC, highest);
		if (lifted[i] < 0)
			return -1;
	}
	close_others_on_exec();
	for (int fd = 0; fd < 3; fd++)
		if (dup2(null, fd) < 0)
			return -1;
	for (size_t i = 0; i < spawn->fd_count; i++)
		if (dup2(lifted[i], spawn->fds[i].to) < 0)
			return -1;
	return 0;
}

static void run_child(const struct mvm_spawn *spawn, const char *path, int report, pid_t parent)
{
	int errnum;

	default_signals();
	if (place_fds(spawn, &report) < 0)
		goto fail;
	if (spawn->new_session && setsid() < 0)
		goto fail;
#ifdef __linux__
	if (spawn->die_with_parent) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
			goto fail;
		/* It may have died before the request stood. */
		if (getppid() != parent)
			_exit(1);
	}
#else
	(void)parent;
#endif
	if (spawn->envp)
		execve(path, spawn->argv, spawn->envp);
	else
		execv(path, spawn->argv);
fail:
	errnum = errno;
	if (write(report, &errnum, sizeof(errnum)) < 0)
		_exit(126);
	_exit(127);
}

int mvm_spawn(const struct mvm_spawn *spawn, pid_t *pid, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = NULL;
	pid_t parent = getpid(), child;
	int report[2], errnum = 0;
	ssize_t n;

	if (mvm_find_program(spawn->program, &path, err) < 0)
		return -1;
	if (mvm_pipe(report) < 0)
		return mvm_fail_errno(err, errno, "cannot start %s", spawn->program);
	child = fork();
	if (child == 0)
		run_child(spawn, path, report[1], parent);
	errnum = child < 0 ? errno : 0;
	close(report[1]);
	n = child < 0 ? 0 : mvm_read_full(report[0], &errnum, sizeof(errnum));
	close(report[0]);
	if (child > 0 && n == (ssize_t)sizeof(errnum))
		waitpid(child, NULL, 0);
	if (errnum)
		return mvm_fail_errno(err, errnum, "cannot start %s", path);
	*pid = child;
	return 0;
}
