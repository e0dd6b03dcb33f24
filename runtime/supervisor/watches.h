/*
 * What changes on the host in watched shares, told to the guest (PROTOCOL.md, REFRESH): some milliseconds' worth of
 * changes at a time, and no more before the guest has dealt with those, which bounds what a storm of them costs.
 */
#ifndef MVM_SUPERVISOR_WATCHES_H
#define MVM_SUPERVISOR_WATCHES_H

#include "internal.h"

struct mvm_mount;
struct mvm_share_roots;
struct watches;

/* Not running. */
struct watches *watches_create(struct supervisor *supervisor);
/* NULL is fine. The guest is asked for nothing any more. */
void watches_destroy(struct watches *watches);
/* What cannot be watched is said to the user, and the container does without. */
void watches_add(struct watches *watches, const struct mvm_mount *mount, const struct mvm_share_roots *roots);
/* What changes while they do not run is told later. */
void watches_run(struct watches *watches, bool on);

#endif
