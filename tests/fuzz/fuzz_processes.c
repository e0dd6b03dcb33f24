/* Lists of processes that a guest may send. */
#include "fuzz.h"

#include <string.h>

#include "runtime/engine/processes.h"

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct mvm_process_list list MVM_CLEAN_PROCESSES = {0};

	if (mvm_processes_parse((const char *)data, size, &list, NULL) < 0)
		return false;
	fuzz_check(list.ticks > 0 && list.count <= MVM_PROCESSES_MAX);
	for (size_t i = 0; i < list.count; i++) {
		const struct mvm_process *process = &list.items[i];
		const char *const texts[] = {process->user, process->grp, process->name, process->args};

		for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++)
			for (const char *at = texts[t]; *at; at++)
				fuzz_check((unsigned char)*at >= ' ' && *at != 0x7f);
		fuzz_check(i == 0 || list.items[i - 1].pid <= process->pid);
	}
	return true;
}
