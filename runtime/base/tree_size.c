#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "io.h"

enum { STAT_BLOCK = 512 };

static bool add_at(int parent, const char *name, uint64_t *bytes)
{
	struct dirent *entry;
	struct stat st;
	bool all = true;
	DIR *folder;
	int fd;

	/* What goes away while we look takes nothing. */
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno != EACCES;
	*bytes += S_ISDIR(st.st_mode) ? 0 : (uint64_t)st.st_blocks * STAT_BLOCK;
	if (!S_ISDIR(st.st_mode))
		return true;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno != EACCES;
	folder = fdopendir(fd);
	if (!folder) {
		mvm_close(&fd);
		return false;
	}
	while ((entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			all = add_at(dirfd(folder), entry->d_name, bytes) && all;
	closedir(folder);
	return all;
}

bool mvm_tree_size(const char *path, uint64_t *bytes)
{
	uint64_t found = 0;
	bool all = add_at(AT_FDCWD, path, &found);

	*bytes = found;
	return all;
}
