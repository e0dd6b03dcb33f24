#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"
#include "source.h"

/* Not in every C library's headers: linux/mount.h, linux/fcntl.h. */
enum {
	OPEN_TREE_CLONED = 1,
	TREE_RECURSIVE = 0x8000,
	MOVE_FROM_EMPTY = 4,
	READ_ONLY = 1,
};
struct attributes {
	uint64_t set, clear, propagation, userns;
};

/* Of all that is mounted there, with what is mounted below it; not attached anywhere yet. */
static int clone_source(const struct tree_entry *entry, const struct mvm_share_roots *roots, bool *folder,
			struct mvm_error **err)
{
	const struct attributes read_only = {.set = READ_ONLY};
	/* The supervisor has looked at it already, and a link may have come since: then this fails. */
	int fd MVM_CLEAN_FD = mvm_share_open(entry->source, roots);
	struct stat status;
	int tree;

	if (fd < 0 || fstat(fd, &status) < 0)
		return mvm_fail_errno(err, errno, "cannot open %s", entry->source);
	*folder = S_ISDIR(status.st_mode);
	tree = (int)syscall(SYS_open_tree, fd, "",
			    AT_EMPTY_PATH | TREE_RECURSIVE | OPEN_TREE_CLONED | (unsigned)O_CLOEXEC);
	if (tree < 0)
		return mvm_fail_errno(err, errno, "cannot mount %s", entry->source);
	if (entry->read_only &&
	    syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | TREE_RECURSIVE, &read_only, sizeof(read_only)) < 0) {
		mvm_fail_errno(err, errno, "cannot make %s read-only", entry->source);
		close(tree);
		return -1;
	}
	return tree;
}

static int attach(int tree, const char *place)
{
	return (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, place, MOVE_FROM_EMPTY);
}

/* No guest shall fill the host's memory. */
static int mount_empty(const char *place)
{
	return mount("mvm-share", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=1m");
}

static int seal(const char *place)
{
	return mount(NULL, place, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/* A file alone in a file system of its own: of its neighbours nothing is there, and its device number is its own. */
static int attach_file(int tree, const char *place)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/" SHARE_FILE_NAME, place);
	int fd;

	if (mount_empty(place) < 0)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	close(fd);
	return attach(tree, path) < 0 ? -1 : seal(place);
}

static int place_entry(int tree, bool folder, size_t number, const char *root)
{
	char *place MVM_CLEAN_FREE = mvm_format("%s/%zu", root, number);

	if (mkdir(place, 0755) < 0)
		return -1;
	return folder ? attach(tree, place) : attach_file(tree, place);
}

static int place_all(const char *root, const struct tree_entry *entries, const int *trees, const bool *folders,
		     size_t count, struct mvm_error **err)
{
	if (mount_empty(root) < 0)
		return mvm_fail_errno(err, errno, "cannot mount a tmpfs on %s", root);
	for (size_t i = 0; i < count; i++)
		if (place_entry(trees[i], folders[i], i, root) < 0)
			return mvm_fail_errno(err, errno, "cannot place %s", entries[i].source);
	return seal(root) < 0 ? mvm_fail_errno(err, errno, "cannot make %s read-only", root) : 0;
}

int tree_mount(const char *root, const struct tree_entry *entries, size_t count, struct mvm_error **err)
{
	int *trees MVM_CLEAN_FREE = mvm_realloc(NULL, count + 1, sizeof(*trees));
	bool *folders MVM_CLEAN_FREE = mvm_realloc(NULL, count + 1, sizeof(*folders));
	struct mvm_share_roots roots MVM_CLEAN_SHARE_ROOTS = {0};

	for (size_t i = 0; i < count; i++)
		if (!entries[i].read_only)
			mvm_share_roots_add(&roots, entries[i].source);
	/* All of them first, so that a share of / or of what holds `root` does not have the tree in it. */
	for (size_t i = 0; i < count; i++)
		if ((trees[i] = clone_source(&entries[i], &roots, &folders[i], err)) < 0)
			return -1;
	return place_all(root, entries, trees, folders, count, err);
}
