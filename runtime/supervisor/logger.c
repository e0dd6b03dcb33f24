/*
 * Theory of operation of rotation: the new file is made first, under another name; then the old ones move on by one,
 * the oldest is replaced, and the new one gets its name. Where that stops half-way nothing is lost, and readers see by
 * the inode which file they have.
 */
#include "logger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

struct logger {
	char *path;
	struct mvm_log_policy policy;
	int fd;
	uint64_t size;
	uint64_t dropped;     /* bytes since writing began to fail; 0 while it does not */
	bool rotation_failed; /* has been said */
};

/* After a crash of the host the last record may be cut: what comes next stands in a line of its own. */
static void mend(struct logger *logger)
{
	char last;

	if (logger->size && pread(logger->fd, &last, 1, (off_t)logger->size - 1) == 1 && last != '\n' &&
	    mvm_write_full(logger->fd, "\n", 1) == 0)
		logger->size++;
}

int logger_create(const char *path, const struct mvm_log_policy *policy, struct logger **out, struct mvm_error **err)
{
	struct logger *logger;
	struct stat st;
	int fd = -1;

	if (policy->kept) {
		fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (fd < 0)
			return mvm_fail_errno(err, errno, "%s", path);
	}
	logger = mvm_alloc(sizeof(*logger));
	*logger = (struct logger){.path = mvm_strdup(path), .policy = *policy, .fd = fd};
	if (fstat(fd, &st) == 0)
		logger->size = (uint64_t)st.st_size;
	mend(logger);
	*out = logger;
	return 0;
}

void logger_destroy(struct logger *logger)
{
	if (!logger)
		return;
	mvm_close(&logger->fd);
	free(logger->path);
	free(logger);
}

static char *rotated_path(const struct logger *logger, int64_t number)
{
	return number ? mvm_format("%s.%lld", logger->path, (long long)number) : mvm_strdup(logger->path);
}

/* Moves each file on by one, the oldest first, over the one that goes. */
static int move_on(const struct logger *logger)
{
	for (int64_t i = logger->policy.max_files - 1; i > 0; i--) {
		char *from MVM_CLEAN_FREE = rotated_path(logger, i - 1), *to MVM_CLEAN_FREE = rotated_path(logger, i);

		if (rename(from, to) < 0 && errno != ENOENT)
			return -1;
	}
	return 0;
}

static void rotate(struct logger *logger)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s.new", logger->path);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || move_on(logger) < 0 || rename(path, logger->path) < 0) {
		/* The full one grows on, and the next record tries again. */
		if (!logger->rotation_failed)
			mvm_log(MVM_LOG_WARN, "%s cannot be rotated: %s", logger->path, strerror(errno));
		logger->rotation_failed = true;
		mvm_close(&fd);
		return;
	}
	logger->rotation_failed = false;
	mvm_close(&logger->fd);
	logger->fd = fd;
	logger->size = 0;
}

/* Gives the number of bytes that are in the file, whole records. */
static size_t write_records(struct logger *logger, const char *data, size_t length)
{
	size_t written = 0, whole;
	int saved;

	while (written < length) {
		ssize_t n = write(logger->fd, data + written, length - written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		written += (size_t)n;
	}
	saved = errno;
	whole = written;
	while (written < length && whole && data[whole - 1] != '\n')
		whole--;
	/* A reader may have taken the whole ones: only the part goes. */
	if (whole < written && ftruncate(logger->fd, (off_t)(logger->size + whole)) < 0)
		mvm_log(MVM_LOG_WARN, "%s: %s", logger->path, strerror(errno));
	logger->size += whole;
	errno = saved;
	return whole;
}

static void write_or_drop(struct logger *logger, const char *data, size_t length)
{
	size_t written = write_records(logger, data, length);

	if (written < length && !logger->dropped)
		mvm_log(MVM_LOG_WARN, "%s: %s; the container goes on, and its log when there is room", logger->path,
			strerror(errno));
	if (written == length && logger->dropped) {
		mvm_log(MVM_LOG_WARN, "%s goes on; %llu bytes of it are missing", logger->path,
			(unsigned long long)logger->dropped);
		logger->dropped = 0;
	}
	logger->dropped += length - written;
}

/* The records that still belong into this file: a file is full when it has reached its size. */
static size_t fitting(const struct logger *logger, const char *data, size_t length)
{
	size_t fits = 0;

	if (!logger->policy.max_size)
		return length;
	while (fits < length && logger->size + fits < logger->policy.max_size)
		fits += (size_t)((const char *)memchr(data + fits, '\n', length - fits) - (data + fits)) + 1;
	return fits;
}

void logger_append(struct logger *logger, const char *data, size_t length)
{
	while (length && logger->policy.kept) {
		size_t part = fitting(logger, data, length);

		if (!part) {
			rotate(logger);
			part = logger->rotation_failed ? length : fitting(logger, data, length);
		}
		write_or_drop(logger, data, part);
		data += part;
		length -= part;
	}
}
