/*
 * Entries of a layer as changes to the image (OCI image-spec layer.md, "Applying Changesets").
 *
 * Names are taken below the root whatever they look like: leading slashes and "." fall away, ".." takes back the part
 * before it, as docker and containerd read it, and is refused where there is none. A parent that is a symlink is
 * followed as the container would see it, never past the root. (The host's file system plays no part in any of it.)
 */
#include "layer_internal.h"

#include <string.h>
#include <sys/stat.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

enum {
	MAX_PATH = 4095, /* what the guest's kernel takes */
	MAX_SYMLINKS = 40,
	MAX_WALK = 8192, /* bytes of a path once its symlinks stand in it */
};

#define WHITEOUT     ".wh."
#define WHITEOUT_LEN 4
#define OPAQUE	     ".wh..wh..opq"
#define AUFS_META    ".wh..wh."

/* A name in two parts, without ".", empty parts and slashes at the ends. */
struct path {
	char *folder; /* "" is the root */
	char *name;   /* "" is the root itself */
};

static void path_finish(struct path *path)
{
	free(path->folder);
	free(path->name);
}
#define CLEAN_PATH __attribute__((cleanup(path_finish)))

static int drop_part(struct mvm_buf *clean, struct mvm_error **err)
{
	if (!clean->length)
		return mvm_fail(err, MVM_ERR_INVALID, "a name that climbs out of the image with \"..\"");
	while (clean->length && clean->data[--clean->length] != '/')
		;
	clean->data[clean->length] = '\0';
	return 0;
}

/* A name of 255 bytes is hidden by one of 259. */
static size_t longest(const char *part)
{
	return MVM_EXT4_MAX_NAME + (strncmp(part, WHITEOUT, WHITEOUT_LEN) == 0 ? WHITEOUT_LEN : 0);
}

static int add_part(struct mvm_buf *clean, const char *part, size_t length, struct mvm_error **err)
{
	if (length == 0 || (length == 1 && part[0] == '.'))
		return 0;
	if (length == 2 && part[0] == '.' && part[1] == '.')
		return drop_part(clean, err);
	if (length > longest(part))
		return mvm_fail(err, MVM_ERR_INVALID, "a name of more than %d bytes", (int)MVM_EXT4_MAX_NAME);
	if (clean->length)
		mvm_buf_add(clean, "/", 1);
	mvm_buf_add(clean, part, length);
	return 0;
}

static int parse_path(const char *name, struct path *path, struct mvm_error **err)
{
	struct mvm_buf clean MVM_CLEAN_BUF = {0};
	const char *slash;

	if (strlen(name) > MAX_PATH)
		return mvm_fail(err, MVM_ERR_INVALID, "a path of more than %d bytes", (int)MAX_PATH);
	while (*name) {
		size_t length = strcspn(name, "/");

		if (add_part(&clean, name, length, err) < 0)
			return -1;
		name += length + (name[length] == '/');
	}
	slash = clean.length ? strrchr(clean.data, '/') : NULL;
	path->folder = slash ? mvm_strndup(clean.data, (size_t)(slash - clean.data)) : mvm_strdup("");
	path->name = mvm_strdup(slash ? slash + 1 : clean.length ? clean.data : "");
	return 0;
}

/* A folder that no layer has named is root's, 0755, as old as what made it necessary. */
static int make_parent(struct layer_target *layer, struct mvm_ext4_node *folder, const char *name, size_t length,
		       const struct mvm_tar_entry *entry, struct mvm_ext4_node **node, struct mvm_error **err)
{
	struct mvm_ext4_attr attr = {.mode = S_IFDIR | 0755, .mtime = entry->mtime, .mtime_nsec = entry->mtime_nsec};

	if (mvm_budget_take_entry(layer->budget, length, err) < 0)
		return -1;
	return mvm_ext4_make(layer->fs, folder, name, length, &attr, node, err);
}

/* Walks to a folder. With `entry` missing ones are made; without, 1 says that one is missing. */
static int walk(struct layer_target *layer, const char *path, const struct mvm_tar_entry *entry,
		struct mvm_ext4_node **folder, struct mvm_error **err)
{
	struct mvm_ext4 *fs = layer->fs;
	struct mvm_ext4_node *at = mvm_ext4_root(fs), *next;
	char *rest MVM_CLEAN_FREE = NULL;
	unsigned symlinks = 0;

