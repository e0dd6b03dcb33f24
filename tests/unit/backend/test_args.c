#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/backend/qemu/args.h"
#include "runtime/base/mem.h"

static struct mvm_machine_spec plain_spec(void)
{
	return (struct mvm_machine_spec){
		.kernel = "/k/vmlinux",
		.initrd = "/k/initramfs",
		.cpus = 2,
		.memory = 1000u << 20,
		.vsock_fd = -1,
		.boot_log = "/c/boot.log",
	};
}

static struct mvm_strv build(const struct mvm_machine_spec *spec, enum mvm_accel accel, uint32_t tsc_khz)
{
	struct qemu_args args = {.program = "qemu", .spec = spec, .accel = accel, .tsc_khz = tsc_khz};
	struct mvm_strv argv = {0};

	qemu_args_build(&args, &argv);
	return argv;
}

/* The n-th value of an option, NULL where there is none. */
static const char *value(const struct mvm_strv *argv, const char *option, unsigned n)
{
	for (size_t i = 0; i + 1 < argv->count; i++)
		if (strcmp(argv->items[i], option) == 0 && n-- == 0)
			return argv->items[i + 1];
	return NULL;
}

static bool any_contains(const struct mvm_strv *argv, const char *part)
{
	for (size_t i = 0; i < argv->count; i++)
		if (strstr(argv->items[i], part))
			return true;
	return false;
}

static void test_emulation(void **state)
{
	struct mvm_machine_spec spec = plain_spec();
	struct mvm_strv argv MVM_CLEAN_STRV = build(&spec, MVM_ACCEL_TCG, 2793440);

	(void)state;
	assert_string_equal(argv.items[0], "qemu");
	assert_null(argv.items[argv.count]);
	assert_string_equal(value(&argv, "-cpu", 0), "max,-erms");
	assert_non_null(strstr(value(&argv, "-accel", 0), "tcg"));
	assert_non_null(strstr(value(&argv, "-M", 0), "microvm,pcie=on,acpi=on"));
	assert_string_equal(value(&argv, "-smp", 0), "2");
	assert_string_equal(value(&argv, "-kernel", 0), "/k/vmlinux");
	assert_string_equal(value(&argv, "-initrd", 0), "/k/initramfs");
	assert_non_null(
		strstr(value(&argv, "-append", 0), "tsc=reliable tsc_early_khz=2793440 cpu_khz=2793440 lpj=11173760"));
	assert_non_null(strstr(value(&argv, "-append", 0), "lapic_timer_khz=1000000"));
}

static void test_kvm(void **state)
{
	struct mvm_machine_spec spec = plain_spec();
	struct mvm_strv argv MVM_CLEAN_STRV = build(&spec, MVM_ACCEL_KVM, 2793440);

	(void)state;
	assert_string_equal(value(&argv, "-accel", 0), "kvm");
	assert_string_equal(value(&argv, "-cpu", 0), "host");
	/* It has a clock of its own, and a counter that need not be the host's. */
	assert_null(strstr(value(&argv, "-append", 0), "tsc"));
	assert_null(strstr(value(&argv, "-append", 0), "lapic"));
}

static void test_randomness_comes_from_somewhere(void **state)
{
	struct mvm_machine_spec spec = plain_spec();
	struct mvm_strv tcg MVM_CLEAN_STRV = build(&spec, MVM_ACCEL_TCG, 0);
	struct mvm_strv kvm MVM_CLEAN_STRV = build(&spec, MVM_ACCEL_KVM, 0);

	(void)state;
	assert_true(any_contains(&kvm, "virtio-rng"));
	assert_null(strstr(value(&kvm, "-append", 0), "trust_cpu"));
	assert_false(any_contains(&tcg, "virtio-rng"));
	assert_non_null(strstr(value(&tcg, "-append", 0), "random.trust_cpu=on"));
}

static void test_arm64(void **state)
{
	struct mvm_machine_spec spec = plain_spec();
	struct qemu_args args = {.program = "qemu", .spec = &spec, .arch = MVM_ARCH_ARM64, .accel = MVM_ACCEL_TCG};
	struct mvm_strv argv MVM_CLEAN_STRV = {0};

	(void)state;
	qemu_args_build(&args, &argv);
	assert_non_null(strstr(value(&argv, "-M", 0), "virt,gic-version=max,acpi=off,memory-backend=mem"));
	assert_string_equal(value(&argv, "-cpu", 0), "max,pauth-impdef=on");
	assert_non_null(strstr(value(&argv, "-append", 0), "panic=-1 dummy"));
	assert_non_null(strstr(value(&argv, "-append", 0), "random.trust_cpu=on"));
	assert_null(strstr(value(&argv, "-append", 0), "lapic"));
	assert_null(strstr(value(&argv, "-append", 0), "smp"));
}

