#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/mem.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "name this architecture for the system call filter"
#endif

/* A sanitizer's runtime has needs of its own. */
#if defined(__SANITIZE_ADDRESS__)
#define FILTER 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FILTER 0
#endif
#endif
#ifndef FILTER
#define FILTER 1
#endif

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

enum { MAX_INSTRUCTIONS = 96 };

struct filter {
	struct sock_filter code[MAX_INSTRUCTIONS];
	unsigned short length;
};

static void emit(struct filter *filter, struct sock_filter instruction)
{
	if (filter->length < MAX_INSTRUCTIONS)
		filter->code[filter->length++] = instruction;
}

static void load(struct filter *filter, size_t offset)
{
	emit(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset));
}

static void verdict(struct filter *filter, unsigned value)
{
	emit(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, value));
}

/* The lower half of an argument; system calls with small arguments look at no more. */
static size_t argument(unsigned index)
{
	size_t offset = offsetof(struct seccomp_data, args) + index * sizeof(uint64_t);

	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? offset : offset + sizeof(uint32_t);
}

static void allow(struct filter *filter, unsigned number)
{
	emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
	verdict(filter, SECCOMP_RET_ALLOW);
}

/* Allows the call where an argument, masked, is `value`. */
static void allow_where(struct filter *filter, unsigned number, unsigned index, unsigned mask, unsigned value)
{
	emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 5));
	load(filter, argument(index));
	emit(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
	verdict(filter, SECCOMP_RET_ALLOW);
	load(filter, offsetof(struct seccomp_data, nr));
}

static int install_filter(void)
{
	struct filter filter = {.length = 0};
	struct sock_fprog program;

	load(&filter, offsetof(struct seccomp_data, arch));
	emit(&filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
	verdict(&filter, SECCOMP_RET_KILL_PROCESS);
	load(&filter, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < MVM_COUNT(allowed); i++)
		allow(&filter, allowed[i]);
	allow_where(&filter, SYS_mmap, 2, PROT_EXEC, 0);
	allow_where(&filter, SYS_socketpair, 0, ~0u, AF_UNIX);
	allow_where(&filter, SYS_setsockopt, 2, ~0u, SO_LINGER);
	allow_where(&filter, SYS_fcntl, 1, ~0u, F_GETFD);
	allow_where(&filter, SYS_fcntl, 1, ~0u, F_SETFD);
	verdict(&filter, SECCOMP_RET_KILL_PROCESS);
	program = (struct sock_fprog){.len = filter.length, .filter = filter.code};
	if (filter.length == MAX_INSTRUCTIONS) {
		errno = E2BIG;
		return -1;
	}
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
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
	if (setrlimit(RLIMIT_CORE, &limit) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return FILTER ? install_filter() : 0;
}
