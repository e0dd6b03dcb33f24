#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "failure.h"
#include "guest-agent/proto/message.h"
#include "loop.h"
#include "machine.h"
#include "pack.h"
#include "relay.h"
#include "sys.h"
#include "tar.h"

struct archive {
	struct watch watch;
	uint32_t request;
};

/* What the child says at its end. */
struct report {
	bool failed;
	struct failure failure;
};

/* The child. */

static int connect_stream(uint32_t port, struct failure *failure)
{
	struct pollfd poll_fd = {.fd = vsock_connect(port, false), .events = POLLOUT};

	if (poll_fd.fd >= 0) {
		while (poll(&poll_fd, 1, -1) < 0 && errno == EINTR)
			;
		errno = vsock_connected(poll_fd.fd);
	}
	if (poll_fd.fd < 0 || errno || fcntl(poll_fd.fd, F_SETFL, 0))
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot connect to port %u of the host", port);
	return poll_fd.fd;
}

/* As the container sees it: links lead nowhere else, and the last one is taken for itself. */
static int open_path(const char *path, struct failure *failure)
{
	int root = open(MACHINE_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = root < 0 ? -1 : sys_open_inside(root, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot open %.500s", path);
	return fd;
}

/* A descriptor for each level of the tree. */
static void raise_descriptor_limit(void)
{
	static const struct rlimit limit = {65536, 65536};

	setrlimit(RLIMIT_NOFILE, &limit);
}

static int send_archive(const struct mvm_proto_archive *order, struct failure *failure)
{
	static struct tar tar;
	int top = open_path(order->path, failure);
	int stream = top < 0 ? -1 : connect_stream(order->port, failure);

	if (stream < 0)
		return -1;
	tar_init(&tar, stream);
	if (pack_tree(top, order->name, &tar, failure))
		return -1;
	if (tar_end(&tar))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot send the archive");
	close(stream);
	return 0;
}

/* The agent's other connections would not end as long as the child holds them. */
static _Noreturn void run_child(const struct mvm_proto_archive *order, int socket)
{
	static struct report report;

	prctl(PR_SET_NAME, "mvm-archive");
	if (dup3(socket, STDERR_FILENO + 1, O_CLOEXEC) < 0 && errno != EINVAL)
		_exit(126);
	socket = STDERR_FILENO + 1;
	sys_close_from((unsigned)socket + 1);
	raise_descriptor_limit();
	report.failed = send_archive(order, &report.failure) != 0;
	send(socket, &report, sizeof(report), MSG_NOSIGNAL);
	_exit(0);
}

/* The agent. */

static void report_ready(struct watch *watch, uint32_t events)
{
	struct archive *archive = container_of(watch, struct archive, watch);
	static struct report report;
	ssize_t n = recv(watch->fd, &report, sizeof(report), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	report.failed = report.failed || n != (ssize_t)sizeof(report);
	if (n != (ssize_t)sizeof(report))
		failure_set(&report.failure, MVM_PROTO_RESOURCE, "the process that made the archive was killed");
	loop_remove(watch);
	close(watch->fd);
	if (report.failed)
		control_reply_failure(archive->request, &report.failure);
	else
		control_reply_ok(archive->request);
	free(archive);
}

static int make_child(const struct mvm_proto_archive *order, struct archive *archive, struct failure *failure)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot make a socket pair");
	archive->watch = (struct watch){.fd = ends[0], .ready = report_ready};
	pid = loop_add(&archive->watch, EPOLLIN) ? -1 : fork();
	if (pid == 0)
		run_child(order, ends[1]);
	close(ends[1]);
	if (pid > 0)
		return 0;
	failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot make a process for the archive");
	loop_remove(&archive->watch);
	close(ends[0]);
	return -1;
}

/* The order's texts are in memory that the child shares (shared.h), and that the next order will fill. */
static int start(const struct mvm_proto_archive *order, struct archive *archive, struct failure *failure)
{
	char *path = strdup(order->path), *name = strdup(order->name ? order->name : "");
	const struct mvm_proto_archive own = {.path = path, .name = name, .port = order->port};
	int rc = path && name ? make_child(&own, archive, failure)
			      : failure_set(failure, MVM_PROTO_RESOURCE, "no memory for an archive");

	free(path);
	free(name);
	return rc;
}

int archive_start(const struct mvm_proto_archive *order, uint32_t request, struct failure *failure)
{
	struct archive *archive;

	if (!machine_ready())
		return failure_set(failure, MVM_PROTO_BAD_STATE, "the machine has no root yet");
	archive = calloc(1, sizeof(*archive));
	if (!archive)
		return failure_set(failure, MVM_PROTO_RESOURCE, "no memory for an archive");
	archive->request = request;
	if (start(order, archive, failure)) {
		free(archive);
		return -1;
	}
	return 0;
}
