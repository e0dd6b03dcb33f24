#include "front.h"

#include <stddef.h>

int mvm_vsock_listen(struct mvm_vsock *vsock, uint32_t port, struct mvm_error **err)
{
	return vsock->ops->listen(vsock, port, err);
}

void mvm_vsock_unlisten(struct mvm_vsock *vsock, uint32_t port)
{
	vsock->ops->unlisten(vsock, port);
}

int mvm_vsock_connect(struct mvm_vsock *vsock, uint32_t port, mvm_vsock_connected_fn fn, void *arg,
		      struct mvm_error **err)
{
	return vsock->ops->connect(vsock, port, fn, arg, err);
}

int mvm_vsock_publish(struct mvm_vsock *vsock, int listening, uint32_t port, struct mvm_error **err)
{
	return vsock->ops->publish(vsock, listening, port, err);
}

int mvm_vsock_serve(struct mvm_vsock *vsock, uint32_t first, uint32_t count, struct mvm_error **err)
{
	return vsock->ops->serve(vsock, first, count, err);
}

void mvm_vsock_answer(struct mvm_vsock *vsock, uint32_t id, int fd)
{
	vsock->ops->answer(vsock, id, fd);
}

pid_t mvm_vsock_pid(const struct mvm_vsock *vsock)
{
	return vsock->ops->pid(vsock);
}

void mvm_vsock_destroy(struct mvm_vsock *vsock)
{
	if (vsock)
		vsock->ops->destroy(vsock);
}
