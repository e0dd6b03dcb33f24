#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "cgroup.h"
#include "changes.h"
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

static int send_tar(const struct mvm_proto_archive *order, int top, int stream, struct failure *failure)
{
	static struct tar tar;
	int rc;

	tar_init(&tar, stream);
	rc = order->changes ? pack_layer(top, stream, &tar, failure)
			    : pack_tree(top, order->name ? order->name : "", &tar, failure);
	if (rc)
		return -1;
	return tar_end(&tar) ? failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot send the archive") : 0;
}

static int send_archive(const void *arg, struct job_answer *answer, struct failure *failure)
{
	const struct mvm_proto_archive *order = arg;
	int root = job_open_root(order->mounted, failure);
	int top = root < 0 ? -1 : open_path(root, order->path, failure);
	int stream = top < 0 ? -1 : job_connect(order->port, false, failure);
	int rc;

	if (stream < 0 || (order->freeze && cgroup_freeze(failure)))
		return -1;
	rc = order->changes == MVM_CHANGES_LIST ? changes_list(top, stream, failure)
						: send_tar(order, top, stream, failure);
	if (rc == 0)
		close(stream);
	return rc;
}

/* Archives that have not ended and for which the container's processes stand still. */
static unsigned freezing;

static void thaw(void)
{
	if (--freezing == 0)
		cgroup_thaw();
}

int archive_start(const struct mvm_proto_archive *order, uint32_t request, struct failure *failure)
{
	if (job_start(send_archive, order, order->freeze ? thaw : NULL, request, failure))
		return -1;
	freezing += order->freeze;
	return 0;
}
