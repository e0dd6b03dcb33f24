/*
 * The QEMU backend on real machines: a kernel, an init of ours, nothing else of mvm.
 */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness.h"
#include "runtime/backend/qemu/host.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"

static struct harness *h = &(struct harness){0};
static const struct mvm_backend_ops *ops = &mvm_backend_qemu;

static int setup(void **state)
{
	(void)state;
	h->spec = (struct mvm_machine_spec){.cpus = 2, .memory = 256u << 20, .vsock_fd = -1, .accel = MVM_ACCEL_TCG};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_clear(h);
	return 0;
}

static void test_guest_powers_off(void **state)
{
	char *log MVM_CLEAN_FREE = NULL;

	(void)state;
	harness_start(h, "off");
	assert_true(ops->pid(h->machine) > 0);
	assert_int_equal(ops->accel(h->machine), MVM_ACCEL_TCG);
	harness_wait(h, SEEN_STOPPED);
	assert_int_equal(h->reason, MVM_STOP_GUEST_OFF);
	assert_string_equal(h->detail, "");
	assert_true(h->seen & SEEN_RUNNING);
	assert_int_equal(ops->pid(h->machine), 0);
	assert_int_equal(h->notices.count, 0);
	log = harness_read_log(h);
	assert_non_null(strstr(log, "guest: up"));
}

static void test_kill(void **state)
{
	(void)state;
	harness_start(h, "hang");
	harness_wait_text(h, "guest: up");
	ops->kill(h->machine);
	harness_wait(h, SEEN_STOPPED);
	assert_int_equal(h->reason, MVM_STOP_KILLED);
}

static void test_kill_before_it_runs(void **state)
{
	(void)state;
	harness_start(h, "hang");
	ops->kill(h->machine);
	harness_wait(h, SEEN_STOPPED);
	assert_int_equal(h->reason, MVM_STOP_KILLED);
	assert_false(h->seen & SEEN_RUNNING);
}

static void test_pause_and_resume(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	(void)state;
	harness_start(h, "off");
	assert_int_equal(ops->pause(h->machine, &err), -1);
	assert_int_equal(mvm_error_code(err), MVM_ERR_CONFLICT);
	harness_wait(h, SEEN_RUNNING);
	assert_int_equal(ops->pause(h->machine, NULL), 0);
	harness_wait(h, SEEN_PAUSED | SEEN_STOPPED);
	assert_false(h->seen & SEEN_STOPPED);
	assert_int_equal(ops->resume(h->machine, NULL), 0);
	harness_wait(h, SEEN_RESUMED | SEEN_STOPPED);
	assert_true(h->seen & SEEN_RESUMED);
	assert_int_equal(ops->power_off(h->machine, NULL), 0);
	harness_wait(h, SEEN_STOPPED);
	assert_int_equal(h->reason, MVM_STOP_GUEST_OFF);
}

static void test_panic(void **state)
{
	char *tail MVM_CLEAN_FREE = NULL;

	(void)state;
	harness_start(h, "panic");
	harness_wait(h, SEEN_STOPPED);
	assert_int_equal(h->reason, MVM_STOP_GUEST_PANIC);
	assert_non_null(strstr(h->detail, "Kernel panic - not syncing: Attempted to kill init!"));
	tail = mvm_boot_log_tail(h->boot_log, 40);
	assert_non_null(strstr(tail, "Kernel panic"));
}

static void test_reset(void **state)
{
	(void)state;
	harness_start(h, "reset");
	harness_wait(h, SEEN_STOPPED);
	assert_int_equal(h->reason, MVM_STOP_GUEST_RESET);
}

static void test_qemu_killed_by_another(void **state)
{
	(void)state;
	harness_start(h, "hang");
	harness_wait_text(h, "guest: up");
	assert_int_equal(kill(ops->pid(h->machine), SIGKILL), 0);
	harness_wait(h, SEEN_STOPPED);
	assert_int_equal(h->reason, MVM_STOP_CRASHED);
	assert_non_null(strstr(h->detail, "signal 9"));
}

static void test_qemu_refuses_to_start(void **state)
{
	struct mvm_machine_disk disk = {.path = h->boot_log, .format = MVM_DISK_QCOW2};

	(void)state;
	assert_int_equal(mvm_replace_file(h->boot_log, "no qcow2", 8, 0600, NULL), 0);
	h->spec.disks = &disk;
	h->spec.disk_count = 1;
	harness_start(h, "off");
	harness_wait(h, SEEN_STOPPED);
	assert_int_equal(h->reason, MVM_STOP_CRASHED);
	assert_non_null(strstr(h->detail, "QEMU ended with status 1: "));
	assert_non_null(strstr(h->detail, "not in qcow2 format"));
}

