/*
 * The container's root disk: mounted on MACHINE_ROOT, grown to its device's
 * size, and left clean at the end.
 */
#ifndef AGENT_ROOTDISK_H
#define AGENT_ROOTDISK_H

struct failure;
struct mvm_proto_machine;

/* What the order says of the root. */
int rootdisk_mount(const struct mvm_proto_machine *order, struct failure *failure);
/* Nothing is written to the disk after this, and a check of it finds nothing to repair. */
int rootdisk_clean(struct failure *failure);

#endif
