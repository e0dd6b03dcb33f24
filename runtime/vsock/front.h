/*
 * What vsock.h calls, of either kind of device: a process of its own (client.c) or the machine's (own.c).
 */
#ifndef MVM_VSOCK_FRONT_H
#define MVM_VSOCK_FRONT_H

#include "vsock.h"

struct vsock_ops {
	int (*listen)(struct mvm_vsock *vsock, uint32_t port, struct mvm_error **err);
	void (*unlisten)(struct mvm_vsock *vsock, uint32_t port);
	int (*connect)(struct mvm_vsock *vsock, uint32_t port, mvm_vsock_connected_fn fn, void *arg,
		       struct mvm_error **err);
	int (*publish)(struct mvm_vsock *vsock, int listening, uint32_t port, struct mvm_error **err);
	int (*serve)(struct mvm_vsock *vsock, uint32_t first, uint32_t count, struct mvm_error **err);
	void (*answer)(struct mvm_vsock *vsock, uint32_t id, int fd);
	pid_t (*pid)(const struct mvm_vsock *vsock);
	void (*destroy)(struct mvm_vsock *vsock);
};

/* What both begin with. */
struct mvm_vsock {
	const struct vsock_ops *ops;
};

#endif
