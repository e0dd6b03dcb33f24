#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "etc.h"
#include "failure.h"
#include "loop.h"
#include "machine.h"
#include "relay.h"
#include "sys.h"

struct job {
	struct job *next;
	struct watch watch;
	uint32_t request;
	pid_t pid;
	bool killed;
	void (*ended)(void);
};

/* What the child says at its end. */
struct report {
	bool failed;
	struct failure failure;
	struct job_answer answer;
};

static struct job *jobs;

/* The child. */

int job_connect(uint32_t port, bool flood, struct failure *failure)
{
	struct pollfd poll_fd = {.fd = vsock_connect(port, flood), .events = POLLOUT};

	if (poll_fd.fd >= 0) {
		while (poll(&poll_fd, 1, -1) < 0 && errno == EINTR)
			;
		errno = vsock_connected(poll_fd.fd);
	}
	if (poll_fd.fd < 0 || errno || fcntl(poll_fd.fd, F_SETFL, 0))
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot connect to port %u of the host", port);
	return poll_fd.fd;
}

int job_open_root(bool mounted, struct failure *failure)
{
	int root;

	if (mounted && unshare(CLONE_NEWNS))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make a mount name space");
	root = open(MACHINE_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot open the root disk");
	if (mounted)
		etc_mount_over(root);
	return root;
}

/* A descriptor for each level of a tree. */
static void raise_descriptor_limit(void)
{
	static const struct rlimit limit = {65536, 65536};

	setrlimit(RLIMIT_NOFILE, &limit);
}

/* The agent's other connections would not end as long as the child holds them. */
static _Noreturn void run_child(job_fn carry_out, const void *order, int socket)
{
	static struct report report;

	prctl(PR_SET_NAME, "mvm-job");
	if (dup3(socket, STDERR_FILENO + 1, O_CLOEXEC) < 0 && errno != EINVAL)
		_exit(126);
	socket = STDERR_FILENO + 1;
	sys_close_from((unsigned)socket + 1);
	raise_descriptor_limit();
	report.failed = carry_out(order, &report.answer, &report.failure) != 0;
	send(socket, &report, sizeof(report), MSG_NOSIGNAL);
	_exit(0);
}

/* The agent. */

static void forget(struct job *job)
{
	struct job **at = &jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	loop_remove(&job->watch);
	close(job->watch.fd);
	free(job);
}

static void report_ready(struct watch *watch, uint32_t events)
{
	struct job *job = container_of(watch, struct job, watch);
	static struct report report;
	ssize_t n = recv(watch->fd, &report, sizeof(report), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	report.failed = report.failed || n != (ssize_t)sizeof(report);
	if (n != (ssize_t)sizeof(report))
		failure_set(&report.failure, MVM_PROTO_RESOURCE, "the process that worked on it was killed");
	if (job->ended)
		job->ended();
	if (report.failed && !job->killed)
		control_reply_failure(job->request, &report.failure);
	else if (!job->killed)
		control_reply_answer(job->request, &report.answer);
	forget(job);
	machine_processes_gone();
}

static int make_child(struct job *job, job_fn carry_out, const void *order, struct failure *failure)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot make a socket pair");
	job->watch = (struct watch){.fd = ends[0], .ready = report_ready};
	job->pid = loop_add(&job->watch, EPOLLIN) ? -1 : fork();
	if (job->pid == 0)
		run_child(carry_out, order, ends[1]);
	close(ends[1]);
	if (job->pid > 0)
		return 0;
	failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot make a process");
	loop_remove(&job->watch);
	close(ends[0]);
	return -1;
}

int job_start(job_fn carry_out, const void *order, void (*ended)(void), uint32_t request, struct failure *failure)
{
	struct job *job;

	if (!machine_ready())
		return failure_set(failure, MVM_PROTO_BAD_STATE, "the machine has no root yet");
	job = calloc(1, sizeof(*job));
	if (!job)
		return failure_set(failure, MVM_PROTO_RESOURCE, "no memory");
	job->request = request;
	job->ended = ended;
	if (make_child(job, carry_out, order, failure)) {
		free(job);
		return -1;
	}
	job->next = jobs;
	jobs = job;
	return 0;
}

bool job_any(void)
{
	return jobs != NULL;
}

void job_kill_all(void)
{
	for (struct job *job = jobs; job; job = job->next) {
		job->killed = true;
		kill(job->pid, SIGKILL);
	}
}
