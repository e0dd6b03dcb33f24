/*
 * mvm-vsock: the virtio socket device of one VM, started by its supervisor as
 *
 *   mvm-vsock CID    with the control channel as descriptor 3 and QEMU's vhost-user stream as 4
 *
 * Ends with 0 when the supervisor closes the control channel, 1 when guest or QEMU broke the
 * device, 2 when it could not start. Diagnostics go to stderr.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "runtime/base/log.h"
#include "sandbox.h"

static bool parse_cid(const char *text, uint64_t *cid)
{
	char *end;

	*cid = strtoull(text, &end, 10);
	return end != text && !*end && *cid > CID_HOST && *cid < UINT32_MAX;
}

int main(int argc, char **argv)
{
	static struct device device;
	uint64_t cid;

	mvm_log_open("mvm-vsock", STDERR_FILENO, MVM_LOG_WARN);
	if (argc != 2 || !parse_cid(argv[1], &cid)) {
		mvm_log(MVM_LOG_ERROR, "it is started by mvm's supervisor, with a CID from 3 up");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (device_init(&device, cid, CONTROL_FD, VHOST_USER_FD) < 0 || sandbox_enter() < 0) {
		mvm_log(MVM_LOG_ERROR, "cannot start: %s", strerror(errno));
		return 2;
	}
	return device_run(&device);
}
