/*
 * QEMU underneath: the argument list is that of mvm's QEMU backend under emulation. Status and end are told by QMP; the
 * guest's console passes through here, because the framework's descriptors may be pipes, which QEMU's console is not.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "runtime/backend/qemu/args.h"
#include "runtime/backend/qemu/host.h"
#include "runtime/backend/qemu/memory.h"
#include "runtime/base/arch.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/spawn.h"

enum { ID_STATUS = 1, ID_OTHER, FDS_MAX = 6 + MVM_MACHINE_NICS_MAX };

void qemu_command(struct machine *machine, const char *command, json_t *arguments)
{
	int64_t id = strcmp(command, "query-status") == 0 ? ID_STATUS : ID_OTHER;
	char *line MVM_CLEAN_FREE = qmp_command(command, id, arguments);

	if (mvm_write_full(machine->qmp_fd, line, strlen(line)) < 0)
		mvm_log(MVM_LOG_WARN, "QEMU does not take the command %s", command);
}

/* ---- QMP ---- */

static void on_status(struct machine *machine, const char *status)
{
	if (strcmp(status, "running") == 0) {
		machine_say(machine->running ? WIRE_RESUMED : WIRE_RUNNING, 0, 0, -1);
		machine->running = true;
	} else if (strcmp(status, "paused") == 0) {
		machine_say(WIRE_PAUSED, 0, 0, -1);
	} else {
		mvm_log(MVM_LOG_WARN, "QEMU's machine is %s", status);
	}
}

static void on_shutdown(struct machine *machine, const char *reason)
{
	if (machine->told)
		return;
	machine->told = true;
	if (strcmp(reason, "guest-shutdown") == 0)
		machine_say(WIRE_GUEST_OFF, 0, 0, -1);
	else
		machine_break(machine, "The virtual machine stopped unexpectedly.");
}

static int on_message(void *arg, const struct qmp_message *message)
{
	struct machine *machine = arg;
	const char *text;

	if (message->kind == QMP_ERROR)
		mvm_log(MVM_LOG_WARN, "QEMU refuses: %s", message->name);
	if (message->kind == QMP_EVENT &&
	    (strcmp(message->name, "STOP") == 0 || strcmp(message->name, "RESUME") == 0) && machine->running)
		qemu_command(machine, "query-status", NULL);
	text = json_string_value(json_object_get(message->data, "reason"));
	if (message->kind == QMP_EVENT && strcmp(message->name, "SHUTDOWN") == 0 && text)
		on_shutdown(machine, text);
	text = json_string_value(json_object_get(message->data, "status"));
	if (message->kind == QMP_RETURN && message->id == ID_STATUS && text)
		on_status(machine, text);
	return 0;
}

static void on_qmp(void *arg, int fd, short revents)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct machine *machine = arg;
	char data[4096];
	ssize_t n = read(fd, data, sizeof(data));

	(void)revents;
	/* At its end the process is about to be reaped. */
	if (n <= 0)
		poll(NULL, 0, 1);
	else if (qmp_feed(&machine->qmp, data, (size_t)n, on_message, machine, &err) < 0)
		machine_break(machine, mvm_error_message(err));
}

/* ---- console ---- */

static void copy(struct mvm_watch *watch, int from, int to)
{
	char data[4096];
	ssize_t n = read(from, data, sizeof(data));

	if (n <= 0 || (to >= 0 && mvm_write_full(to, data, (size_t)n) < 0))
		mvm_watch_set(watch, 0);
}

static void on_console(void *arg, int fd, short revents)
{
	struct machine *machine = arg;

	(void)revents;
	copy(machine->console_watch, fd, machine->console_out);
}

static void on_input(void *arg, int fd, short revents)
{
	struct machine *machine = arg;

	(void)revents;
	copy(machine->input_watch, fd, machine->console_fd);
}

/* ---- the process ---- */

