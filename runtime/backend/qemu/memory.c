#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/thread.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

enum { MIB = 1024 * 1024, STEP = 2 * MIB };

/* Where the kernel is loaded and what follows it; read off a guest that has just booted (docs/HACKING.md). */
enum { KERNEL_FROM = 8 * MIB, KERNEL_TO = 36 * MIB };
/* What the kernel allocates first, from the top down: 64 bytes for each page of 4096, and tables. */
enum { TABLES = 6 * MIB };

struct warming {
	int fd;
	uint64_t size;
};

static bool warm(int fd, uint64_t from, uint64_t to)
{
	for (; from < to; from += STEP) {
		size_t length = to - from < STEP ? to - from : STEP;
		void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)from);
		int rc = at == MAP_FAILED ? -1 : madvise(at, length, MADV_POPULATE_WRITE);

		if (at != MAP_FAILED)
			munmap(at, length);
		if (rc)
			return false;
	}
	return true;
}

static void *run_warming(void *arg)
{
	struct warming *warming = arg;
	uint64_t size = warming->size, top = size / 64 + TABLES;

	if (size > KERNEL_TO + top && warm(warming->fd, KERNEL_FROM, KERNEL_TO))
		warm(warming->fd, (size - top) & ~(uint64_t)(MIB - 1), size);
	close(warming->fd);
	free(warming);
	return NULL;
}

int memory_create(uint64_t size, int *out, struct mvm_error **err)
{
	int fd = memfd_create("mvm-memory", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
		mvm_fail_errno(err, errno, "cannot make %llu MiB of memory for the machine",
			       (unsigned long long)size / MIB);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*out = fd;
	return 0;
}

void memory_warm(int fd, uint64_t size)
{
	struct warming *warming = mvm_alloc(sizeof(*warming));
	pthread_t thread;

	*warming = (struct warming){.fd = dup(fd), .size = size};
	if (warming->fd >= 0 && mvm_thread_start(&thread, "memory", run_warming, warming, NULL) == 0) {
		pthread_detach(thread);
		return;
	}
	mvm_log(MVM_LOG_DEBUG, "the machine's memory is not prepared");
	if (warming->fd >= 0)
		close(warming->fd);
	free(warming);
}