static void test_destroy_from_an_event(void **state)
{
	(void)state;
	harness_start(h, "hang");
	h->destroy_when_running = true;
	harness_wait(h, SEEN_RUNNING);
	assert_null(h->machine);
	assert_false(h->seen & SEEN_STOPPED);
}

/* What the guest has synced outlives a machine that is killed. */
static void check_synced_data(bool scratch)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/disk", h->folder);
	struct mvm_machine_disk disk = {.path = path, .format = MVM_DISK_RAW, .scratch = scratch, .serial = "data"};
	int fd MVM_CLEAN_FD = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char block[4096];

	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	h->spec.disks = &disk;
	h->spec.disk_count = 1;
	harness_start(h, "disk");
	harness_wait_text(h, "guest: synced");
	ops->kill(h->machine);
	harness_wait(h, SEEN_STOPPED);
	assert_int_equal(pread(fd, block, sizeof(block), 0), sizeof(block));
	assert_int_equal(block[0], 'M');
	assert_int_equal(block[4095], 'M');
}

static void test_synced_data_survives_kill(void **state)
{
	(void)state;
	check_synced_data(false);
}

static void test_synced_data_survives_kill_of_scratch(void **state)
{
	(void)state;
	check_synced_data(true);
}

static void test_boot_log_is_bounded(void **state)
{
	char *log MVM_CLEAN_FREE = NULL;
	struct stat st;

	(void)state;
	harness_start(h, "flood");
	harness_wait(h, SEEN_STOPPED);
	assert_int_equal(h->reason, MVM_STOP_GUEST_OFF);
	assert_int_equal(stat(h->boot_log, &st), 0);
	assert_true(st.st_size <= MVM_BOOT_LOG_MAX);
	log = harness_read_log(h);
	assert_non_null(strstr(log, "guest: up"));
	assert_non_null(strstr(log, "guest: flooded"));
	assert_non_null(strstr(log, "bytes left out here"));
}

static double guest_clock(const char *log, const char *word)
{
	char *mark MVM_CLEAN_FREE = mvm_format("guest: %s up=", word);
	const char *found = strstr(log, mark);

	assert_non_null(found);
	return strtod(found + strlen(mark), NULL);
}

/* How far the host's clock is ahead of the guest's: of ten readings the one that took the shortest way counts, so that
 * a busy host does not look like a wrong clock. */
static double clock_offset(int first)
{
	double best = INFINITY;

	for (int i = first; i < first + 10; i++) {
		char *word MVM_CLEAN_FREE = mvm_format("clock%02d", i), *text MVM_CLEAN_FREE = NULL;
		char *log MVM_CLEAN_FREE = NULL;

		text = mvm_format("guest: %s", word);
		harness_wait_text(h, text);
		log = harness_read_log(h);
		best = fmin(best, (double)h->text_ns / 1e9 - guest_clock(log, word));
	}
	return best;
}

/* Host and guest see the same three seconds, to within 1 %. */
static void test_clock(void **state)
{
	double early, late;

	(void)state;
	harness_start(h, "clock");
	early = clock_offset(0);
	late = clock_offset(10);
	print_message("the clocks part by %.2f ms in 3 s\n", (late - early) * 1e3);
	assert_true(fabs(late - early) < 0.03);
}

static void restart(void)
{
	ops->destroy(h->machine);
	free(h->detail);
	h->detail = NULL;
	harness_start(h, "off");
}

/* Automatic choice ends on an accelerator that boots the guest. Where that is not KVM it says why, once. */
static void test_automatic_accelerator(void **state)
{
	size_t notices;

	(void)state;
	h->spec.accel = MVM_ACCEL_AUTO;
	harness_start(h, "off");
	notices = ops->accel(h->machine) == MVM_ACCEL_KVM ? 0 : 1;
	harness_wait(h, SEEN_STOPPED);
	assert_int_equal(h->reason, MVM_STOP_GUEST_OFF);
	assert_int_equal(h->notices.count, notices);
	if (notices)
		assert_non_null(strstr(h->notices.items[0], "/dev/kvm"));
	restart();
	assert_int_equal(ops->accel(h->machine) == MVM_ACCEL_KVM ? 0 : 1, notices);
	harness_wait(h, SEEN_STOPPED);
	assert_int_equal(h->reason, MVM_STOP_GUEST_OFF);
	assert_int_equal(h->notices.count, notices);
}

