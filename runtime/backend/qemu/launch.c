/*
 * From a spec to a QEMU process: what is needed is there, the accelerator is chosen,
 * the channels are made.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "args.h"
#include "host.h"
#include "internal.h"
#include "memory.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/spawn.h"
#include "tsc.h"

enum { MEMORY_MIN = 32 * 1024 * 1024, MAX_FDS = 6 + MVM_MACHINE_NICS_MAX };

/* MVM_QEMU is for machines of the host's processor. */
int launch_find_qemu(enum mvm_arch arch, char **path, struct mvm_error **err)
{
	static const struct {
		const char *program, *package;
	} names[] = {
		[MVM_ARCH_AMD64] = {"qemu-system-x86_64", "qemu-system-x86"},
		[MVM_ARCH_ARM64] = {"qemu-system-aarch64", "qemu-system-arm"},
	};
	const char *given = arch == MVM_ARCH_OWN ? getenv("MVM_QEMU") : NULL;
	struct mvm_error *missing MVM_CLEAN_ERROR = NULL;

	if (given && *given) {
		if (access(given, X_OK) < 0)
			return mvm_fail_errno(err, errno, "cannot run %s, which MVM_QEMU names", given);
		*path = mvm_strdup(given);
		return 0;
	}
	if (mvm_find_program(names[arch].program, path, &missing) == 0)
		return 0;
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "%s is not installed; install the package %s (Homebrew: qemu)%s",
			names[arch].program, names[arch].package,
			arch == MVM_ARCH_OWN ? ", or set MVM_QEMU to its path" : "");
}

static int check_spec(const struct mvm_machine_spec *spec, struct mvm_error **err)
{
	if (access(spec->kernel, R_OK) < 0)
		return mvm_fail_errno(err, errno, "cannot read the kernel %s; give another by --kernel or MVM_KERNEL",
				      spec->kernel);
	if (access(spec->initrd, R_OK) < 0)
		return mvm_fail_errno(err, errno, "cannot read the initramfs %s; build or install mvm again",
				      spec->initrd);
	for (size_t i = 0; i < spec->disk_count; i++)
		if (access(spec->disks[i].path,
			   spec->disks[i].read_only || spec->disks[i].throw_away ? R_OK : R_OK | W_OK) < 0)
			return mvm_fail_errno(err, errno, "cannot open the disk %s", spec->disks[i].path);
	if (spec->nic_count > MVM_MACHINE_NICS_MAX)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "a machine has at most %d networks", MVM_MACHINE_NICS_MAX);
	if (spec->cpus == 0)
		return mvm_fail(err, MVM_ERR_USAGE, "a machine needs at least one CPU");
	if (spec->memory < MEMORY_MIN)
		return mvm_fail(err, MVM_ERR_USAGE, "%llu MiB is too little memory for a machine; give at least %d MiB",
				(unsigned long long)spec->memory / 1024 / 1024, MEMORY_MIN / 1024 / 1024);
	return 0;
}

int launch_require_kvm(enum mvm_arch arch, struct mvm_error **err)
{
	enum kvm_state state = host_open_kvm(KVM_DEVICE);

	if (arch != MVM_ARCH_OWN)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"MVM_ACCEL=kvm, but the machine's processor (%s) is not the host's; set it to auto or "
				"tcg",
				mvm_arch_name(arch));
	if (state == KVM_USABLE)
		return 0;
	return mvm_fail(err, MVM_ERR_UNSUPPORTED, "MVM_ACCEL=kvm, but " KVM_DEVICE " %s; set it to auto or tcg",
			state == KVM_MISSING ? "is not there" : "may not be opened (join the group kvm)");
}

static void choose_accel(struct mvm_machine *machine, struct host_facts *facts)
{
	bool tried = facts->kvm_tried;
	enum kvm_state state = host_try_kvm(KVM_DEVICE, facts);
	bool tell = state != KVM_USABLE && facts->told != state;

	machine->kvm_trial = state == KVM_USABLE;
	machine->accel = machine->kvm_trial ? MVM_ACCEL_KVM : MVM_ACCEL_TCG;
	facts->told = tell ? state : facts->told;
	if (tell || facts->kvm_tried != tried)
		host_facts_save(facts);
	if (tell)
		machine_notice(machine, host_kvm_notice(state));
}

/* Measured once per boot of the host. */
static uint32_t host_tsc_khz(struct host_facts *facts)
{
	if (facts->tsc_khz || facts->tsc_varies)
		return facts->tsc_khz;
	facts->tsc_varies = !tsc_measure(&facts->tsc_khz);
	host_facts_save(facts);
	return facts->tsc_khz;
}

/* The child's ends; -1 before open_channels() and after close_channels(). */
struct channels {
	int qmp, console, errors, memory;
};

static int open_channels(struct mvm_machine *machine, const struct qemu_args *args, struct channels *theirs,
			 struct mvm_error **err)
{
	int pair[2];

