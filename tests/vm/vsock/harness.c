#include "harness.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "initfs/initramfs.h"
#include "runtime/backend/backend.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"
#include "runtime/vsock/vsock.h"

enum { GUEST_CID = 3, TIME_LIMIT_MS = 120000 };

/* --- what comes --- */

static void limit_blocking(int fd)
{
	const struct timeval limit = {.tv_sec = TIME_LIMIT_MS / 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static void on_accepted(void *arg, uint32_t port, int fd)
{
	struct harness *harness = arg;

	limit_blocking(fd);
	if (port == ORDERS_PORT)
		harness->orders = fd;
	else if (harness->accepted_count < MAX_ACCEPTED)
		harness->accepted[harness->accepted_count++] = fd;
	else
		close(fd);
	mvm_loop_stop(harness->loop);
}

static void on_died(void *arg, const char *reason)
{
	struct harness *harness = arg;

	harness->died = mvm_strdup(reason);
	mvm_loop_stop(harness->loop);
}

static void on_connected(void *arg, int fd, int errnum)
{
	struct harness *harness = arg;

	harness->answered = true;
	harness->connected = fd;
	harness->errnum = errnum;
	mvm_loop_stop(harness->loop);
}

static void on_stopped(void *arg, enum mvm_machine_stop reason, const char *detail)
{
	struct harness *harness = arg;

	if (reason != MVM_STOP_GUEST_OFF)
		fprintf(stderr, "machine stopped: %d %s\n", (int)reason, detail);
	harness->off = true;
	mvm_loop_stop(harness->loop);
}

static void on_running(void *arg)
{
	(void)arg;
}

static void on_paused(void *arg)
{
	struct harness *harness = arg;

	harness->paused = true;
	mvm_loop_stop(harness->loop);
}

static void on_resumed(void *arg)
{
	struct harness *harness = arg;

	harness->paused = false;
	mvm_loop_stop(harness->loop);
}

static void on_notice(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

static void on_limit(void *arg)
{
	struct harness *harness = arg;

	harness->timed_out = true;
	mvm_loop_stop(harness->loop);
}

bool harness_run(struct harness *harness, bool (*done)(const struct harness *harness))
{
	harness->timed_out = false;
	mvm_timer_start(harness->limit, TIME_LIMIT_MS);
	while (!done(harness) && !harness->timed_out && !harness->died)
		if (mvm_loop_run(harness->loop, NULL) < 0)
			break;
	mvm_timer_stop(harness->limit);
	return done(harness);
}

/* --- start and end --- */

/* The kernel that this machine's cache holds, or MVM_KERNEL. */
static char *find_kernel(void)
{
	const char *given = getenv("MVM_KERNEL");
	char *cache MVM_CLEAN_FREE = NULL;
	char line[4096] = "";
	FILE *list;
	char *command MVM_CLEAN_FREE = NULL;

	if (given && *given)
		return mvm_strdup(given);
	if (mvm_cache_folder(&cache, NULL) < 0)
		return NULL;
	command = mvm_format("ls -t '%s'/kernel/x86_64-*/vmlinux 2>/dev/null", cache);
	list = popen(command, "r");
	if (!list || !fgets(line, sizeof(line), list))
		*line = '\0';
	if (list)
		pclose(list);
	line[strcspn(line, "\n")] = '\0';
	return *line ? mvm_strdup(line) : NULL;
}

static int write_initramfs(const char *guest, const char *path, struct mvm_error **err)
{
	struct mvm_buf archive MVM_CLEAN_BUF = {0};
	char *program MVM_CLEAN_FREE = NULL;
	size_t length;

	if (mvm_read_file(guest, MVM_INITRAMFS_AGENT_MAX, &program, &length, err) < 0 ||
	    mvm_initramfs_build(program, length, &archive, err) < 0)
		return -1;
	return mvm_replace_file(path, archive.data, archive.length, 0600, err);
}

static int boot(struct harness *harness, const char *kernel, const char *guest, struct mvm_error **err)
{
	static const struct mvm_vsock_events vsock_events = {on_accepted, on_died};
	static const struct mvm_machine_events machine_events = {on_running, on_paused, on_resumed, on_stopped,
								 on_notice};
	char *initramfs MVM_CLEAN_FREE = mvm_format("%s/initramfs", harness->folder);
	char *log MVM_CLEAN_FREE = mvm_format("%s/boot.log", harness->folder);
	struct mvm_machine_spec spec = {.kernel = kernel,
					.initrd = initramfs,
					.cpus = 2,
					.memory = 512 << 20,
					.boot_log = log,
					.accel = MVM_ACCEL_TCG,
					.debug = getenv("MVM_TEST_DEBUG") != NULL};
	int result;

	if (write_initramfs(guest, initramfs, err) < 0 ||
	    mvm_vsock_start(harness->loop, GUEST_CID, &vsock_events, harness, &harness->vsock, &spec.vsock_fd, err) < 0)
		return -1;
	for (uint32_t port = ORDERS_PORT; port < ORDERS_PORT + 4; port++)
		if (mvm_vsock_listen(harness->vsock, port, err) < 0)
			return -1;
	result = mvm_backend_qemu.start(harness->loop, &spec, &machine_events, harness, &harness->machine, err);
	close(spec.vsock_fd);
	return result;
}

static bool takes_orders(const struct harness *harness)
{
	return harness->orders >= 0 || harness->off;
}

static void print_boot_log(const struct harness *harness)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/boot.log", harness->folder);
	char *tail MVM_CLEAN_FREE = mvm_boot_log_tail(path, 20);

	fprintf(stderr, "%s\n", tail);
}

int harness_start(struct harness *harness, const char *guest)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char template[] = "/tmp/mvm-vsock-test.XXXXXX";
	char *kernel MVM_CLEAN_FREE = find_kernel();
	char *qemu MVM_CLEAN_FREE = NULL;

	*harness = (struct harness){.orders = -1};
	if (!kernel || mvm_find_program("qemu-system-x86_64", &qemu, NULL) < 0) {
		fprintf(stderr, "skipped: %s\n",
			kernel ? "qemu-system-x86_64 is not installed" : "no kernel has been built");
		return 77;
	}
	harness->folder = mkdtemp(template) ? mvm_strdup(template) : NULL;
	harness->loop = mvm_loop_create();
	harness->limit = mvm_loop_timer(harness->loop, on_limit, harness);
	if (!harness->folder || boot(harness, kernel, guest, &err) < 0) {
		fprintf(stderr, "%s\n", err ? mvm_error_message(err) : "no temporary folder");
		return 1;
	}
	if (harness_run(harness, takes_orders) && !harness->off)
		return 0;
	fprintf(stderr, "the guest did not come up: %s\n", harness->died ? harness->died : "no connection");
	print_boot_log(harness);
	return 1;
}

void harness_finish(struct harness *harness)
{
	mvm_backend_qemu.destroy(harness->machine);
	mvm_vsock_destroy(harness->vsock);
	mvm_loop_destroy(harness->loop);
	mvm_close(&harness->orders);
	if (harness->folder)
		mvm_remove_tree(harness->folder, NULL);
	free(harness->folder);
	free(harness->died);
}

/* --- orders --- */

static void send_order(struct harness *harness, const char *format, va_list args)
{
	char *order MVM_CLEAN_FREE = mvm_vformat(format, args);

	if (mvm_write_full(harness->orders, order, strlen(order)) < 0 || mvm_write_full(harness->orders, "\n", 1) < 0)
		perror("order");
}

void harness_send_order(struct harness *harness, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	send_order(harness, format, args);
	va_end(args);
}

char *harness_answer(struct harness *harness)
{
	struct mvm_buf line = {0};
	char byte;

	while (read(harness->orders, &byte, 1) == 1 && byte != '\n')
		mvm_buf_add(&line, &byte, 1);
	return mvm_buf_steal(&line);
}

char *harness_order(struct harness *harness, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	send_order(harness, format, args);
	va_end(args);
	return harness_answer(harness);
}

static bool is_paused(const struct harness *harness)
{
	return harness->paused;
}

static bool is_resumed(const struct harness *harness)
{
	return !harness->paused;
}

bool harness_pause(struct harness *harness, bool pause)
{
	int (*ask)(struct mvm_machine *, struct mvm_error **) =
		pause ? mvm_backend_qemu.pause : mvm_backend_qemu.resume;

	return ask(harness->machine, NULL) == 0 && harness_run(harness, pause ? is_paused : is_resumed);
}

/* --- connections --- */

static bool enough_accepted(const struct harness *harness)
{
	return harness->accepted_count >= harness->wanted;
}

bool harness_accept(struct harness *harness, int *fds, unsigned count)
{
	harness->wanted = count;
	if (!harness_run(harness, enough_accepted))
		return false;
	memcpy(fds, harness->accepted, count * sizeof(*fds));
	harness->accepted_count -= count;
	memmove(harness->accepted, harness->accepted + count, harness->accepted_count * sizeof(*fds));
	return true;
}

static bool answered(const struct harness *harness)
{
	return harness->answered;
}

int harness_connect(struct harness *harness, uint32_t port)
{
	harness->answered = false;
	if (mvm_vsock_connect(harness->vsock, port, on_connected, harness, NULL) < 0)
		return -EPIPE;
	if (!harness_run(harness, answered))
		return -ETIMEDOUT;
	if (harness->connected >= 0)
		limit_blocking(harness->connected);
	return harness->connected >= 0 ? harness->connected : -harness->errnum;
}
