/*
 * Theory of operation of the tail: records are visited from the last to the first. The last record of a line counts it;
 * records before that, up to the next end of a line of the same stream, are its parts. When enough lines are counted,
 * the parts of those that are still open are looked for, but not for ever: a stream may have been silent since.
 */
#include "log_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"
#include "runtime/state/logfile.h"

#define WINDOW	  ((off_t)256 * 1024)
#define LOOK_BACK ((off_t)1024 * 1024)

static bool same_file(int a, int b)
{
	struct stat first, second;

	return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
	       first.st_ino == second.st_ino;
}

static int add_file(const char *path, struct log_files *files, struct mvm_error **err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? 0 : mvm_fail_errno(err, errno, "%s", path);
	if (files->count && same_file(fd, files->fds[files->count - 1])) {
		close(fd);
		return 0;
	}
	files->fds = mvm_realloc(files->fds, files->count + 1, sizeof(*files->fds));
	files->fds[files->count++] = fd;
	return 0;
}

int log_files_open(const char *path, int64_t rotated, struct log_files *files, struct mvm_error **err)
{
	struct log_files found MVM_CLEAN_LOG_FILES = {0};

	if (add_file(path, &found, err) < 0)
		return -1;
	for (int64_t i = 1; i <= rotated; i++) {
		char *name MVM_CLEAN_FREE = mvm_format("%s.%lld", path, (long long)i);

		if (add_file(name, &found, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < found.count / 2; i++) {
		int fd = found.fds[i];

		found.fds[i] = found.fds[found.count - 1 - i];
		found.fds[found.count - 1 - i] = fd;
	}
	*files = found;
	found = (struct log_files){0};
	return 0;
}

void log_files_finish(struct log_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		close(files->fds[i]);
	free(files->fds);
	*files = (struct log_files){0};
}

bool log_files_rotated(const struct log_files *files, const char *path)
{
	struct stat named, ours;

	/* Without the name it is on its way to another, or the container is removed. */
	if (stat(path, &named) < 0)
		return false;
	return !files->count || fstat(files->fds[files->count - 1], &ours) < 0 || named.st_dev != ours.st_dev ||
	       named.st_ino != ours.st_ino;
}

size_t log_files_find(const struct log_files *files, int fd)
{
	size_t at = 0;

	while (at < files->count && !same_file(files->fds[at], fd))
		at++;
	return at;
}

bool log_place_before(const struct log_place *a, const struct log_place *b)
{
	return a->file != b->file ? a->file < b->file : a->offset < b->offset;
}

struct tail {
	int64_t left;
	off_t searched; /* bytes since enough lines are counted */
	struct {
		bool open; /* of its line further parts may come */
		bool complete;
	} streams[2];
	struct log_place *from;
};

static void visit(struct tail *tail, const struct mvm_log_record *record, struct log_place place)
{
	if (tail->streams[record->stream].complete)
		return;
	if (record->full || !tail->streams[record->stream].open) {
		if (!tail->left) {
			tail->streams[record->stream].complete = true;
			return;
		}
		tail->left--;
		tail->streams[record->stream].open = true;
	}
	tail->from[record->stream] = place;
}

static bool is_over(const struct tail *tail)
{
	if (tail->left)
		return false;
	for (int i = 0; i < 2; i++)
		if (tail->streams[i].open && !tail->streams[i].complete)
			return tail->searched > LOOK_BACK;
	return true;
}

/* Visits the records of one window from its end; gives the number of bytes at its beginning that are left, because
 * their record begins further ahead. */
static size_t visit_window(struct tail *tail, const char *data, size_t length, bool first, struct log_place place)
{
	size_t end = length;

	while (end && !is_over(tail)) {
		struct mvm_log_record record;
		size_t start = end - 1;

		while (start && data[start - 1] != '\n')
			start--;
		if (!start && !first)
			break;
		if (mvm_log_parse(data + start, end - start, &record) > 0)
			visit(tail, &record, (struct log_place){place.file, place.offset + (off_t)start});
		if (!tail->left)
			tail->searched += (off_t)(end - start);
		end = start;
	}
	return end;
}

static int search_file(struct tail *tail, int fd, size_t file, off_t end, struct mvm_error **err)
{
	struct mvm_buf window MVM_CLEAN_BUF = {0};
	off_t size = WINDOW;

	while (end && !is_over(tail)) {
		off_t begin = end > size ? end - size : 0;
		size_t length = (size_t)(end - begin), left;
		char *data = mvm_buf_reserve(&window, length);

		if (lseek(fd, begin, SEEK_SET) < 0 || mvm_read_full(fd, data, length) != (ssize_t)length)
			return mvm_fail_errno(err, errno ? errno : EIO, "container.log");
		left = visit_window(tail, data, length, begin == 0, (struct log_place){file, begin});
		/* A record that fills the window wants a larger one. */
		size = left == length ? size * 2 : WINDOW;
		end = begin + (off_t)left;
	}
	return 0;
}

/* Behind the last complete record. */
static int find_end(int fd, off_t *end, struct mvm_error **err)
{
	char block[4096];
	off_t at = lseek(fd, 0, SEEK_END);

	while (at > 0) {
		off_t begin = at > (off_t)sizeof(block) ? at - (off_t)sizeof(block) : 0;
		ssize_t n = pread(fd, block, (size_t)(at - begin), begin);

		if (n != at - begin)
			return mvm_fail_errno(err, n < 0 ? errno : EIO, "container.log");
		while (n && block[n - 1] != '\n')
			n--;
		at = begin + n;
		if (n)
			break;
	}
	*end = at;
	return 0;
}

int log_files_tail(const struct log_files *files, int64_t lines, struct log_place from[2], struct mvm_error **err)
{
	struct tail tail = {.left = lines, .from = from};

	for (size_t file = files->count; file-- > 0;) {
		off_t end;

		if (find_end(files->fds[file], &end, err) < 0)
			return -1;
		if (file == files->count - 1)
			from[0] = from[1] = (struct log_place){file, end};
		if (search_file(&tail, files->fds[file], file, end, err) < 0)
			return -1;
		if (is_over(&tail))
			break;
	}
	return 0;
}
