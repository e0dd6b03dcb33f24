#include "mount.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mount_internal.h"
#include "runtime/base/error.h"

static const char *const type_names[] = {
	[MVM_MOUNT_BIND] = "bind", [MVM_MOUNT_VOLUME] = "volume", [MVM_MOUNT_TMPFS] = "tmpfs"};

const char *mvm_mount_type_name(enum mvm_mount_type type)
{
	return type_names[type];
}

void mvm_mount_set_watched(struct mvm_mount *mount)
{
	char *mode;

	if (mount->watch || mount->type != MVM_MOUNT_BIND)
		return;
	mount->watch = true;
	if (!mount->mode)
		return;
	mode = mvm_format("%s%swatch", mount->mode, *mount->mode ? "," : "");
	free(mount->mode);
	mount->mode = mode;
}

void mvm_mount_finish(struct mvm_mount *mount)
{
	free(mount->source);
	free(mount->target);
	free(mount->mode);
	free(mount->propagation);
	free(mount->subpath);
	free(mount->driver);
	mvm_strv_finish(&mount->driver_options);
	mvm_strv_finish(&mount->labels);
	*mount = (struct mvm_mount){0};
}

/* Lexically, as Go's path.Clean: an absolute path without empty parts, "." and "..". */
static char *clean_path(const char *path)
{
	struct mvm_buf out = {0};

	while (*path) {
		size_t length = strcspn(path, "/");

		if (length == 2 && !memcmp(path, "..", 2)) {
			while (out.length && out.data[--out.length] != '/')
				;
			if (out.data)
				out.data[out.length] = '\0';
		} else if (length && !(length == 1 && *path == '.')) {
			mvm_buf_addf(&out, "/%.*s", (int)length, path);
		}
		path += length + (path[length] == '/');
	}
	if (!out.length)
		mvm_buf_add(&out, "/", 1);
	return mvm_buf_steal(&out);
}

char *mvm_mount_absolute(const char *path)
{
	char folder[PATH_MAX];
	char *joined MVM_CLEAN_FREE = NULL;

	if (path[0] != '.')
		return mvm_strdup(path);
	if (!getcwd(folder, sizeof(folder)))
		return NULL;
	joined = mvm_format("%s/%s", folder, path);
	return clean_path(joined);
}

int mount_set_propagation(struct mvm_mount *mount, const char *word, struct mvm_error **err)
{
	static const char *const words[] = {"private", "rprivate", "shared", "rshared", "slave", "rslave"};

	for (size_t i = 0; i < MVM_COUNT(words); i++) {
		if (strcmp(words[i], word))
			continue;
		if (i > 1)
			return mvm_fail(err, MVM_ERR_UNSUPPORTED,
					"propagation %s: mounts do not travel between the host and a virtual machine; "
					"use rprivate",
					word);
		free(mount->propagation);
		mount->propagation = mvm_strdup(word);
		return 0;
	}
	return 1;
}

/* As Go's filepath.IsLocal(): without a look at the disk, it stays below where it starts. */
static bool is_local(const char *path)
{
	int depth = 0;

	if (!*path || *path == '/')
		return false;
	while (*path && depth >= 0) {
		size_t length = strcspn(path, "/");

		if (length == 2 && !strncmp(path, "..", 2))
			depth--;
		else if (length > 1 || (length == 1 && *path != '.'))
			depth++;
		path += length + (path[length] == '/');
	}
	return depth >= 0;
}

static const char *what_is_wrong(const struct mvm_mount *mount)
{
	if (!mount->target || !*mount->target)
		return "field Target must not be empty";
	if (mount->type == MVM_MOUNT_BIND && (!mount->source || !*mount->source))
		return "field Source must not be empty";
	if (mount->type == MVM_MOUNT_TMPFS && mount->source && *mount->source)
		return "field Source must not be specified";
	if (mount->subpath && !is_local(mount->subpath))
		return "subpath must be a relative path within the volume";
	if (mount->type != MVM_MOUNT_BIND && mount->watch)
		return "only what is the host's can be watched";
	return NULL;
}

