#include "io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <sys/stat.h>
#ifdef __linux__
#include <linux/fs.h>
#include <sys/ioctl.h>
#elif defined(__APPLE__)
#include <sys/clonefile.h>
#endif

#include "error.h"
#include "mem.h"

/* Some hundredths of a second of a disk's time. */
#define WRITE_BACK     (16u << 20)
#define MAX_PASSED_FDS 8

ssize_t mvm_read_full(int fd, void *data, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = read(fd, (char *)data + done, length - done);

		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t mvm_write_full(int fd, const void *data, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = write(fd, (const char *)data + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t mvm_pwrite_full(int fd, const void *data, size_t length, off_t offset)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = pwrite(fd, (const char *)data + done, length - done, offset + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int mvm_set_uncached(int fd, bool on)
{
#if defined(O_DIRECT)
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT);
#elif defined(F_NOCACHE)
	return fcntl(fd, F_NOCACHE, on ? 1 : 0) < 0 ? -1 : 0;
#else
	errno = ENOTSUP;
	return -1;
#endif
}

void mvm_write_back(int fd, size_t written, uint64_t *pending)
{
	*pending += written;
	if (*pending < WRITE_BACK)
		return;
	*pending = 0;
#ifdef __linux__
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#endif
}

int mvm_set_cloexec(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0)
		return -1;
	return fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC);
}

int mvm_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	return fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

static int cloexec_pair(int fds[2])
{
	if (mvm_set_cloexec(fds[0], true) == 0 && mvm_set_cloexec(fds[1], true) == 0)
		return 0;
	close(fds[0]);
	close(fds[1]);
	return -1;
}

int mvm_pipe(int fds[2])
{
	return pipe(fds) < 0 ? -1 : cloexec_pair(fds);
}

int mvm_socketpair(int type, int fds[2])
{
	return socketpair(AF_UNIX, type, 0, fds) < 0 ? -1 : cloexec_pair(fds);
}

ssize_t mvm_send_fds(int socket, const void *data, size_t length, const int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * MAX_PASSED_FDS)];
	} control;
	struct iovec iov = {.iov_base = (void *)data, .iov_len = length};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (count > MAX_PASSED_FDS) {
		errno = EINVAL;
		return -1;
	}
	if (count) {
		memset(&control, 0, sizeof(control));
		message.msg_control = control.space;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * count);
	}
	do
		n = sendmsg(socket, &message, 0);
	while (n < 0 && errno == EINTR);
	return n;
}

static void take_passed(const struct cmsghdr *cmsg, int *fds, size_t max, size_t *count)
{
	size_t passed = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < passed; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
		if (*count < max && mvm_set_cloexec(fd, true) == 0)
			fds[(*count)++] = fd;
		else
			close(fd);
	}
}

ssize_t mvm_recv_fds(int socket, void *data, size_t length, int *fds, size_t max, size_t *count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * MAX_PASSED_FDS)];
	} control;
	struct iovec iov = {.iov_base = data, .iov_len = length};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = sizeof(control.space)};
	ssize_t n;

	*count = 0;
	do
		n = recvmsg(socket, &message, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message); cmsg; cmsg = CMSG_NXTHDR(&message, cmsg))
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
			take_passed(cmsg, fds, max, count);
	return n;
}

