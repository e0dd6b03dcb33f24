/*
 * Theory of operation: qmp_capabilities and query-status are sent before QEMU has
 * said a word, so that its first answer already tells that the machine runs. From
 * then on STOP and RESUME only say that something changed: each makes us ask for
 * the status, and only the answer to that moves our state. SHUTDOWN says why the
 * guest ended; QEMU then exits by itself.
 *
 * A write for which the host's disk has no room makes QEMU stop the machine (status io-error), which to us still
 * runs. Nobody tells when there is room again, so every second it goes on and tries that write anew.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"

enum command_id { ID_CAPABILITIES = 1, ID_STATUS, ID_OTHER, ID_PLUG, ID_PLUGGED };

enum { EXIT_PATIENCE_MS = 2000, SPACE_TRY_MS = 1000 };

/* A machine that ran this long on KVM ran a kernel. */
#define KVM_TRIAL_NS (60 * 1000000000ull)

static int send_line(struct mvm_machine *machine, const char *name, const char *line, struct mvm_error **err)
{
	ssize_t n = write(machine->qmp_fd, line, strlen(line));

	/* The lines are short and few: a full socket is a QEMU that has stopped reading. */
	if (n != (ssize_t)strlen(line))
		return mvm_fail(err, MVM_ERR_MACHINE, "QEMU (process %d) does not take the command %s",
				(int)machine->pid, name);
	return 0;
}

int control_send(struct mvm_machine *machine, const char *command, struct mvm_error **err)
{
	enum command_id id = ID_OTHER;
	char *line MVM_CLEAN_FREE = NULL;

	if (strcmp(command, "query-status") == 0)
		id = ID_STATUS;
	else if (strcmp(command, "qmp_capabilities") == 0)
		id = ID_CAPABILITIES;
	line = qmp_command(command, id, NULL);
	return send_line(machine, command, line, err);
}

/* The descriptor that goes along is QEMU's under the name that the command gives it. */
static int send_wire(struct mvm_machine *machine, const char *name, int fd, struct mvm_error **err)
{
	char *line MVM_CLEAN_FREE = qmp_command("getfd", ID_PLUG, json_pack("{ss}", "fdname", name));

	if (mvm_send_fds(machine->qmp_fd, line, strlen(line), &fd, 1) != (ssize_t)strlen(line))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "QEMU (process %d) does not take a network's socket",
				(int)machine->pid);
	return 0;
}

static int send_nic(struct mvm_machine *machine, const char *name, size_t index, const uint8_t mac[6],
		    struct mvm_error **err)
{
	char *port MVM_CLEAN_FREE = mvm_format(QEMU_HOT_PORT, index);
	char *netdev MVM_CLEAN_FREE = qmp_command(
		"netdev_add", ID_PLUG,
		json_pack("{ss, ss, s:{ss, ss}}", "id", name, "type", "dgram", "local", "type", "fd", "str", name));
	char *device MVM_CLEAN_FREE = NULL;
	char address[18];

	snprintf(address, sizeof(address), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	device = qmp_command("device_add", ID_PLUGGED,
			     json_pack("{ss, ss, ss, ss, ss, ss}", "driver", "virtio-net-pci", "disable-legacy", "on",
				       "romfile", "", "netdev", name, "mac", address, "bus", port));
	return send_line(machine, "netdev_add", netdev, err) < 0 ? -1 : send_line(machine, "device_add", device, err);
}

int control_plug_nic(struct mvm_machine *machine, const struct mvm_machine_nic *nic,
		     void (*done)(void *arg, const struct mvm_error *error), void *arg, struct mvm_error **err)
{
	struct plug *plug = &machine->plug;
	char *name MVM_CLEAN_FREE = mvm_format("plugged%zu", plug->count);

	if (plug->done)
		return mvm_fail(err, MVM_ERR_CONFLICT, "another network card is being put in");
	if (plug->count == MVM_MACHINE_HOT_NICS)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"at most %d networks can be added while it runs; restart the container for more",
				MVM_MACHINE_HOT_NICS);
	if (send_wire(machine, name, nic->fd, err) < 0 || send_nic(machine, name, plug->count, nic->mac, err) < 0)
		return -1;
	plug->count++;
	plug->done = done;
	plug->arg = arg;
	return 0;
}

/* The first of the three commands that QEMU refuses is the reason why it refuses the rest. */
static void on_plug_refused(struct mvm_machine *machine, const char *text)
{
	if (!machine->plug.refusal)
		machine->plug.refusal = mvm_strdup(text);
}

static void on_plugged(struct mvm_machine *machine)
{
	char *refusal MVM_CLEAN_FREE = machine->plug.refusal;
	void (*done)(void *arg, const struct mvm_error *error) = machine->plug.done;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	machine->plug.done = NULL;
	machine->plug.refusal = NULL;
	if (refusal)
		mvm_fail(&err, MVM_ERR_UNSUPPORTED, "QEMU does not take another network card: %s", refusal);
	if (done && !machine->destroyed)
		done(machine->plug.arg, err);
}

static void send_or_log(struct mvm_machine *machine, const char *command)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (control_send(machine, command, &err) < 0)
		mvm_log(MVM_LOG_WARN, "%s", mvm_error_message(err));
}

