/*
 * Volumes (PROTOCOL.md, MOUNT): a disk of the machine's, or a folder of the host's, of which the container sees the
 * folder MVM_PROTO_VOLUME. Beside it there is, while that is filled from the image, a file that says so: who finds it
 * fills it again.
 */
#ifndef AGENT_VOLUMES_H
#define AGENT_VOLUMES_H

#include <stdbool.h>

struct failure;

bool volumes_is(const char *mount);
/* The rest of it, which is where it is to be. */
const char *volumes_target(const char *mount);
/* Of `list`, which may be NULL: filled where that is asked for, from `root`, the container's, and taken, before the
 * agent's root is out of sight. `shares` is a copy of the tree of all shares, or -1; another one comes back. */
int volumes_take(int root, char *const *list, int *shares, struct failure *failure);
/* Mounts the next one at `target`, where a folder is, or a file where it is one. */
bool volumes_next_is_file(void);
int volumes_place(const char *target);
/* All that is on them is on the disks. */
int volumes_clean(struct failure *failure);

#endif
