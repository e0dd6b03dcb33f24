#include "args.h"

#include <string.h>

#include "runtime/backend/kernel_args.h"
#include "runtime/base/mem.h"

enum {
	MIB = 1024 * 1024,
	KERNEL_HZ = 250, /* initfs/kernel/common.config */
	HOT_SLOT = 30,	 /* the last but one: others are given from the first on */
};

/* QEMU's option lists end a value at a comma unless it is doubled. */
static char *escape(const char *value)
{
	struct mvm_buf out = {0};

	for (; *value; value++)
		mvm_buf_add(&out, *value == ',' ? ",," : value, *value == ',' ? 2 : 1);
	return mvm_buf_steal(&out);
}

static void add(struct mvm_strv *argv, const char *option, const char *value)
{
	mvm_strv_add(argv, option);
	mvm_strv_add(argv, value);
}

uint64_t qemu_memory(const struct qemu_args *args)
{
	return (args->spec->memory + MIB - 1) / MIB * MIB;
}

static const char *processor(const struct qemu_args *args)
{
	if (args->accel == MVM_ACCEL_KVM)
		return "host";
	/* The algorithm that pointers are signed by is QEMU's own: the architecture's takes half of the time of a boot.
	 */
	if (args->arch == MVM_ARCH_ARM64)
		return "max,pauth-impdef=on";
	/* Emulation announces a fast `rep movsb` and then copies byte by byte. */
	return "max,-erms";
}

static void add_machine(const struct qemu_args *args, struct mvm_strv *argv)
{
	unsigned long long memory = qemu_memory(args) / MIB;

	/* virt is described by a device tree. Of the other the clock devices stay on (without them an emulated kernel
	 * hangs), ACPI too (it powers off). */
	if (args->arch == MVM_ARCH_ARM64)
		add(argv, "-M", "virt,gic-version=max,acpi=off,memory-backend=mem");
	else
		add(argv, "-M",
		    "microvm,pcie=on,acpi=on,rtc=on,pit=on,pic=on,isa-serial=off,auto-kernel-cmdline=off,memory-"
		    "backend=mem");
	add(argv, "-accel", args->accel == MVM_ACCEL_KVM ? "kvm" : "tcg,thread=multi");
	add(argv, "-cpu", processor(args));
	mvm_strv_add(argv, "-smp");
	mvm_strv_addf(argv, "%u", args->spec->cpus);
	mvm_strv_add(argv, "-m");
	mvm_strv_addf(argv, "%lluM", memory);
	/* Shared, because vhost-user devices map it; not touched ahead of need. */
	mvm_strv_add(argv, "-object");
	mvm_strv_addf(argv, "memory-backend-file,id=mem,size=%lluM,share=on,prealloc=off,mem-path=/proc/self/fd/%d",
		      memory, QEMU_MEMORY_FD);
}

