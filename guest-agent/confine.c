#include "confine.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "failure.h"
#include "files.h"
#include "guest-agent/proto/message.h"

#define LOCKED (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* Both as docker has them; few kernels have all. */
static const char *const sealed[] = {"bus", "fs", "irq", "sys", "sysrq-trigger"};
static const char *const masked[] = {
	"proc/asound",	    "proc/acpi",	  "proc/interrupts", "proc/kcore",
	"proc/keys",	    "proc/latency_stats", "proc/timer_list", "proc/timer_stats",
	"proc/sched_debug", "proc/scsi",	  "sys/firmware",    "sys/devices/virtual/powercap",
};

/* A mount of a part is as read-only as the mount that it is taken from: with a second /proc that is, one call for each
 * is enough. */
int confine_seal(const char *stage, struct failure *failure)
{
	char source[64], target[64];

	snprintf(source, sizeof(source), "%s/dev", stage);
	if (mount("proc", source, "proc", LOCKED | MS_RDONLY, NULL))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot mount a read-only proc");
	for (size_t i = 0; i < sizeof(sealed) / sizeof(sealed[0]); i++) {
		snprintf(source, sizeof(source), "%s/dev/%s", stage, sealed[i]);
		snprintf(target, sizeof(target), "%s/proc/%s", stage, sealed[i]);
		if (mount(source, target, NULL, MS_BIND, NULL) && errno != ENOENT)
			return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make /proc/%s read-only", sealed[i]);
	}
	return 0;
}

int confine_mask(const char *stage, struct failure *failure)
{
	char path[64];

	for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", stage, masked[i]);
		if (mount("null", path, NULL, MS_BIND, NULL) == 0 || errno == ENOENT)
			continue;
		if (errno != ENOTDIR || mount("tmpfs", path, "tmpfs", LOCKED | MS_RDONLY, NULL))
			return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot hide /%s", masked[i]);
	}
	return 0;
}

int confine_score(const struct mvm_proto_process *order, struct failure *failure)
{
	char value[16];

	if (!order->oom_score_adj)
		return 0;
	snprintf(value, sizeof(value), "%d", (int)order->oom_score_adj);
	if (file_set("/proc/self/oom_score_adj", value))
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot set the oom score to %s", value);
	return 0;
}

/* The rest follows from it: exec as root gives what the bounding set has, and another user has nothing at all. */
int confine_bounds(const struct mvm_proto_process *order, struct failure *failure)
{
	for (int capability = 0; capability < 64; capability++) {
		if (!(order->cap_drop >> capability & 1) || prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL) /* this kernel has no more */
			return 0;
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot drop capability %d", capability);
	}
	return 0;
}

/* What it has until its exec, so that it is looked for, and found, with no more than it will have. */
static int reduce(uint64_t drop)
{
	enum { VERSION_3 = 0x20080522 };
	struct {
		uint32_t version;
		int pid;
	} header = {VERSION_3, 0};
	struct {
		uint32_t effective, permitted, inheritable;
	} sets[2] = {{(uint32_t)~drop, (uint32_t)~drop, 0}, {(uint32_t)(~drop >> 32), (uint32_t)(~drop >> 32), 0}};

	return (int)syscall(SYS_capset, &header, sets);
}

int confine_self(const struct mvm_proto_process *order, struct failure *failure)
{
	if (order->cap_drop && geteuid() == 0 && reduce(order->cap_drop))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot drop capabilities");
	if (order->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot forbid new privileges");
	return 0;
}
