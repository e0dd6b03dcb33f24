#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "child.h"
#include "control.h"
#include "failure.h"
#include "idle.h"
#include "loop.h"
#include "machine.h"
#include "packet.h"
#include "guest-agent/proto/message.h"
#include "relay.h"
#include "stage.h"
#include "sys.h"

/* The more a pipe holds, the fewer the wake-ups for a flood, and these are what it costs; the kernel takes pages for
 * what is in it only. */
enum { PIPE_SIZE = 1024 * 1024 };

struct process {
	struct process *next;
	uint32_t id; /* 0: it did not start, and is only to be reaped */
	bool first;  /* of its container */
	pid_t pid;
	int pidfd;
	struct watch report; /* from the child, -1 once it runs */
	uint32_t request;    /* that is not answered yet */
	int terminal;	     /* master side, -1 for none */
	uint32_t stdin_port, stdout_port;
	uint64_t oom_kills; /* in the container before it */
};

static struct process *processes;
static uint64_t oom_kills; /* when a process ended last */
static struct watch child_signals = {.fd = -1};
static int own_pid_space = -1;
static int held_mounts = -1;

static struct process *find(uint32_t id)
{
	struct process *process = processes;

	while (process && process->id != id)
		process = process->next;
	return process;
}

bool process_any(void)
{
	return processes != NULL;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Streams. */

static int make_pipe(uint32_t port, bool output, int *childs, struct failure *failure)
{
	int ends[2];
	int own;

	*childs = -1;
	if (port == 0)
		return 0;
	if (pipe2(ends, O_CLOEXEC))
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot make a pipe");
	*childs = ends[output ? 1 : 0];
	own = ends[output ? 0 : 1];
	fcntl(own, F_SETFL, O_NONBLOCK);
	fcntl(own, F_SETPIPE_SZ, PIPE_SIZE);
	return output ? relay_output(own, port, failure) : relay_input(own, port, failure);
}

static int make_streams(const struct mvm_proto_process *order, int stdio[3], struct failure *failure)
{
	if (order->tty)
		return 0;
	if (make_pipe(order->stdin_port, false, &stdio[0], failure) ||
	    make_pipe(order->stdout_port, true, &stdio[1], failure))
		return -1;
	return make_pipe(order->stderr_port, true, &stdio[2], failure);
}

static int relay_terminal(struct process *process, struct failure *failure)
{
	int fd;

	/* Both directions share one description, and so this flag. */
	fcntl(process->terminal, F_SETFL, O_RDWR | O_NONBLOCK);
	if (process->stdout_port) {
		fd = fcntl(process->terminal, F_DUPFD_CLOEXEC, 3);
		if (fd < 0 || relay_output(fd, process->stdout_port, failure))
			return -1;
	}
	if (process->stdin_port) {
		fd = fcntl(process->terminal, F_DUPFD_CLOEXEC, 3);
		if (fd < 0 || relay_input(fd, process->stdin_port, failure))
			return -1;
	}
	return 0;
}

/* Reports of the child. */

static void end_report(struct process *process)
{
	loop_remove(&process->report);
	close_fd(&process->report.fd);
}

/* Its mounts outlive the container until the next one starts: taking them down would keep the kernel from telling
 * its end, for 5 ms under emulation. */
static void hold_mounts(pid_t pid)
{
	char path[32];

	close_fd(&held_mounts);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	held_mounts = open(path, O_RDONLY | O_CLOEXEC);
}

static void take_terminal(struct process *process)
{
	struct failure failure;

	if (relay_terminal(process, &failure) == 0)
		return;
	complain("process %u: %s", process->id, failure.message);
	sys_pidfd_kill(process->pidfd, SIGKILL);
}

int process_open(const char *what)
{
	struct process *process = processes;
	char path[32];

	while (process && (!process->first || process->report.fd >= 0))
		process = process->next;
	if (!process)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/%s", process->pid, what);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* false: nothing there yet. */
static bool read_report(struct process *process)
{
	static struct failure failure;
	uint32_t request = process->request;
	int fds[PACKET_FDS];
	ssize_t n = packet_receive(process->report.fd, &failure, sizeof(failure), fds, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n == 1) {
		process->terminal = fds[0];
		take_terminal(process);
		return true;
	}
	end_report(process);
	if (n == (ssize_t)sizeof(failure)) {
		process->id = 0;
		control_reply_failure(request, &failure);
	} else {
		trace("process %u: runs as %d", process->id, process->pid);
		control_reply_started(request, (uint64_t)process->pid);
		if (process->first) {
			hold_mounts(process->pid);
			idle_watch();
		}
	}
	return true;
}

static void report_ready(struct watch *watch, uint32_t events)
{
	struct process *process = container_of(watch, struct process, report);

	read_report(process);
	if (process->report.fd < 0)
		control_release();
}

/* The start. */

static int check_order(const struct mvm_proto_process *order, const struct process **other, struct failure *failure)
{
	*other = order->join ? find(order->join) : NULL;
	if (!machine_ready())
		return failure_set(failure, MVM_PROTO_BAD_STATE, "the machine has no root yet");
	if (find(order->id))
		return failure_set(failure, MVM_PROTO_BAD_STATE, "there is a process %u already", order->id);
	if (order->join && !*other)
		return failure_set(failure, MVM_PROTO_NO_PROCESS,
				   "there is no process %u whose container could be entered", order->join);
	return 0;
}

/* In the agent: the parent of a PID name space's processes has to be outside of it for a moment, since
 * setns() sets the one for children only. */
static int enter_pid_space(int join)
{
	if (own_pid_space < 0)
		own_pid_space = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	return own_pid_space < 0 ? -1 : setns(join, CLONE_NEWPID);
}

/* The container's group can have no processes of its own where an init such as systemd has made others in it, to which
 * it gives controllers. Then that init's own is the place. */
static pid_t clone_into_container(const struct process *other)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cgroup_fd(),
	};
	pid_t pid = sys_clone(&args);
	int group;

	if (pid >= 0 || errno != EBUSY || (group = cgroup_open_of(other->pid)) < 0)
		return pid;
	args.cgroup = (uint64_t)group;
	pid = sys_clone(&args);
	if (pid != 0)
		close(group);
	return pid;
}

