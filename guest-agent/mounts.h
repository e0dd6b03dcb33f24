/* What a container has mounted beside the usual: tmpfs and the host's shares (PROTOCOL.md, MOUNT). */
#ifndef AGENT_MOUNTS_H
#define AGENT_MOUNTS_H

#include <stdbool.h>

struct failure;

/* In the agent: mounts the tree of all shares at MVM_SHARE_ROOT, once. A second mount of the device would be any of the
 * file systems in it (fs/fuse/virtio_fs.c looks for one of the same connection), so containers get copies of this one.
 */
int mounts_shares(struct failure *failure);
/* Whether some of `list` are shares. */
bool mounts_want_shares(char *const *list);

/* In the order of `list`, which may be NULL; `shares` is a copy of the tree, or -1, and is taken. By the container's
 * PID 1, whose paths and links are the container's. */
int mounts_make(char *const *list, int shares, struct failure *failure);

#endif
