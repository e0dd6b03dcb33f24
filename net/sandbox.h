/* What the network process gives up before it sees the first frame, on Linux. */
#ifndef MVM_NET_SANDBOX_H
#define MVM_NET_SANDBOX_H

/* No new privileges; of root's capabilities only the one to reach mvm's own files, which may lie in another user's
 * home; no system call that starts a program or a process, maps code, or touches other processes, mounts, namespaces or
 * the kernel. -1 with errno set. */
int sandbox_enter(void);

#endif
