/*
 * Entries into a local folder. No path is handed to the system whole: the way to an entry is gone from the folder on,
 * part by part, and a link among them is read and taken below the folder, an absolute one from there. So what an
 * archive makes cannot lead its later entries elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#endif

#include "copy.h"
#include "guest-agent/proto/stream.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

enum { LINKS_MAX = 40 };
#define IMPLIED_MODE 0755

/* A folder that gets its mode and time when nothing more comes into it. */
struct finished {
	struct finished *next;
	mode_t mode;
	struct timespec mtime;
	char name[];
};

struct copy_unpack {
	char *folder; /* for messages */
	int root;
	bool owners;

	int parent; /* of the present entry, and of those before it in the same folder */
	char *parent_name;
	char name[MVM_STREAM_TEXT_MAX + 1]; /* clean; "": it is left out */
	const char *last;

	int file;
	struct mvm_tar_entry entry; /* the file's, without texts */
	uint64_t filled;
	struct finished *folders;
};

int copy_unpack_create(const char *folder, bool owners, struct copy_unpack **out, struct mvm_error **err)
{
	int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct copy_unpack *unpack;

	if (root < 0)
		return mvm_fail_errno(err, errno, "cannot open %s", folder);
	unpack = mvm_alloc(sizeof(*unpack));
	unpack->folder = mvm_strdup(folder);
	unpack->root = root;
	unpack->owners = owners;
	unpack->parent = unpack->file = -1;
	*out = unpack;
	return 0;
}

void copy_unpack_destroy(struct copy_unpack *unpack)
{
	if (!unpack)
		return;
	while (unpack->folders) {
		struct finished *folder = unpack->folders;

		unpack->folders = folder->next;
		free(folder);
	}
	mvm_close(&unpack->root);
	mvm_close(&unpack->parent);
	mvm_close(&unpack->file);
	free(unpack->parent_name);
	free(unpack->folder);
	free(unpack);
}

static int fail(const struct copy_unpack *unpack, const char *what, struct mvm_error **err)
{
	return mvm_fail_errno(err, errno, "cannot %s %s/%s", what, unpack->folder, unpack->name);
}

/* The way */

/* `at` is a folder, `part` what was found to be a link in it, which `done` leads to from the root: the whole way with
 * what it says in its place. */
static int follow(const struct copy_unpack *unpack, int at, const char *part, const char *done, const char *rest,
		  char **way, struct mvm_error **err)
{
	char target[PATH_MAX], clean[MVM_STREAM_TEXT_MAX + 1];
	ssize_t length = readlinkat(at, part, target, sizeof(target) - 1);
	char *whole MVM_CLEAN_FREE = NULL;

	if (length < 0)
		return fail(unpack, "make the folder of", err);
	target[length] = '\0';
	whole = mvm_format("%s/%s/%s", target[0] == '/' ? "" : done, target, rest);
	if (mvm_stream_clean_name(whole, clean) < 0)
		return mvm_fail(err, MVM_ERR_INVALID, "cannot make %s/%s: a link on the way leads out of that folder",
				unpack->folder, unpack->name);
	free(*way);
	*way = mvm_strdup(clean);
	return 0;
}

/* Opens a part of the way, made where it is missing. 1: it is a link. */
static int enter(const struct copy_unpack *unpack, int at, const char *part, int *next, struct mvm_error **err)
{
	struct stat stat;

	*next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*next < 0 && errno == ENOENT && mkdirat(at, part, IMPLIED_MODE) == 0 &&
	    fchmodat(at, part, IMPLIED_MODE, 0) == 0)
		*next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*next >= 0)
		return 0;
	if ((errno == ENOTDIR || errno == ELOOP) && fstatat(at, part, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(stat.st_mode))
		return 1;
	return fail(unpack, "make the folder of", err);
}

