/*
 * Theory of operation: the file is appended to until it is full. Then its first
 * quarter (the boot) and its last quarter stay, with a line between them that
 * counts what went, and appending goes on; so each byte is moved at most twice.
 */
#include "boot_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

enum { QUARTER = MVM_BOOT_LOG_MAX / 4, TAIL_BYTES = 16 * 1024, LINE_MAX_BYTES = 400, PANIC_LINES = 120 };

int boot_log_open(struct boot_log *log, const char *path, struct mvm_error **err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return mvm_fail_errno(err, errno, "cannot write the boot log %s", path);
	*log = (struct boot_log){.fd = fd};
	return 0;
}

static int shorten(struct boot_log *log)
{
	char *tail MVM_CLEAN_FREE = mvm_alloc(QUARTER);
	ssize_t length = pread(log->fd, tail, QUARTER, (off_t)(log->size - QUARTER));
	char *mark MVM_CLEAN_FREE = NULL;

	if (length < 0)
		return -1;
	log->dropped += log->size - QUARTER - (size_t)length;
	mark = mvm_format("\n[mvm: %llu bytes left out here]\n", (unsigned long long)log->dropped);
	if (ftruncate(log->fd, QUARTER) < 0 || mvm_pwrite_full(log->fd, mark, strlen(mark), QUARTER) < 0 ||
	    mvm_pwrite_full(log->fd, tail, (size_t)length, (off_t)(QUARTER + strlen(mark))) < 0)
		return -1;
	log->size = QUARTER + strlen(mark) + (size_t)length;
	return 0;
}

void boot_log_write(struct boot_log *log, const void *data, size_t length)
{
	const char *at = data;

	while (length && log->fd >= 0) {
		size_t room = MVM_BOOT_LOG_MAX - log->size, part = length < room ? length : room;

		if (part == 0 ? shorten(log) < 0 : mvm_pwrite_full(log->fd, at, part, (off_t)log->size) < 0) {
			mvm_log(MVM_LOG_WARN, "boot log: %s", strerror(errno));
			return;
		}
		at += part;
		length -= part;
		log->size += part;
	}
}

void boot_log_close(struct boot_log *log)
{
	mvm_close(&log->fd);
}

/* Bytes of the guest become text that is safe on a terminal: colour sequences and other
 * control characters go, lines have an end. */
static void add_clean(struct mvm_buf *out, const char *text, size_t length)
{
	size_t column = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == 0x1b && i + 1 < length && text[i + 1] == '[') {
			for (i += 2; i < length && ((unsigned char)text[i] < 0x40 || (unsigned char)text[i] > 0x7e);)
				i++;
			continue;
		}
		if (c == '\n') {
			column = 0;
		} else if ((c < ' ' && c != '\t') || c >= 0x7f || column++ >= LINE_MAX_BYTES) {
			continue;
		}
		mvm_buf_add(out, &c, 1);
	}
}

char *mvm_boot_log_tail(const char *path, unsigned lines)
{
	int fd MVM_CLEAN_FD = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct mvm_buf clean MVM_CLEAN_BUF = {0};
	char raw[TAIL_BYTES];
	struct stat st;
	ssize_t n = -1;
	size_t start;

	if (fd >= 0 && fstat(fd, &st) == 0)
		n = pread(fd, raw, sizeof(raw), st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0);
	if (n > 0)
		add_clean(&clean, raw, (size_t)n);
	while (clean.length && clean.data[clean.length - 1] == '\n')
		clean.length--;
	for (start = clean.length; start > 0; start--)
		if (clean.data[start - 1] == '\n' && --lines == 0)
			break;
	return mvm_strndup(clean.data ? clean.data + start : "", clean.length - start);
}

char *mvm_boot_log_panic(const char *path)
{
	char *tail MVM_CLEAN_FREE = mvm_boot_log_tail(path, PANIC_LINES);
	char *found = strstr(tail, "Kernel panic");

	return found ? mvm_strndup(found, strcspn(found, "\n")) : NULL;
}
