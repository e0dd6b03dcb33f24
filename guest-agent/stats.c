#include "stats.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cgroup.h"
#include "failure.h"
#include "figures.h"
#include "files.h"
#include "guest-agent/proto/message.h"

static uint64_t memory_limit(void)
{
	const char *limit = cgroup_text("memory.max");
	uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES), page = (uint64_t)sysconf(_SC_PAGESIZE);

	return *limit >= '0' && *limit <= '9' ? strtoull(limit, NULL, 10) : pages * page;
}

static void add_network(struct mvm_proto_figures *figures)
{
	static char text[8192];

	if (file_read_at(AT_FDCWD, "/proc/net/dev", text, sizeof(text)) > 0)
		figures_add_network(text, figures);
}

void stats_read(struct mvm_proto_figures *figures)
{
	*figures = (struct mvm_proto_figures){
		.uptime = uptime_ns(),
		.cpu_time = cgroup_value("cpu.stat", "usage_usec") * 1000,
		.memory_used = strtoull(cgroup_text("memory.current"), NULL, 10),
		.memory_inactive = cgroup_value("memory.stat", "inactive_file"),
		.memory_limit = memory_limit(),
		.pids = strtoull(cgroup_text("pids.current"), NULL, 10),
	};
	figures_add_blocks(cgroup_text("io.stat"), figures);
	add_network(figures);
}
