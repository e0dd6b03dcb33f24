/* What the device process gives up before it looks at the first byte from QEMU or the guest. */
#ifndef MVM_VSOCK_SANDBOX_H
#define MVM_VSOCK_SANDBOX_H

/* No new privileges, no capabilities, no core dumps, as many descriptors as the user may have, and a filter that leaves
 * the system calls which move bytes between descriptors it has: nothing can be opened, connected or started. -1 with
 * errno set. */
int sandbox_enter(void);

#endif
