/*
 * What the container mounts of the host's: found anew at each boot, shown to the machine by one server, and put in its
 * place by the agent.
 */
#ifndef MVM_SUPERVISOR_SHARES_H
#define MVM_SUPERVISOR_SHARES_H

#include "internal.h"

struct mvm_share_roots;
struct mvm_strv;
struct shares;

/* Before a machine starts. What is to be mounted is looked at, folders that are missing are made where docker makes
 * them, and the server is started where there is something to serve. */
int shares_open(struct supervisor *supervisor, struct shares **shares, struct mvm_error **err);
/* The folders of the host that the guest may write. */
int shares_find_roots(const struct mvm_container_config *config, struct mvm_share_roots *roots, struct mvm_error **err);
/* NULL is fine here and below. Ends what serves them, whose machine has gone. */
void shares_close(struct shares *shares);
/* While the container's program runs and its machine does not stand still, it is told what changes in those that are
 * watched. */
void shares_watch(struct shares *shares, bool on);
/* Whether what that process changes is the guest's doing. */
bool shares_serves(const struct shares *shares, pid_t pid);
/* What the machine is to know of them, and Rosetta's memory on top of what it has. All of it is borrowed. */
void shares_describe(const struct shares *shares, struct mvm_machine_spec *spec);
/* For the agent: PROTOCOL.md, MOUNT. Borrowed. */
char *const *shares_mounts(const struct shares *shares);
/* For the agent: PROTOCOL.md, TRANSLATOR. Borrowed. */
char *const *shares_translators(const struct shares *shares);

#endif
