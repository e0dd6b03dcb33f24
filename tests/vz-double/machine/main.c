#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/kernel.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/paths.h"

enum { GUEST_CID = 3 };

/* A CONNECT that is under way. */
struct connecting {
	uint32_t id, port;
};

static void send_message(const struct wire_message *message, int fd)
{
	/* The framework that has gone needs no answer. */
	if (mvm_send_fds(WIRE_FD, message, sizeof(*message), &fd, fd >= 0 ? 1 : 0) < 0)
		mvm_log(MVM_LOG_DEBUG, "the framework has gone");
}

void machine_say(enum wire_type type, uint32_t id, uint32_t port, int fd)
{
	const struct wire_message message = {.type = type, .id = id, .port = port};

	send_message(&message, fd);
}

void machine_break(struct machine *machine, const char *text)
{
	struct wire_message message = {.type = WIRE_BROKEN};

	machine->told = true;
	snprintf(message.text, sizeof(message.text), "%s", text);
	send_message(&message, -1);
	if (machine->pid > 0)
		kill(machine->pid, SIGKILL);
}

/* ---- vsock ---- */

static void accepted(void *arg, uint32_t port, int fd)
{
	(void)arg;
	machine_say(WIRE_ACCEPTED, 0, port, fd);
	close(fd);
}

static void vsock_died(void *arg, const char *reason)
{
	mvm_log(MVM_LOG_WARN, "%s", reason);
	if (!((struct machine *)arg)->told)
		machine_break(arg, "The socket device of the virtual machine failed.");
}

static void connected(void *arg, int fd, int errnum)
{
	struct connecting *connecting = arg;

	machine_say(errnum ? WIRE_NOBODY : WIRE_CONNECTED, connecting->id, connecting->port, fd);
	mvm_close(&fd);
	free(connecting);
}

static void connect_guest(struct machine *machine, uint32_t id, uint32_t port)
{
	struct connecting *connecting = mvm_alloc(sizeof(*connecting));

	*connecting = (struct connecting){id, port};
	if (mvm_vsock_connect(machine->vsock, port, connected, connecting, NULL) < 0)
		connected(connecting, -1, ECONNRESET);
}

/* ---- what the framework asks ---- */

static void set_link(struct machine *machine, uint32_t index, bool up)
{
	char *name MVM_CLEAN_FREE = mvm_format("net%u", index);

	qemu_command(machine, "set_link", json_pack("{s:s, s:b}", "name", name, "up", up));
}

static void obey(struct machine *machine, const struct wire_message *message)
{
	switch ((enum wire_type)message->type) {
	case WIRE_LISTEN:
		mvm_vsock_listen(machine->vsock, message->port, NULL);
		if (message->id)
			machine_say(WIRE_DONE, 0, 0, -1);
		break;
	case WIRE_UNLISTEN:
		mvm_vsock_unlisten(machine->vsock, message->port);
		break;
	case WIRE_CONNECT:
		connect_guest(machine, message->id, message->port);
		break;
	case WIRE_STOP:
		machine->stopping = true;
		if (machine->pid > 0)
			kill(machine->pid, SIGKILL);
		break;
	case WIRE_POWER:
		qemu_command(machine, "system_powerdown", NULL);
		break;
	case WIRE_PAUSE:
		qemu_command(machine, "stop", NULL);
		break;
	case WIRE_RESUME:
		qemu_command(machine, "cont", NULL);
		break;
	case WIRE_BALLOON:
		qemu_command(machine, "balloon", json_pack("{s:I}", "value", (json_int_t)message->id << 20));
		break;
	case WIRE_PLUG:
	case WIRE_UNPLUG:
		set_link(machine, message->id, message->type == WIRE_PLUG);
		break;
	default:
		mvm_log(MVM_LOG_WARN, "the framework says %u", message->type);
	}
}

static void on_framework(void *arg, int fd, short revents)
{
	struct machine *machine = arg;
	struct wire_message message;
	ssize_t n = recv(fd, &message, sizeof(message), MSG_DONTWAIT);

	(void)revents;
	if (n == (ssize_t)sizeof(message))
		obey(machine, &message);
	else if (n == 0 || errno != EAGAIN)
		mvm_loop_stop(machine->loop);
}

/* ---- start ---- */

static void shares_died(void *arg, const char *reason)
{
	(void)arg;
	mvm_log(MVM_LOG_WARN, "%s", reason);
}

static int start_shares(struct machine *machine, struct mvm_error **err)
{
	static const struct mvm_share_server_events events = {.died = shares_died};
	char *home MVM_CLEAN_FREE = NULL, *runtime MVM_CLEAN_FREE = NULL;

	if (!machine->spec.fs_tag)
		return 0;
	if (mvm_home(&home, err) < 0 || mvm_runtime_folder(home, &runtime, err) < 0)
		return -1;
	return mvm_share_server_start(machine->loop, &machine->shares, runtime, runtime, &events, machine,
				      &machine->share_server, &machine->spec.fs_fd, err);
}

/* QEMU would take a vmlinux; the framework's loader follows Linux's boot protocol. */
static int check_kernel(const struct machine *machine, struct mvm_error **err)
{
	struct mvm_kernel_facts facts;

	if (mvm_kernel_examine(machine->spec.kernel, machine->spec.kernel, &facts, err) < 0)
		return -1;
	return facts.format == MVM_KERNEL_VMLINUX
		       ? mvm_fail(err, MVM_ERR_INVALID, "The virtual machine failed to start: the kernel is a vmlinux.")
		       : 0;
}

static int start(struct machine *machine, const char *description, struct mvm_error **err)
{
	static const struct mvm_vsock_events events = {.accepted = accepted, .died = vsock_died};

	if (machine_read_spec(machine, description, err) < 0 || check_kernel(machine, err) < 0 ||
	    start_shares(machine, err) < 0 || rosetta_start(machine, err) < 0 ||
	    mvm_vsock_start(machine->loop, GUEST_CID, &events, machine, &machine->vsock, &machine->spec.vsock_fd, err) <
		    0)
		return -1;
	mvm_loop_watch(machine->loop, WIRE_FD, POLLIN, on_framework, machine);
	return qemu_start(machine, err);
}

static void finish(struct machine *machine)
{
	if (machine->pid > 0)
		kill(machine->pid, SIGKILL);
	mvm_share_server_destroy(machine->share_server);
	rosetta_finish(machine);
	mvm_vsock_destroy(machine->vsock);
	mvm_shares_finish(&machine->shares);
	qmp_finish(&machine->qmp);
	mvm_loop_destroy(machine->loop);
	json_decref(machine->description);
}

int main(int argc, char **argv)
{
	struct machine machine = {.qmp_fd = -1, .console_fd = -1, .loop = mvm_loop_create()};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int rc = 0;

	if (argc != 2) {
		fputs("mvm-vz-double-machine: a fake of macOS's virtual machines, started by tests only\n", stderr);
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	mvm_log_open("mvm-vz-double-machine", STDERR_FILENO, MVM_LOG_WARN);
	if (start(&machine, argv[1], &err) < 0) {
		machine_break(&machine, mvm_error_message(err));
		rc = 1;
	} else {
		mvm_loop_run(machine.loop, NULL);
	}
	finish(&machine);
	return rc;
}
