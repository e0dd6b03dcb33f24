#include "process.h"

#include <string.h>

#ifdef __APPLE__
#include <libproc.h>
#endif

#include "error.h"
#include "io.h"
#include "mem.h"

#ifdef __linux__

uint64_t mvm_process_memory(pid_t pid)
{
	char *path MVM_CLEAN_FREE = mvm_format("/proc/%lld/smaps_rollup", (long long)pid);
	char *text MVM_CLEAN_FREE = NULL;
	const char *line;
	size_t length;

	if (mvm_read_file(path, 65536, &text, &length, NULL) < 0)
		return 0;
	line = strstr(text, "\nPss:");
	return line ? strtoull(line + strlen("\nPss:"), NULL, 10) * 1024 : 0;
}

#elif defined(__APPLE__)

uint64_t mvm_process_memory(pid_t pid)
{
	struct rusage_info_v0 usage;

	return proc_pid_rusage(pid, RUSAGE_INFO_V0, (rusage_info_t *)&usage) == 0 ? usage.ri_phys_footprint : 0;
}

#endif