static void add_confinement(struct mvm_strv *argv)
{
	add(argv, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	mvm_strv_add(argv, "-nodefaults");
	mvm_strv_add(argv, "-no-user-config");
	add(argv, "-display", "none");
	/* A reset is how a panicked kernel ends: it is reported, not carried out. */
	mvm_strv_add(argv, "-no-reboot");
}

static void add_control(struct mvm_strv *argv)
{
	mvm_strv_add(argv, "-chardev");
	mvm_strv_addf(argv, "socket,id=qmp,fd=%d", QEMU_QMP_FD);
	add(argv, "-mon", "chardev=qmp,mode=control");
	mvm_strv_add(argv, "-chardev");
	mvm_strv_addf(argv, "socket,id=console,fd=%d", QEMU_CONSOLE_FD);
	add(argv, "-device", "virtio-serial-pci,disable-legacy=on,max_ports=1");
	add(argv, "-device", "virtconsole,chardev=console");
}

static void add_devices(const struct qemu_args *args, struct mvm_strv *argv)
{
	/* An emulated processor has RDRAND or RNDR (see add_emulated()); a real one may not, or keep it from its
	 * guests. */
	if (args->accel != MVM_ACCEL_TCG)
		add(argv, "-device", "virtio-rng-pci,disable-legacy=on");
	/* The memory that the guest frees goes back to the host. */
	add(argv, "-device", "virtio-balloon-pci,disable-legacy=on,free-page-reporting=on,deflate-on-oom=on");
	if (args->spec->vsock_fd < 0)
		return;
	mvm_strv_add(argv, "-chardev");
	mvm_strv_addf(argv, "socket,id=vsock,fd=%d", QEMU_VSOCK_FD);
	add(argv, "-device", "vhost-user-vsock-pci,disable-legacy=on,chardev=vsock");
}

/* All shares are one device: a machine has 31 slots. */
static void add_shares(const struct qemu_args *args, struct mvm_strv *argv)
{
	mvm_strv_add(argv, "-chardev");
	mvm_strv_addf(argv, "socket,id=fs,fd=%d", QEMU_FS_FD);
	mvm_strv_add(argv, "-device");
	mvm_strv_addf(argv, "vhost-user-fs-pci,queue-size=1024,chardev=fs,tag=%s", args->spec->fs_tag);
}

static void add_nic(const struct mvm_machine_nic *nic, size_t index, struct mvm_strv *argv)
{
	const uint8_t *mac = nic->mac;

	mvm_strv_add(argv, "-netdev");
	mvm_strv_addf(argv, "dgram,id=net%zu,local.type=fd,local.str=%zu", index, QEMU_NIC_FD + index);
	mvm_strv_add(argv, "-device");
	/* Nobody boots from it, so it needs no ROM. */
	mvm_strv_addf(argv, "virtio-net-pci,disable-legacy=on,romfile=,netdev=net%zu,mac=%02x:%02x:%02x:%02x:%02x:%02x",
		      index, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* microvm's own bus takes no card while it runs, but that behind a root port does. The guest has no driver for these: a
 * port costs the boot a millisecond, and what is behind it is found when the agent looks (guest-agent/interface.c). So
 * a port has no power switch either, which nobody would turn on. */
static void add_hot_port(size_t index, struct mvm_strv *argv)
{
	mvm_strv_add(argv, "-device");
	mvm_strv_addf(argv,
		      "pcie-root-port,id=" QEMU_HOT_PORT ",chassis=%zu,addr=%#x.%zu,multifunction=on,"
		      "power_controller_present=off",
		      index, index + 1, (unsigned)HOT_SLOT, index);
}

static const char *format_name(const struct mvm_machine_disk *disk)
{
	return disk->format == MVM_DISK_QCOW2 ? "qcow2" : "raw";
}

/*
 * Caching is the host's page cache: what the guest has flushed survives QEMU's death in any case, since QEMU then
 * has written out qcow2's tables too; it survives the host's death because a flush is passed on, except for a
 * scratch disk. What the guest discards is given back to the host's file system.
 */
static void add_file(const struct mvm_machine_disk *disk, size_t index, struct mvm_strv *argv)
{
	char *path MVM_CLEAN_FREE = escape(disk->path);

	mvm_strv_add(argv, "-blockdev");
	mvm_strv_addf(argv,
		      "driver=file,node-name=file%zu,filename=%s,read-only=%s,discard=unmap,cache.direct=off,cache.no-"
		      "flush=%s",
		      index, path, disk->read_only ? "on" : "off", disk->scratch ? "on" : "off");
	mvm_strv_add(argv, "-blockdev");
	mvm_strv_addf(argv, "driver=%s,node-name=disk%zu,file=file%zu,read-only=%s,discard=unmap", format_name(disk),
		      index, index, disk->read_only ? "on" : "off");
}

/* QEMU puts an overlay on it, in a temporary file that it unlinks as soon as it has it open. */
static void add_snapshot(const struct mvm_machine_disk *disk, size_t index, struct mvm_strv *argv)
{
	char *path MVM_CLEAN_FREE = escape(disk->path);

	mvm_strv_add(argv, "-drive");
	mvm_strv_addf(argv, "if=none,id=disk%zu,format=%s,file.driver=file,file.filename=%s,snapshot=on", index,
		      format_name(disk), path);
}

static void add_disk(const struct mvm_machine_disk *disk, size_t index, struct mvm_strv *argv)
{
	char *serial MVM_CLEAN_FREE = disk->serial ? escape(disk->serial) : NULL;

	if (disk->throw_away)
		add_snapshot(disk, index, argv);
	else
		add_file(disk, index, argv);
	mvm_strv_add(argv, "-device");
	/* Where the host's disk is full the machine stands still (control.c). As an error of its disk the guest would
	 * take it for a broken one: what programs were told is written would be lost without a word. */
	mvm_strv_addf(argv, "virtio-blk-pci,disable-legacy=on,drive=disk%zu,werror=%s,rerror=report%s%s", index,
		      disk->throw_away ? "report" : "enospc", serial ? ",serial=" : "", serial ? serial : "");
}

/* Under emulation. What an x86-64 kernel would find out by waiting, up to 100 ms each time, it is told: the rate of
 * QEMU's APIC timer (hw/intc/apic.c) and the processor's, both options of our kernel's own
 * (initfs/kernel/x86_64-apic.c), and what follows from them. */
static void add_emulated(const struct qemu_args *args, struct mvm_buf *line)
{
	/* QEMU's RDRAND is the host's getrandom(), and takes the place of a device to probe. */
	mvm_buf_addf(line, " random.trust_cpu=on");
	if (args->arch != MVM_ARCH_AMD64)
		return;
	/* With one CPU the kernel would patch each lock prefix away: 100 ms, for nothing. */
	mvm_buf_addf(line, " noreplace-smp lapic_timer_khz=1000000");
	if (args->tsc_khz)
		mvm_buf_addf(line, " tsc=reliable tsc_early_khz=%u cpu_khz=%u lpj=%u", args->tsc_khz, args->tsc_khz,
			     args->tsc_khz * (1000 / KERNEL_HZ));
}

char *qemu_kernel_args(const struct qemu_args *args)
{
	struct mvm_buf line = {0};

	machine_kernel_args(args->spec, args->arch, &line);
	if (args->accel == MVM_ACCEL_TCG)
		add_emulated(args, &line);
	if (args->spec->kernel_args && *args->spec->kernel_args)
		mvm_buf_addf(&line, " %s", args->spec->kernel_args);
	return mvm_buf_steal(&line);
}

void qemu_args_build(const struct qemu_args *args, struct mvm_strv *argv)
{
	mvm_strv_add(argv, args->program);
	add_machine(args, argv);
	add_confinement(argv);
	add(argv, "-kernel", args->spec->kernel);
	add(argv, "-initrd", args->spec->initrd);
	mvm_strv_add(argv, "-append");
	mvm_strv_take(argv, qemu_kernel_args(args));
	add_control(argv);
	add_devices(args, argv);
	if (args->spec->fs_tag)
		add_shares(args, argv);
	for (size_t i = 0; i < args->spec->nic_count; i++)
		add_nic(&args->spec->nics[i], i, argv);
	for (size_t i = 0; args->spec->hot_nics && i < MVM_MACHINE_HOT_NICS; i++)
		add_hot_port(i, argv);
	for (size_t i = 0; i < args->spec->disk_count; i++)
		add_disk(&args->spec->disks[i], i, argv);
}
