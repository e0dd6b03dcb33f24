#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

enum {
	LINKS_MAX = 40, /* as Linux's */
#ifdef O_PATH
	FOLDER = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
	PLACE = O_PATH | O_NOFOLLOW | O_CLOEXEC,
#else
	FOLDER = O_SEARCH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
	PLACE = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC,
#endif
};

struct walk {
	const struct mvm_share_roots *roots;
	bool *entered; /* of each root */
	int at;
	char *rest; /* what is still to be followed, from `at` */
	int links;
};

void mvm_share_roots_add(struct mvm_share_roots *roots, const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0 || !S_ISDIR(status.st_mode))
		return;
	roots->items = mvm_realloc(roots->items, roots->count + 1, sizeof(*roots->items));
	roots->items[roots->count++] = (struct mvm_share_root){status.st_dev, status.st_ino};
}

void mvm_share_roots_finish(struct mvm_share_roots *roots)
{
	free(roots->items);
	*roots = (struct mvm_share_roots){0};
}

static bool is_root(const struct mvm_share_root *root, const struct stat *status)
{
	return root->device == status->st_dev && root->inode == status->st_ino;
}

/* -1 with errno set. */
static int go(int *at, const char *name)
{
	int next = openat(*at, name, FOLDER);

	if (next < 0)
		return -1;
	mvm_close(at);
	*at = next;
	return 0;
}

static int note_root(struct walk *walk)
{
	struct stat status;

	if (fstat(walk->at, &status) < 0)
		return -1;
	for (size_t i = 0; i < walk->roots->count; i++)
		walk->entered[i] = walk->entered[i] || is_root(&walk->roots->items[i], &status);
	return 0;
}

/* The link's text goes before the rest. */
static int follow(struct walk *walk, const char *name)
{
	char target[PATH_MAX], *rest;
	ssize_t length = readlinkat(walk->at, name, target, sizeof(target) - 1);

	if (length < 0)
		return -1;
	if (++walk->links > LINKS_MAX) {
		errno = ELOOP;
		return -1;
	}
	target[length] = '\0';
	if (*target == '/' && go(&walk->at, "/") < 0)
		return -1;
	rest = mvm_format("%s/%s", target, walk->rest);
	if (!*walk->rest)
		rest[length] = '\0';
	free(walk->rest);
	walk->rest = rest;
	return 0;
}

/* The next part of the rest, the caller's; NULL when there is none. */
static char *take_part(struct walk *walk)
{
	char *start = walk->rest + strspn(walk->rest, "/"), *part;
	size_t length = strcspn(start, "/");

	if (!length)
		return NULL;
	part = mvm_strndup(start, length);
	memmove(walk->rest, start + length, strlen(start + length) + 1);
	return part;
}

/* Sets *name when the end is reached. A link that comes or goes meanwhile fails one of the calls. */
static int step(struct walk *walk, char **name)
{
	char *part MVM_CLEAN_FREE = take_part(walk);
	struct stat status;

	if (!part) {
		*name = mvm_strdup(".");
		return 0;
	}
	if (note_root(walk) < 0 || fstatat(walk->at, part, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (S_ISLNK(status.st_mode))
		return follow(walk, part);
	if (S_ISDIR(status.st_mode))
		return go(&walk->at, part);
	if (*walk->rest) {
		errno = ENOTDIR;
		return -1;
	}
	*name = mvm_strdup(part);
	return 0;
}

/* Upwards from where it ended it comes past every root that it went into. */
static int check_roots(const struct walk *walk)
{
	int at MVM_CLEAN_FD = openat(walk->at, ".", FOLDER);
	struct stat status, above;
	size_t missing = 0;

	for (size_t i = 0; i < walk->roots->count; i++)
		missing += walk->entered[i];
	if (!missing)
		return 0;
	for (bool top = false; at >= 0 && !top && fstat(at, &status) == 0;) {
		for (size_t i = 0; i < walk->roots->count; i++)
			if (walk->entered[i] && is_root(&walk->roots->items[i], &status)) {
				walk->entered[i] = false;
				missing--;
			}
		if (!missing)
			return 0;
		if (go(&at, "..") < 0 || fstat(at, &above) < 0)
			break;
		top = above.st_dev == status.st_dev && above.st_ino == status.st_ino;
	}
	errno = EXDEV;
	return -1;
}

int mvm_share_find(const char *path, const struct mvm_share_roots *roots, int *folder, char **name)
{
	bool *entered MVM_CLEAN_FREE = mvm_alloc((roots->count + 1) * sizeof(*entered));
	struct walk walk = {.roots = roots, .entered = entered, .rest = mvm_strdup(path)};
	char *found MVM_CLEAN_FREE = NULL;
	int rc, failure;

	walk.at = openat(AT_FDCWD, "/", FOLDER);
	rc = walk.at < 0 ? -1 : 0;
	while (rc == 0 && !found)
		rc = step(&walk, &found);
	failure = errno;
	free(walk.rest);
	if (walk.at >= 0 && check_roots(&walk) < 0) {
		rc = -1;
		failure = errno;
	}
	if (rc == 0) {
		*folder = walk.at;
		*name = found;
		found = NULL;
		return 0;
	}
	mvm_close(&walk.at);
	errno = failure;
	return -1;
}

int mvm_share_open(const char *path, const struct mvm_share_roots *roots)
{
	int folder MVM_CLEAN_FD = -1;
	char *name MVM_CLEAN_FREE = NULL;

	if (mvm_share_find(path, roots, &folder, &name) < 0)
		return -1;
	return openat(folder, name, PLACE);
}

int mvm_share_check_path(const char *path, const struct mvm_share_roots *roots, struct mvm_error **err)
{
	int folder MVM_CLEAN_FD = -1;
	char *name MVM_CLEAN_FREE = NULL;

	if (mvm_share_find(path, roots, &folder, &name) == 0 || errno != EXDEV)
		return 0;
	return mvm_fail(
		err, MVM_ERR_INVALID,
		"%s: a link leads out of a shared folder that the container can write, so the container may have "
		"made it; name the place that is meant, or share that folder with :ro",
		path);
}
