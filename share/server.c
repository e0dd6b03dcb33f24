#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"

/* Of /proc/PID/stat, and of ") S " in it, before the parent's number. */
enum { STAT_SIZE = 4096, STATE_LENGTH = 4 };

struct mvm_share_server {
	struct mvm_loop *loop;
	struct mvm_share_server_events events;
	void *arg;
	pid_t pid, child; /* the child serves, where it is known already */
};

int mvm_share_server_find(char **path, struct mvm_error **err)
{
	static const char *const places[] = {"/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd",
					     "/usr/libexec/qemu/virtiofsd"};
	const char *given = getenv("MVM_VIRTIOFSD");

	if (given && *given) {
		if (access(given, X_OK) < 0)
			return mvm_fail_errno(err, errno, "cannot run %s, which MVM_VIRTIOFSD names", given);
		*path = mvm_strdup(given);
		return 0;
	}
	for (size_t i = 0; i < MVM_COUNT(places); i++)
		if (access(places[i], X_OK) == 0) {
			*path = mvm_strdup(places[i]);
			return 0;
		}
	if (mvm_find_program("virtiofsd", path, NULL) == 0)
		return 0;
	return mvm_fail(err, MVM_ERR_NOT_FOUND,
			"virtiofsd, which shares folders with a VM, is not installed; install the package virtiofsd "
			"(Debian 12: qemu-system-common), or set MVM_VIRTIOFSD to its path");
}

/* A server takes a listening socket and one connection, which is ours before anybody can see the socket. */
static int make_sockets(const char *runtime, int *listening, int *device, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/share-%d", runtime, (int)getpid());
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int server MVM_CLEAN_FD = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client MVM_CLEAN_FD = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return mvm_fail(err, MVM_ERR_INVALID, "the path %s is too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	unlink(path);
	if (server >= 0 && client >= 0 && bind(server, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    listen(server, 1) == 0)
		rc = connect(client, (struct sockaddr *)&address, sizeof(address));
	if (rc < 0)
		mvm_fail_errno(err, errno, "cannot make a socket for the server of shares at %s", path);
	unlink(path);
	if (rc < 0)
		return -1;
	*listening = server;
	*device = client;
	server = client = -1;
	return 0;
}

static int spawn(const struct mvm_shares *shares, const char *root, int listening, int status, pid_t *pid,
		 struct mvm_error **err)
{
	const struct mvm_spawn_fd fds[] = {
		{STDERR_FILENO, STDERR_FILENO}, {listening, SHARE_SOCKET_FD}, {status, SHARE_STATUS_FD}};
	struct mvm_spawn child = {.fds = fds, .fd_count = MVM_COUNT(fds), .new_session = true, .die_with_parent = true};
	char *program MVM_CLEAN_FREE = NULL, *virtiofsd MVM_CLEAN_FREE = NULL;
	struct mvm_strv argv MVM_CLEAN_STRV = {0};

	if (mvm_share_server_find(&virtiofsd, err) < 0 || mvm_own_file("mvm-share", &program, err) < 0)
		return -1;
	mvm_strv_add(&argv, "mvm-share");
	mvm_strv_add(&argv, virtiofsd);
	mvm_strv_add(&argv, root);
	mvm_strv_addf(&argv, "%u:%u", (unsigned)shares->uid, (unsigned)shares->gid);
	mvm_strv_add(&argv, shares->watched ? "watched" : "unwatched");
	for (size_t i = 0; i < shares->count; i++) {
		mvm_strv_add(&argv, shares->items[i].read_only ? "ro" : "rw");
		mvm_strv_add(&argv, shares->items[i].source);
	}
	child.program = program;
	child.argv = argv.items;
	return mvm_spawn(&child, pid, err);
}

/* What mvm-share says before it turns into the server: nothing, or why it cannot. */
static int read_status(int status, pid_t pid, struct mvm_error **err)
{
	char text[512];
	ssize_t n = mvm_read_full(status, text, sizeof(text) - 1);

	if (n == 0)
		return 0;
	text[n < 0 ? 0 : n] = '\0';
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return mvm_fail(err, MVM_ERR_MACHINE, "%s", n < 0 ? "the server of shares says nothing" : text);
}

static void on_end(void *arg, pid_t pid, int status)
{
	struct mvm_share_server *server = arg;
	char reason[96];

	server->pid = -1;
	if (WIFSIGNALED(status))
		snprintf(reason, sizeof(reason), "virtiofsd was ended by signal %d", WTERMSIG(status));
	else
		snprintf(reason, sizeof(reason), "virtiofsd ended with status %d", WEXITSTATUS(status));
	server->events.died(server->arg, reason);
}

static int start(const struct mvm_shares *shares, const char *runtime, const char *root, pid_t *pid, int *device_fd,
		 struct mvm_error **err)
{
	int listening MVM_CLEAN_FD = -1, device MVM_CLEAN_FD = -1, ours MVM_CLEAN_FD = -1;
	int status[2], rc;

	if (make_sockets(runtime, &listening, &device, err) < 0)
		return -1;
	if (mvm_pipe(status) < 0)
		return mvm_fail_errno(err, errno, "cannot make a pipe");
	ours = status[0];
	rc = spawn(shares, root, listening, status[1], pid, err);
	close(status[1]);
	if (rc < 0 || read_status(ours, *pid, err) < 0)
		return -1;
	*device_fd = device;
	device = -1;
	return 0;
}

int mvm_share_server_start(struct mvm_loop *loop, const struct mvm_shares *shares, const char *runtime,
			   const char *root, const struct mvm_share_server_events *events, void *arg,
			   struct mvm_share_server **out, int *device_fd, struct mvm_error **err)
{
	struct mvm_share_server *server;
	pid_t pid;

	if (start(shares, runtime, root, &pid, device_fd, err) < 0)
		return mvm_error_wrap(err, "cannot share the host's folders");
	server = mvm_alloc(sizeof(*server));
	*server = (struct mvm_share_server){.loop = loop, .events = *events, .arg = arg, .pid = pid};
	mvm_loop_child(loop, pid, on_end, server);
	*out = server;
	return 0;
}

bool mvm_share_server_is(struct mvm_share_server *server, pid_t pid)
{
	char *path MVM_CLEAN_FREE = mvm_format("/proc/%d/stat", (int)pid), *text MVM_CLEAN_FREE = NULL;
	const char *after;

	if (pid == server->pid || pid == server->child)
		return true;
	if (mvm_read_file(path, STAT_SIZE, &text, NULL, NULL) < 0 || !(after = strrchr(text, ')')) ||
	    strlen(after) <= STATE_LENGTH || strtol(after + STATE_LENGTH, NULL, 10) != server->pid)
		return false;
	server->child = pid;
	return true;
}

unsigned long mvm_share_server_files(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max > SHARE_FILES_MAX ? SHARE_FILES_MAX
											: (unsigned long)limit.rlim_max;
}

void mvm_share_server_destroy(struct mvm_share_server *server)
{
	if (!server)
		return;
	if (server->pid > 0) {
		mvm_loop_child_forget(server->loop, server->pid);
		kill(server->pid, SIGKILL);
	}
	free(server);
}
