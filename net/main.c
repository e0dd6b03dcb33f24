/*
 * mvm-net: the network process; process.h says who starts it and how.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "process.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#ifdef __linux__
#include "sandbox.h"
#endif

/* Each connection of a guest to the world is a descriptor here. */
enum { FILES_MAX = 1 << 20 };

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
	mvm_raise_file_limit(FILES_MAX);
	if (chdir("/") < 0)
		return 125;
#ifdef __linux__
	if (sandbox_enter() < 0) {
		mvm_log(MVM_LOG_ERROR, "cannot give up what it does not need: %s", strerror(errno));
		return 125;
	}
#endif
	loop = mvm_loop_create();
	result = process_run(loop, &paths, MVM_NET_LISTEN_FD, &err);
	if (result < 0)
		mvm_log(MVM_LOG_ERROR, "%s", mvm_error_message(err));
	mvm_loop_destroy(loop);
	return result < 0 ? 1 : 0;
}
