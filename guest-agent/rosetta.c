#include "rosetta.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "guest-agent/proto/proto.h"
#include "machine.h"
#include "shared.h"

#define DAEMON MVM_ROSETTA_ROOT "/rosettad"
/* Gone with the machine: the root disk is the container's, and would show it. The host has given memory for it
 * (runtime/supervisor/shares.c). */
#define CACHE	   "/rosetta-cache"
#define CACHE_SIZE "mode=0700,size=96m"
/* In the agent's own root, which containers' first processes see, unlike what it mounts later. */
#define SOCKETS "/rosetta-sockets"

/* It makes its socket uds/rosetta.sock in the folder that it is given, whatever the machine was configured with; all
 * users are to reach it. */
static void run_daemon(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(0);
	execl(DAEMON, "rosettad", "daemon", CACHE, NULL);
	_exit(127);
}

static int start_daemon(struct failure *failure)
{
	if (mkdir(CACHE, 0700) || mount("tmpfs", CACHE, "tmpfs", MS_NOSUID | MS_NODEV, CACHE_SIZE) ||
	    mkdir(CACHE "/uds", 0755) || mkdir(SOCKETS, 0755) || mount(SOCKETS, CACHE "/uds", NULL, MS_BIND, NULL))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make the folders of Rosetta's daemon");
	switch (fork()) {
	case -1:
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot fork");
	case 0:
		run_daemon();
	}
	shared->has_rosettad = true;
	return 0;
}

int rosetta_mount(struct failure *failure)
{
	if (mkdir(MVM_ROSETTA_ROOT, 0755) || mount(MVM_ROSETTA_TAG, MVM_ROSETTA_ROOT, "virtiofs", 0, NULL))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot mount Rosetta");
	return access(DAEMON, X_OK) ? 0 : start_daemon(failure);
}

int rosetta_place(struct failure *failure)
{
	static const char place[] = MACHINE_STAGE "/dev/rosettad";

	if (shared->has_rosettad && (mkdir(place, 0755) || mount(SOCKETS, place, NULL, MS_BIND, NULL)))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make /dev/rosettad");
	return 0;
}
