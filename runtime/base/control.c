#include "control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "error.h"
#include "io.h"
#include "json.h"

#define LENGTH_SIZE	 sizeof(uint32_t)
#define CONNECT_LIMIT_MS 3000

void mvm_control_init(struct mvm_control *control, int fd)
{
	*control = (struct mvm_control){.fd = fd};
}

static void set_patience(int fd, int milliseconds)
{
	struct timeval time = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
}

void mvm_control_set_patience(struct mvm_control *control, int milliseconds)
{
	set_patience(control->fd, milliseconds);
}

void mvm_control_finish(struct mvm_control *control)
{
	mvm_close(&control->fd);
	mvm_buf_finish(&control->in);
	for (size_t i = 0; i < control->fd_count; i++)
		mvm_close(&control->fds[i]);
	control->fd_count = 0;
}

int mvm_control_send(struct mvm_control *control, json_t *message, const int *fds, size_t count, struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = json_dumps(message, JSON_COMPACT);
	struct mvm_buf frame MVM_CLEAN_BUF = {0};
	uint32_t length;
	ssize_t n;

	json_decref(message);
	/* Made of a text that is not UTF-8, or of none. */
	if (!text)
		return mvm_fail(err, MVM_ERR_INTERNAL, "control socket: a message that JSON cannot hold");
	length = (uint32_t)strlen(text);
	if (length > MVM_CONTROL_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "control socket: a message of %u bytes, more than %d", length,
				MVM_CONTROL_MAX);
	mvm_buf_add(&frame, &length, LENGTH_SIZE);
	mvm_buf_add(&frame, text, length);
	n = mvm_send_fds(control->fd, frame.data, frame.length, fds, count);
	if (n >= 0 && (size_t)n < frame.length) {
		ssize_t rest = mvm_write_full(control->fd, frame.data + n, frame.length - (size_t)n);

		n = rest < 0 ? -1 : n + rest;
	}
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return mvm_fail(err, MVM_ERR_TIMEOUT, "control socket: the other side does not read");
	if (n < 0)
		return mvm_fail_errno(err, errno, "control socket");
	return 0;
}

/* Whether a whole message stands in the buffer; refuses absurd lengths. */
static int complete(const struct mvm_control *control, uint32_t *length, struct mvm_error **err)
{
	if (control->in.length < LENGTH_SIZE)
		return 0;
	memcpy(length, control->in.data, LENGTH_SIZE);
	if (*length > MVM_CONTROL_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "control socket: a message of %u bytes", *length);
	return control->in.length >= LENGTH_SIZE + *length;
}

static int receive_more(struct mvm_control *control, struct mvm_error **err)
{
	size_t got = 0;
	char *end = mvm_buf_reserve(&control->in, 4096);
	ssize_t n = mvm_recv_fds(control->fd, end, 4096, control->fds + control->fd_count,
				 MVM_CONTROL_MAX_FDS - control->fd_count, &got);

	control->fd_count += got;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return MVM_CONTROL_CLOSED;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return MVM_CONTROL_AGAIN;
	if (n < 0)
		return mvm_fail_errno(err, errno, "control socket");
	control->in.length += (size_t)n;
	return 0;
}

int mvm_control_receive(struct mvm_control *control, json_t **message, struct mvm_error **err)
{
	uint32_t length = 0;
	int ready;

	while ((ready = complete(control, &length, err)) == 0) {
		int result = receive_more(control, err);

		if (result)
			return result;
	}
	if (ready < 0 || mvm_json_parse(control->in.data + LENGTH_SIZE, length, "control message", message, err) < 0)
		return -1;
	mvm_buf_consume(&control->in, LENGTH_SIZE + length);
	return 0;
}

int mvm_control_steal_fds(struct mvm_control *control, int *fds, size_t count, struct mvm_error **err)
{
	if (control->fd_count < count)
		return mvm_fail(err, MVM_ERR_CORRUPT, "control socket: expected %zu descriptors, got %zu", count,
				control->fd_count);
	memcpy(fds, control->fds, count * sizeof(*fds));
	control->fd_count -= count;
	memmove(control->fds, control->fds + count, control->fd_count * sizeof(*fds));
	return 0;
}

int mvm_control_check_peer(int fd, struct mvm_error **err)
{
#ifdef __linux__
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return mvm_fail_errno(err, errno, "control socket");
	if (peer.uid == geteuid() || peer.uid == 0)
		return 0;
#else
	uid_t uid;
	gid_t gid;

	if (getpeereid(fd, &uid, &gid) < 0)
		return mvm_fail_errno(err, errno, "control socket");
	if (uid == geteuid() || uid == 0)
		return 0;
#endif
	return mvm_fail(err, MVM_ERR_AUTH, "control socket: another user connected");
}

pid_t mvm_control_peer_pid(int fd)
{
#ifdef __linux__
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ? 0 : peer.pid;
#else
	pid_t pid;
	socklen_t size = sizeof(pid);

	return getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &pid, &size) < 0 ? 0 : pid;
#endif
}

static int set_address(const char *path, struct sockaddr_un *address, struct mvm_error **err)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return mvm_fail(err, MVM_ERR_INVALID,
				"%s: too long for a socket; set XDG_RUNTIME_DIR to a shorter folder", path);
	strcpy(address->sun_path, path);
	return 0;
}

static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd >= 0)
		mvm_set_cloexec(fd, true);
	return fd;
}

int mvm_control_listen(const char *path, int *out, struct mvm_error **err)
{
	int fd MVM_CLEAN_FD = new_socket();
	struct sockaddr_un address;

	if (set_address(path, &address, err) < 0)
		return -1;
	/* Who gets here holds the lock that goes with it, so a socket that is there is a dead one's. */
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 64) < 0)
		return mvm_fail_errno(err, errno, "cannot listen on %s", path);
	*out = fd;
	fd = -1;
	return 0;
}

static int connect_to(const char *path, bool nonblock, int *out, struct mvm_error **err)
{
	int fd MVM_CLEAN_FD = new_socket();
	struct sockaddr_un address;

	if (set_address(path, &address, err) < 0)
		return -1;
	/* A listener that is stuck has a queue, which may be full. */
	if (fd >= 0 && nonblock)
		mvm_set_nonblock(fd, true);
	else if (fd >= 0)
		set_patience(fd, CONNECT_LIMIT_MS);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return mvm_fail_errno(err, errno, "cannot connect to %s", path);
	*out = fd;
	fd = -1;
	return 0;
}

int mvm_control_connect(const char *path, int *out, struct mvm_error **err)
{
	return connect_to(path, false, out, err);
}

int mvm_control_connect_now(const char *path, int *out, struct mvm_error **err)
{
	return connect_to(path, true, out, err);
}

json_t *mvm_control_error_to_json(const struct mvm_error *error)
{
	return json_pack("{ss, so}", "code", mvm_error_code_name(mvm_error_code(error)), "message",
			 mvm_json_message(mvm_error_message(error)));
}

int mvm_control_error_from_json(const json_t *error, struct mvm_error **err)
{
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));

	return mvm_fail(err, mvm_error_code_parse(code), "%s", message ? message : "unknown error");
}
