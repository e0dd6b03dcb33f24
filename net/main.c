/*
 * mvm-net: the network process; process.h says who starts it and how.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/capability.h>
#include <sys/syscall.h>
#endif

#include "internal.h"
#include "process.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"

/* Each connection of a guest to the world is a descriptor here. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Where the host gives it no ping socket (net.ipv4.ping_group_range), libslirp makes do with a raw one, which root can
 * have. That one hears all ICMP of the host, and takes any message for the answer: guests are to get neither. */
static void give_up_raw_sockets(void)
{
#ifdef __linux__
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	struct __user_cap_data_struct *set = &sets[CAP_TO_INDEX(CAP_NET_RAW)];

	if (syscall(SYS_capget, &header, sets) < 0)
		return;
	set->effective &= ~CAP_TO_MASK(CAP_NET_RAW);
	set->permitted &= ~CAP_TO_MASK(CAP_NET_RAW);
	set->inheritable &= ~CAP_TO_MASK(CAP_NET_RAW);
	syscall(SYS_capset, &header, sets);
#endif
}

int main(int argc, char **argv)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct process_paths paths;
	struct mvm_loop *loop;
	int result;

	if (argc != 3 || fcntl(MVM_NET_LOCK_FD, F_GETFD) < 0 || fcntl(MVM_NET_LISTEN_FD, F_GETFD) < 0) {
		fputs("mvm-net: started by mvm's supervisor, not by hand\n", stderr);
		return 125;
	}
	paths = (struct process_paths){.socket = argv[1], .leases = argv[2]};
	mvm_log_open("mvm-net", STDERR_FILENO, MVM_LOG_WARN);
	mvm_set_cloexec(MVM_NET_LOCK_FD, true);
	mvm_set_cloexec(MVM_NET_LISTEN_FD, true);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	umask(077);
	raise_descriptor_limit();
	give_up_raw_sockets();
	if (chdir("/") < 0)
		return 125;
	loop = mvm_loop_create();
	result = process_run(loop, &paths, MVM_NET_LISTEN_FD, &err);
	if (result < 0)
		mvm_log(MVM_LOG_ERROR, "%s", mvm_error_message(err));
	mvm_loop_destroy(loop);
	return result < 0 ? 1 : 0;
}
