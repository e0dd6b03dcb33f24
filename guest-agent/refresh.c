/*
 * In a copy of the share's mount, which holds nothing that is mounted below it and can be written, as the container's
 * may not. A link to a path from another file system comes to nothing, but has the kernel ask the host for the name,
 * where it would otherwise believe what it knew up to a second ago. Then the time is set: the host does that for nobody
 * (MVM_SHARE_TOUCH) and answers with the file's attributes, and the kernel tells watchers of the file and of its
 * folder.
 */
#include "refresh.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "failure.h"
#include "guest-agent/proto/message.h"
#include "job.h"
#include "process.h"
#include "sys.h"

enum { FUSE = 0x65735546, FORCE_SYNC = 0x2000, ITSELF = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH };

/* The kernel has taken the answer's attributes for its own. If they are those of a write that came since it asked for
 * the name, it does not know that the content it keeps is an older one; opening has it let go of that. */
static void drop_content(int folder, const char *name, const char *target)
{
	close(*name ? openat(folder, name, O_RDONLY | O_NOFOLLOW) : open(target, O_RDONLY));
}

static void refresh(const char *target, int mount, char *path)
{
	static const struct timespec times[] = {{0, UTIME_OMIT}, {MVM_SHARE_TOUCH, 0}};
	char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int folder = mount;
	struct stat before, after;

	if (slash) {
		*slash = '\0';
		folder = sys_open_inside(mount, path, O_PATH);
	}
	linkat(AT_FDCWD, "/", folder, name, 0);
	if (!fstatat(folder, name, &before, *name ? ITSELF : ITSELF | FORCE_SYNC) &&
	    !utimensat(folder, name, times, ITSELF) && !fstatat(folder, name, &after, ITSELF) &&
	    memcmp(&before.st_mtim, &after.st_mtim, sizeof(after.st_mtim)) != 0 && S_ISREG(after.st_mode))
		drop_content(folder, name, target);
	if (slash)
		close(folder);
}

static int carry_out(const void *order, struct job_answer *answer, struct failure *failure)
{
	const struct mvm_proto_refresh *what = order;
	struct statfs kind;
	int mount;

	if (setns(process_open("ns/mnt"), CLONE_NEWNS) || (mount = sys_copy_mount(what->path)) < 0 ||
	    sys_mount_writable(mount) || fstatfs(mount, &kind))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot reach %.500s", what->path);
	/* The container may have something else there. */
	for (char *const *path = what->changed; *path && kind.f_type == FUSE; path++)
		refresh(what->path, mount, *path);
	return 0;
}

int refresh_start(const struct mvm_proto_refresh *order, uint32_t request, struct failure *failure)
{
	return job_start(carry_out, order, NULL, request, failure);
}
