/*
 * Theory of operation: QEMU is a child with three descriptors of ours, QMP, the
 * guest's console and its standard error, and at most one of the caller's, the
 * vsock device's socket. It dies with this process, whatever way this process dies.
 * The machine has stopped when the child has been reaped and the three descriptors
 * have been read to their ends; why it stopped is known from QMP, from kill(), or
 * else from the child's status.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"

static void free_machine(struct mvm_machine *machine)
{
	mvm_watch_remove(machine->qmp_watch);
	mvm_watch_remove(machine->console_watch);
	mvm_watch_remove(machine->stderr_watch);
	mvm_timer_remove(machine->exit_timer);
	mvm_timer_remove(machine->space_timer);
	mvm_close(&machine->qmp_fd);
	mvm_close(&machine->console_fd);
	mvm_close(&machine->stderr_fd);
	boot_log_close(&machine->boot_log);
	qmp_finish(&machine->qmp);
	mvm_buf_finish(&machine->stderr_text);
	free(machine->boot_log_path);
	free(machine->plug.refusal);
	free(machine->detail);
	free(machine);
}

void machine_enter(struct mvm_machine *machine)
{
	machine->depth++;
}

void machine_leave(struct mvm_machine *machine)
{
	if (--machine->depth == 0 && machine->destroyed)
		free_machine(machine);
}

void machine_end(struct mvm_machine *machine, enum mvm_machine_stop reason, char *detail)
{
	if (machine->reason_known) {
		free(detail);
		return;
	}
	machine->reason_known = true;
	machine->reason = reason;
	machine->detail = detail;
}

void machine_kill_process(struct mvm_machine *machine)
{
	if (machine->pid > 0)
		kill(machine->pid, SIGKILL);
}

void machine_notice(struct mvm_machine *machine, const char *text)
{
	if (!machine->destroyed)
		machine->events.notice(machine->arg, text);
}

void machine_give_up_kvm(struct mvm_machine *machine)
{
	struct host_facts facts;

	machine_end(machine, MVM_STOP_ACCEL_UNUSABLE, mvm_strdup("KVM cannot run a kernel on this host"));
	machine_kill_process(machine);
	host_facts_load(&facts);
	facts.kvm_unusable = true;
	facts.told = KVM_UNUSABLE;
	host_facts_save(&facts);
	machine_notice(machine, host_kvm_notice(KVM_UNUSABLE));
}

/* ---- how it ended ---- */

static void drain(struct mvm_machine *machine, struct mvm_watch *watch, int (*read_more)(struct mvm_machine *))
{
	while (read_more(machine) > 0)
		continue;
	mvm_watch_set(watch, 0);
}

static char *describe_death(const struct mvm_machine *machine, int status)
{
	char *line MVM_CLEAN_FREE = output_last_line(machine);
	char *how MVM_CLEAN_FREE = WIFSIGNALED(status) ? mvm_format("QEMU was ended by signal %d (%s)",
								    WTERMSIG(status), strsignal(WTERMSIG(status)))
						       : mvm_format("QEMU ended with status %d", WEXITSTATUS(status));

	return mvm_format("%s%s%s", how, *line ? ": " : "", line);
}

/* QEMU's own word, by a status or a failed assertion; not somebody else's signal. */
static bool gave_up(int status)
{
	return WIFEXITED(status) || WTERMSIG(status) == SIGABRT;
}

/* Fills in what QMP did not tell. */
static void settle_reason(struct mvm_machine *machine, int status)
{
	char *panic MVM_CLEAN_FREE = NULL;

	if (machine->killed)
		machine_end(machine, MVM_STOP_KILLED, NULL);
	else if (machine->kvm_trial && machine->state == MACHINE_STARTING && !machine->reason_known && gave_up(status))
		machine_give_up_kvm(machine);
	else
		machine_end(machine, MVM_STOP_CRASHED, describe_death(machine, status));
	if (machine->reason != MVM_STOP_GUEST_RESET && machine->reason != MVM_STOP_GUEST_PANIC)
		return;
	panic = mvm_boot_log_panic(machine->boot_log_path);
	if (!panic)
		return;
	machine->reason = MVM_STOP_GUEST_PANIC;
	free(machine->detail);
	machine->detail = mvm_strdup(panic);
}

static void on_exit_status(void *arg, pid_t pid, int status)
{
	struct mvm_machine *machine = arg;

	machine_enter(machine);
	mvm_log(MVM_LOG_DEBUG, "QEMU (process %d) ended with wait status %d", (int)pid, status);
	machine->pid = 0;
	drain(machine, machine->console_watch, output_read_console);
	drain(machine, machine->stderr_watch, output_read_stderr);
	drain(machine, machine->qmp_watch, control_read);
	boot_log_close(&machine->boot_log);
	settle_reason(machine, status);
	machine->state = MACHINE_ENDED;
	mvm_timer_stop(machine->exit_timer);
	mvm_timer_stop(machine->space_timer);
	if (!machine->destroyed)
		machine->events.stopped(machine->arg, machine->reason, machine->detail ? machine->detail : "");
	machine_leave(machine);
}

