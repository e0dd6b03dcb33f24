/* What a container has mounted beside the usual: tmpfs and the host's shares (PROTOCOL.md, MOUNT). */
#ifndef AGENT_MOUNTS_H
#define AGENT_MOUNTS_H

struct failure;

/* The tree of all shares, in a folder that is made where it is missing. */
int mounts_shares(const char *place, struct failure *failure);

/* In the order of `list`, which may be NULL. By the container's PID 1, whose paths and links are the container's. */
int mounts_make(char *const *list, struct failure *failure);

#endif
