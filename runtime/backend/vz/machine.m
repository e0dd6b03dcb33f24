/*
 * The machine as the supervisor has it, on its loop. Below is an MVMGuest on a queue of its own; the two share an
 * inbox, whose pipe the loop polls, and another pipe is the guest's console. The machine's memory is in a process of
 * the framework's, which ends with this one and is nobody's child.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "runtime/backend/boot_log.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/kernel.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"

enum machine_state { MACHINE_STARTING, MACHINE_RUNNING, MACHINE_PAUSED, MACHINE_ENDED };

enum { CHUNK = 16384 };

struct mvm_machine {
	struct mvm_loop *loop;
	struct mvm_machine_events events;
	void *arg;
	enum machine_state state;
	MVMGuest *guest;
	struct vz_inbox *inbox;
	int console; /* to be read */
	struct mvm_watch *inbox_watch, *console_watch;
	struct boot_log boot_log;
	char *boot_log_path;
	struct mvm_strv copies; /* of throw-away disks */
	bool killed;
	unsigned depth; /* of our callbacks on the stack; destroy() then only marks */
	bool destroyed;
};

static void remove_copies(struct mvm_machine *machine)
{
	for (size_t i = 0; i < machine->copies.count; i++)
		unlink(machine->copies.items[i]);
	mvm_strv_finish(&machine->copies);
}

static void free_machine(struct mvm_machine *machine)
{
	mvm_watch_remove(machine->inbox_watch);
	mvm_watch_remove(machine->console_watch);
	[machine->guest release];
	inbox_release(machine->inbox);
	mvm_close(&machine->console);
	boot_log_close(&machine->boot_log);
	remove_copies(machine);
	free(machine->boot_log_path);
	free(machine);
}

static void leave(struct mvm_machine *machine)
{
	if (--machine->depth == 0 && machine->destroyed)
		free_machine(machine);
}

/* ---- what happens ---- */

static bool read_console(struct mvm_machine *machine)
{
	char data[CHUNK];
	ssize_t n = read(machine->console, data, sizeof(data));

	if (n > 0)
		boot_log_write(&machine->boot_log, data, (size_t)n);
	return n > 0;
}

static void on_console(void *arg, int fd, short revents)
{
	struct mvm_machine *machine = arg;

	(void)fd;
	if (!read_console(machine) && revents & (POLLHUP | POLLERR))
		mvm_watch_set(machine->console_watch, 0);
}

/* How a guest ends that resets itself, as a panicked one does, is not told apart from other ends: the boot log knows.
 */
static void end(struct mvm_machine *machine, enum mvm_machine_stop reason, const char *detail)
{
	char *panic MVM_CLEAN_FREE = NULL;

	if (machine->state == MACHINE_ENDED)
		return;
	machine->state = MACHINE_ENDED;
	while (read_console(machine))
		continue;
	mvm_watch_set(machine->console_watch, 0);
	boot_log_close(&machine->boot_log);
	if (machine->killed)
		reason = MVM_STOP_KILLED;
	else
		panic = mvm_boot_log_panic(machine->boot_log_path);
	if (!machine->destroyed)
		machine->events.stopped(machine->arg, panic ? MVM_STOP_GUEST_PANIC : reason,
					panic		  ? panic
					: machine->killed ? ""
							  : detail);
}

static void move(struct mvm_machine *machine, enum machine_state state, void (*event)(void *))
{
	if (machine->state == MACHINE_ENDED)
		return;
	machine->state = state;
	event(machine->arg);
}

static void handle(struct mvm_machine *machine, struct vz_message *message)
{
	switch (message->event) {
	case VZ_RUNNING:
		move(machine, MACHINE_RUNNING, machine->events.running);
		break;
	case VZ_PAUSED:
		move(machine, MACHINE_PAUSED, machine->events.paused);
		break;
	case VZ_RESUMED:
		move(machine, MACHINE_RUNNING, machine->events.resumed);
		break;
	case VZ_GUEST_OFF:
		end(machine, MVM_STOP_GUEST_OFF, "");
		break;
	case VZ_STOPPED:
		end(machine, MVM_STOP_KILLED, "");
		break;
	case VZ_BROKEN:
		end(machine, MVM_STOP_CRASHED, message->text);
		break;
	case VZ_NOTICE:
		machine->events.notice(machine->arg, message->text);
		break;
	case VZ_ACCEPTED:
		machine->events.accepted(machine->arg, message->port, message->fd);
		break;
	case VZ_CONNECTED:
		machine->events.connected(machine->arg, message->id, message->fd, message->errnum);
		break;
	}
}

static void on_inbox(void *arg, int fd, short revents)
{
	struct mvm_machine *machine = arg;
	struct vz_message message;

	(void)fd;
	(void)revents;
	machine->depth++;
	while (!machine->destroyed && inbox_take(machine->inbox, &message))
		handle(machine, &message);
	leave(machine);
}

/* ---- how it starts ---- */