	for (size_t length; *path; path += length + (path[length] == '/')) {
		length = strcspn(path, "/");
		if (length == 0 || (length == 1 && path[0] == '.'))
			continue;
		if (length == 2 && path[0] == '.' && path[1] == '.') { /* from a symlink */
			at = mvm_ext4_parent(at);
			continue;
		}
		if (length > MVM_EXT4_MAX_NAME)
			return mvm_fail(err, MVM_ERR_INVALID, "its folder is a symlink to too long a name");
		next = mvm_ext4_lookup(fs, at, path, length);
		if (!next) {
			if (!entry)
				return 1;
			if (make_parent(layer, at, path, length, entry, &next, err) < 0)
				return -1;
		}
		if (mvm_ext4_type(next) == S_IFLNK) {
			const char *target = mvm_ext4_target(next);
			char *longer = mvm_format("%s/%s", target, path + length);

			if (++symlinks > MAX_SYMLINKS || strlen(longer) > MAX_WALK) {
				free(longer);
				return mvm_fail(err, MVM_ERR_INVALID, "its folder is a loop of symlinks");
			}
			at = *target == '/' ? mvm_ext4_root(fs) : at;
			free(rest);
			path = rest = longer;
			length = 0;
			continue;
		}
		if (mvm_ext4_type(next) != S_IFDIR)
			return mvm_fail(err, MVM_ERR_INVALID, "%.*s is not a folder", (int)length, path);
		at = next;
	}
	*folder = at;
	return 0;
}

static int whiteout(struct layer_target *layer, const struct path *path, struct mvm_error **err)
{
	struct mvm_ext4 *fs = layer->fs;
	const char *name = path->name + WHITEOUT_LEN;
	struct mvm_ext4_node *folder, *node;
	int status = walk(layer, path->folder, NULL, &folder, err);

	if (status)
		return status < 0 ? -1 : 0; /* nothing there to hide */
	if (strcmp(path->name, OPAQUE) == 0) {
		mvm_ext4_remove_lower(fs, folder, true);
		return 0;
	}
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return mvm_fail(err, MVM_ERR_INVALID, "a whiteout of nothing");
	node = mvm_ext4_lookup(fs, folder, name, strlen(name));
	if (node)
		mvm_ext4_remove_lower(fs, node, false);
	return 0;
}

static int link_entry(struct layer_target *layer, struct mvm_ext4_node *folder, const char *name,
		      const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	struct path path CLEAN_PATH = {0};
	struct mvm_ext4_node *target_folder, *target = NULL;
	int status;

	if (parse_path(entry->target, &path, err) < 0)
		return mvm_error_wrap(err, "hard link to %s", entry->target);
	status = walk(layer, path.folder, NULL, &target_folder, err);
	if (status < 0)
		return mvm_error_wrap(err, "hard link to %s", entry->target);
	if (status == 0 && *path.name)
		target = mvm_ext4_lookup(layer->fs, target_folder, path.name, strlen(path.name));
	if (!target)
		return mvm_fail(err, MVM_ERR_INVALID, "hard link to %s, which is not there", entry->target);
	if (mvm_ext4_type(target) == S_IFDIR)
		return mvm_fail(err, MVM_ERR_INVALID, "hard link to %s, which is a folder", entry->target);
	return mvm_ext4_link(layer->fs, folder, name, strlen(name), target, err);
}

static int set_xattrs(struct mvm_ext4 *fs, struct mvm_ext4_node *node, const struct mvm_tar_entry *entry,
		      struct mvm_error **err)
{
	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct mvm_tar_xattr *xattr = &entry->xattrs[i];
		int status = mvm_ext4_set_xattr(fs, node, xattr->name, xattr->value, xattr->length, err);

		if (status < 0)
			return -1;
		if (status)
			mvm_log(MVM_LOG_DEBUG, "%s: no place for the attribute %s", entry->name, xattr->name);
	}
	return 0;
}

static struct mvm_ext4_attr attr_of(const struct mvm_tar_entry *entry)
{
	static const uint32_t types[] = {
		[MVM_TAR_FILE] = S_IFREG,  [MVM_TAR_SYMLINK] = S_IFLNK, [MVM_TAR_CHAR] = S_IFCHR,
		[MVM_TAR_BLOCK] = S_IFBLK, [MVM_TAR_FOLDER] = S_IFDIR,	[MVM_TAR_FIFO] = S_IFIFO};
	bool symlink = entry->type == MVM_TAR_SYMLINK;