/* ---- how it starts ---- */

static void on_exit_overdue(void *arg)
{
	struct mvm_machine *machine = arg;

	mvm_log(MVM_LOG_WARN, "QEMU (process %d) does not end after its guest has; killing it", (int)machine->pid);
	machine_kill_process(machine);
}

static void on_qmp(void *arg, int fd, short revents)
{
	struct mvm_machine *machine = arg;

	(void)fd;
	(void)revents;
	machine_enter(machine);
	if (control_read(machine) == 0)
		mvm_watch_set(machine->qmp_watch, 0);
	machine_leave(machine);
}

static void on_console(void *arg, int fd, short revents)
{
	struct mvm_machine *machine = arg;

	(void)fd;
	(void)revents;
	if (output_read_console(machine) == 0)
		mvm_watch_set(machine->console_watch, 0);
}

static void on_stderr(void *arg, int fd, short revents)
{
	struct mvm_machine *machine = arg;

	(void)fd;
	(void)revents;
	if (output_read_stderr(machine) == 0)
		mvm_watch_set(machine->stderr_watch, 0);
}

static int start(struct mvm_loop *loop, const struct mvm_machine_spec *spec, const struct mvm_machine_events *events,
		 void *arg, struct mvm_machine **out, struct mvm_error **err)
{
	struct mvm_machine *machine = mvm_alloc(sizeof(*machine));

	*machine = (struct mvm_machine){
		.loop = loop,
		.events = *events,
		.arg = arg,
		.qmp_fd = -1,
		.console_fd = -1,
		.stderr_fd = -1,
		.boot_log = {.fd = -1},
	};
	if (machine_launch(machine, spec, err) < 0) {
		free_machine(machine);
		return -1;
	}
	machine->qmp_watch = mvm_loop_watch(loop, machine->qmp_fd, POLLIN, on_qmp, machine);
	machine->console_watch = mvm_loop_watch(loop, machine->console_fd, POLLIN, on_console, machine);
	machine->stderr_watch = mvm_loop_watch(loop, machine->stderr_fd, POLLIN, on_stderr, machine);
	machine->exit_timer = mvm_loop_timer(loop, on_exit_overdue, machine);
	machine->space_timer = mvm_loop_timer(loop, control_try_space, machine);
	mvm_loop_child(loop, machine->pid, on_exit_status, machine);
	control_start(machine);
	*out = machine;
	return 0;
}

/* ---- operations ---- */

static int command(struct mvm_machine *machine, const char *name, struct mvm_error **err)
{
	if (machine->state != MACHINE_RUNNING && machine->state != MACHINE_PAUSED)
		return mvm_fail(err, MVM_ERR_CONFLICT, "the machine is not running");
	return control_send(machine, name, err);
}

static int pause_machine(struct mvm_machine *machine, struct mvm_error **err)
{
	return command(machine, "stop", err);
}

static int resume(struct mvm_machine *machine, struct mvm_error **err)
{
	return command(machine, "cont", err);
}

static int plug_nic(struct mvm_machine *machine, const struct mvm_machine_nic *nic,
		    void (*done)(void *arg, const struct mvm_error *error), void *arg, struct mvm_error **err)
{
	if (machine->state != MACHINE_RUNNING)
		return mvm_fail(err, MVM_ERR_CONFLICT, "the machine is not running");
	return control_plug_nic(machine, nic, done, arg, err);
}

static int power_off(struct mvm_machine *machine, struct mvm_error **err)
{
	return command(machine, "system_powerdown", err);
}

static void kill_machine(struct mvm_machine *machine)
{
	machine->killed = true;
	machine_kill_process(machine);
}

static pid_t get_pid(const struct mvm_machine *machine)
{
	return machine->pid;
}

static enum mvm_accel get_accel(const struct mvm_machine *machine)
{
	return machine->accel;
}

static void destroy(struct mvm_machine *machine)
{
	if (!machine || machine->destroyed)
		return;
	machine->destroyed = true;
	if (machine->pid > 0) {
		mvm_loop_child_forget(machine->loop, machine->pid);
		machine_kill_process(machine);
	}
	mvm_watch_set(machine->qmp_watch, 0);
	mvm_watch_set(machine->console_watch, 0);
	mvm_watch_set(machine->stderr_watch, 0);
	mvm_timer_stop(machine->exit_timer);
	mvm_timer_stop(machine->space_timer);
	if (machine->depth == 0)
		free_machine(machine);
}

const struct mvm_backend_ops mvm_backend_qemu = {
	.name = "qemu",
	.start = start,
	.pause = pause_machine,
	.resume = resume,
	.power_off = power_off,
	.plug_nic = plug_nic,
	.kill = kill_machine,
	.pid = get_pid,
	.accel = get_accel,
	.destroy = destroy,
	.examine = machine_examine,
};