/* The framework raises on what is missing, or says nothing. */
static int check_files(const struct mvm_machine_spec *spec, struct mvm_error **err)
{
	if (access(spec->kernel, R_OK) < 0)
		return mvm_fail_errno(err, errno, "cannot read the kernel %s; give another by --kernel or MVM_KERNEL",
				      spec->kernel);
	if (access(spec->initrd, R_OK) < 0)
		return mvm_fail_errno(err, errno, "cannot read the initramfs %s; build or install mvm again",
				      spec->initrd);
	for (size_t i = 0; i < spec->disk_count; i++) {
		const struct mvm_machine_disk *disk = &spec->disks[i];

		if (access(disk->path, disk->read_only || disk->throw_away ? R_OK : R_OK | W_OK) < 0)
			return mvm_fail_errno(err, errno, "cannot open the disk %s", disk->path);
		if (disk->format != MVM_DISK_RAW)
			return mvm_fail(err, MVM_ERR_UNSUPPORTED,
					"the disk %s is an overlay for QEMU, and Virtualization.framework takes raw "
					"ones only; make the container anew, or unset MVM_BACKEND",
					disk->path);
	}
	return 0;
}

/* An arm64 kernel has to be an uncompressed Image: a packed one is taken by the framework, and ends without a word. On
 * Intel the loader follows Linux's boot protocol, which is a bzImage's. */
static int check_kernel(const char *path, struct mvm_error **err)
{
	struct mvm_kernel_facts facts;

	if (mvm_kernel_examine(path, path, &facts, err) < 0)
		return -1;
	if (facts.arch != MVM_ARCH_OWN)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"the kernel %s is for %s, which is not this host's processor, and "
				"Virtualization.framework emulates none; give another by --kernel or MVM_KERNEL",
				path, mvm_arch_name(facts.arch));
	if (facts.format == MVM_KERNEL_VMLINUX)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"the kernel %s is a vmlinux, and Virtualization.framework boots a bzImage on this "
				"processor; give another by --kernel or MVM_KERNEL",
				path);
	return 0;
}

static int check_spec(const struct mvm_machine_spec *spec, struct mvm_error **err)
{
	if (spec->accel != MVM_ACCEL_AUTO)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"MVM_ACCEL=%s is for QEMU, not for Virtualization.framework; unset it",
				mvm_accel_name(spec->accel));
	if (![VZVirtualMachine isSupported])
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"Virtualization.framework has no machines on this host; it may be a virtual machine "
				"itself");
	if (check_files(spec, err) < 0 || check_kernel(spec->kernel, err) < 0)
		return -1;
	if (spec->nic_count > MVM_MACHINE_NICS_MAX)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "a machine has at most %d networks", MVM_MACHINE_NICS_MAX);
	if (spec->cpus == 0)
		return mvm_fail(err, MVM_ERR_USAGE, "a machine needs at least one CPU");
	return 0;
}

/* There are no overlays for raw disks, so a throw-away disk is a copy: a clone where the file system has them. */
static int make_copies(struct mvm_machine *machine, const struct mvm_machine_spec *spec, struct mvm_error **err)
{
	for (size_t i = 0; i < spec->disk_count; i++) {
		char *path MVM_CLEAN_FREE = NULL;
		struct stat status;
		int rc;

		if (!spec->disks[i].throw_away)
			continue;
		path = vz_copy_path(&spec->disks[i]);
		/* A killed one's. */
		unlink(path);
		mvm_strv_add(&machine->copies, path);
		rc = mvm_clone_file(spec->disks[i].path, path, err);
		if (rc > 0 && stat(spec->disks[i].path, &status) == 0)
			rc = mvm_copy_sparse(spec->disks[i].path, path, (uint64_t)status.st_size, err);
		if (rc < 0)
			return -1;
		chmod(path, 0600);
	}
	return 0;
}

static int make_guest(struct mvm_machine *machine, const struct mvm_machine_spec *spec, struct mvm_error **err)
{
	VZVirtualMachineConfiguration *configuration;
	int console[2];

	if (mvm_pipe(console) < 0)
		return mvm_fail_errno(err, errno, "cannot make a pipe for the machine's console");
	machine->console = console[0];
	mvm_set_nonblock(machine->console, true);
	configuration = vz_configuration(spec, console[1], err);
	if (!configuration)
		return -1;
	@try {
		machine->guest = [[MVMGuest alloc] initWithConfiguration:configuration inbox:machine->inbox];
	} @catch (NSException *exception) {
		return vz_fail_exception(err, exception, "cannot make a machine");
	}
	return 0;
}

static int launch(struct mvm_machine *machine, const struct mvm_machine_spec *spec, struct mvm_error **err)
{
	if (check_spec(spec, err) < 0 || make_copies(machine, spec, err) < 0 ||
	    boot_log_open(&machine->boot_log, spec->boot_log, err) < 0)
		return -1;
	machine->boot_log_path = mvm_strdup(spec->boot_log);
	machine->inbox = inbox_create();
	if (!machine->inbox)
		return mvm_fail_errno(err, errno, "cannot make a pipe for the machine");
	return make_guest(machine, spec, err);
}

