#include "host_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

enum { BACKLOG = 4096, DEATH_LIMIT_MS = 500, DEATH_INTERVAL_MS = 5 };

static int check_length(const char *path, struct mvm_error **err)
{
	if (strlen(path) <= MVM_HOST_SOCKET_PATH_MAX)
		return 0;
	return mvm_fail(err, MVM_ERR_USAGE,
			"%s: the path of a socket may be %d bytes long, this one is %zu: put it into another folder",
			path, MVM_HOST_SOCKET_PATH_MAX, strlen(path));
}

int mvm_host_socket_parse(const char *text, struct mvm_strv *list, struct mvm_error **err)
{
	const char *colon = strrchr(text, ':');
	char *cwd MVM_CLEAN_FREE = NULL, *host MVM_CLEAN_FREE = NULL;

	if (!colon || colon == text || colon[1] != '/' || colon[-1] == '/' || text[strlen(text) - 1] == '/')
		return mvm_fail(err, MVM_ERR_USAGE,
				"invalid socket '%s': expected HOST.sock:/GUEST.sock, a path of the host and an "
				"absolute one of "
				"the container",
				text);
	if (*text == '/')
		host = mvm_strndup(text, (size_t)(colon - text));
	else if ((cwd = getcwd(NULL, 0)))
		host = mvm_format("%s/%.*s", strcmp(cwd, "/") ? cwd : "", (int)(colon - text), text);
	else
		return mvm_fail_errno(err, errno, "cannot tell where '%s' is", text);
	if (check_length(host, err) < 0)
		return -1;
	mvm_strv_addf(list, "%s%s", host, colon);
	return 0;
}

const char *mvm_host_socket_split(const char *text, size_t *length)
{
	const char *colon = strrchr(text, ':');

	*length = colon ? (size_t)(colon - text) : strlen(text);
	return colon ? colon + 1 : "";
}

/* -1 with errno set. */
static int make_socket(const char *path, int type, struct sockaddr_un *address)
{
	int fd;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address->sun_path, path);
	fd = socket(AF_UNIX, type, 0);
	if (fd >= 0 && (mvm_set_cloexec(fd, true) < 0 || mvm_set_nonblock(fd, true) < 0))
		mvm_close(&fd);
	return fd;
}

#ifdef O_PATH
/* A name for the socket itself, as long as `*held` is open, whatever comes to its place. */
static char *pin(int folder, const char *name, int *held)
{
	struct stat status;

	*held = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (*held < 0 || fstat(*held, &status) < 0)
		return NULL;
	if (!S_ISSOCK(status.st_mode)) {
		errno = ECONNREFUSED;
		return NULL;
	}
	return mvm_format("/proc/self/fd/%d", *held);
}
#else
/* macOS connects to paths only: a link that comes between this look and the connection would be followed. */
static char *pin(int folder, const char *name, int *held)
{
	char path[PATH_MAX];
	struct stat status;

	*held = -1;
	if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || fcntl(folder, F_GETPATH, path) < 0)
		return NULL;
	if (!S_ISSOCK(status.st_mode)) {
		errno = ECONNREFUSED;
		return NULL;
	}
	return mvm_format("%s/%s", path, name);
}
#endif

int mvm_host_socket_connect(int folder, const char *name)
{
	int held MVM_CLEAN_FD = -1;
	char *path MVM_CLEAN_FREE = pin(folder, name, &held);
	struct sockaddr_un address;
	int fd = path ? make_socket(path, SOCK_STREAM, &address) : -1;

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		mvm_close(&fd);
	return fd;
}

/* Asked with the wrong type of socket, the kernel tells whether there is anybody without that one getting a connection.
 */
static bool is_dead(const char *path)
{
	struct sockaddr_un address;
	int fd MVM_CLEAN_FD = make_socket(path, SOCK_DGRAM, &address);

	return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno == ECONNREFUSED;
}

/* The parts of a machine whose supervisor was killed go a moment after it, and one of them listens. */
static bool is_dead_soon(const char *path)
{
	for (int i = 0; i < DEATH_LIMIT_MS / DEATH_INTERVAL_MS; i++) {
		if (is_dead(path))
			return true;
		poll(NULL, 0, DEATH_INTERVAL_MS);
	}
	return false;
}

void mvm_host_socket_clear(const char *path)
{
	struct stat status;

	if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode) && status.st_uid == geteuid() && is_dead_soon(path))
		unlink(path);
}

void mvm_host_sockets_clear(const struct mvm_strv *list)
{
	for (size_t i = 0; i < list->count; i++) {
		size_t length;
		char *path MVM_CLEAN_FREE = NULL;

		mvm_host_socket_split(list->items[i], &length);
		path = mvm_strndup(list->items[i], length);
		mvm_host_socket_clear(path);
	}
}

static int fail_to_bind(const char *path, int errnum, struct mvm_error **err)
{
	const char *slash = strrchr(path, '/');
	struct stat status;

	if (errnum == EADDRINUSE && lstat(path, &status) == 0)
		return mvm_fail(
			err, MVM_ERR_CONFLICT,
			S_ISSOCK(status.st_mode)
				? "Bind for %s failed: another program listens there; publish at another path"
				: "Bind for %s failed: there is a file already; remove it, or publish at another path",
			path);
	if (errnum == ENOENT)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "Bind for %s failed: there is no folder %.*s; make it first",
				path, (int)(slash - path), path);
	return mvm_fail_errno(err, errnum, "Bind for %s failed", path);
}

int mvm_host_socket_listen(const char *path, int *out, struct mvm_error **err)
{
	struct sockaddr_un address;
	int fd MVM_CLEAN_FD = make_socket(path, SOCK_STREAM, &address);
	mode_t before;
	int result;

	if (fd < 0)
		return mvm_fail_errno(err, errno, "Bind for %s failed", path);
	mvm_host_socket_clear(path);
	before = umask(0177);
	result = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
	umask(before);
	if (result)
		return fail_to_bind(path, result, err);
	if (listen(fd, BACKLOG) < 0) {
		result = errno;
		unlink(path);
		return mvm_fail_errno(err, result, "Bind for %s failed", path);
	}
	*out = fd;
	fd = -1;
	return 0;
}