void control_start(struct mvm_machine *machine)
{
	send_or_log(machine, "qmp_capabilities");
	send_or_log(machine, "query-status");
}

void control_try_space(void *arg)
{
	send_or_log(arg, "cont");
}

static void move(struct mvm_machine *machine, enum machine_state state, void (*event)(void *))
{
	machine->state = state;
	if (event && !machine->destroyed)
		event(machine->arg);
}

/* The processor could not go on. On KVM of our own choosing that has just begun, that says something about KVM. */
static void on_internal_error(struct mvm_machine *machine)
{
	const char *advice =
		machine->accel == MVM_ACCEL_KVM ? " (KVM cannot run it; MVM_ACCEL=tcg does without KVM)" : "";

	if (machine->kvm_trial && mvm_now_ns() - machine->started < KVM_TRIAL_NS) {
		machine_give_up_kvm(machine);
		return;
	}
	machine_end(machine, MVM_STOP_CRASHED, mvm_format("QEMU stopped the machine with an internal error%s", advice));
	machine_kill_process(machine);
}

static void on_status(struct mvm_machine *machine, const char *status)
{
	enum machine_state was = machine->state;

	if (strcmp(status, "internal-error") == 0)
		on_internal_error(machine);
	else if (strcmp(status, "io-error") == 0)
		mvm_timer_start(machine->space_timer, SPACE_TRY_MS);
	else if (strcmp(status, "running") == 0 && was == MACHINE_STARTING)
		move(machine, MACHINE_RUNNING, machine->events.running);
	else if (strcmp(status, "running") == 0 && was == MACHINE_PAUSED)
		move(machine, MACHINE_RUNNING, machine->events.resumed);
	else if (strcmp(status, "paused") == 0 && was == MACHINE_RUNNING)
		move(machine, MACHINE_PAUSED, machine->events.paused);
}

/* QEMU exits by itself now, within some 10 ms; but QEMU 7.2 hangs in its clean-up for good where a command of ours
 * has crossed its SHUTDOWN. What the guest has synced is on disk by now. */
static void on_shutdown(struct mvm_machine *machine, const char *reason)
{
	mvm_timer_start(machine->exit_timer, EXIT_PATIENCE_MS);
	if (strcmp(reason, "guest-shutdown") == 0)
		machine_end(machine, MVM_STOP_GUEST_OFF, NULL);
	else if (strcmp(reason, "guest-reset") == 0)
		/* Or a panic: what tells the two apart is on the console, not all of which has been read yet. */
		machine_end(machine, MVM_STOP_GUEST_RESET, NULL);
	else if (strcmp(reason, "guest-panic") == 0)
		machine_end(machine, MVM_STOP_GUEST_PANIC, NULL);
	else
		mvm_log(MVM_LOG_WARN, "QEMU shuts down: %s", reason);
}

static void on_event(struct mvm_machine *machine, const struct qmp_message *message)
{
	const char *reason = "";

	mvm_log(MVM_LOG_DEBUG, "QEMU event %s", message->name);
	if (strcmp(message->name, "STOP") == 0 || strcmp(message->name, "RESUME") == 0) {
		send_or_log(machine, "query-status");
	} else if (strcmp(message->name, "SHUTDOWN") == 0) {
		if (mvm_json_get_string(message->data, "reason", "", &reason, NULL) == 0)
			on_shutdown(machine, reason);
	} else if (strcmp(message->name, "BLOCK_IO_ERROR") == 0 && !machine->told_io_error) {
		const char *text = "the machine's disk cannot be read or written on the host";

		machine->told_io_error = true;
		if (json_is_true(json_object_get(message->data, "nospace")))
			text = "the host's disk is full: the machine stands still until there is some space";
		mvm_log(MVM_LOG_WARN, "%s", text);
		machine_notice(machine, text);
	}
}

static int on_message(void *arg, const struct qmp_message *message)
{
	struct mvm_machine *machine = arg;
	const char *status;

	switch (message->kind) {
	case QMP_GREETING:
		break;
	case QMP_EVENT:
		on_event(machine, message);
		break;
	case QMP_ERROR:
		mvm_log(MVM_LOG_WARN, "QEMU refuses: %s", message->name);
		if (message->id == ID_PLUG || message->id == ID_PLUGGED)
			on_plug_refused(machine, message->name);
		if (message->id == ID_PLUGGED)
			on_plugged(machine);
		break;
	case QMP_RETURN:
		if (message->id == ID_STATUS && mvm_json_get_string(message->data, "status", "", &status, NULL) == 0)
			on_status(machine, status);
		else if (message->id == ID_PLUGGED)
			on_plugged(machine);
		break;
	}
	return 0;
}

int control_read(struct mvm_machine *machine)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char data[4096];
	ssize_t n = output_read_some(machine->qmp_fd, data, sizeof(data));

	if (n > 0 && qmp_feed(&machine->qmp, data, (size_t)n, on_message, machine, &err) < 0) {
		machine_end(machine, MVM_STOP_CRASHED, mvm_strdup(mvm_error_message(err)));
		machine_kill_process(machine);
		return 0;
	}
	return (int)n;
}
