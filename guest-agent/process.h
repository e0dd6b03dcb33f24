/*
 * The processes that the host has started: their start, signals, terminals and
 * ends. The work inside of the new process is child.h's.
 */
#ifndef AGENT_PROCESS_H
#define AGENT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct failure;
struct mvm_proto_process;
struct mvm_proto_resize;
struct mvm_proto_signal;

/* Blocks SIGCHLD and watches for it. */
int process_init(struct failure *failure);

/* `order` is in shared memory. 0: it is on its way; the request is answered when its exec has succeeded or failed, and
 * orders are held until then.
 */
int process_start(const struct mvm_proto_process *order, uint32_t request, struct failure *failure);
int process_signal(const struct mvm_proto_signal *order, struct failure *failure);
int process_resize(const struct mvm_proto_resize *order, struct failure *failure);

/* A file or folder of /proc that belongs to the container that runs, such as "root"; -1 where none does. */
int process_open(const char *what);
/* Whether any is left that has not been reaped. */
bool process_any(void);

#endif
