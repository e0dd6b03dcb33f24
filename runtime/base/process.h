/* Other processes of this user. */
#ifndef MVM_BASE_PROCESS_H
#define MVM_BASE_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

/* Bytes of memory that it takes of the host: what it shares with others counts in part (Linux: PSS), so that those of
 * several processes add up. 0 where that cannot be told, as of a process that has ended. */
uint64_t mvm_process_memory(pid_t pid);

#endif
