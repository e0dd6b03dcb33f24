/*
 * The container's volumes, each locked from the first boot to the end: a disk by one VM at a time, a folder by any
 * number, of which the one that is alone with it may fill it from the image.
 */
#ifndef MVM_SUPERVISOR_VOLUMES_H
#define MVM_SUPERVISOR_VOLUMES_H

#include <stdbool.h>

#include "internal.h"
#include "share/mount.h"

struct mvm_shares;
struct volumes;

/* CONFLICT where another VM has one of them, and that is a disk. *volumes is NULL where there are none, which is fine
 * below. */
int volumes_open(struct supervisor *supervisor, struct volumes **volumes, struct mvm_error **err);
void volumes_close(struct volumes *volumes);

/* For the machine, at most MVM_VOLUME_DISKS_MAX, which follow its root disk. Borrowed. */
size_t volumes_disks(const struct volumes *volumes, struct mvm_machine_disk *disks);
/* What the agent is told of one that is mounted (PROTOCOL.md, MOUNT); a folder is added to the shares. The caller's. */
char *volumes_mount(const struct volumes *volumes, const struct mvm_mount *mount, struct mvm_shares *shares);

#endif
