#include "receive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "files.h"
#include "guest-agent/proto/message.h"
#include "job.h"
#include "sys.h"
#include "unpack.h"
#include "users.h"

enum { READ_SIZE = 256 * 1024 };

/* A file of the image's, where its links lead within its root. */
static struct text text_inside(int root, const char *path)
{
	int fd = sys_open_inside(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct text text = {0};

	if (fd >= 0) {
		text = file_text_of(fd);
		close(fd);
	}
	return text;
}

static int find_owner(int root, const char *user, struct unpack_owner *owner, struct failure *failure)
{
	static struct identity identity;

	if (users_resolve(user, text_inside(root, "/etc/passwd"), text_inside(root, "/etc/group"), &identity, failure))
		return -1;
	*owner = (struct unpack_owner){identity.uid, identity.gid};
	return 0;
}

static int read_stream(int socket, struct unpack *unpack, struct failure *failure)
{
	static struct mvm_stream_reader reader;
	static char buffer[READ_SIZE];

	mvm_stream_reader_init(&reader, &unpack_ops, unpack);
	while (!mvm_stream_ended(&reader)) {
		ssize_t n = read(socket, buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot read what to unpack");
		if (n == 0)
			return failure_set(failure, MVM_PROTO_INTERNAL, "what to unpack has been cut short");
		if (mvm_stream_feed(&reader, buffer, (size_t)n))
			return reader.reason ? failure_set(failure, MVM_PROTO_MALFORMED, "%s", reader.reason) : -1;
	}
	return unpack_end(unpack);
}

static int receive(const struct mvm_proto_unpack *order, int root, struct failure *failure)
{
	bool owned = order->user && *order->user;
	struct unpack_owner owner;
	struct unpack *unpack;
	int socket;

	if (owned && find_owner(root, order->user, &owner, failure))
		return -1;
	unpack = unpack_begin(root, order->path, owned ? &owner : NULL, failure);
	socket = unpack ? job_connect(order->port, true, failure) : -1;
	if (socket < 0 || read_stream(socket, unpack, failure))
		return -1;
	unpack_free(unpack);
	if (order->sync && sys_syncfs(root))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot write to the root disk");
	return 0;
}

static int carry_out(const void *order, struct job_answer *answer, struct failure *failure)
{
	int root = job_open_root(true, failure);

	umask(0);
	return root < 0 ? -1 : receive(order, root, failure);
}

int receive_start(const struct mvm_proto_unpack *order, uint32_t request, struct failure *failure)
{
	return job_start(carry_out, order, NULL, request, failure);
}
