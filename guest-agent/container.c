#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "confine.h"
#include "etc.h"
#include "failure.h"
#include "files.h"
#include "machine.h"
#include "mounts.h"
#include "rosetta.h"
#include "network.h"
#include "shared.h"
#include "sys.h"
#include "trust.h"
#include "volumes.h"

#define LOCKED (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* What every container has mounted, in the place where it is made ready. */
static const char *const staged[] = {"/proc", "/sys", "/dev"};
enum { STAGED = 3 };

static int mount_at(const char *type, const char *path, unsigned long flags, const char *options,
		    struct failure *failure)
{
	if (mount(type, path, type, flags, options))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot mount a %s for the container", type);
	return 0;
}

static int make_devices(struct failure *failure)
{
	static const struct {
		const char *path;
		unsigned major, minor;
	} nodes[] = {
		{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
	};
	static const char *const links[][2] = {
		{"pts/ptmx", "ptmx"},	       {"/proc/self/fd", "fd"},	      {"/proc/self/fd/0", "stdin"},
		{"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}, {"/proc/kcore", "core"},
	};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		if (mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)))
			return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make /dev/%s", nodes[i].path);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i][0], links[i][1]))
			return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make /dev/%s", links[i][1]);
	return 0;
}

/* In the staged /dev. */
static int mount_devices(struct failure *failure)
{
	if (make_devices(failure))
		return -1;
	if (mkdir("pts", 0755) || mkdir("shm", 01777) || mkdir("mqueue", 01777))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make the folders of /dev");
	if (mount_at("devpts", "pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5", failure) ||
	    mount_at("tmpfs", "shm", LOCKED, "mode=1777,size=64m", failure) ||
	    mount_at("mqueue", "mqueue", LOCKED, NULL, failure))
		return -1;
	return 0;
}

/* The kernel's views of itself; `flags` for all but /proc. All mounts of /sys share one, which the agent writes to:
 * only the container's is sealed. */
static int mount_views(unsigned long flags, struct failure *failure)
{
	if (mount_at("proc", MACHINE_STAGE "/proc", LOCKED, NULL, failure) ||
	    mount_at("sysfs", MACHINE_STAGE "/sys", LOCKED, NULL, failure) ||
	    mount_at("sysfs", MACHINE_STAGE "/sys", MS_REMOUNT | MS_BIND | LOCKED | flags, NULL, failure))
		return -1;
	return mount_at("cgroup2", MACHINE_STAGE "/sys/fs/cgroup", LOCKED | flags, NULL, failure);
}

int container_stage(struct failure *failure)
{
	/* Only now, inside its cgroup: the name space's root is the group that the caller is in. */
	if (unshare(CLONE_NEWCGROUP))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot make a cgroup name space");
	umask(0);
	if (mount_views(MS_RDONLY, failure) || confine_seal(MACHINE_STAGE, failure) ||
	    mount_at("tmpfs", MACHINE_STAGE "/dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k", failure))
		return -1;
	if (chdir(MACHINE_STAGE "/dev"))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot enter /dev");
	return mount_devices(failure) ? -1 : confine_mask(MACHINE_STAGE, failure);
}

/* The machine's own devices, below our /dev, which is the current folder. */
static int copy_device(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	const char *name = path + strlen("/dev/");
	int rc;

	if (walk->level == 0 || strcmp(name, "console") == 0)
		return 0;
	if (S_ISDIR(status->st_mode))
		rc = mkdir(name, 0755);
	else if (S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode))
		rc = mknod(name, status->st_mode, status->st_rdev);
	else
		return 0;
	return rc && errno != EEXIST ? -1 : 0;
}

/* What was staged before any order is for containers that are confined; others get new views in its place. */
static int unconfine(const struct mvm_proto_process *order, struct failure *failure)
{
	if (!order->unmasked && !order->privileged)
		return 0;
	if (umount2(MACHINE_STAGE "/proc", MNT_DETACH) || umount2(MACHINE_STAGE "/sys", MNT_DETACH))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot replace the container's /proc and /sys");
	if (mount_views(order->privileged ? 0 : MS_RDONLY, failure))
		return -1;
	if (!order->privileged)
		return 0;
	if (nftw("/dev", copy_device, 8, FTW_PHYS | FTW_MOUNT))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make the devices of /dev");
	return 0;
}

