#include "stats.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cgroup.h"
#include "failure.h"
#include "figures.h"
#include "files.h"
#include "guest-agent/proto/message.h"

/* Room for the longest of them. */
static char text[16384];

/* "" where it cannot be read. */
static const char *read_text(int folder, const char *path)
{
	if (file_read_at(folder, path, text, sizeof(text)) < 0)
		text[0] = '\0';
	return text;
}

static const char *read_group(const char *name)
{
	return read_text(cgroup_fd(), name);
}

static uint64_t memory_limit(void)
{
	const char *limit = read_group("memory.max");
	uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES), page = (uint64_t)sysconf(_SC_PAGESIZE);

	return *limit >= '0' && *limit <= '9' ? strtoull(limit, NULL, 10) : pages * page;
}

void stats_read(struct mvm_proto_figures *figures)
{
	*figures = (struct mvm_proto_figures){
		.uptime = uptime_ns(),
		.cpu_time = figures_value(read_group("cpu.stat"), "usage_usec") * 1000,
		.memory_used = strtoull(read_group("memory.current"), NULL, 10),
		.memory_limit = memory_limit(),
		.pids = strtoull(read_group("pids.current"), NULL, 10),
	};
	figures->memory_inactive = figures_value(read_group("memory.stat"), "inactive_file");
	figures_add_blocks(read_group("io.stat"), figures);
	figures_add_network(read_text(AT_FDCWD, "/proc/net/dev"), figures);
}
