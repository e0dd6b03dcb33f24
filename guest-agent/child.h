/*
 * What a new process does from clone() to exec: it enters or makes its container,
 * becomes its user, and reports to the agent over a socket of packets:
 *
 *   one byte and a descriptor   its terminal's master side
 *   struct failure              why it could not start; nothing follows
 *   end of file                 exec has succeeded
 */
#ifndef AGENT_CHILD_H
#define AGENT_CHILD_H

struct failure;
struct mvm_proto_process;

struct child_plan {
	const struct mvm_proto_process *order;
	int join;     /* pidfd of a process whose container to enter, -1 to make one */
	int stdio[3]; /* -1: /dev/null; not looked at with a terminal */
	int report;
};

_Noreturn void child_run(struct child_plan *plan);

#endif
