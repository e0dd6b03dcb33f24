#include "sandbox.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "runtime/base/confine.h"
#include "runtime/base/mem.h"

/* clang-format off */
static const unsigned allowed[] = {
	SYS_read, SYS_write, SYS_readv, SYS_writev,
	SYS_sendmsg, SYS_recvmsg, SYS_sendto, SYS_recvfrom, SYS_shutdown,
	SYS_accept4, /* of what listens the supervisor has made all */
	SYS_epoll_pwait, SYS_epoll_ctl, SYS_close, SYS_lseek,
	SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk,
	SYS_getrandom, /* malloc() seeds itself */
	SYS_clock_gettime, SYS_getpid, SYS_exit_group, SYS_rt_sigreturn, SYS_restart_syscall,
#ifdef SYS_epoll_wait
	SYS_epoll_wait,
#endif
};
/* clang-format on */

static int install_filter(void)
{
	struct mvm_filter filter;

	mvm_filter_begin(&filter);
	for (size_t i = 0; i < MVM_COUNT(allowed); i++)
		mvm_filter_answer(&filter, allowed[i], SECCOMP_RET_ALLOW);
	mvm_filter_answer_where(&filter, SYS_mmap, 2, PROT_EXEC, 0, SECCOMP_RET_ALLOW);
	mvm_filter_answer_where(&filter, SYS_socketpair, 0, ~0u, AF_UNIX, SECCOMP_RET_ALLOW);
	mvm_filter_answer_where(&filter, SYS_setsockopt, 2, ~0u, SO_LINGER, SECCOMP_RET_ALLOW);
	mvm_filter_answer_where(&filter, SYS_fcntl, 1, ~0u, F_GETFD, SECCOMP_RET_ALLOW);
	mvm_filter_answer_where(&filter, SYS_fcntl, 1, ~0u, F_SETFD, SECCOMP_RET_ALLOW);
	return mvm_filter_install(&filter, SECCOMP_RET_KILL_PROCESS);
}

int sandbox_enter(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -1;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -1;
	limit = (struct rlimit){0, 0};
	if (setrlimit(RLIMIT_CORE, &limit) < 0 || mvm_capabilities_keep(0) < 0)
		return -1;
	return install_filter();
}
