#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "figures.h"
#include "files.h"
#include "machine.h"
#include "guest-agent/proto/message.h"

static int group = -1;

enum { FREEZE_SECONDS = 10 };

/* A kernel without one of them still runs containers; a limit that needs it is then refused below. */
static void enable_controllers(void)
{
	static const char *const controllers[] = {"+cpu", "+memory", "+pids", "+io", "+cpuset"};

	if (file_set("/cgroup/cgroup.subtree_control", "+cpu +memory +pids +io +cpuset") == 0)
		return;
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++)
		if (file_set("/cgroup/cgroup.subtree_control", controllers[i]))
			trace("no cgroup controller %s", controllers[i]);
}

static int set_limit(const char *name, const char *value, struct failure *failure)
{
	if (file_set_at(group, name, value))
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot set %s to %s", name, value);
	return 0;
}

int cgroup_limit(const struct mvm_proto_limits *limits, struct failure *failure)
{
	const struct {
		const char *file;
		uint64_t value;
		const char *more; /* after the value */
	} settings[] = {
		{"memory.low", limits->memory_low, ""},	   {"memory.max", limits->memory_max, ""},
		{"cpu.max", limits->cpu_quota, " 100000"}, {"cpu.weight", limits->cpu_weight, ""},
		{"pids.max", limits->pids_max, ""},
	};
	char value[48];

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (!settings[i].value)
			continue;
		snprintf(value, sizeof(value), "%llu%s", (unsigned long long)settings[i].value, settings[i].more);
		if (set_limit(settings[i].file, settings[i].value == UINT64_MAX ? "max" : value, failure))
			return -1;
	}
	return 0;
}

int cgroup_make(struct failure *failure)
{
	enable_controllers();
	if (mkdir(MACHINE_CONTAINER, 0755) && errno != EEXIST)
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot make the container's cgroup");
	return 0;
}

int cgroup_open(struct failure *failure)
{
	if (group < 0)
		group = open(MACHINE_CONTAINER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (group < 0)
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot open the container's cgroup");
	return 0;
}

int cgroup_fd(void)
{
	return group;
}

int cgroup_open_of(pid_t pid)
{
	static const char root[] = "/cgroup", prefix[] = "0::";
	char text[PATH_MAX] = "", path[sizeof(root) + sizeof(text)];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	if (file_read_at(AT_FDCWD, path, text, sizeof(text)) < 0 || strncmp(text, prefix, sizeof(prefix) - 1) != 0)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	snprintf(path, sizeof(path), "%s%s", root, text + sizeof(prefix) - 1);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void cgroup_kill(void)
{
	if (group >= 0 && file_set_at(group, "cgroup.kill", "1"))
		complain("cannot kill the container's processes: %s", strerror(errno));
}

const char *cgroup_text(const char *file)
{
	static char text[8192]; /* the longest, memory.stat, has 1.5 KB */

	if (group < 0 || file_read_at(group, file, text, sizeof(text)) < 0)
		text[0] = '\0';
	return text;
}

uint64_t cgroup_value(const char *file, const char *key)
{
	return figures_value(cgroup_text(file), key);
}

int cgroup_reclaim(uint64_t bytes)
{
	char value[24];

	snprintf(value, sizeof(value), "%llu", (unsigned long long)bytes);
	return group < 0 ? -1 : file_set_at(group, "memory.reclaim", value);
}

uint64_t cgroup_oom_kills(void)
{
	return cgroup_value("memory.events", "oom_kill");
}

/* Waits until the kernel says that all of them stand still. */
static int wait_frozen(int events, struct failure *failure)
{
	uint64_t deadline = uptime_ns() + FREEZE_SECONDS * 1000000000ull;
	struct pollfd poll_fd = {.fd = events, .events = POLLPRI};
	char text[128];

	for (;;) {
		ssize_t length = pread(events, text, sizeof(text) - 1, 0);
		uint64_t now = uptime_ns();

		text[length < 0 ? 0 : length] = '\0';
		if (strstr(text, "frozen 1"))
			return 0;
		if (length < 0 || now >= deadline)
			return failure_set(failure, MVM_PROTO_RESOURCE,
					   "the container's processes do not stand still after %d s", FREEZE_SECONDS);
		poll(&poll_fd, 1, (int)((deadline - now) / 1000000) + 1);
	}
}

int cgroup_freeze(struct failure *failure)
{
	int events = open(MACHINE_CONTAINER "/cgroup.events", O_RDONLY | O_CLOEXEC);
	int rc;

	if (events < 0 || file_set(MACHINE_CONTAINER "/cgroup.freeze", "1"))
		rc = failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot stop the container's processes");
	else
		rc = wait_frozen(events, failure);
	if (events >= 0)
		close(events);
	return rc;
}

void cgroup_thaw(void)
{
	if (file_set(MACHINE_CONTAINER "/cgroup.freeze", "0"))
		complain("cannot let the container's processes go on: %s", strerror(errno));
}