	return (struct mvm_ext4_attr){
		.mode = types[entry->type] | (symlink ? 0777 : entry->mode),
		.uid = entry->uid,
		.gid = entry->gid,
		.mtime = entry->mtime,
		.mtime_nsec = entry->mtime_nsec,
		.major = entry->major,
		.minor = entry->minor,
		.target = entry->target,
	};
}

static int root_entry(struct mvm_ext4 *fs, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	struct mvm_ext4_attr attr = attr_of(entry);

	if (entry->type != MVM_TAR_FOLDER)
		return mvm_fail(err, MVM_ERR_INVALID, "the root of the image must be a folder");
	mvm_ext4_set_root(fs, &attr);
	return set_xattrs(fs, mvm_ext4_root(fs), entry, err);
}

static int make_entry(struct layer_target *target, const struct path *path, const struct mvm_tar_entry *entry,
		      struct mvm_error **err)
{
	struct mvm_ext4_attr attr;
	struct mvm_ext4_node *folder, *node;

	if (walk(target, path->folder, entry, &folder, err) < 0)
		return -1;
	if (entry->type == MVM_TAR_HARDLINK)
		return link_entry(target, folder, path->name, entry, err);
	attr = attr_of(entry);
	if (mvm_ext4_make(target->fs, folder, path->name, strlen(path->name), &attr, &node, err) < 0 ||
	    set_xattrs(target->fs, node, entry, err) < 0)
		return -1;
	if (entry->type != MVM_TAR_FILE)
		return 0;
	target->file = node;
	target->filled = 0;
	return mvm_ext4_set_size(target->fs, node, entry->size, err);
}

/* aufs kept its own books under such names, and old images still hold them. */
static bool is_aufs_meta(const struct path *path)
{
	if (strncmp(path->folder, AUFS_META, strlen(AUFS_META)) == 0 || strstr(path->folder, "/" AUFS_META))
		return true;
	return strncmp(path->name, AUFS_META, strlen(AUFS_META)) == 0 && strcmp(path->name, OPAQUE) != 0;
}

static int charge(struct layer_target *target, const struct path *path, const struct mvm_tar_entry *entry,
		  struct mvm_error **err)
{
	size_t bytes = strlen(path->name) + strlen(entry->target);

	for (size_t i = 0; i < entry->xattr_count; i++)
		bytes += entry->xattrs[i].length + MVM_BUDGET_NODE_MEMORY;
	return mvm_budget_take_entry(target->budget, bytes, err);
}

static int apply(struct layer_target *target, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	struct path path CLEAN_PATH = {0};

	if (parse_path(entry->name, &path, err) < 0 || charge(target, &path, entry, err) < 0)
		return -1;
	if (!*path.name)
		return root_entry(target->fs, entry, err);
	if (is_aufs_meta(&path))
		return 0;
	if (strncmp(path.folder, WHITEOUT, WHITEOUT_LEN) == 0 || strstr(path.folder, "/" WHITEOUT))
		return mvm_fail(err, MVM_ERR_INVALID, "a folder named like a whiteout");
	if (strncmp(path.name, WHITEOUT, WHITEOUT_LEN) == 0)
		return whiteout(target, &path, err);
	return make_entry(target, &path, entry, err);
}

static int on_entry(void *arg, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	struct layer_target *target = arg;

	free(target->name);
	target->name = mvm_strdup(entry->name);
	target->budget->content += entry->size;
	return apply(target, entry, err);
}

static int on_data(void *arg, uint64_t offset, const void *data, size_t length, struct mvm_error **err)
{
	struct layer_target *target = arg;

	if (!target->file)
		return 0;
	if (offset != target->filled && mvm_budget_take_piece(target->budget, err) < 0)
		return -1;
	target->filled = offset + length;
	return mvm_ext4_write(target->fs, target->file, offset, data, length, err);
}

static int on_end(void *arg, struct mvm_error **err)
{
	struct layer_target *target = arg;

	free(target->name);
	target->name = NULL;
	target->file = NULL;
	return 0;
}

int layer_feed(struct layer_target *target, struct mvm_tar *tar, const void *data, size_t length,
	       struct mvm_error **err)
{
	if (mvm_budget_take_size(target->budget, length, err) < 0)
		return -1;
	return mvm_tar_feed(tar, data, length, err);
}

const struct mvm_tar_ops layer_ops = {.entry = on_entry, .data = on_data, .end = on_end};
