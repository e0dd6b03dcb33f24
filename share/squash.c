#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

/* A number of the other ABIs of the architecture means something else, so these are never the ones below: the filter
 * is a convenience and no guard. */
static const unsigned without_effect[] = {
	SYS_setgroups, SYS_setresuid, SYS_setresgid, SYS_fchownat, SYS_fchown,
#ifdef SYS_chown
	SYS_chown,     SYS_lchown,
#endif
};

int squash_owners(struct mvm_error **err)
{
	struct sock_filter code[2 * MVM_COUNT(without_effect) + 2];
	struct sock_fprog program = {.filter = code};
	unsigned short length = 0;

	code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < MVM_COUNT(without_effect); i++) {
		code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, without_effect[i], 0, 1);
		code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO);
	}
	code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = length;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return mvm_fail_errno(err, errno, "cannot filter system calls");
	return 0;
}