/* Goes a clean way from the root, as far as no link is met. 1: *way is another one now. */
static int try_way(const struct copy_unpack *unpack, char **way, int *folder, struct mvm_error **err)
{
	int at MVM_CLEAN_FD = openat(unpack->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (at < 0)
		return fail(unpack, "make the folder of", err);
	for (const char *from = *way; *from;) {
		size_t length = strcspn(from, "/");
		char *part MVM_CLEAN_FREE = mvm_strndup(from, length);
		int next, result = enter(unpack, at, part, &next, err);

		if (result > 0) {
			char *done MVM_CLEAN_FREE = mvm_strndup(*way, (size_t)(from - *way));

			return follow(unpack, at, part, done, from + length, way, err) < 0 ? -1 : 1;
		}
		if (result < 0)
			return -1;
		mvm_close(&at);
		at = next;
		from += length;
		from += *from == '/';
	}
	*folder = at;
	at = -1;
	return 0;
}

static int open_way(const struct copy_unpack *unpack, const char *name, int *folder, struct mvm_error **err)
{
	char *way MVM_CLEAN_FREE = mvm_strdup(name);
	int result, links = 0;

	while ((result = try_way(unpack, &way, folder, err)) > 0)
		if (links++ == LINKS_MAX)
			return mvm_fail(err, MVM_ERR_INVALID, "cannot make %s/%s: too many links", unpack->folder,
					unpack->name);
	return result;
}

static int open_parent(struct copy_unpack *unpack, struct mvm_error **err)
{
	const char *slash = strrchr(unpack->name, '/');
	char *name MVM_CLEAN_FREE = mvm_strndup(unpack->name, slash ? (size_t)(slash - unpack->name) : 0);
	int folder;

	unpack->last = slash ? slash + 1 : unpack->name;
	if (unpack->parent_name && !strcmp(unpack->parent_name, name))
		return 0;
	if (open_way(unpack, name, &folder, err) < 0)
		return -1;
	mvm_close(&unpack->parent);
	unpack->parent = folder;
	free(unpack->parent_name);
	unpack->parent_name = name;
	name = NULL;
	return 0;
}

/* Making it */

static int clear_place(struct copy_unpack *unpack, bool folder, struct mvm_error **err)
{
	struct stat stat;

	if (fstatat(unpack->parent, unpack->last, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(unpack, "open", err);
	if (S_ISDIR(stat.st_mode) && !folder)
		return mvm_fail(err, MVM_ERR_INVALID, "cannot overwrite directory \"%s\" with non-directory \"%s\"",
				unpack->name, unpack->folder);
	if (!S_ISDIR(stat.st_mode) && folder)
		return mvm_fail(err, MVM_ERR_INVALID, "cannot overwrite non-directory \"%s\" with directory \"%s\"",
				unpack->name, unpack->folder);
	return !folder && unlinkat(unpack->parent, unpack->last, 0) < 0 ? fail(unpack, "replace", err) : 0;
}

/* The first name of it is in the folder, too. */
static int make_hardlink(struct copy_unpack *unpack, const char *target, struct mvm_error **err)
{
	char clean[MVM_STREAM_TEXT_MAX + 1];
	char *way MVM_CLEAN_FREE = NULL;
	int folder MVM_CLEAN_FD = -1;
	const char *slash;

	if (mvm_stream_clean_name(target, clean) < 0 || !*clean)
		return mvm_fail(err, MVM_ERR_INVALID, "invalid hardlink target \"%s\"", target);
	slash = strrchr(clean, '/');
	way = mvm_strndup(clean, slash ? (size_t)(slash - clean) : 0);
	if (open_way(unpack, way, &folder, err) < 0)
		return -1;
	if (linkat(folder, slash ? slash + 1 : clean, unpack->parent, unpack->last, 0) < 0)
		return fail(unpack, "link", err);
	return 0;
}

/* A folder can be written to while things come into it. */
static int make_node(struct copy_unpack *unpack, const struct mvm_tar_entry *entry)
{
	mode_t mode = entry->mode & 0777;

	switch (entry->type) {
	case MVM_TAR_FILE:
		unpack->file = openat(unpack->parent, unpack->last,
				      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		return unpack->file < 0 ? -1 : 0;
	case MVM_TAR_SYMLINK:
		return symlinkat(entry->target, unpack->parent, unpack->last);
	case MVM_TAR_FOLDER:
		return mkdirat(unpack->parent, unpack->last, mode | 0700);
	case MVM_TAR_FIFO:
		return mkfifoat(unpack->parent, unpack->last, mode);
	default:
		return mknodat(unpack->parent, unpack->last, (entry->type == MVM_TAR_CHAR ? S_IFCHR : S_IFBLK) | mode,
			       makedev(entry->major, entry->minor));
	}
}

static int make(struct copy_unpack *unpack, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	bool folder = entry->type == MVM_TAR_FOLDER;

	if (entry->type == MVM_TAR_HARDLINK)
		return clear_place(unpack, false, err) < 0 ? -1 : make_hardlink(unpack, entry->target, err);
	if (make_node(unpack, entry) == 0)
		return 0;
	if (errno != EEXIST)
		return fail(unpack, "make", err);
	if (clear_place(unpack, folder, err) < 0)
		return -1;
	return !folder && make_node(unpack, entry) < 0 ? fail(unpack, "make", err) : 0;
}

/* What it is like */

static void times_of(const struct mvm_tar_entry *entry, struct timespec times[2])
{
	times[0] = times[1] = (struct timespec){.tv_sec = (time_t)entry->mtime, .tv_nsec = (long)entry->mtime_nsec};
}

/* Who may not give files away keeps them. */
static int give_away(struct copy_unpack *unpack, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	if (!unpack->owners || fchownat(unpack->parent, unpack->last, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return errno == EPERM ? 0 : fail(unpack, "change the owner of", err);
}

static int set_capability(struct copy_unpack *unpack, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
#ifdef __linux__
	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct mvm_tar_xattr *xattr = &entry->xattrs[i];

		if (!strcmp(xattr->name, "security.capability") &&
		    fsetxattr(unpack->file, xattr->name, xattr->value, xattr->length, 0) < 0 && errno != EPERM &&
		    errno != EOPNOTSUPP)
			return fail(unpack, "set an attribute of", err);
	}
#endif
	return 0;
}

static void note_folder(struct copy_unpack *unpack, const struct mvm_tar_entry *entry)
{
	size_t length = strlen(unpack->name) + 1;
	struct finished *folder = mvm_alloc(sizeof(*folder) + length);
	struct timespec times[2];

	times_of(entry, times);
	*folder = (struct finished){.next = unpack->folders, .mode = entry->mode & 07777, .mtime = times[0]};
	memcpy(folder->name, unpack->name, length);
	unpack->folders = folder;
}

static int dress(struct copy_unpack *unpack, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	struct timespec times[2];

	times_of(entry, times);
	if (entry->type == MVM_TAR_HARDLINK)
		return 0;
	if (give_away(unpack, entry, err) < 0)
		return -1;
	if (entry->type == MVM_TAR_FILE)
		return set_capability(unpack, entry, err);
	if (entry->type == MVM_TAR_FOLDER) {
		note_folder(unpack, entry);
		return 0;
	}
	if (entry->type != MVM_TAR_SYMLINK && fchmodat(unpack->parent, unpack->last, entry->mode & 07777, 0) < 0)
		return fail(unpack, "change the mode of", err);
	if (utimensat(unpack->parent, unpack->last, times, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(unpack, "set the time of", err);
	return 0;
}

/* The events */

static int take_entry(void *arg, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	struct copy_unpack *unpack = arg;

	if (mvm_stream_clean_name(entry->name, unpack->name) < 0)
		return mvm_fail(err, MVM_ERR_INVALID, "invalid entry name \"%s\"", entry->name);
	/* The folder itself stays as it is. */
	if (!*unpack->name)
		return 0;
	if (open_parent(unpack, err) < 0 || make(unpack, entry, err) < 0)
		return -1;
	unpack->entry = *entry;
	unpack->filled = 0;
	return dress(unpack, entry, err);
}

static int take_data(void *arg, uint64_t offset, const void *data, size_t length, struct mvm_error **err)
{
	struct copy_unpack *unpack = arg;

	if (unpack->file < 0)
		return 0;
	unpack->filled = offset + length;
	return mvm_pwrite_full(unpack->file, data, length, (off_t)offset) < 0 ? fail(unpack, "write", err) : 0;
}

/* Writing takes setuid bits away, and is over now. */
static int take_end(void *arg, struct mvm_error **err)
{
	struct copy_unpack *unpack = arg;
	struct timespec times[2];
	int result = 0;

	if (unpack->file < 0)
		return 0;
	times_of(&unpack->entry, times);
	if ((unpack->filled < unpack->entry.size && ftruncate(unpack->file, (off_t)unpack->entry.size) < 0) ||
	    fchmod(unpack->file, unpack->entry.mode & 07777) < 0 || futimens(unpack->file, times) < 0)
		result = fail(unpack, "write", err);
	mvm_close(&unpack->file);
	return result;
}

const struct mvm_tar_ops copy_unpack_ops = {.entry = take_entry, .data = take_data, .end = take_end};

static int finish_folder(struct copy_unpack *unpack, const struct finished *finished, struct mvm_error **err)
{
	const struct timespec times[2] = {finished->mtime, finished->mtime};
	int folder MVM_CLEAN_FD = -1;

	strcpy(unpack->name, finished->name);
	if (open_way(unpack, finished->name, &folder, err) < 0)
		return -1;
	if (fchmod(folder, finished->mode) < 0 || futimens(folder, times) < 0)
		return fail(unpack, "change the mode of", err);
	return 0;
}

/* The deepest first: what is above them may not be entered any more then. */
int copy_unpack_end(struct copy_unpack *unpack, struct mvm_error **err)
{
	for (const struct finished *folder = unpack->folders; folder; folder = folder->next)
		if (finish_folder(unpack, folder, err) < 0)
			return -1;
	return 0;
}
