#include "confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
/* The calls of x32 have the same architecture and this bit. */
#define NUMBERS_END 0x40000000u
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define NUMBERS_END  0xffffffffu
#else
#error "name this architecture for the system call filter"
#endif

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

static void emit(struct mvm_filter *filter, struct sock_filter instruction)
{
	if (filter->length < MVM_FILTER_MAX)
		filter->code[filter->length++] = instruction;
}

static void load(struct mvm_filter *filter, size_t offset)
{
	emit(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset));
}

static void answer(struct mvm_filter *filter, uint32_t verdict)
{
	emit(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, verdict));
}

/* The lower half of an argument; system calls with small arguments look at no more. */
static size_t argument(unsigned index)
{
	size_t offset = offsetof(struct seccomp_data, args) + index * sizeof(uint64_t);

	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? offset : offset + sizeof(uint32_t);
}

void mvm_filter_begin(struct mvm_filter *filter)
{
	filter->length = 0;
	load(filter, offsetof(struct seccomp_data, arch));
	emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
	answer(filter, SECCOMP_RET_KILL_PROCESS);
	load(filter, offsetof(struct seccomp_data, nr));
	emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, NUMBERS_END, 0, 1));
	answer(filter, SECCOMP_RET_KILL_PROCESS);
}

void mvm_filter_answer(struct mvm_filter *filter, unsigned number, uint32_t verdict)
{
	emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
	answer(filter, verdict);
}

void mvm_filter_answer_where(struct mvm_filter *filter, unsigned number, unsigned index, unsigned mask, unsigned value,
			     uint32_t verdict)
{
	emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 5));
	load(filter, argument(index));
	emit(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
	answer(filter, verdict);
	load(filter, offsetof(struct seccomp_data, nr));
}

int mvm_filter_install(struct mvm_filter *filter, uint32_t otherwise)
{
	struct sock_fprog program;

	answer(filter, otherwise);
	program = (struct sock_fprog){.len = filter->length, .filter = filter->code};
	if (filter->length == MVM_FILTER_MAX) {
		errno = E2BIG;
		return -1;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return FILTER ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) : 0;
}

int mvm_capabilities_keep(uint64_t kept)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, sets) < 0)
		return -1;
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t mask = (uint32_t)(kept >> (32 * i));

		sets[i].effective &= mask;
		sets[i].permitted &= mask;
		sets[i].inheritable &= mask;
	}
	return (int)syscall(SYS_capset, &header, sets);
}