/* A place for a mount is made so that its folder is as it was: the image shall not seem to be another one for it. */

static bool folder_time(const char *folder, struct timespec *time)
{
	struct stat status;

	if (stat(folder, &status))
		return false;
	*time = status.st_mtim;
	return true;
}

static void set_folder_time(const char *folder, const struct timespec *time)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, *time};

	utimensat(AT_FDCWD, folder, times, 0);
}

static int make_place(const char *path)
{
	struct timespec before;
	bool known = folder_time("/", &before);
	int rc = make_folders(path);

	if (known)
		set_folder_time("/", &before);
	return rc;
}

/* Puts a mount where it belongs. Images usually have the folder, so it is made only when it turns out to be missing. */
static int place(int mount, const char *path, struct failure *failure)
{
	int rc = sys_move_mount(mount, AT_FDCWD, path);

	if (rc && errno == ENOENT && make_place(path) == 0)
		rc = sys_move_mount(mount, AT_FDCWD, path);
	if (rc)
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot mount %s in the container", path);
	close(mount);
	return 0;
}

static int size_shm(struct failure *failure)
{
	char options[48];

	if (shared->shm_size == SHARED_SHM_DEFAULT)
		return 0;
	snprintf(options, sizeof(options), "size=%llu", (unsigned long long)shared->shm_size);
	if (mount(NULL, MACHINE_STAGE "/dev/shm", NULL, MS_REMOUNT | LOCKED, options))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot give /dev/shm %s", options);
	return 0;
}

/* The files of /etc that are the machine's and not the image's: etc.h. */

/* From the agent's root, before it is out of sight. */
static int take_etc_files(int trees[ETC_FILES], struct failure *failure)
{
	for (int i = 0; i < ETC_FILES; i++) {
		trees[i] = -1;
		if (!etc_file(i))
			continue;
		trees[i] = sys_copy_mount(etc_file(i));
		if (trees[i] < 0)
			return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot take %s", etc_file(i));
	}
	return 0;
}

/* A link in the image may point to what is only there once a system has booted, such as
 * ../run/systemd/resolve/stub-resolv.conf. One step is enough for all that images have. */
static void make_link_target(const char *folder, const char *path)
{
	char target[PATH_MAX];
	char *slash;
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	if (length <= 0)
		return;
	target[length] = '\0';
	slash = strrchr(target, '/');
	if (!slash || slash == target)
		return;
	*slash = '\0';
	if (chdir(folder) == 0)
		make_folders(target);
	if (chdir("/"))
		return;
}

static int make_file(const char *path)
{
	const char *name = strrchr(path, '/');
	char folder[PATH_MAX];
	struct timespec before;
	bool known;
	int made;

	snprintf(folder, sizeof(folder), "%.*s", name ? (int)(name - path) : 0, path);
	if (make_place(folder))
		return -1;
	known = folder_time(folder, &before);
	made = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	if (made < 0) {
		make_link_target(folder, path);
		made = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	}
	if (made < 0)
		return -1;
	close(made);
	if (known)
		set_folder_time(folder, &before);
	return 0;
}

static int open_target(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	return make_file(path) ? -1 : open(path, O_PATH | O_CLOEXEC);
}

static int place_file(int tree, const char *path, struct failure *failure)
{
	int target = open_target(path);

	if (target < 0 || sys_move_mount(tree, target, ""))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot mount %.400s in the container", path);
	close(target);
	close(tree);
	return 0;
}

static int seal_mount(const char *path)
{
	return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOATIME, NULL);
}

static int place_etc_files(const int trees[ETC_FILES], struct failure *failure)
{
	for (int i = 0; i < ETC_FILES; i++) {
		if (trees[i] < 0)
			continue;
		if (place_file(trees[i], etc_file(i), failure))
			return -1;
		/* Now: something else may be mounted over it. */
		if (shared->read_only && seal_mount(etc_file(i)))
			return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make %s read-only", etc_file(i));
	}
	return 0;
}

/* The agent listens at a socket in its own root (publish.c), which is mounted where the container is to have it. */