int mount_check(struct mvm_mount *mount, struct mvm_error **err)
{
	const char *type = mvm_mount_type_name(mount->type), *wrong = what_is_wrong(mount);
	char *clean;

	if (wrong)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid mount config for type \"%s\": %s", type, wrong);
	if (mount->target[0] != '/')
		return mvm_fail(err, MVM_ERR_USAGE,
				"invalid mount config for type \"%s\": invalid mount path: '%s' mount path must be "
				"absolute",
				type, mount->target);
	if (mount->type == MVM_MOUNT_BIND && mount->source[0] != '/')
		return mvm_fail(err, MVM_ERR_USAGE,
				"invalid mount config for type \"%s\": invalid mount path: '%s' mount path must be "
				"absolute",
				type, mount->source);
	clean = clean_path(mount->target);
	free(mount->target);
	mount->target = clean;
	if (!strcmp(clean, "/"))
		return mvm_fail(err, MVM_ERR_USAGE,
				"invalid mount config for type \"%s\": invalid specification: destination can't be '/'",
				type);
	if (mount->type != MVM_MOUNT_BIND)
		return 0;
	clean = clean_path(mount->source);
	free(mount->source);
	mount->source = clean;
	return 0;
}

static size_t depth(const char *path)
{
	size_t count = 0;

	for (; *path; path++)
		count += *path == '/';
	return count;
}

/* Docker's order. */
static int by_depth(const void *a, const void *b)
{
	const struct mvm_mount *one = a, *other = b;
	size_t first = depth(one->target), second = depth(other->target);

	return first != second ? (first < second ? -1 : 1) : strcmp(one->target, other->target);
}

static int check_twins(const struct mvm_mounts *list, struct mvm_error **err)
{
	for (size_t i = 1; i < list->count; i++)
		if (!strcmp(list->items[i].target, list->items[i - 1].target))
			return mvm_fail(err, MVM_ERR_USAGE, "Duplicate mount point: %s", list->items[i].target);
	return 0;
}

static int parse_all(const struct mvm_strv *texts, int (*parse)(const char *, struct mvm_mount *, struct mvm_error **),
		     bool volumes, struct mvm_mounts *list, struct mvm_error **err)
{
	list->items = mvm_realloc(list->items, list->count + texts->count + 1, sizeof(*list->items));
	for (size_t i = 0; i < texts->count; i++) {
		struct mvm_mount *mount = &list->items[list->count];

		if (parse(texts->items[i], mount, err) < 0)
			return -1;
		if (volumes || mount->type != MVM_MOUNT_VOLUME)
			list->count++;
		else
			mvm_mount_finish(mount);
	}
	return 0;
}

/* Takes them. */
static int finish_list(struct mvm_mounts *made, struct mvm_mounts *list, struct mvm_error **err)
{
	qsort(made->items, made->count, sizeof(*made->items), by_depth);
	if (check_twins(made, err) < 0)
		return -1;
	*list = *made;
	*made = (struct mvm_mounts){0};
	return 0;
}

int mvm_mounts_parse(const struct mvm_strv *binds, const struct mvm_strv *mounts, struct mvm_mounts *list,
		     struct mvm_error **err)
{
	struct mvm_mounts made MVM_CLEAN_MOUNTS = {0};

	if (parse_all(binds, mvm_mount_parse_short, true, &made, err) < 0 ||
	    parse_all(mounts, mvm_mount_parse_long, true, &made, err) < 0)
		return -1;
	return finish_list(&made, list, err);
}

int mvm_mounts_resolve(const struct mvm_strv *binds, const struct mvm_strv *mounts, const struct mvm_strv *found,
		       struct mvm_mounts *list, struct mvm_error **err)
{
	struct mvm_mounts made MVM_CLEAN_MOUNTS = {0};

	if (parse_all(binds, mvm_mount_parse_short, false, &made, err) < 0 ||
	    parse_all(mounts, mvm_mount_parse_long, false, &made, err) < 0 ||
	    parse_all(found, mvm_mount_parse_long, true, &made, err) < 0)
		return -1;
	return finish_list(&made, list, err);
}

void mvm_mounts_finish(struct mvm_mounts *list)
{
	for (size_t i = 0; i < list->count; i++)
		mvm_mount_finish(&list->items[i]);
	free(list->items);
	*list = (struct mvm_mounts){0};
}
