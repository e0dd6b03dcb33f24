/* PROCESSES: what runs in the container, as a list. */
#ifndef AGENT_PROCESSES_H
#define AGENT_PROCESSES_H

#include <stdint.h>

struct failure;
struct mvm_proto_processes;

/* 0: it is on its way, and answers the request by itself. A process of the agent's reads it, for what is said of a
 * process may have to wait for that process. */
int processes_start(const struct mvm_proto_processes *order, uint32_t request, struct failure *failure);

#endif
