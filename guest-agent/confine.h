/*
 * What keeps a container's processes from what is the machine's, as docker has it: paths that are hidden or
 * read-only, and the capabilities that they do not have. It guards the container's machine against the container, and
 * not the host, whose boundary is the machine itself; so a privileged container may go without.
 *
 * Runs in the container's own processes.
 */
#ifndef AGENT_CONFINE_H
#define AGENT_CONFINE_H

struct failure;
struct mvm_proto_process;

/* The read-only parts of `stage`/proc. Leaves a mount on `stage`/dev, which is to be covered. */
int confine_seal(const char *stage, struct failure *failure);
/* The hidden parts of `stage`/proc and `stage`/sys. The container's /dev is the current folder. */
int confine_mask(const char *stage, struct failure *failure);

/* Before the process becomes its user: the kernel's choice when memory runs out, and what exec can give at most. */
int confine_score(const struct mvm_proto_process *order, struct failure *failure);
int confine_bounds(const struct mvm_proto_process *order, struct failure *failure);
/* After that. */
int confine_self(const struct mvm_proto_process *order, struct failure *failure);

#endif
