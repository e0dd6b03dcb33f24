/* What the program's files share. */
#ifndef MVM_NET_INTERNAL_H
#define MVM_NET_INTERNAL_H

#include "lan.h"

struct mvm_error;
struct mvm_loop;

struct process_paths {
	const char *socket, *leases; /* process.h */
};
/* Until the last guest has left. */
int process_run(struct mvm_loop *loop, const struct process_paths *paths, int listen_fd, struct mvm_error **err);

#endif
