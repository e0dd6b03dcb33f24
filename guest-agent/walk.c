#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "failure.h"

/* A folder that is being read, and those around it. */
struct walk_level {
	struct walk_level *up;
	DIR *folder;
	size_t length; /* of its own path, with the slash */

	bool based; /* the base has it too, with: */
	struct base_folder base;
	bool read;     /* all names; what is left are the subfolders that both have */
	uint32_t next; /* of the base's entries, then */
	bool unborn;   /* the runtime's, and not yet found */
};

const char *walk_shown(const struct walk *walk)
{
	enum { SHOWN = 500 };
	static char text[SHOWN + 1];
	const char *path = *walk->path ? walk->path : "/";
	size_t length = strlen(path), from = length > SHOWN ? length - SHOWN : 0;

	memcpy(text, path + from, length - from + 1);
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	return text;
}

int walk_fail(struct walk *walk, const char *what)
{
	return failure_set_errno(walk->failure, MVM_PROTO_INTERNAL, "cannot %s %s", what, walk_shown(walk));
}

static int fail_long(struct walk *walk, const char *what)
{
	errno = ENAMETOOLONG;
	return walk_fail(walk, what);
}

static void look_at(struct subject *subject, int fd)
{
	subject->fd = fd;
	snprintf(subject->self, sizeof(subject->self), "/proc/self/fd/%d", fd);
}

/* Levels. */

static struct walk_level *enter(struct walk *walk, int fd)
{
	struct walk_level *level = calloc(1, sizeof(*level));
	int readable = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (!level || readable < 0 || !(level->folder = fdopendir(readable))) {
		walk_fail(walk, "open the folder");
		if (readable >= 0)
			close(readable);
		free(level);
		return NULL;
	}
	level->length = strlen(walk->path);
	level->up = walk->level;
	walk->level = level;
	return level;
}

static int enter_based(struct walk *walk, int fd, bool made)
{
	struct walk_level *level = enter(walk, fd);

	if (!level)
		return -1;
	level->based = true;
	level->unborn = made && walk->archive;
	return base_read(walk->base, &level->base, walk->failure);
}

static void leave(struct walk *walk)
{
	struct walk_level *level = walk->level;

	walk->level = level->up;
	closedir(level->folder);
	base_finish(&level->base);
	free(level);
}

/* Entries. */

/* The folders around an entry that is found, where they have not been yet: from the outermost on. */
static int give_birth(struct walk *walk, struct walk_level *level)
{
	struct subject subject;
	char cut;
	int rc;

	if (!level || !level->unborn)
		return 0;
	if (give_birth(walk, level->up))
		return -1;
	level->unborn = false;
	cut = walk->path[level->length];
	walk->path[level->length] = '\0';
	look_at(&subject, dirfd(level->folder));
	rc = fstat(subject.fd, &subject.stat) ? walk_fail(walk, "look at") : walk->found(walk, &subject, WALK_ADDED);
	walk->path[level->length] = cut;
	return rc;
}

static int tell(struct walk *walk, const struct subject *subject, enum walk_news news)
{
	return give_birth(walk, walk->level) || walk->found(walk, subject, news) ? -1 : 0;
}

static void add_slash(struct walk *walk)
{
	size_t length = strlen(walk->path);

	if (length == 0 || walk->path[length - 1] != '/')
		strcpy(walk->path + length, "/");
}

/* The base has nothing that it could be compared with: all that is below it is found as well. */
static int tell_tree(struct walk *walk, const struct subject *subject, enum walk_news news)
{
	bool folder = S_ISDIR(subject->stat.st_mode);

	if (walk->archive && S_ISSOCK(subject->stat.st_mode))
		return 0;
	if (folder)
		add_slash(walk);
	if (tell(walk, subject, news))
		return -1;
	return folder && subject->stat.st_dev == walk->device && !enter(walk, subject->fd) ? -1 : 0;
}

static int compare(struct walk *walk, const struct subject *subject, uint32_t at)
{
	struct base_folder *base = &walk->level->base;
	struct mvm_listing_entry entry;
	bool same_type, made;
	int differs = 0;

	base_entry(base, at, &entry);
	same_type = (entry.mode & S_IFMT) == (subject->stat.st_mode & S_IFMT);
	made = entry.flags & MVM_LISTING_MADE;
	if (walk->archive && S_ISSOCK(subject->stat.st_mode))
		return 0;
	base->met[at] = BASE_MET;
	if (!same_type)
		return tell_tree(walk, subject, made ? WALK_ADDED : WALK_CHANGED);
	if (!made && (differs = walk->differs(walk, subject, &entry)) < 0)
		return -1;
	if (S_ISDIR(subject->stat.st_mode)) {
		base->met[at] = subject->stat.st_dev == walk->device ? BASE_FOLDER : BASE_MET;
		add_slash(walk);
	}
	return differs ? tell(walk, subject, WALK_CHANGED) : 0;
}

