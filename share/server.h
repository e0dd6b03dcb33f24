/*
 * The server of a VM's shares: virtiofsd, the one of QEMU (in C) or the one in Rust, over a tree that mvm-share makes
 * (share.h). Linux.
 *
 * Runs in the supervisor, on its loop; starting waits for the tree, some milliseconds. The server ends with its VM, and
 * with the supervisor. Without it every access of the guest hangs, and QEMU cannot be given another one.
 */
#ifndef MVM_SHARE_SERVER_H
#define MVM_SHARE_SERVER_H

#include <sys/types.h>

#include "share.h"

struct mvm_loop;
struct mvm_share_server;

struct mvm_share_server_events {
	/* By itself; `reason` is one line. */
	void (*died)(void *arg, const char *reason);
};

/* The virtiofsd that is installed; the caller's. NOT_FOUND says what to do. */
int mvm_share_server_find(char **path, struct mvm_error **err);

/* `runtime` is a private folder for a socket, `root` any folder that is not shared: the server sees the tree in its
 * place. *device_fd is the vhost-user device's, for the backend, and the caller's to close. NOT_FOUND where no
 * virtiofsd is installed. */
int mvm_share_server_start(struct mvm_loop *loop, const struct mvm_shares *shares, const char *runtime,
			   const char *root, const struct mvm_share_server_events *events, void *arg,
			   struct mvm_share_server **server, int *device_fd, struct mvm_error **err);
/* Whether that process is the server: the one that was started, or a child of it. */
bool mvm_share_server_is(struct mvm_share_server *server, pid_t pid);
/* How many files it can have open, at the least. */
unsigned long mvm_share_server_files(void);
/* Ends it. NULL is fine. */
void mvm_share_server_destroy(struct mvm_share_server *server);

#endif