static void on_end(void *arg, pid_t pid, int status)
{
	struct machine *machine = arg;
	struct pollfd console = {.fd = machine->console_fd, .events = POLLIN};

	(void)pid;
	mvm_log(MVM_LOG_DEBUG, "QEMU ended with wait status %d", status);
	machine->pid = 0;
	/* What the guest said last. */
	while (poll(&console, 1, 0) > 0 && (console.revents & POLLIN)) {
		char data[4096];
		ssize_t n = read(machine->console_fd, data, sizeof(data));

		if (n <= 0 || machine->console_out < 0 || mvm_write_full(machine->console_out, data, (size_t)n) < 0)
			break;
	}
	if (!machine->told && !machine->stopping)
		machine_break(machine, "The virtual machine stopped unexpectedly.");
	mvm_loop_stop(machine->loop);
}

struct channels {
	int qmp[2], console[2], memory;
};

static int open_channels(struct channels *channels, uint64_t memory, struct mvm_error **err)
{
	if (memory_create(memory, &channels->memory, err) < 0)
		return -1;
	if (mvm_socketpair(SOCK_STREAM, channels->qmp) < 0 || mvm_socketpair(SOCK_STREAM, channels->console) < 0)
		return mvm_fail_errno(err, errno, "cannot make a socket pair for QEMU");
	return 0;
}

static const char *program_for(enum mvm_arch arch)
{
	return arch == MVM_ARCH_ARM64 ? "qemu-system-aarch64" : "qemu-system-x86_64";
}

static int spawn(struct machine *machine, const struct channels *channels, const struct mvm_strv *argv,
		 struct mvm_error **err)
{
	struct mvm_spawn_fd fds[FDS_MAX] = {
		{STDERR_FILENO, STDERR_FILENO},		 {channels->qmp[1], QEMU_QMP_FD},
		{channels->console[1], QEMU_CONSOLE_FD}, {channels->memory, QEMU_MEMORY_FD},
		{machine->spec.vsock_fd, QEMU_VSOCK_FD},
	};
	struct mvm_spawn child = {.program = argv->items[0],
				  .argv = argv->items,
				  .fds = fds,
				  .fd_count = 5,
				  .new_session = true,
				  .die_with_parent = true};

	if (machine->spec.fs_tag)
		fds[child.fd_count++] = (struct mvm_spawn_fd){machine->spec.fs_fd, QEMU_FS_FD};
	for (size_t i = 0; i < machine->spec.nic_count; i++)
		fds[child.fd_count++] = (struct mvm_spawn_fd){machine->nics[i].fd, QEMU_NIC_FD + (int)i};
	return mvm_spawn(&child, &machine->pid, err);
}

int qemu_start(struct machine *machine, struct mvm_error **err)
{
	enum mvm_arch arch = mvm_kernel_arch(machine->spec.kernel);
	struct qemu_args args = {
		.program = program_for(arch), .spec = &machine->spec, .arch = arch, .accel = MVM_ACCEL_TCG};
	struct channels channels = {{-1, -1}, {-1, -1}, -1};
	struct mvm_strv argv MVM_CLEAN_STRV = {0};
	struct host_facts facts;

	host_facts_load(&facts);
	args.tsc_khz = facts.tsc_khz;
	qemu_args_build(&args, &argv);
	rosetta_add_args(machine, &argv);
	if (open_channels(&channels, qemu_memory(&args), err) < 0 || spawn(machine, &channels, &argv, err) < 0)
		return -1;
	memory_warm(channels.memory, qemu_memory(&args));
	close(channels.memory);
	close(channels.qmp[1]);
	close(channels.console[1]);
	machine->qmp_fd = channels.qmp[0];
	machine->console_fd = channels.console[0];
	mvm_loop_watch(machine->loop, machine->qmp_fd, POLLIN, on_qmp, machine);
	machine->console_watch = mvm_loop_watch(machine->loop, machine->console_fd, POLLIN, on_console, machine);
	if (machine->console_in >= 0)
		machine->input_watch = mvm_loop_watch(machine->loop, machine->console_in, POLLIN, on_input, machine);
	mvm_loop_child(machine->loop, machine->pid, on_end, machine);
	qemu_command(machine, "qmp_capabilities", NULL);
	qemu_command(machine, "query-status", NULL);
	return 0;
}
