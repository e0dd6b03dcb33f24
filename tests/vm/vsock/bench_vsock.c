/*
 * What the device makes of a real guest: `bench-vsock GUEST [ROUNDS]` prints throughput in both directions, round
 * trips, connections and the device's own memory. Figures for comparison within one run, not a test.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "runtime/backend/backend.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/vsock/vsock.h"

enum { DRAIN = 7004, ECHO = 7000, PORT = 1025, MIB = 1 << 20, BLOCK = 128 << 10, BULK = 256 * MIB };

static struct harness harness;

/* CPU seconds that a process has used. */
static double cpu_of(pid_t pid)
{
	char *path MVM_CLEAN_FREE = mvm_format("/proc/%d/stat", (int)pid);
	char *text MVM_CLEAN_FREE = NULL;
	unsigned long user = 0, system = 0;

	if (mvm_read_file(path, 65536, &text, NULL, NULL) == 0)
		sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

struct usage {
	double device;
	double machine;
};

/* On a busy host the wall clock tells little; CPU time tells more. */
static struct usage usage_now(void)
{
	return (struct usage){cpu_of(mvm_vsock_pid(harness.vsock)), cpu_of(mvm_backend_qemu.pid(harness.machine))};
}

static void report(const char *what, double seconds, struct usage before)
{
	struct usage after = usage_now();

	printf("%-15s %6.0f MB/s in %.2f s, CPU: device %.2f s, QEMU %.2f s\n", what, BULK / seconds / 1e6, seconds,
	       after.device - before.device, after.machine - before.machine);
}

/* PSS in KiB of everything but the guest's memory. */
static long device_memory(void)
{
	char *path MVM_CLEAN_FREE = mvm_format("/proc/%d/smaps", (int)mvm_vsock_pid(harness.vsock));
	FILE *maps = fopen(path, "r");
	unsigned long from, to;
	bool guest = false;
	char line[512];
	long total = 0, value;

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &from, &to) == 2)
			guest = strstr(line, "memfd:") != NULL;
		if (!guest && sscanf(line, "Pss: %ld kB", &value) == 1)
			total += value;
	}
	if (maps)
		fclose(maps);
	return total;
}

static void *drain(void *arg)
{
	static char block[BLOCK];
	int fd = *(int *)arg;

	while (read(fd, block, sizeof(block)) > 0)
		;
	close(fd);
	return NULL;
}

static double answer_seconds(void)
{
	char *answer MVM_CLEAN_FREE = harness_answer(&harness);

	return strtod(answer, NULL) / 1e9;
}

static void guest_to_host(void)
{
	struct usage before = usage_now();
	pthread_t thread;
	double seconds;
	int fd;

	harness_send_order(&harness, "flood %d %d", PORT, BULK);
	if (!harness_accept(&harness, &fd, 1))
		exit(1);
	pthread_create(&thread, NULL, drain, &fd);
	seconds = answer_seconds();
	pthread_join(thread, NULL);
	report("guest to host", seconds, before);
}

static void host_to_guest(void)
{
	static char block[BLOCK];
	struct usage before = usage_now();
	uint64_t from;
	double seconds;
	int fd = harness_connect(&harness, DRAIN);

	if (fd < 0)
		exit(1);
	from = mvm_now_ns();
	for (int sent = 0; sent < BULK; sent += BLOCK)
		mvm_write_full(fd, block, BLOCK);
	shutdown(fd, SHUT_WR);
	mvm_read_full(fd, block, 1);
	seconds = (double)(mvm_now_ns() - from) / 1e9;
	close(fd);
	report("host to guest", seconds, before);
}

static void round_trips(void)
{
	enum { COUNT = 3000 };
	int fd = harness_connect(&harness, ECHO);
	uint64_t from = mvm_now_ns();
	char byte = 'x';

	for (int i = 0; i < COUNT; i++)
		if (mvm_write_full(fd, &byte, 1) < 0 || mvm_read_full(fd, &byte, 1) != 1)
			exit(1);
	printf("round trip      %6.1f us\n", (double)(mvm_now_ns() - from) / 1e3 / COUNT);
	close(fd);
}

static void connections(void)
{
	enum { COUNT = 500 };
	static int fds[COUNT];
	uint64_t from;

	harness_send_order(&harness, "open %d %d", PORT, COUNT);
	if (!harness_accept(&harness, fds, COUNT))
		exit(1);
	printf("guest connects  %6.0f /s\n", COUNT / answer_seconds());
	for (int i = 0; i < COUNT; i++)
		close(fds[i]);
	from = mvm_now_ns();
	for (int i = 0; i < COUNT; i++)
		close(harness_connect(&harness, ECHO));
	printf("host connects   %6.0f /s\n", COUNT / ((double)(mvm_now_ns() - from) / 1e9));
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 1;
	int result;

	signal(SIGPIPE, SIG_IGN);
	if (argc < 2)
		return 2;
	result = harness_start(&harness, argv[1]);
	if (result == 77)
		return result;
	if (result == 0) {
		printf("device memory   %6ld KiB at rest\n", device_memory());
		for (int i = 0; i < rounds; i++) {
			guest_to_host();
			host_to_guest();
			round_trips();
			connections();
		}
		printf("device memory   %6ld KiB after\n", device_memory());
	}
	harness_finish(&harness);
	return result;
}