/* Into a running container. */
static int start_joined(struct process *process, const struct process *other, const int stdio[3],
			struct failure *failure)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot make a socket pair");
	process->pid = enter_pid_space(other->pidfd) ? -1 : clone_into_container(other);
	if (process->pid == 0) {
		close(ends[0]);
		child_join(ends[1], other->pidfd, stdio);
	}
	/* ENOMEM is how the kernel says that the first process of that space is on its way out. */
	if (process->pid < 0)
		failure_set_errno(failure, errno == ENOMEM ? MVM_PROTO_NO_PROCESS : MVM_PROTO_RESOURCE,
				  "cannot make a process in the container");
	if (own_pid_space >= 0 && setns(own_pid_space, CLONE_NEWPID))
		complain("cannot leave a container's PID name space: %s", strerror(errno));
	close(ends[1]);
	process->report.fd = ends[0];
	return process->pid < 0 ? -1 : 0;
}

static int start_first(struct process *process, const int stdio[3], struct failure *failure)
{
	struct stage stage;

	if (stage_take(&stage, failure))
		return -1;
	process->first = true;
	process->pid = stage.pid;
	process->report.fd = stage.socket;
	return stage_go(&stage, stdio, failure);
}

static int launch(struct process *process, const struct process *other, const int stdio[3], struct failure *failure)
{
	int rc = other ? start_joined(process, other, stdio, failure) : start_first(process, stdio, failure);

	process->report.ready = report_ready;
	if (rc == 0 && (process->pidfd = sys_pidfd_open(process->pid)) < 0)
		rc = failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot watch a process");
	if (rc == 0 && loop_add(&process->report, EPOLLIN))
		rc = failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot watch a process");
	if (rc)
		close_fd(&process->report.fd);
	/* Nobody will know it, but it is reaped as any other. */
	if (rc && process->pid > 0)
		kill(process->pid, SIGKILL);
	return rc;
}

static struct process *create(const struct mvm_proto_process *order, uint32_t request)
{
	struct process *process = sys_allocate(sizeof(*process));

