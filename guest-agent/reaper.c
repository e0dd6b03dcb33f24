#include "reaper.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys.h"

void reaper_block(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, old);
}

static void reap(pid_t child)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == child)
			_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	/* Whatever comes now, the child is no longer there to wait for. */
	if (pid < 0)
		_exit(255);
}

_Noreturn void reaper_run(pid_t child)
{
	sigset_t all;
	int signo;

	prctl(PR_SET_NAME, "mvm-init");
	/* Streams and terminal are the program's alone, or they would never end. */
	sys_close_from(0);
	sigfillset(&all);
	for (;;) {
		if (sigwait(&all, &signo))
			continue;
		if (signo == SIGCHLD)
			reap(child);
		else
			kill(child, signo);
	}
}
