#include "stage.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cgroup.h"
#include "child.h"
#include "failure.h"
#include "forget.h"
#include "machine.h"
#include "mounts.h"
#include "network.h"
#include "packet.h"
#include "shared.h"
#include "sys.h"

/* The helper's report: each packet is one of them. */
struct report {
	pid_t pid; /* of the container's first process, or 0: all is done, or has failed */
	bool failed;
	struct failure failure;
};

static int helper = -1; /* socket; -1 once it is done */
static struct stage waiting = {.socket = -1};

static int make_sockets(int ends[2], struct failure *failure)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0)
		return 0;
	return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot make a socket pair");
}

/* A child may wait for long, and connections that it holds do not end when the agent closes them. */
static int keep_only(int socket)
{
	enum { KEPT = STDERR_FILENO + 1 };

	if (socket != KEPT && dup3(socket, KEPT, O_CLOEXEC) < 0)
		_exit(126);
	sys_close_from(KEPT + 1);
	return KEPT;
}

/* The container's PID 1. As the helper's child it would be left behind, so it becomes its sister. */
static pid_t make_child(const int ends[2], bool in_helper, struct failure *failure)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
			 (in_helper ? CLONE_PARENT : 0),
		.exit_signal = in_helper ? 0 : SIGCHLD, /* a sister's is inherited */
		.cgroup = (uint64_t)cgroup_fd(),
	};
	pid_t pid = sys_clone(&args);

	if (pid == 0)
		child_wait(keep_only(ends[1]));
	if (pid < 0)
		failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot make a container");
	return pid;
}

/* The helper. */

static void prepare(int socket, const int ends[2], struct report *report)
{
	report->failed = true;
	if (machine_fill_root(&report->failure) || cgroup_make(&report->failure) || cgroup_open(&report->failure))
		return;
	report->pid = make_child(ends, true, &report->failure);
	if (report->pid < 0)
		return;
	report->failed = false;
	packet_send(socket, report, sizeof(*report), NULL, 0);
	report->failed = network_prepare(&report->failure) != 0;
}

static _Noreturn void run_helper(int socket, const int ends[2])
{
	static struct report report;

	prepare(socket, ends, &report);
	report.pid = 0;
	packet_send(socket, &report, sizeof(report), NULL, 0);
	_exit(0);
}

int stage_start(struct failure *failure)
{
	int own[2], ends[2];
	pid_t pid;

	if (make_sockets(own, failure) || make_sockets(ends, failure))
		return -1;
	pid = fork();
	if (pid < 0)
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot fork");
	if (pid == 0)
		run_helper(own[1], ends);
	close(own[1]);
	close(ends[1]);
	helper = own[0];
	waiting.socket = ends[0];
	return 0;
}

/* 1: more will come. */
static int read_report(struct failure *failure)
{
	static struct report report;
	int fds[PACKET_FDS];
	ssize_t n = packet_receive(helper, &report, sizeof(report), fds, 0);

	if (n != (ssize_t)sizeof(report))
		return failure_set(failure, MVM_PROTO_INTERNAL, "the machine could not be prepared");
	if (report.failed) {
		*failure = report.failure;
		return -1;
	}
	if (report.pid > 0)
		waiting.pid = report.pid;
	return report.pid > 0;
}

int stage_wait(struct failure *failure)
{
	int rc = 0;

	if (helper < 0)
		return cgroup_open(failure);
	while ((rc = read_report(failure)) == 1)
		;
	close(helper);
	helper = -1;
	return rc ? rc : cgroup_open(failure);
}

int stage_take(struct stage *stage, struct failure *failure)
{
	int ends[2];
	pid_t pid;

	if (waiting.pid > 0) {
		*stage = waiting;
		waiting = (struct stage){.socket = -1};
		return 0;
	}
	if (make_sockets(ends, failure))
		return -1;
	pid = make_child(ends, false, failure);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return -1;
	}
	*stage = (struct stage){.pid = pid, .socket = ends[0]};
	return 0;
}

int stage_go(const struct stage *stage, const int stdio[3], struct failure *failure)
{
	int fds[PACKET_FDS] = {sys_copy_mount(MACHINE_ROOT)};
	unsigned char streams = 0;
	size_t count = 1;
	int shares = -1;

	if (fds[0] < 0)
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot take the root disk's mount");
	for (int i = 0; i < 3; i++) {
		if (stdio[i] < 0)
			continue;
		fds[count++] = stdio[i];
		streams |= (unsigned char)(1 << i);
	}
	if (mounts_want_shares(shared->order.mounts)) {
		if (mounts_shares(failure))
			return -1;
		forget_watch(shared->order.mounts);
		shares = sys_copy_mount(MVM_SHARE_ROOT);
		if (shares < 0)
			return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot take the host's shares");
		fds[count++] = shares;
	}
	/* A child that could not get as far as to wait has left its reason in the socket. */
	packet_send(stage->socket, &streams, 1, fds, count);
	close(fds[0]);
	close(shares);
	return 0;
}
