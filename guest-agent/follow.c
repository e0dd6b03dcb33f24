#include "follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys.h"

enum { LINKS_MAX = 40 };

/* The folder that `path` is in, without links and without a slash at its end; *last is what it is called there. */
static int find_folder(int root, const char *path, char folder[PATH_MAX], const char **last)
{
	const char *slash = strrchr(path, '/');
	char above[PATH_MAX];
	int fd, rc;

	snprintf(above, sizeof(above), "%.*s", (int)(slash - path) + 1, path);
	*last = slash + 1;
	fd = sys_open_inside(root, above, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = sys_path_inside(root, fd, folder);
	close(fd);
	return rc;
}

/* One step: the link's own text, as an absolute path. 1: it is no link, or not there. */
static int step(int root, char path[PATH_MAX])
{
	char folder[PATH_MAX], text[PATH_MAX], next[2 * PATH_MAX];
	const char *last;
	ssize_t length;
	int fd;

	if (find_folder(root, path, folder, &last))
		return errno == ENOENT ? 1 : -1;
	fd = sys_open_inside(root, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	length = fd < 0 ? -1 : readlinkat(fd, "", text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (length >= 0)
		text[length] = '\0';
	if (length >= 0 && text[0] == '/')
		snprintf(next, sizeof(next), "%s", text);
	else
		snprintf(next, sizeof(next), "%s/%s", folder, length >= 0 ? text : last);
	if (strlen(next) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(path, next);
	return length < 0;
}

int follow_link(int root, const char *path, char target[PATH_MAX])
{
	int fd = sys_open_inside(root, path, O_PATH | O_CLOEXEC), rc = 0;

	if (fd >= 0) {
		rc = sys_path_inside(root, fd, target);
		close(fd);
		if (rc == 0 && !*target)
			strcpy(target, "/");
		return rc;
	}
	if (errno != ENOENT || snprintf(target, PATH_MAX, "%s", path) >= PATH_MAX)
		return -1;
	for (int links = 0; rc == 0; links++) {
		if (links == LINKS_MAX) {
			errno = ELOOP;
			return -1;
		}
		rc = step(root, target);
	}
	return rc < 0 ? -1 : 0;
}
