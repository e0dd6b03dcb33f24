#include "sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "runtime/base/confine.h"
#include "runtime/base/mem.h"

/* libslirp, glib and the C library decide which calls move packets, and another version of them may take others: so it
 * is named what none of them may need. */
/* clang-format off */
static const unsigned refused[] = {
	SYS_execve, SYS_execveat, SYS_clone, SYS_clone3,
#ifdef SYS_fork
	SYS_fork, SYS_vfork,
#endif
	SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_pidfd_open, SYS_pidfd_getfd,
	SYS_pidfd_send_signal, SYS_kill, SYS_tkill, SYS_rt_sigqueueinfo,
	SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_open_tree, SYS_move_mount, SYS_fsopen,
	SYS_fsmount, SYS_fspick, SYS_mknodat, SYS_open_by_handle_at,
	SYS_setuid, SYS_setgid, SYS_setresuid, SYS_setresgid, SYS_setgroups,
	SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_add_key, SYS_request_key, SYS_keyctl,
	SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_swapon, SYS_acct,
	SYS_settimeofday, SYS_clock_settime, SYS_personality,
};
/* clang-format on */

/* Where the host gives it no ping socket (net.ipv4.ping_group_range), libslirp makes do with a raw one, which root can
 * have. That one hears all ICMP of the host, and takes any message for the answer: guests are to get neither. So
 * CAP_NET_RAW is among what goes. */
int sandbox_enter(void)
{
	const uint32_t refusal = SECCOMP_RET_ERRNO | EPERM;
	const struct rlimit none = {0, 0};
	struct mvm_filter filter;

	/* A core would hold what the guests have sent and got. */
	if (setrlimit(RLIMIT_CORE, &none) < 0 || mvm_capabilities_keep(UINT64_C(1) << CAP_DAC_OVERRIDE) < 0)
		return -1;
	mvm_filter_begin(&filter);
	for (size_t i = 0; i < MVM_COUNT(refused); i++)
		mvm_filter_answer(&filter, refused[i], refusal);
	mvm_filter_answer_where(&filter, SYS_mmap, 2, PROT_EXEC, PROT_EXEC, refusal);
	mvm_filter_answer_where(&filter, SYS_mprotect, 2, PROT_EXEC, PROT_EXEC, refusal);
	return mvm_filter_install(&filter, SECCOMP_RET_ALLOW);
}