static void test_unknown_counter(void **state)
{
	struct mvm_machine_spec spec = plain_spec();
	struct mvm_strv argv MVM_CLEAN_STRV = build(&spec, MVM_ACCEL_TCG, 0);

	(void)state;
	assert_null(strstr(value(&argv, "-append", 0), "tsc"));
	assert_null(strstr(value(&argv, "-append", 0), "lpj"));
}

static void test_memory_is_whole_mebibytes(void **state)
{
	struct mvm_machine_spec spec = plain_spec();
	struct mvm_strv argv;

	(void)state;
	spec.memory = (100u << 20) + 1;
	argv = build(&spec, MVM_ACCEL_TCG, 0);
	assert_string_equal(value(&argv, "-m", 0), "101M");
	assert_non_null(strstr(value(&argv, "-object", 0), "memory-backend-file,id=mem,size=101M,share=on"));
	assert_non_null(strstr(value(&argv, "-M", 0), "memory-backend=mem"));
	mvm_strv_finish(&argv);
}

static void test_confinement(void **state)
{
	struct mvm_machine_spec spec = plain_spec();
	struct mvm_strv argv MVM_CLEAN_STRV = build(&spec, MVM_ACCEL_KVM, 0);
	const char *sandbox = value(&argv, "-sandbox", 0);

	(void)state;
	assert_non_null(sandbox);
	assert_non_null(strstr(sandbox, "on,"));
	assert_non_null(strstr(sandbox, "elevateprivileges=deny"));
	assert_non_null(strstr(sandbox, "spawn=deny"));
	assert_true(any_contains(&argv, "-nodefaults"));
	assert_true(any_contains(&argv, "-no-user-config"));
	assert_true(any_contains(&argv, "-no-reboot"));
}

static void test_vsock_only_with_a_descriptor(void **state)
{
	struct mvm_machine_spec spec = plain_spec();
	struct mvm_strv without MVM_CLEAN_STRV = build(&spec, MVM_ACCEL_TCG, 0);
	struct mvm_strv with MVM_CLEAN_STRV = {0};

	(void)state;
	assert_false(any_contains(&without, "vsock"));
	spec.vsock_fd = 77;
	with = build(&spec, MVM_ACCEL_TCG, 0);
	assert_true(any_contains(&with, "vhost-user-vsock-pci"));
	/* The number in QEMU, not ours. */
	assert_true(any_contains(&with, "socket,id=vsock,fd=6"));
	assert_false(any_contains(&with, "77"));
}

static void test_shares_only_with_a_tag(void **state)
{
	struct mvm_machine_spec spec = plain_spec();
	struct mvm_strv without MVM_CLEAN_STRV = build(&spec, MVM_ACCEL_TCG, 0);
	struct mvm_strv with MVM_CLEAN_STRV = {0};

	(void)state;
	assert_false(any_contains(&without, "vhost-user-fs-pci"));
	spec.fs_fd = 77;
	spec.fs_tag = "mvm";
	with = build(&spec, MVM_ACCEL_TCG, 0);
	assert_true(any_contains(&with, "vhost-user-fs-pci,queue-size=1024,chardev=fs,tag=mvm"));
	assert_true(any_contains(&with, "socket,id=fs,fd=7"));
	assert_false(any_contains(&with, "77"));
}

static void test_ports_for_cards_that_come_later(void **state)
{
	struct mvm_machine_spec spec = plain_spec();
	struct mvm_strv without MVM_CLEAN_STRV = build(&spec, MVM_ACCEL_TCG, 0);
	struct mvm_strv with MVM_CLEAN_STRV = {0};

	(void)state;
	assert_false(any_contains(&without, "pcie-root-port"));
	spec.hot_nics = true;
	with = build(&spec, MVM_ACCEL_TCG, 0);
	assert_true(any_contains(&with, "pcie-root-port,id=hot0,chassis=1,addr=0x1e.0,"));
	assert_true(any_contains(&with, "pcie-root-port,id=hot3,chassis=4,addr=0x1e.3,"));
	assert_false(any_contains(&with, "id=hot4"));
}