/* A KVM that passes for usable and then fails under the kernel: reported as such, and not tried again. */
static void test_kvm_fails_under_the_kernel(void **state)
{
	struct host_facts facts = {.kvm_tried = true};

	(void)state;
	if (host_try_kvm("/dev/kvm", &(struct host_facts){0}) != KVM_UNUSABLE)
		skip();
	host_facts_save(&facts);
	h->spec.accel = MVM_ACCEL_AUTO;
	harness_start(h, "off");
	assert_int_equal(ops->accel(h->machine), MVM_ACCEL_KVM);
	harness_wait(h, SEEN_STOPPED);
	assert_int_equal(h->reason, MVM_STOP_ACCEL_UNUSABLE);
	assert_int_equal(h->notices.count, 1);
	restart();
	assert_int_equal(ops->accel(h->machine), MVM_ACCEL_TCG);
	harness_wait(h, SEEN_STOPPED);
	assert_int_equal(h->reason, MVM_STOP_GUEST_OFF);
	assert_int_equal(h->notices.count, 1);
}

/* A process that holds a machine and is killed outright takes QEMU with it. */
static void test_qemu_dies_with_its_holder(void **state)
{
	struct pollfd ended = {.events = POLLIN};
	int report[2];
	pid_t holder, qemu = 0;

	(void)state;
	assert_int_equal(mvm_pipe(report), 0);
	holder = fork();
	if (holder == 0) {
		harness_start(h, "hang");
		harness_wait(h, SEEN_RUNNING);
		qemu = ops->pid(h->machine);
		_exit(write(report[1], &qemu, sizeof(qemu)) < 0 || pause());
	}
	assert_int_equal(read(report[0], &qemu, sizeof(qemu)), sizeof(qemu));
	ended.fd = (int)syscall(SYS_pidfd_open, qemu, 0);
	assert_true(ended.fd >= 0);
	assert_int_equal(poll(&ended, 1, 0), 0);
	assert_int_equal(kill(holder, SIGKILL), 0);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
	assert_int_equal(poll(&ended, 1, 10000), 1);
	mvm_close(&ended.fd);
	mvm_close(&report[0]);
	mvm_close(&report[1]);
}

static void expect_refusal(enum mvm_error_code code, const char *word)
{
	static const struct mvm_machine_events none = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	h->loop = h->loop ? h->loop : mvm_loop_create();
	assert_int_equal(ops->start(h->loop, &h->spec, &none, h, &h->machine, &err), -1);
	assert_int_equal(mvm_error_code(err), code);
	assert_non_null(strstr(mvm_error_message(err), word));
	assert_null(h->machine);
}

static void test_what_is_missing(void **state)
{
	(void)state;
	h->spec.kernel = "/nonexistent/vmlinux";
	h->spec.initrd = h->initrd;
	h->spec.boot_log = h->boot_log;
	expect_refusal(MVM_ERR_NOT_FOUND, "cannot read the kernel /nonexistent/vmlinux");
	h->spec.kernel = h->kernel;
	h->spec.initrd = "/nonexistent/initramfs";
	expect_refusal(MVM_ERR_NOT_FOUND, "initramfs");
	h->spec.initrd = h->initrd;
	h->spec.memory = 1 << 20;
	expect_refusal(MVM_ERR_USAGE, "too little memory");
	setenv("MVM_QEMU", "/nonexistent/qemu", 1);
	expect_refusal(MVM_ERR_NOT_FOUND, "MVM_QEMU");
	unsetenv("MVM_QEMU");
}

#define MACHINE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		MACHINE_TEST(test_guest_powers_off),
		MACHINE_TEST(test_kill),
		MACHINE_TEST(test_kill_before_it_runs),
		MACHINE_TEST(test_pause_and_resume),
		MACHINE_TEST(test_panic),
		MACHINE_TEST(test_reset),
		MACHINE_TEST(test_qemu_killed_by_another),
		MACHINE_TEST(test_qemu_refuses_to_start),
		MACHINE_TEST(test_destroy_from_an_event),
		MACHINE_TEST(test_synced_data_survives_kill),
		MACHINE_TEST(test_synced_data_survives_kill_of_scratch),
		MACHINE_TEST(test_boot_log_is_bounded),
		MACHINE_TEST(test_clock),
		MACHINE_TEST(test_automatic_accelerator),
		MACHINE_TEST(test_kvm_fails_under_the_kernel),
		MACHINE_TEST(test_qemu_dies_with_its_holder),
		MACHINE_TEST(test_what_is_missing),
	};
	int failed;

	if (argc != 2 || !harness_prepare(h, argv[1]))
		return 77;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	harness_finish(h);
	return failed;
}
