#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine.h"
#include "container.h"
#include "failure.h"
#include "files.h"
#include "packet.h"
#include "program.h"
#include "guest-agent/proto/message.h"
#include "reaper.h"
#include "shared.h"
#include "sys.h"
#include "trust.h"
#include "users.h"

struct plan {
	const struct mvm_proto_process *order;
	bool first;   /* of its container */
	int socket;   /* to the agent */
	int stdio[3]; /* -1: /dev/null; not looked at with a terminal */
};

/* What PATH names when the environment has none: as in the kernel's and docker's defaults. */
static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* What the agent has changed for itself. */
static void reset_signals(void)
{
	sigset_t none;

	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int set_rlimits(const struct mvm_proto_process *order, struct failure *failure)
{
	for (size_t i = 0; i < order->rlimit_count; i++) {
		const struct mvm_proto_rlimit *limit = &order->rlimits[i];
		struct rlimit value = {.rlim_cur = limit->soft, .rlim_max = limit->hard};

		if (setrlimit((int)limit->resource, &value))
			return failure_set_errno(failure, MVM_PROTO_RESOURCE,
						 "cannot set resource limit %u to %llu:%llu", (unsigned)limit->resource,
						 (unsigned long long)limit->soft, (unsigned long long)limit->hard);
	}
	return 0;
}

static int find_identity(const struct mvm_proto_process *order, struct identity *identity, struct failure *failure)
{
	struct text passwd = file_text("/etc/passwd");
	struct text group = file_text("/etc/group");

	if (users_resolve(order->user ? order->user : "", passwd, group, identity, failure))
		return -1;
	return users_add_groups(order->groups, group, identity, failure);
}

static int become(const struct identity *identity, struct failure *failure)
{
	_Static_assert(sizeof(gid_t) == sizeof(identity->groups[0]), "setgroups() takes them as they are");
	if (setgroups(identity->group_count, identity->groups) || setgid(identity->gid) || setuid(identity->uid))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot become user %u, group %u", identity->uid,
					 identity->gid);
	return 0;
}

/* A container's is made when missing, as docker does: root's, 0755. */
static int enter_cwd(const char *cwd, bool make, struct failure *failure)
{
	if (!cwd || !*cwd)
		return 0;
	if (cwd[0] != '/')
		return failure_set(failure, MVM_PROTO_BAD_CWD, "the working folder %.400s is not an absolute path",
				   cwd);
	if (chdir(cwd) == 0)
		return 0;
	if (make && errno == ENOENT && make_folders(cwd) == 0 && chdir(cwd) == 0)
		return 0;
	return failure_set_errno(failure, MVM_PROTO_BAD_CWD, "cannot enter the working folder %.400s", cwd);
}

static int open_terminal(struct plan *plan, struct failure *failure)
{
	struct winsize size = {.ws_row = plan->order->rows, .ws_col = plan->order->cols};
	int master = -1, slave = -1;

	if (container_terminal(&master, &slave, failure))
		return -1;
	if (size.ws_row && size.ws_col)
		ioctl(slave, TIOCSWINSZ, &size);
	if (plan->first && container_console(slave, failure))
		return -1;
	if (packet_send(plan->socket, "t", 1, &master, 1) != 1)
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot hand over the terminal");
	close(master);
	plan->stdio[0] = plan->stdio[1] = plan->stdio[2] = slave;
	return 0;
}

/* So that the user can open /dev/stdout again, whatever is behind it. Not /dev/null, which is everybody's. */
static int own_stdio(const struct plan *plan, const struct identity *identity, struct failure *failure)
{
	for (int i = 0; i < 3; i++) {
		gid_t gid = plan->order->tty ? (gid_t)-1 : identity->gid;

		if (plan->stdio[i] >= 0 && fchown(plan->stdio[i], identity->uid, gid))
			return failure_set_errno(failure, MVM_PROTO_INTERNAL,
						 "cannot give the standard streams to the user");
	}
	return 0;
}

static int place_stdio(const struct plan *plan, struct failure *failure)
{
	for (int i = 0; i < 3; i++) {
		int fd = plan->stdio[i] >= 0 ? plan->stdio[i] : open("/dev/null", O_RDWR | O_CLOEXEC);

		/* The agent's own are 0 to 2, so none of these is among them. */
		if (fd < 0 || dup2(fd, i) < 0)
			return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot set up the standard streams");
	}
	return 0;
}

