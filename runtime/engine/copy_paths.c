#include "copy_paths.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

enum { LINKS_MAX = 10 }; /* docker's */

void copy_info_finish(struct copy_info *info)
{
	free(info->path);
	free(info->rebase_name);
	*info = (struct copy_info){0};
}

void copy_plan_finish(struct copy_plan *plan)
{
	free(plan->folder);
	free(plan->from);
	free(plan->to);
	*plan = (struct copy_plan){0};
}

static bool is_part(const char *at, size_t length, const char *part)
{
	return length == strlen(part) && memcmp(at, part, length) == 0;
}

/* Takes the last part off, unless nothing is left behind what cannot go: the root, or ".." that lead out. */
static bool go_up(struct mvm_buf *out, size_t fixed)
{
	if (out->length == fixed)
		return false;
	while (out->length > fixed && out->data[out->length - 1] != '/')
		out->length--;
	if (out->length > fixed)
		out->length--;
	return true;
}

static void add_part(struct mvm_buf *out, const char *part, size_t length)
{
	if (out->length && out->data[out->length - 1] != '/')
		mvm_buf_add(out, "/", 1);
	mvm_buf_add(out, part, length);
}

char *copy_clean(const char *path)
{
	bool rooted = *path == '/';
	struct mvm_buf out = {0};
	size_t fixed = rooted;

	mvm_buf_add(&out, "/", rooted);
	for (const char *at = path; *at; at += *at == '/') {
		size_t length = strcspn(at, "/");

		if (is_part(at, length, "..")) {
			if (!go_up(&out, fixed) && !rooted) {
				add_part(&out, at, length);
				fixed = out.length;
			}
		} else if (length && !is_part(at, length, ".")) {
			add_part(&out, at, length);
		}
		at += length;
	}
	if (!out.length)
		mvm_buf_add(&out, ".", 1);
	return mvm_buf_steal(&out);
}

char *copy_base(const char *path)
{
	size_t end = strlen(path), begin;

	if (!end)
		return mvm_strdup(".");
	while (end > 0 && path[end - 1] == '/')
		end--;
	if (!end)
		return mvm_strdup("/");
	begin = end;
	while (begin > 0 && path[begin - 1] != '/')
		begin--;
	return mvm_strndup(path + begin, end - begin);
}

static bool ends_in_slash(const char *path)
{
	return *path && path[strlen(path) - 1] == '/';
}

/* "", ".", "a/.": also with slashes behind. */
static bool ends_in_dot(const char *path)
{
	char *base MVM_CLEAN_FREE = copy_base(path);

	return !strcmp(base, ".");
}

static char *append(char *path, const char *end)
{
	char *longer = mvm_format("%s%s", path, end);

	free(path);
	return longer;
}

char *copy_preserve(char *clean, const char *original)
{
	if (!ends_in_dot(clean) && ends_in_dot(original))
		clean = append(clean, ends_in_slash(clean) ? "." : "/.");
	if (!ends_in_slash(clean) && ends_in_slash(original))
		clean = append(clean, "/");
	return clean;
}

bool copy_asserts_folder(const char *path)
{
	return ends_in_slash(path) || ends_in_dot(path);
}

