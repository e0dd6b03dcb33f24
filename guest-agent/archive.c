#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "failure.h"
#include "guest-agent/proto/message.h"
#include "job.h"
#include "pack.h"
#include "sys.h"
#include "tar.h"

/* As the container sees it: links lead nowhere else, and the last one is taken for itself. */
static int open_path(int root, const char *path, struct failure *failure)
{
	int fd = sys_open_inside(root, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return failure_set_errno(failure, errno == ENOENT ? MVM_PROTO_NO_FILE : MVM_PROTO_NOT_POSSIBLE,
					 "cannot open %.500s", path);
	return fd;
}

static int send_archive(const void *arg, struct job_answer *answer, struct failure *failure)
{
	static struct tar tar;
	const struct mvm_proto_archive *order = arg;
	int root = job_open_root(order->mounted, failure);
	int top = root < 0 ? -1 : open_path(root, order->path, failure);
	int stream = top < 0 ? -1 : job_connect(order->port, false, failure);

	if (stream < 0)
		return -1;
	tar_init(&tar, stream);
	if (pack_tree(top, order->name ? order->name : "", &tar, failure))
		return -1;
	if (tar_end(&tar))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot send the archive");
	close(stream);
	return 0;
}

int archive_start(const struct mvm_proto_archive *order, uint32_t request, struct failure *failure)
{
	return job_start(send_archive, order, request, failure);
}