static void test_disks(void **state)
{
	const struct mvm_machine_disk disks[] = {
		{.path = "/a,b/root.qcow2", .format = MVM_DISK_QCOW2, .scratch = true},
		{.path = "/data.ext4", .format = MVM_DISK_RAW, .read_only = true, .serial = "image"},
		{.path = "/c,d/root.qcow2", .format = MVM_DISK_QCOW2, .throw_away = true},
	};
	struct mvm_machine_spec spec = plain_spec();
	struct mvm_strv argv;

	(void)state;
	spec.disks = disks;
	spec.disk_count = MVM_COUNT(disks);
	argv = build(&spec, MVM_ACCEL_TCG, 0);
	/* A comma in a path must not become an option. */
	assert_non_null(strstr(value(&argv, "-blockdev", 0), "filename=/a,,b/root.qcow2,"));
	assert_non_null(strstr(value(&argv, "-blockdev", 0), "cache.no-flush=on"));
	assert_non_null(strstr(value(&argv, "-blockdev", 1), "driver=qcow2"));
	assert_non_null(strstr(value(&argv, "-blockdev", 1), "read-only=off"));
	assert_non_null(strstr(value(&argv, "-blockdev", 1), "discard=unmap"));
	assert_non_null(strstr(value(&argv, "-blockdev", 2), "cache.no-flush=off"));
	assert_non_null(strstr(value(&argv, "-blockdev", 3), "driver=raw"));
	assert_non_null(strstr(value(&argv, "-blockdev", 3), "read-only=on"));
	/* A machine whose writes count waits for space; one that may lose them fails. */
	assert_true(any_contains(&argv, "drive=disk0,werror=enospc,rerror=report"));
	assert_true(any_contains(&argv, "drive=disk2,werror=report,rerror=report"));
	/* Which of two is /dev/vda must not be left to chance. */
	assert_null(strstr(value(&argv, "-append", 0), "virtio_blk"));
	assert_true(any_contains(&argv, "drive=disk1"));
	assert_true(any_contains(&argv, "serial=image"));
	/* An overlay that QEMU makes and nobody sees. */
	assert_null(value(&argv, "-blockdev", 4));
	assert_string_equal(value(&argv, "-drive", 0), "if=none,id=disk2,format=qcow2,file.driver=file,file.filename="
						       "/c,,d/root.qcow2,snapshot=on");
	assert_true(any_contains(&argv, "drive=disk2"));
	mvm_strv_finish(&argv);
}

static void test_kernel_command_line(void **state)
{
	struct mvm_machine_spec spec = plain_spec();
	struct qemu_args args = {.spec = &spec, .accel = MVM_ACCEL_KVM};
	char *line = qemu_kernel_args(&args);

	(void)state;
	assert_non_null(strstr(line, "console=hvc0"));
	assert_non_null(strstr(line, "panic=-1"));
	assert_non_null(strstr(line, "dummy.numdummies=0"));
	assert_non_null(strstr(line, "driver_async_probe=virtio_balloon,virtio_blk"));
	free(line);
	spec.kernel_args = "loglevel=8 mine=1";
	line = qemu_kernel_args(&args);
	assert_string_equal(line + strlen(line) - strlen(" loglevel=8 mine=1"), " loglevel=8 mine=1");
	free(line);
}

static void test_debug_unmutes_the_kernel(void **state)
{
	struct mvm_machine_spec spec = plain_spec();
	struct qemu_args args = {.spec = &spec, .accel = MVM_ACCEL_TCG};
	char *quiet MVM_CLEAN_FREE = qemu_kernel_args(&args), *loud MVM_CLEAN_FREE = NULL;

	(void)state;
	spec.debug = true;
	loud = qemu_kernel_args(&args);
	assert_null(strstr(quiet, "loglevel=7"));
	assert_non_null(strstr(loud, "loglevel=7"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_emulation),
		cmocka_unit_test(test_kvm),
		cmocka_unit_test(test_randomness_comes_from_somewhere),
		cmocka_unit_test(test_arm64),
		cmocka_unit_test(test_unknown_counter),
		cmocka_unit_test(test_memory_is_whole_mebibytes),
		cmocka_unit_test(test_confinement),
		cmocka_unit_test(test_vsock_only_with_a_descriptor),
		cmocka_unit_test(test_shares_only_with_a_tag),
		cmocka_unit_test(test_ports_for_cards_that_come_later),
		cmocka_unit_test(test_disks),
		cmocka_unit_test(test_kernel_command_line),
		cmocka_unit_test(test_debug_unmutes_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
