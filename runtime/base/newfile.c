/*
 * Files that are replaced atomically. On Linux a new one has no name at all until it is complete (O_TMPFILE), so that
 * whatever ends this process leaves nothing; where the system or the file system has no such files, it has a
 * temporary name beside the final one.
 */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "error.h"
#include "mem.h"
#include "text.h"

static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return mvm_strdup(".");
	return slash == path ? mvm_strdup("/") : mvm_strndup(path, (size_t)(slash - path));
}

/* Beside `path`, and no longer than any name may be. */
static char *temporary_name(const char *path)
{
	char *folder MVM_CLEAN_FREE = parent_of(path);
	unsigned char random[8];
	char text[2 * sizeof(random) + 1];

	mvm_random(random, sizeof(random));
	mvm_hex(random, sizeof(random), text);
	return mvm_format("%s/" MVM_NEW_FILE_PREFIX "%s", folder, text);
}

#ifdef O_TMPFILE
static int open_nameless(const char *path)
{
	char *folder MVM_CLEAN_FREE = parent_of(path);

	return open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
}

/* linkat() replaces nothing, so it gets a temporary name first. */
static int give_name(int fd, const char *name)
{
	char *self MVM_CLEAN_FREE = mvm_format("/proc/self/fd/%d", fd);

	return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}
#else
static int open_nameless(const char *path)
{
	errno = EOPNOTSUPP;
	return -1;
}

static int give_name(int fd, const char *name)
{
	errno = EOPNOTSUPP;
	return -1;
}
#endif

int mvm_new_file_open(const char *path, mode_t mode, struct mvm_new_file *file, struct mvm_error **err)
{
	struct mvm_new_file made MVM_CLEAN_NEW_FILE = {.fd = open_nameless(path)};

	if (made.fd < 0 && errno != EACCES && errno != ENOENT) {
		made.temporary = temporary_name(path);
		made.fd = open(made.temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	if (made.fd < 0 || fchmod(made.fd, mode) < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	made.path = mvm_strdup(path);
	*file = made;
	made = (struct mvm_new_file)MVM_NEW_FILE;
	return 0;
}

static int take_place(struct mvm_new_file *file, struct mvm_error **err)
{
	if (!file->temporary) {
		char *name MVM_CLEAN_FREE = temporary_name(file->path);

		if (give_name(file->fd, name) < 0)
			return mvm_fail_errno(err, errno, "%s", file->path);
		file->temporary = name;
		name = NULL;
	}
	if (rename(file->temporary, file->path) < 0)
		return mvm_fail_errno(err, errno, "%s", file->path);
	free(file->temporary);
	file->temporary = NULL;
	return 0;
}

int mvm_new_file_commit(struct mvm_new_file *file, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = parent_of(file->path);

	if (fsync(file->fd) < 0)
		return mvm_fail_errno(err, errno, "%s", file->path);
	return take_place(file, err) < 0 ? -1 : mvm_sync_folder(folder, err);
}

void mvm_new_file_finish(struct mvm_new_file *file)
{
	if (file->temporary)
		unlink(file->temporary);
	mvm_close(&file->fd);
	free(file->path);
	free(file->temporary);
	*file = (struct mvm_new_file)MVM_NEW_FILE;
}

static int replace(const char *path, const void *data, size_t length, mode_t mode,
		   int (*finish)(struct mvm_new_file *file, struct mvm_error **err), struct mvm_error **err)
{
	struct mvm_new_file file MVM_CLEAN_NEW_FILE = MVM_NEW_FILE;

	if (mvm_new_file_open(path, mode, &file, err) < 0)
		return -1;
	if (mvm_write_full(file.fd, data, length) < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	return finish(&file, err);
}

int mvm_replace_file(const char *path, const void *data, size_t length, mode_t mode, struct mvm_error **err)
{
	return replace(path, data, length, mode, mvm_new_file_commit, err);
}

int mvm_replace_passing_file(const char *path, const void *data, size_t length, mode_t mode, struct mvm_error **err)
{
	return replace(path, data, length, mode, take_place, err);
}