static int take_sockets(int trees[MVM_SOCKETS_MAX], struct failure *failure)
{
	char path[32];

	for (int i = 0; shared->order.sockets && shared->order.sockets[i]; i++) {
		snprintf(path, sizeof(path), MACHINE_SOCKET "%d", i);
		if (i == MVM_SOCKETS_MAX || (trees[i] = sys_copy_mount(path)) < 0)
			return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot take %s", path);
	}
	return 0;
}

static int place_sockets(const int trees[MVM_SOCKETS_MAX], struct failure *failure)
{
	for (int i = 0; shared->order.sockets && shared->order.sockets[i]; i++)
		if (place_file(trees[i], shared->order.sockets[i], failure))
			return -1;
	return 0;
}

static int set_ipc_sysctls(struct failure *failure)
{
	for (const char *setting = shared->ipc_sysctls; *setting; setting += strlen(setting) + 1)
		if (sysctl_set(setting, failure))
			return -1;
	return 0;
}

static int take_staged(int mounts[STAGED], struct failure *failure)
{
	char path[32];

	for (int i = 0; i < STAGED; i++) {
		snprintf(path, sizeof(path), MACHINE_STAGE "%s", staged[i]);
		mounts[i] = sys_open_mount(path);
		if (mounts[i] < 0)
			return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot take the container's %s", staged[i]);
	}
	return 0;
}

/* Both on the same folder: the old root ends up on top of the new one (pivot_root(2), notes), where it stays until
 * the mounts have moved. From here on paths are the container's, and so are the links in them. */
static int pivot(int root, struct failure *failure)
{
	if (sys_move_mount(root, AT_FDCWD, MACHINE_ROOT) || chdir(MACHINE_ROOT) || sys_pivot_root(".", "."))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make the root disk the container's root");
	close(root);
	return 0;
}

static int fill_root(const int mounts[STAGED], const int trees[ETC_FILES], struct failure *failure)
{
	for (int i = 0; i < STAGED; i++)
		if (place(mounts[i], staged[i], failure))
			return -1;
	if (umount2(".", MNT_DETACH) || chdir("/"))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot let go of the old root");
	return place_etc_files(trees, failure);
}

int container_make(int root, int shares, struct failure *failure)
{
	const char *domain = shared->order.domainname;
	int mounts[STAGED], trees[ETC_FILES], certificates[2], sockets[MVM_SOCKETS_MAX];

	if (domain && setdomainname(domain, strlen(domain)))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot set the domain name to %.100s", domain);
	if (*shared->hostname && sethostname(shared->hostname, strlen(shared->hostname)))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot set the host name to %s",
					 shared->hostname);
	/* Settings go through the agent's /proc, since the container's may be read-only. */
	if (set_ipc_sysctls(failure) || size_shm(failure) || rosetta_place(failure) ||
	    unconfine(&shared->order, failure))
		return -1;
	if (take_staged(mounts, failure) || take_etc_files(trees, failure) || trust_open(certificates, failure) ||
	    take_sockets(sockets, failure) || volumes_take(root, shared->order.mounts, &shares, failure))
		return -1;
	if (pivot(root, failure) || fill_root(mounts, trees, failure) || trust_make(certificates, failure) ||
	    mounts_make(shared->order.mounts, shares, failure) || place_sockets(sockets, failure))
		return -1;
	umask(022);
	return 0;
}

int container_join(int pidfd, struct failure *failure)
{
	if (setns(pidfd, CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot enter the container");
	umask(022);
	return 0;
}

int container_seal(struct failure *failure)
{
	if (!shared->read_only)
		return 0;
	if (seal_mount("/"))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make the root read-only");
	return 0;
}

int container_terminal(int *master, int *slave, struct failure *failure)
{
	int unlock = 0, number = -1;
	char path[32];

	*master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0 || ioctl(*master, TIOCSPTLCK, &unlock) || ioctl(*master, TIOCGPTN, &number))
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot make a terminal");
	snprintf(path, sizeof(path), "/dev/pts/%d", number);
	*slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0)
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot open %s", path);
	return 0;
}

int container_console(int slave, struct failure *failure)
{
	char source[48];
	int fd = open("/dev/console", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0620);

	if (fd >= 0)
		close(fd);
	snprintf(source, sizeof(source), "/proc/self/fd/%d", slave);
	if (fd < 0 || mount(source, "/dev/console", NULL, MS_BIND, NULL))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make /dev/console");
	return 0;
}
