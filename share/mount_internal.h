/* What the parsers of both forms share. */
#ifndef MVM_SHARE_MOUNT_INTERNAL_H
#define MVM_SHARE_MOUNT_INTERNAL_H

#include "mount.h"

/* By docker's rules; makes the target's path clean. */
int mount_check(struct mvm_mount *mount, struct mvm_error **err);
int mount_set_propagation(struct mvm_mount *mount, const char *word, struct mvm_error **err);

#endif