/* The folder that a clean path is in. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return mvm_strdup(".");
	return slash == path ? mvm_strdup("/") : mvm_strndup(path, (size_t)(slash - path));
}

void copy_split(const char *path, char **folder, char **name)
{
	char *clean MVM_CLEAN_FREE = copy_clean(path);

	if (ends_in_dot(path)) {
		*folder = mvm_strdup(clean);
		*name = mvm_strdup(".");
		return;
	}
	*folder = folder_of(clean);
	*name = copy_base(clean);
}

char *copy_absolute(const char *path)
{
	char *rooted MVM_CLEAN_FREE = mvm_format("/%s", path);

	return copy_preserve(copy_clean(rooted), path);
}

void copy_rebase_name(const char *path, const char *resolved, char **taken, char **rebase_name)
{
	char *base MVM_CLEAN_FREE = copy_base(path), *other MVM_CLEAN_FREE = NULL;

	*taken = mvm_strdup(resolved);
	if (ends_in_dot(path) && !ends_in_dot(*taken))
		*taken = append(*taken, "/.");
	if (ends_in_slash(path) && !ends_in_slash(*taken))
		*taken = append(*taken, "/");
	other = copy_base(*taken);
	*rebase_name = strcmp(base, other) ? mvm_strdup(base) : NULL;
}

char *copy_rebase(const char *name, const char *from, const char *to)
{
	size_t length = strlen(from), kept = strlen(to);

	while (length > 0 && from[length - 1] == '/')
		length--;
	while (kept > 0 && to[kept - 1] == '/')
		kept--;
	if (!length) {
		while (*name == '/')
			name++;
		return mvm_format("%.*s%s%s", (int)kept, to, kept ? "/" : "", name);
	}
	if (strncmp(name, from, length) != 0 || (name[length] && name[length] != '/'))
		return mvm_strdup(name);
	return mvm_format("%.*s%s", (int)kept, to, name + length);
}

int copy_plan(const struct copy_info *source, const struct copy_info *target, struct copy_plan *plan,
	      struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = NULL;

	if (target->exists && target->is_dir) {
		plan->folder = mvm_strdup(target->path);
		return 0;
	}
	if (target->exists && source->is_dir)
		return mvm_fail(err, MVM_ERR_INVALID, "cannot copy directory");
	if (!target->exists && !source->is_dir && copy_asserts_folder(target->path))
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "no such directory");
	copy_split(source->path, &folder, &plan->from);
	if (source->rebase_name) {
		free(plan->from);
		plan->from = mvm_strdup(source->rebase_name);
	}
	copy_split(target->path, &plan->folder, &plan->to);
	return 0;
}

int copy_local_path(const char *path, char **absolute, struct mvm_error **err)
{
	char here[PATH_MAX];
	char *joined MVM_CLEAN_FREE = NULL;

	if (*path != '/' && !getcwd(here, sizeof(here)))
		return mvm_fail_errno(err, errno, "cannot find out the current directory");
	joined = *path == '/' ? mvm_strdup(path) : mvm_format("%s/%s", here, path);
	*absolute = copy_preserve(copy_clean(joined), path);
	return 0;
}

static int follow_all(const char *path, const char *shown, char **resolved, struct mvm_error **err)
{
	*resolved = realpath(path, NULL);
	return *resolved ? 0 : mvm_fail_errno(err, errno, "cannot open %s", shown);
}

/* The name in the folder stays as it was written. */
static int follow_parents(const char *path, struct copy_info *info, struct mvm_error **err)
{
	const char *slash = strrchr(path, '/');
	char *folder MVM_CLEAN_FREE = mvm_strndup(path, (size_t)(slash - path) + 1), *resolved MVM_CLEAN_FREE = NULL;
	char *base MVM_CLEAN_FREE = copy_base(path), *other MVM_CLEAN_FREE = NULL;

	if (follow_all(folder, path, &resolved, err) < 0)
		return -1;
	info->path = mvm_format("%s%s%s", resolved, ends_in_slash(resolved) ? "" : "/", slash + 1);
	other = copy_base(info->path);
	if (ends_in_slash(path) && strcmp(base, other))
		info->rebase_name = mvm_strdup(base);
	return 0;
}

static int follow_source(const char *path, bool follow, struct copy_info *info, struct mvm_error **err)
{
	char *resolved MVM_CLEAN_FREE = NULL;

	if (!follow)
		return follow_parents(path, info, err);
	if (follow_all(path, path, &resolved, err) < 0)
		return -1;
	copy_rebase_name(path, resolved, &info->path, &info->rebase_name);
	return 0;
}

int copy_local_source(const char *path, bool follow, struct copy_info *info, struct mvm_error **err)
{
	struct copy_info found COPY_CLEAN_INFO = {.exists = true};
	struct stat stat;

	if (follow_source(path, follow, &found, err) < 0)
		return -1;
	if (lstat(found.path, &stat) < 0)
		return mvm_fail_errno(err, errno, "cannot open %s", path);
	found.is_dir = S_ISDIR(stat.st_mode);
	*info = found;
	found = (struct copy_info){0};
	return 0;
}

/* One step of a link; 1: it is none, or nothing is there. */
static int step(char **path, struct stat *stat, struct mvm_error **err)
{
	char text[PATH_MAX];
	char *folder MVM_CLEAN_FREE = NULL, *name MVM_CLEAN_FREE = NULL;
	ssize_t length;

	if (lstat(*path, stat) < 0)
		return errno == ENOENT ? 1 : mvm_fail_errno(err, errno, "cannot open %s", *path);
	if (!S_ISLNK(stat->st_mode))
		return 1;
	length = readlink(*path, text, sizeof(text) - 1);
	if (length < 0)
		return mvm_fail_errno(err, errno, "cannot read the link %s", *path);
	text[length] = '\0';
	copy_split(*path, &folder, &name);
	free(*path);
	*path = text[0] == '/' ? mvm_strdup(text) : mvm_format("%s/%s", folder, text);
	return 0;
}

static int check_parent(const char *path, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = NULL, *name MVM_CLEAN_FREE = NULL;
	struct stat stat_buf;

	copy_split(path, &folder, &name);
	if (stat(folder, &stat_buf) < 0)
		return mvm_fail_errno(err, errno, "cannot open %s", folder);
	if (!S_ISDIR(stat_buf.st_mode))
		return mvm_fail(err, MVM_ERR_INVALID, "%s: not a directory", folder);
	return 0;
}

int copy_local_target(const char *path, struct copy_info *info, struct mvm_error **err)
{
	char *at MVM_CLEAN_FREE = mvm_strdup(path);
	struct stat stat = {0};
	int links = 0, result;

	while ((result = step(&at, &stat, err)) == 0)
		if (links++ == LINKS_MAX)
			return mvm_fail(err, MVM_ERR_INVALID, "too many symlinks in %s", path);
	if (result < 0)
		return -1;
	if (lstat(at, &stat) < 0) {
		if (check_parent(at, err) < 0)
			return -1;
		*info = (struct copy_info){.path = at};
	} else {
		*info = (struct copy_info){.path = at, .exists = true, .is_dir = S_ISDIR(stat.st_mode)};
	}
	at = NULL;
	return 0;
}