int mvm_read_file(const char *path, size_t max, char **data, size_t *length, struct mvm_error **err)
{
	int fd MVM_CLEAN_FD = open(path, O_RDONLY | O_CLOEXEC);
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	ssize_t n;

	if (fd < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	do {
		void *end = mvm_buf_reserve(&buf, 16384);

		n = mvm_read_full(fd, end, 16384);
		if (n < 0)
			return mvm_fail_errno(err, errno, "%s", path);
		buf.length += (size_t)n;
		if (buf.length > max)
			return mvm_fail(err, MVM_ERR_INVALID, "%s: larger than %zu bytes", path, max);
	} while (n > 0);
	if (length)
		*length = buf.length;
	*data = mvm_buf_steal(&buf);
	return 0;
}

int mvm_sync_folder(const char *path, struct mvm_error **err)
{
	int fd MVM_CLEAN_FD = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	return 0;
}

int mvm_make_folders(const char *path, struct mvm_error **err)
{
	char *partial MVM_CLEAN_FREE = mvm_strdup(path);

	/* A leading slash separates nothing. */
	for (char *at = partial + (*partial == '/');; at++) {
		char saved = *at;

		if (saved != '/' && saved != '\0')
			continue;
		*at = '\0';
		if (mkdir(partial, 0700) < 0 && errno != EEXIST)
			return mvm_fail_errno(err, errno, "%s", partial);
		*at = saved;
		if (!saved)
			return 0;
	}
}

static int remove_at(int parent, const char *name)
{
	struct dirent *entry;
	DIR *folder;
	int fd, errnum = 0;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Another process may be removing the same tree. */
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	folder = fdopendir(fd);
	if (!folder) {
		close(fd);
		return -1;
	}
	while (!errnum && (entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && remove_at(fd, entry->d_name) < 0)
			errnum = errno;
	closedir(folder);
	if (!errnum && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		errnum = errno;
	errno = errnum;
	return errnum ? -1 : 0;
}

int mvm_remove_tree(const char *path, struct mvm_error **err)
{
	if (remove_at(AT_FDCWD, path) < 0)
		return mvm_fail_errno(err, errno, "cannot remove %s", path);
	return 0;
}

void mvm_raise_file_limit(unsigned long wanted)
{
	/* A Mac says that there is no limit and refuses to set none; what it takes for sure is OPEN_MAX. */
	const rlim_t tries[] = {wanted, 10240};
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	for (size_t i = 0; i < MVM_COUNT(tries); i++) {
		struct rlimit more = {.rlim_cur = tries[i] < limit.rlim_max ? tries[i] : limit.rlim_max,
				      .rlim_max = limit.rlim_max};

		if (more.rlim_cur <= limit.rlim_cur || setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	}
}

int mvm_lock(const char *path, unsigned flags, int *out, struct mvm_error **err)
{
	int operation = (flags & MVM_LOCK_SHARED ? LOCK_SH : LOCK_EX) | (flags & MVM_LOCK_TRY ? LOCK_NB : 0);
	int fd MVM_CLEAN_FD = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	while (flock(fd, operation) < 0) {
		if (errno == EWOULDBLOCK)
			return 1;
		if (errno != EINTR)
			return mvm_fail_errno(err, errno, "cannot lock %s", path);
	}
	*out = fd;
	fd = -1;
	return 0;
}

#ifdef __APPLE__
int mvm_clone_file(const char *from, const char *to, struct mvm_error **err)
{
	if (clonefile(from, to, 0) == 0)
		return 0;
	if (errno == ENOTSUP || errno == EXDEV)
		return 1;
	return mvm_fail_errno(err, errno, "cannot clone %s to %s", from, to);
}
#else
int mvm_clone_file(const char *from, const char *to, struct mvm_error **err)
{
	int source MVM_CLEAN_FD = open(from, O_RDONLY | O_CLOEXEC);
	int target MVM_CLEAN_FD = -1;
	int errnum;

	if (source < 0)
		return mvm_fail_errno(err, errno, "%s", from);
	target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (target < 0)
		return mvm_fail_errno(err, errno, "%s", to);
	if (ioctl(target, FICLONE, source) == 0)
		return 0;
	errnum = errno;
	unlink(to);
	if (errnum == EOPNOTSUPP || errnum == EXDEV || errnum == ENOTTY || errnum == EINVAL)
		return 1;
	return mvm_fail_errno(err, errnum, "cannot clone %s to %s", from, to);
}
#endif

void mvm_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}
