#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "follow.h"
#include "guest-agent/proto/message.h"
#include "job.h"
#include "sys.h"

static int look_at(int root, const char *path, struct job_answer *answer, struct failure *failure)
{
	int fd = sys_open_inside(root, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat stat;

	if (fd < 0)
		return failure_set_errno(failure, errno == ENOENT ? MVM_PROTO_NO_FILE : MVM_PROTO_NOT_POSSIBLE,
					 "cannot look at %.500s", path);
	if (fstat(fd, &stat))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot look at %.500s", path);
	close(fd);
	answer->mode = stat.st_mode;
	answer->size = (uint64_t)stat.st_size;
	answer->mtime = (uint64_t)stat.st_mtim.tv_sec;
	answer->mtime_nsec = (uint32_t)stat.st_mtim.tv_nsec;
	if (S_ISLNK(stat.st_mode) && follow_link(root, path, answer->link_target))
		return failure_set_errno(failure, MVM_PROTO_NOT_POSSIBLE, "cannot follow the link %.500s", path);
	return 0;
}

static int carry_out(const void *order, struct job_answer *answer, struct failure *failure)
{
	const struct mvm_proto_stat *stat = order;
	int root = job_open_root(true, failure);

	return root < 0 ? -1 : look_at(root, stat->path, answer, failure);
}

int status_start(const struct mvm_proto_stat *order, uint32_t request, struct failure *failure)
{
	return job_start(carry_out, order, NULL, request, failure);
}
