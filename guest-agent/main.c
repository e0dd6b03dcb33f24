/*
 * The agent: PID 1 of the virtual machine, started from the initramfs.
 *
 * It connects to the host before anything else, and mounts what it needs while
 * the connection comes about. From then on it is one loop that carries out
 * orders (control.c), watches processes (process.c) and relays their streams
 * (relay.c). Nothing is taken from its command line.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control.h"
#include "failure.h"
#include "files.h"
#include "loop.h"
#include "machine.h"
#include "process.h"
#include "shared.h"
#include "stage.h"

static void read_command_line(void)
{
	char line[4096];

	if (file_read_at(AT_FDCWD, "/proc/cmdline", line, sizeof(line)) > 0 && strstr(line, "mvm.debug"))
		trace_enable();
}

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
	hold_stdio();
	loop_init();
	control_start();
	if (shared_init() || machine_mount_own(&failure) || process_init(&failure)) {
		complain("%s", shared ? failure.message : "no memory");
		machine_power_off();
	}
	read_command_line();
	trace("own file systems mounted");
	raise_limits();
	if (stage_start(&failure)) {
		complain("%s", failure.message);
		machine_power_off();
	}
	loop_run();
}