static int visit_subject(struct walk *walk, const struct subject *subject, const char *name)
{
	uint32_t at;

	if (walk->level->based && base_find(&walk->level->base, name, strlen(name), &at))
		return compare(walk, subject, at);
	return tell_tree(walk, subject, WALK_ADDED);
}

static int visit(struct walk *walk, const char *name)
{
	struct subject subject;
	int fd, rc;

	if (walk->level->length + strlen(name) > WALK_PATH_MAX)
		return fail_long(walk, "go below");
	strcpy(walk->path + walk->level->length, name);
	fd = openat(dirfd(walk->level->folder), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : walk_fail(walk, "open");
	look_at(&subject, fd);
	rc = fstat(fd, &subject.stat) ? walk_fail(walk, "look at") : visit_subject(walk, &subject, name);
	close(fd);
	return rc;
}

/* The walk. */

static void set_name(struct walk *walk, const struct mvm_listing_entry *entry)
{
	memcpy(walk->path + walk->level->length, entry->name, entry->length);
	walk->path[walk->level->length + entry->length] = '\0';
}

static int tell_gone(struct walk *walk)
{
	struct walk_level *level = walk->level;
	struct mvm_listing_entry entry;

	for (uint32_t i = 0; i < level->base.count; i++) {
		base_entry(&level->base, i, &entry);
		if (level->base.met[i] != BASE_NOT_MET || (entry.flags & MVM_LISTING_MADE))
			continue;
		if (level->length + entry.length > WALK_PATH_MAX)
			return fail_long(walk, "go below");
		set_name(walk, &entry);
		if (give_birth(walk, level) || walk->gone(walk))
			return -1;
	}
	return 0;
}

/* One name of the innermost folder. */
static int read_name(struct walk *walk)
{
	struct walk_level *level = walk->level;
	struct dirent *entry;

	errno = 0;
	entry = readdir(level->folder);
	if (entry)
		return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") ? visit(walk, entry->d_name) : 0;
	walk->path[level->length] = '\0';
	if (errno)
		return walk_fail(walk, "read the folder");
	level->read = true;
	return level->based ? tell_gone(walk) : 0;
}

/* Into a subfolder that both have, unless it is just gone. */
static int enter_next(struct walk *walk, const struct mvm_listing_entry *entry)
{
	int fd, rc;

	set_name(walk, entry);
	fd = openat(dirfd(walk->level->folder), walk->path + walk->level->length,
		    O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? base_skip(walk->base, walk->failure)
							   : walk_fail(walk, "open");
	add_slash(walk);
	rc = enter_based(walk, fd, entry->flags & MVM_LISTING_MADE);
	close(fd);
	return rc;
}

/* One subfolder of the innermost folder, which has been read. */
static int descend(struct walk *walk)
{
	struct walk_level *level = walk->level;
	struct mvm_listing_entry entry;

	while (level->next < level->base.count) {
		uint32_t at = level->next++;

		base_entry(&level->base, at, &entry);
		if (level->base.met[at] == BASE_FOLDER)
			return enter_next(walk, &entry);
		if (S_ISDIR(entry.mode) && base_skip(walk->base, walk->failure))
			return -1;
	}
	leave(walk);
	return 0;
}

static int finish(struct walk *walk, int rc)
{
	while (rc == 0 && walk->level)
		rc = walk->level->read ? descend(walk) : read_name(walk);
	while (walk->level)
		leave(walk);
	return rc;
}

static int begin(struct walk *walk, int top, const char *name, struct subject *subject)
{
	walk->level = NULL;
	look_at(subject, top);
	if (strlen(name) >= WALK_PATH_MAX)
		return fail_long(walk, "begin with such a name");
	strcpy(walk->path, name);
	if (fstat(top, &subject->stat))
		return walk_fail(walk, "look at");
	walk->device = subject->stat.st_dev;
	return 0;
}

int walk_tree(struct walk *walk, int top, const char *name)
{
	struct subject subject;

	if (begin(walk, top, name, &subject))
		return -1;
	return finish(walk, *name ? tell_tree(walk, &subject, WALK_ADDED) : enter(walk, top) ? 0 : -1);
}

int walk_changes(struct walk *walk, int top, int base, const char *name, const char *prefix)
{
	uint8_t bytes[MVM_LISTING_ENTRY_MAX];
	struct mvm_listing_entry root;
	struct subject subject;
	int differs;

	walk->base = base;
	if (begin(walk, top, name, &subject) || base_read_root(base, bytes, &root, walk->failure))
		return -1;
	differs = walk->differs(walk, &subject, &root);
	if (differs < 0 || (differs && walk->found(walk, &subject, WALK_CHANGED)))
		return -1;
	strcpy(walk->path, prefix);
	return finish(walk, enter_based(walk, top, false));
}