	if (memory_create(qemu_memory(args), &theirs->memory, err) < 0)
		return -1;
	if (mvm_socketpair(SOCK_STREAM, pair) < 0)
		return mvm_fail_errno(err, errno, "cannot make a socket pair for QEMU");
	machine->qmp_fd = pair[0];
	theirs->qmp = pair[1];
	if (mvm_socketpair(SOCK_STREAM, pair) < 0)
		return mvm_fail_errno(err, errno, "cannot make a socket pair for QEMU");
	machine->console_fd = pair[0];
	theirs->console = pair[1];
	if (mvm_pipe(pair) < 0)
		return mvm_fail_errno(err, errno, "cannot make a pipe for QEMU");
	machine->stderr_fd = pair[0];
	theirs->errors = pair[1];
	if (mvm_set_nonblock(machine->qmp_fd, true) < 0 || mvm_set_nonblock(machine->console_fd, true) < 0 ||
	    mvm_set_nonblock(machine->stderr_fd, true) < 0)
		return mvm_fail_errno(err, errno, "cannot prepare a descriptor for QEMU");
	return 0;
}

static void close_channels(struct channels *theirs)
{
	mvm_close(&theirs->qmp);
	mvm_close(&theirs->console);
	mvm_close(&theirs->errors);
	mvm_close(&theirs->memory);
}

/*
 * glibc gives a thread's heap 4 KiB at a time and takes it back as eagerly. Translating a kernel's boot does that
 * nearly a thousand times; larger steps save a twelfth of the boot's processor time.
 */
static void qemu_environment(struct mvm_strv *env)
{
	for (char **at = environ; *at; at++)
		mvm_strv_add(env, *at);
	if (!getenv("MALLOC_TOP_PAD_"))
		mvm_strv_add(env, "MALLOC_TOP_PAD_=1048576");
	if (!getenv("MALLOC_TRIM_THRESHOLD_"))
		mvm_strv_add(env, "MALLOC_TRIM_THRESHOLD_=67108864");
}

/* Descriptors that are the caller's: those of the vsock device, the shares and the network. */
static size_t add_devices(const struct mvm_machine_spec *spec, struct mvm_spawn_fd *fds, size_t count)
{
	if (spec->vsock_fd >= 0)
		fds[count++] = (struct mvm_spawn_fd){spec->vsock_fd, QEMU_VSOCK_FD};
	if (spec->fs_tag)
		fds[count++] = (struct mvm_spawn_fd){spec->fs_fd, QEMU_FS_FD};
	for (size_t i = 0; i < spec->nic_count; i++)
		fds[count++] = (struct mvm_spawn_fd){spec->nics[i].fd, QEMU_NIC_FD + (int)i};
	return count;
}

static int spawn_qemu(struct mvm_machine *machine, const struct qemu_args *args, struct mvm_error **err)
{
	struct mvm_strv argv MVM_CLEAN_STRV = {0}, env MVM_CLEAN_STRV = {0};
	struct channels theirs = {-1, -1, -1, -1};
	int rc = open_channels(machine, args, &theirs, err);

	qemu_args_build(args, &argv);
	qemu_environment(&env);
	for (size_t i = 0; i < argv.count; i++)
		mvm_log(MVM_LOG_DEBUG, "QEMU argument: %s", argv.items[i]);
	if (rc == 0) {
		struct mvm_spawn_fd fds[MAX_FDS] = {
			{theirs.errors, STDERR_FILENO},
			{theirs.qmp, QEMU_QMP_FD},
			{theirs.console, QEMU_CONSOLE_FD},
			{theirs.memory, QEMU_MEMORY_FD},
		};
		size_t count = add_devices(args->spec, fds, 4);
		struct mvm_spawn spawn = {
			.program = args->program,
			.argv = argv.items,
			.envp = env.items,
			.fds = fds,
			.fd_count = count,
			.new_session = true,
			.die_with_parent = true,
		};

		rc = mvm_spawn(&spawn, &machine->pid, err);
		if (rc == 0)
			memory_warm(theirs.memory, qemu_memory(args));
	}
	close_channels(&theirs);
	return rc;
}

int machine_launch(struct mvm_machine *machine, const struct mvm_machine_spec *spec, struct mvm_error **err)
{
	char *program MVM_CLEAN_FREE = NULL;
	struct qemu_args args = {.spec = spec};
	struct host_facts facts;

	args.arch = mvm_kernel_arch(spec->kernel);
	if (launch_find_qemu(args.arch, &program, err) < 0 || check_spec(spec, err) < 0 ||
	    (spec->accel == MVM_ACCEL_KVM && launch_require_kvm(args.arch, err) < 0))
		return -1;
	host_facts_load(&facts);
	machine->accel = args.arch == MVM_ARCH_OWN ? spec->accel : MVM_ACCEL_TCG;
	if (machine->accel == MVM_ACCEL_AUTO)
		choose_accel(machine, &facts);
	args.program = program;
	args.accel = machine->accel;
	if (machine->accel == MVM_ACCEL_TCG && args.arch == MVM_ARCH_AMD64)
		args.tsc_khz = host_tsc_khz(&facts);
	if (boot_log_open(&machine->boot_log, spec->boot_log, err) < 0)
		return -1;
	machine->boot_log_path = mvm_strdup(spec->boot_log);
	machine->started = mvm_now_ns();
	return spawn_qemu(machine, &args, err);
}