/* HOME is all that the agent adds. */
static char *const *complete_env(char *const *env, const struct identity *identity)
{
	static char home[sizeof(identity->home) + 8];
	size_t count = 0;
	char **all;

	if (env_get(env, "HOME"))
		return env;
	while (env && env[count])
		count++;
	all = sys_allocate((count + 2) * sizeof(*all));
	if (!all)
		return env;
	if (count > 0)
		memcpy(all, env, count * sizeof(*all));
	strcpy(home, "HOME=");
	strcat(home, identity->home);
	all[count] = home;
	all[count + 1] = NULL;
	return all;
}

/* In the container, with its root in place. */
static int set_up(struct plan *plan, struct identity *identity, struct failure *failure)
{
	const struct mvm_proto_process *order = plan->order;

	if (find_identity(order, identity, failure))
		return -1;
	if (order->tty && open_terminal(plan, failure))
		return -1;
	if (own_stdio(plan, identity, failure) || enter_cwd(order->cwd, plan->first, failure))
		return -1;
	if (plan->first && container_seal(failure))
		return -1;
	if (set_rlimits(order, failure) || place_stdio(plan, failure) || confine_score(order, failure))
		return -1;
	if (confine_bounds(order, failure) || become(identity, failure))
		return -1;
	return confine_self(order, failure);
}

static int run(const struct plan *plan, const struct identity *identity, struct failure *failure)
{
	const struct mvm_proto_process *order = plan->order;
	char *const *env = trust_env(complete_env(order->env, identity));
	const char *path = env_get(env, "PATH");
	char file[4096];

	setsid();
	if (order->tty && ioctl(0, TIOCSCTTY, 0))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot take the terminal");
	if (program_find(order->argv[0], path ? path : default_path, file, sizeof(file), failure))
		return -1;
	/* Everything is opened close-on-exec already; this makes it certain. */
	sys_cloexec_from(3);
	return program_exec(file, order->argv, env, failure);
}

/* Before the program there is PID 1, which goes on with the agent's own code. */
static int split_init(struct failure *failure)
{
	sigset_t old;
	pid_t pid;

	reaper_block(&old);
	pid = fork();
	if (pid < 0)
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot fork");
	if (pid > 0)
		reaper_run(pid);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return 0;
}

static _Noreturn void give_up(int socket, const struct failure *failure)
{
	_exit(send(socket, failure, sizeof(*failure), MSG_NOSIGNAL) == (ssize_t)sizeof(*failure) ? 127 : 126);
}

static _Noreturn void become_program(struct plan *plan, struct failure *failure)
{
	static struct identity identity;

	if (set_up(plan, &identity, failure) == 0 && (!plan->order->init || split_init(failure) == 0))
		run(plan, &identity, failure);
	give_up(plan->socket, failure);
}

/* The word to go; the agent's end is the other one. */
static void receive_go(struct plan *plan, int *root, int *shares)
{
	unsigned char streams = 0;
	int fds[PACKET_FDS];
	size_t next = 1;

	/* The root, the streams that it has, and the shares. */
	if (packet_receive(plan->socket, &streams, 1, fds, 0) != 1)
		_exit(126);
	*root = fds[0];
	for (int i = 0; i < 3; i++)
		plan->stdio[i] = streams & 1 << i ? fds[next++] : -1;
	*shares = fds[next];
}

_Noreturn void child_wait(int socket)
{
	static struct failure failure;
	struct plan plan = {.order = &shared->order, .first = true, .socket = socket};
	int root, shares;

	reset_signals();
	if (container_stage(&failure))
		give_up(socket, &failure);
	trace("container staged");
	receive_go(&plan, &root, &shares);
	if (container_make(root, shares, &failure))
		give_up(socket, &failure);
	trace("container made");
	become_program(&plan, &failure);
}

_Noreturn void child_join(int socket, int pidfd, const int stdio[3])
{
	static struct failure failure;
	struct plan plan = {.order = &shared->order, .socket = socket, .stdio = {stdio[0], stdio[1], stdio[2]}};

	reset_signals();
	if (container_join(pidfd, &failure))
		give_up(socket, &failure);
	become_program(&plan, &failure);
}
