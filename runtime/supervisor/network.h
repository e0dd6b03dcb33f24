/*
 * The container's places on networks: sockets for its machine, the networks' processes (net/process.h), which are
 * started where none runs, and what the guest has to know.
 *
 * A place outlives the network's process: when that dies it is started again, and gets the same socket and the same
 * addresses.
 */
#ifndef MVM_SUPERVISOR_NETWORK_H
#define MVM_SUPERVISOR_NETWORK_H

#include <stdbool.h>

#include "internal.h"

struct mvm_strv;

struct network;

/* Begins to join all networks that the container is to be on; NULL in *network where there are none. What cannot be
 * known at once is told later, as EVENT_FAILURE. */
int network_join(struct supervisor *supervisor, struct network **network, struct mvm_error **err);
/* Leaves them. NULL is fine, and for what follows means no networks. */
void network_leave(struct network *network);
/* Whether one of them leads to the host and what is beyond. */
bool network_leads_out(const struct network *network);
/* For a new machine: at most MVM_MACHINE_NICS_MAX. */
size_t network_nics(struct network *network, struct mvm_machine_nic *nics);
/* All places are known. Until then orders wait: EVENT_NETWORK_READY says that it is so. */
bool network_is_ready(const struct network *network);
/* Where it is now, as state.json keeps it. */
void network_note(const struct network *network, struct mvm_strv *endpoints);
/* Tells `events` of all of them: "connect" or "disconnect". */
void network_note_events(const struct network *network, const char *action);
/* What MACHINE says of them; `hosts` gets the container's own name and --add-host's. All are the caller's. */
void network_describe(const struct network *network, struct mvm_strv *interfaces, struct mvm_strv *hosts,
		      char **resolv_conf);

/* Changes: connect_apply(), disconnect_apply(). The container's process runs, or the machine that is told of them has
 * gone, or so has the container: they are INTERRUPTED then. The last is network_leave()'s own. */
void network_run_changes(struct network *network);
void network_suspend_changes(struct network *network);
void network_refuse_changes(struct network *network);

#endif
