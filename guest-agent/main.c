/*
 * The agent: PID 1 of the virtual machine, started from the initramfs.
 *
 * It connects to the host before anything else, and makes its own root while the
 * connection comes about; all else that the machine needs is left to a child
 * (stage.c). From then on it is one loop that carries out orders (control.c), watches
 * processes (process.c) and relays their streams (relay.c). Of the kernel's command
 * line it takes nothing but mvm_debug=1, which makes it talkative.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control.h"
#include "failure.h"
#include "loop.h"
#include "machine.h"
#include "process.h"
#include "shared.h"
#include "stage.h"

/* The kernel opens the console for init, if there is one; 0 to 2 have to be something in any case, so that
 * nothing else becomes them. */
static void hold_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* Docker's, for all containers; what else there is comes with the order. */
static void raise_limits(void)
{
	static const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	if (setrlimit(RLIMIT_NPROC, &unlimited) || setrlimit(RLIMIT_CORE, &unlimited))
		complain("cannot raise the limits of processes and core files");
}

int main(void)
{
	struct failure failure;

	if (getpid() != 1) {
		fputs("mvm-agent runs as the init of mvm's virtual machines, and nowhere else\n", stderr);
		return 125;
	}
	/* What the kernel does not know of its command line it hands on. */
	if (getenv("mvm_debug"))
		trace_enable();
	hold_stdio();
	loop_init();
	control_start();
	raise_limits();
	if (shared_init() || machine_make_root(&failure) || stage_start(&failure) || process_init(&failure)) {
		complain("%s", shared ? failure.message : "no memory");
		machine_power_off();
	}
	loop_run();
}
