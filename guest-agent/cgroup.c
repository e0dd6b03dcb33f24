#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
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
