/*
 * Touches. For watchers in the guest to notice a change that the host has made, the agent sets the file's time
 * (guest-agent/refresh.c), for the guest's kernel tells watchers of what goes through it. On the host that would move
 * ctime, wake watchers there, and put back the time of a write that comes in between. So the agent asks for a time that
 * no file has, MVM_SHARE_TOUCH, and that call of the server is answered with success and not carried out; then the
 * server tells the guest what the file's attributes are.
 *
 * A filter of system calls cannot see a time, which is in memory. It hands each utimensat() of the server to a process
 * of its own here, which looks, and lets all others through. Where it cannot look it refuses, for a touch that is
 * carried out would show.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "guest-agent/proto/proto.h"
#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

enum { TIMES_ARGUMENT = 2 };

/* As in squash.c, a convenience and no guard. */
static int install_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_utimensat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = MVM_COUNT(code), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* 0 with *touch set; -1 where nobody can tell. */
static int look(const struct seccomp_notif *call, bool *touch)
{
	struct timespec times[2];
	struct iovec here = {times, sizeof(times)}, there = {.iov_len = sizeof(times)};

	*touch = false;
	memcpy(&there.iov_base, &call->data.args[TIMES_ARGUMENT], sizeof(there.iov_base));
	if (!there.iov_base)
		return 0;
	if (process_vm_readv((pid_t)call->pid, &here, 1, &there, 1, 0) != (ssize_t)sizeof(times))
		return -1;
	*touch = times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == 0 && times[1].tv_sec == MVM_SHARE_TOUCH;
	return 0;
}

static _Noreturn void answer_calls(int listener)
{
	for (;;) {
		struct seccomp_notif call = {0};
		struct seccomp_notif_resp answer = {0};
		bool touch;

		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0) {
			answer.id = call.id;
			answer.error = look(&call, &touch) < 0 ? -EFAULT : 0;
			answer.flags = answer.error || touch ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE;
			ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
		} else if (errno != EINTR && errno != ENOENT) {
			_exit(1);
		}
	}
}

int touch_answer(struct mvm_error **err)
{
	static const struct timespec touch[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = MVM_SHARE_TOUCH}};
	pid_t server = getpid(), pid;
	int listener = install_filter();

	/* The kernel lets nobody look on below another who does. */
	if (listener < 0 && errno == EBUSY)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"--watch: this process already has its system calls looked at, as in some containers; "
				"start mvm outside, or without --watch");
	if (listener < 0)
		return mvm_fail_errno(err, errno, "--watch: cannot filter system calls");
	pid = fork();
	if (pid < 0)
		return mvm_fail_errno(err, errno, "cannot make a process");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(SHARE_SOCKET_FD);
		close(SHARE_STATUS_FD);
		if (getppid() != server)
			_exit(1);
		answer_calls(listener);
	}
	close(listener);
	/* A touch of nothing, which would fail if it were carried out. */
	if (utimensat(AT_FDCWD, "", touch, 0) < 0)
		return mvm_fail_errno(err, errno, "--watch: cannot look into the server of shares");
	return 0;
}
