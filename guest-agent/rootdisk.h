/*
 * The container's root disk: mounted on MACHINE_ROOT, grown to its device's
 * size, and left clean at the end.
 */
#ifndef AGENT_ROOTDISK_H
#define AGENT_ROOTDISK_H

struct failure;

int rootdisk_mount(const char *device, const char *type, struct failure *failure);
/* Nothing is written to the disk after this, and a check of it finds nothing to repair. */
int rootdisk_clean(struct failure *failure);

#endif