static int start(struct mvm_loop *loop, const struct mvm_machine_spec *spec, const struct mvm_machine_events *events,
		 void *arg, struct mvm_machine **out, struct mvm_error **err)
{
	struct mvm_machine *machine = mvm_alloc(sizeof(*machine));
	int rc;

	*machine = (struct mvm_machine){
		.loop = loop, .events = *events, .arg = arg, .console = -1, .boot_log = {.fd = -1}};
	@autoreleasepool {
		rc = launch(machine, spec, err);
	}
	if (rc < 0) {
		free_machine(machine);
		return -1;
	}
	machine->inbox_watch = mvm_loop_watch(loop, inbox_fd(machine->inbox), POLLIN, on_inbox, machine);
	machine->console_watch = mvm_loop_watch(loop, machine->console, POLLIN, on_console, machine);
	[machine->guest start];
	*out = machine;
	return 0;
}

/* ---- operations ---- */

static int require_alive(const struct mvm_machine *machine, struct mvm_error **err)
{
	if (machine->state != MACHINE_RUNNING && machine->state != MACHINE_PAUSED)
		return mvm_fail(err, MVM_ERR_CONFLICT, "the machine is not running");
	return 0;
}

static int pause_machine(struct mvm_machine *machine, struct mvm_error **err)
{
	if (require_alive(machine, err) < 0)
		return -1;
	[machine->guest pause];
	return 0;
}

static int resume(struct mvm_machine *machine, struct mvm_error **err)
{
	if (require_alive(machine, err) < 0)
		return -1;
	[machine->guest resume];
	return 0;
}

static int power_off(struct mvm_machine *machine, struct mvm_error **err)
{
	if (require_alive(machine, err) < 0)
		return -1;
	[machine->guest pressPowerButton];
	return 0;
}

static void listen_on(struct mvm_machine *machine, uint32_t port, bool on)
{
	if (on)
		[machine->guest listenOn:port];
	else
		[machine->guest stopListeningOn:port];
}

static void connect_to(struct mvm_machine *machine, uint32_t port, uint32_t id)
{
	[machine->guest connectTo:port as:id];
}

/* Its devices are those that it was made with. */
static int plug_nic(struct mvm_machine *machine, const struct mvm_machine_nic *nic,
		    void (*done)(void *arg, const struct mvm_error *error), void *arg, struct mvm_error **err)
{
	(void)machine;
	(void)nic;
	(void)done;
	(void)arg;
	return mvm_fail(err, MVM_ERR_UNSUPPORTED,
			"Virtualization.framework puts no network card into a machine that runs; stop the container, "
			"connect it, and start it again");
}

static void kill_machine(struct mvm_machine *machine)
{
	machine->killed = true;
	[machine->guest pullPlug];
}

/* It is the framework's own, and nobody tells which. */
static pid_t get_pid(const struct mvm_machine *machine)
{
	(void)machine;
	return 0;
}

/* The processor's own virtualization, there is nothing else. */
static enum mvm_accel get_accel(const struct mvm_machine *machine)
{
	(void)machine;
	return MVM_ACCEL_KVM;
}

static void destroy(struct mvm_machine *machine)
{
	if (!machine || machine->destroyed)
		return;
	machine->destroyed = true;
	inbox_close(machine->inbox);
	[machine->guest takeApart];
	mvm_watch_set(machine->inbox_watch, 0);
	mvm_watch_set(machine->console_watch, 0);
	if (machine->depth == 0)
		free_machine(machine);
}

static int examine(enum mvm_accel accel, char **text, char **advice, struct mvm_error **err)
{
	if (accel != MVM_ACCEL_AUTO)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"MVM_ACCEL=%s is for QEMU, not for Virtualization.framework; unset it",
				mvm_accel_name(accel));
	@autoreleasepool {
		NSString *version = [[NSProcessInfo processInfo] operatingSystemVersionString];

		if (![VZVirtualMachine isSupported])
			return mvm_fail(err, MVM_ERR_UNSUPPORTED,
					"Virtualization.framework has no machines on this host; it may be a virtual "
					"machine itself");
		*text = mvm_format("Virtualization.framework of %s", [version UTF8String]);
	}
	*advice = mvm_strdup("");
	return 0;
}

const struct mvm_backend_ops mvm_backend_vz = {
	.name = "vz",
	.own_devices = true,
	.start = start,
	.pause = pause_machine,
	.resume = resume,
	.power_off = power_off,
	.listen = listen_on,
	.connect = connect_to,
	.plug_nic = plug_nic,
	.kill = kill_machine,
	.pid = get_pid,
	.accel = get_accel,
	.destroy = destroy,
	.examine = examine,
	.rosetta = vz_rosetta,
};
