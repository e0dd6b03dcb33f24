#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "error.h"
#include "io.h"
#include "mem.h"

enum { COPY_SIZE = 1024 * 1024 };

static int copy_range(int from, int to, off_t at, off_t end, char *buffer)
{
	while (at < end) {
		size_t want = end - at < COPY_SIZE ? (size_t)(end - at) : COPY_SIZE;
		ssize_t got = pread(from, buffer, want, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EIO; /* somebody cut it short */
		if (got <= 0 || mvm_pwrite_full(to, buffer, (size_t)got, at) < 0)
			return -1;
		at += got;
	}
	return 0;
}

/* What has been written, and none of the holes. -1 with errno set. */
static int copy_data(int from, int to, off_t size)
{
	char *buffer MVM_CLEAN_FREE = mvm_realloc(NULL, COPY_SIZE, 1);

	for (off_t at = 0, end; at < size; at = end) {
		at = lseek(from, at, SEEK_DATA);
		if (at < 0)
			return errno == ENXIO ? 0 : -1; /* nothing but a hole is left */
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0 || copy_range(from, to, at, end, buffer) < 0)
			return -1;
	}
	return 0;
}

int mvm_copy_sparse(const char *base, const char *path, uint64_t size, struct mvm_error **err)
{
	int from MVM_CLEAN_FD = open(base, O_RDONLY | O_CLOEXEC);
	int to MVM_CLEAN_FD = -1;

	if (from < 0)
		return mvm_fail_errno(err, errno, "cannot open %s", base);
	to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0 || ftruncate(to, (off_t)size) < 0 || copy_data(from, to, (off_t)size) < 0)
		return mvm_fail_errno(err, errno, "cannot copy %s to %s", base, path);
	return 0;
}
