/*
 * What a new process does until its exec: it enters its container, becomes its
 * user, and reports to the agent over a socket of packets:
 *
 *   one byte and a descriptor   its terminal's master side
 *   struct failure              why it could not start; nothing follows
 *   end of file                 exec has succeeded
 *
 * Its order is in shared memory (shared.h).
 */
#ifndef AGENT_CHILD_H
#define AGENT_CHILD_H

/* The first process of a container: makes it, waits for word to go (stage.h), runs its program. */
_Noreturn void child_wait(int socket);
/* One that enters the container of the process behind `pidfd`. stdio: -1 for /dev/null. */
_Noreturn void child_join(int socket, int pidfd, const int stdio[3]);

#endif
