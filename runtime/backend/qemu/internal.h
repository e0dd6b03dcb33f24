/*
 * What the files of a running QEMU machine share.
 */
#ifndef MVM_BACKEND_QEMU_INTERNAL_H
#define MVM_BACKEND_QEMU_INTERNAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "qmp.h"
#include "runtime/backend/backend.h"
#include "runtime/backend/boot_log.h"
#include "runtime/base/arch.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"

enum machine_state { MACHINE_STARTING, MACHINE_RUNNING, MACHINE_PAUSED, MACHINE_ENDED };

/* The card that is being put in. */
struct plug {
	void (*done)(void *arg, const struct mvm_error *error); /* NULL: none is */
	void *arg;
	size_t count; /* so far, this one included */
	char *refusal;
};

struct mvm_machine {
	struct mvm_loop *loop;
	struct mvm_machine_events events;
	void *arg;

	enum machine_state state;
	enum mvm_accel accel;
	bool kvm_trial;	  /* KVM was our choice, and nothing has shown yet that it can run a kernel */
	uint64_t started; /* mvm_now_ns() */

	pid_t pid; /* 0: reaped */
	int qmp_fd, console_fd, stderr_fd;
	struct mvm_watch *qmp_watch, *console_watch, *stderr_watch;
	struct mvm_timer *exit_timer;  /* runs once the guest has gone */
	struct mvm_timer *space_timer; /* runs while the host's disk is full */
	struct qmp qmp;
	struct mvm_buf stderr_text; /* the last of it */
	struct boot_log boot_log;
	char *boot_log_path;

	bool told_io_error;
	struct plug plug;
	bool killed;	   /* kill() was called */
	bool reason_known; /* before the process ended */
	enum mvm_machine_stop reason;
	char *detail;

	unsigned depth; /* of our callbacks on the stack; destroy() then only marks */
	bool destroyed;
};

/* machine.c: callbacks of the loop bracket what they do, so that an event may destroy the machine. */
void machine_enter(struct mvm_machine *machine);
void machine_leave(struct mvm_machine *machine);
/* The machine is to end for this reason; the first one counts. `detail` is taken. */
void machine_end(struct mvm_machine *machine, enum mvm_machine_stop reason, char *detail);
/* Tells the user; unless the machine has been destroyed. */
void machine_notice(struct mvm_machine *machine, const char *text);
/* KVM, which was our choice, cannot run a kernel: ends the machine, tells the user, remembers it. */
void machine_give_up_kvm(struct mvm_machine *machine);
/* SIGKILL. */
void machine_kill_process(struct mvm_machine *machine);

/* launch.c: checks the spec, chooses the accelerator, starts the process and opens our ends of its channels. On
 * failure what was opened so far is left to the caller. */
int machine_launch(struct mvm_machine *machine, const struct mvm_machine_spec *spec, struct mvm_error **err);

/* launch.c: the QEMU for machines of that processor; the caller's. */
int launch_find_qemu(enum mvm_arch arch, char **path, struct mvm_error **err);
/* UNSUPPORTED where KVM is asked for and cannot be had. */
int launch_require_kvm(enum mvm_arch arch, struct mvm_error **err);

/* examine.c */
int machine_examine(enum mvm_accel accel, char **text, char **advice, struct mvm_error **err);

/* What the readers below return: positive after progress, 0 at the end of the stream, negative where there is
 * nothing now. */

/* control.c: the conversation over QMP. */
void control_start(struct mvm_machine *machine);
/* The timer of space_timer: an mvm_timer_fn. */
void control_try_space(void *machine);
int control_read(struct mvm_machine *machine);
int control_send(struct mvm_machine *machine, const char *command, struct mvm_error **err);
int control_plug_nic(struct mvm_machine *machine, const struct mvm_machine_nic *nic,
		     void (*done)(void *arg, const struct mvm_error *error), void *arg, struct mvm_error **err);

/* output.c: what QEMU and its guest print. */
int output_read_console(struct mvm_machine *machine);
int output_read_stderr(struct mvm_machine *machine);
/* read() of a non-blocking descriptor by the rule above. */
ssize_t output_read_some(int fd, void *data, size_t length);
/* The last line that QEMU printed, "" for none; the caller owns it. */
char *output_last_line(const struct mvm_machine *machine);

#endif