	if (!process)
		return NULL;
	process->id = order->id;
	process->request = request;
	process->pidfd = process->terminal = process->report.fd = -1;
	process->stdin_port = order->stdin_port;
	process->stdout_port = order->stdout_port;
	/* While nothing runs, nothing is killed. */
	process->oom_kills = processes ? cgroup_oom_kills() : oom_kills;
	return process;
}

static void add(struct process *process)
{
	process->next = processes;
	processes = process;
}

int process_start(const struct mvm_proto_process *order, uint32_t request, struct failure *failure)
{
	int stdio[3] = {-1, -1, -1};
	struct process *process;
	const struct process *other;
	int rc;

	if (check_order(order, &other, failure))
		return -1;
	process = create(order, request);
	if (!process)
		return failure_set(failure, MVM_PROTO_RESOURCE, "no memory for a process");
	rc = make_streams(order, stdio, failure) || launch(process, other, stdio, failure) ? -1 : 0;
	for (int i = 0; i < 3; i++)
		close_fd(&stdio[i]);
	if (rc) {
		close_fd(&process->pidfd);
		sys_free(process, sizeof(*process));
		return -1;
	}
	add(process);
	control_hold();
	trace("process %u: launched", order->id);
	return 0;
}

/* Later orders. */

static int require(uint32_t id, struct process **process, struct failure *failure)
{
	*process = id ? find(id) : NULL;
	return *process ? 0 : failure_set(failure, MVM_PROTO_NO_PROCESS, "there is no process %u", id);
}

int process_signal(const struct mvm_proto_signal *order, struct failure *failure)
{
	struct process *process;

	if (require(order->id, &process, failure))
		return -1;
	if (sys_pidfd_kill(process->pidfd, (int)order->signo))
		return failure_set_errno(failure, errno == ESRCH ? MVM_PROTO_NO_PROCESS : MVM_PROTO_INTERNAL,
					 "cannot send signal %u to process %u", order->signo, order->id);
	return 0;
}

int process_resize(const struct mvm_proto_resize *order, struct failure *failure)
{
	struct winsize size = {.ws_row = order->rows, .ws_col = order->cols};
	struct process *process;

	if (require(order->id, &process, failure))
		return -1;
	if (process->terminal < 0)
		return failure_set(failure, MVM_PROTO_BAD_STATE, "process %u has no terminal", order->id);
	if (ioctl(process->terminal, TIOCSWINSZ, &size))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot resize the terminal of process %u",
					 order->id);
	return 0;
}

/* The end. */

static void tell_exit(const struct process *process, int status)
{
	struct mvm_proto_exited exited;

	oom_kills = cgroup_oom_kills();
	exited = (struct mvm_proto_exited){
		.id = process->id,
		.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		.status = WIFSIGNALED(status) ? 0 : WEXITSTATUS(status),
		.oom = oom_kills > process->oom_kills,
	};

	trace("process %u: ended, status %#x", process->id, (unsigned)status);
	control_exited(&exited);
}

static void reaped(struct process *process, int status)
{
	bool starting = process->report.fd >= 0;
	struct process **at = &processes;

	/* What it had to say of its start comes first. */
	while (process->report.fd >= 0 && read_report(process))
		;
	if (process->report.fd >= 0)
		end_report(process);
	while (*at != process)
		at = &(*at)->next;
	*at = process->next;
	if (process->id)
		tell_exit(process, status);
	close_fd(&process->pidfd);
	close_fd(&process->terminal);
	sys_free(process, sizeof(*process));
	if (starting)
		control_release();
}

static void reap_all(struct watch *watch, uint32_t events)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	/* Several signals may be one: what counts is who can be reaped. */
	if (read(watch->fd, &info, sizeof(info)) < 0 && errno != EAGAIN)
		complain("cannot read signals: %s", strerror(errno));
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct process *process = processes;

		while (process && process->pid != pid)
			process = process->next;
		if (process)
			reaped(process, status);
	}
	if (!processes)
		machine_processes_gone();
}

int process_init(struct failure *failure)
{
	sigset_t signals;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	child_signals.fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	child_signals.ready = reap_all;
	if (child_signals.fd < 0 || loop_add(&child_signals, EPOLLIN))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot watch for ended processes");
	return 0;
}
