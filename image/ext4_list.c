#include "ext4_list.h"

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <ext2fs/ext2_ext_attr.h> /* needs the others before it */

#include "guest-agent/proto/listing.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

static const uint32_t TYPE_MASK = 0170000, TYPE_FOLDER = 0040000, TYPE_FILE = 0100000;

#define CAPABILITY "security.capability"

struct name {
	char *text;
	ext2_ino_t inode; /* 0: it is made */
	bool is_folder;
};

/* A folder that has been written, with the names that are folders too, which are on their way. */
struct level {
	struct level *up;
	struct name *names;
	size_t count, next;
	size_t length; /* of its own path, with the slash */
};

struct lister {
	const char *file;
	const char *const *made;
	const struct mvm_ext4_sink *sink;
	ext2_filsys lib;
	struct mvm_buf path;  /* of the folder that is being read, with the slash; the root's is empty */
	struct mvm_buf bytes; /* its entries */
	struct name *names;   /* of it */
	size_t count;
	struct level *level;
};

static int fail(const struct lister *lister, errcode_t code, struct mvm_error **err)
{
	if (code > 0 && code < 256) /* libext2fs hands errno through */
		return mvm_fail_errno(err, (int)code, "cannot read %s", lister->file);
	return mvm_fail(err, MVM_ERR_CORRUPT, "cannot read %s: %s", lister->file, error_message(code));
}

/* Inodes. */

struct hashing {
	struct ext2_xattr_handle *handle;
	const char *only; /* NULL: all */
	uint64_t sum;
	errcode_t code;
};

static int hash_xattr(char *name, char *value, size_t length, void *arg)
{
	struct hashing *hashing = arg;
	void *found;

	if (hashing->only && strcmp(name, hashing->only) != 0)
		return 0;
	/* As the guest's system calls have it, which is not for all names how it lies on the disk. */
	hashing->code = ext2fs_xattr_get(hashing->handle, name, &found, &length);
	if (hashing->code)
		return XATTR_ABORT;
	hashing->sum += mvm_listing_hash_xattr(name, found, length);
	ext2fs_free_mem(&found);
	return 0;
}

static errcode_t hash_xattrs(const struct lister *lister, ext2_ino_t number, const char *only, uint64_t *sum)
{
	struct hashing hashing = {.only = only};
	errcode_t code = ext2fs_xattrs_open(lister->lib, number, &hashing.handle);

	if (code)
		return code;
	code = ext2fs_xattrs_read(hashing.handle);
	if (!code)
		code = ext2fs_xattrs_iterate(hashing.handle, hash_xattr, &hashing);
	ext2fs_xattrs_close(&hashing.handle);
	*sum = hashing.sum;
	return code ? code : hashing.code;
}

/* In the inode's own space, behind the fields, or in a block. */
static bool has_xattrs(const uint8_t *raw, const struct ext2_inode_large *inode)
{
	size_t at = EXT2_GOOD_OLD_INODE_SIZE + (size_t)inode->i_extra_isize;
	uint32_t magic = 0;

	if (inode->i_file_acl || inode->osd2.linux2.l_i_file_acl_high)
		return true;
	if (at + sizeof(magic) <= EXT2_GOOD_OLD_INODE_SIZE * 2)
		memcpy(&magic, raw + at, sizeof(magic));
	return magic == EXT2_EXT_ATTR_MAGIC;
}

static int64_t decode_time(uint32_t base, uint32_t extra)
{
	return (int32_t)base + ((int64_t)(extra & 3) << 32);
}

static uint64_t device_of(const struct ext2_inode_large *inode)
{
	uint32_t old = inode->i_block[0], large = inode->i_block[1];

	if (old)
		return mvm_listing_device(old >> 8 & 0xff, old & 0xff);
	return mvm_listing_device(large >> 8 & 0xfff, (large & 0xff) | (large >> 12 & 0xfff00));
}

static uint64_t size_of(const struct ext2_inode_large *inode)
{
	if (LINUX_S_ISREG(inode->i_mode) || LINUX_S_ISLNK(inode->i_mode))
		return EXT2_I_SIZE(inode);
	return LINUX_S_ISCHR(inode->i_mode) || LINUX_S_ISBLK(inode->i_mode) ? device_of(inode) : 0;
}

/* All but name and flags. */
static int read_inode(const struct lister *lister, ext2_ino_t number, struct mvm_listing_entry *entry,
		      struct mvm_error **err)
{
	union {
		struct ext2_inode_large inode;
		uint8_t raw[EXT2_GOOD_OLD_INODE_SIZE * 2];
	} at;
	const struct ext2_inode_large *inode = &at.inode;
	errcode_t code = ext2fs_read_inode_full(lister->lib, number, (struct ext2_inode *)&at.inode, sizeof(at));

	if (code)
		return fail(lister, code, err);
	*entry = (struct mvm_listing_entry){
		.name = "",
		.inode = number,
		.mode = inode->i_mode,
		.uid = inode->i_uid | (uint32_t)inode->osd2.linux2.l_i_uid_high << 16,
		.gid = inode->i_gid | (uint32_t)inode->osd2.linux2.l_i_gid_high << 16,
		.mtime = decode_time(inode->i_mtime, inode->i_mtime_extra),
		.mtime_nsec = inode->i_mtime_extra >> 2,
		.ctime = decode_time(inode->i_ctime, inode->i_ctime_extra),
		.ctime_nsec = inode->i_ctime_extra >> 2,
		.size = size_of(inode),
	};
	if (!has_xattrs(at.raw, inode) || (!LINUX_S_ISDIR(inode->i_mode) && !LINUX_S_ISREG(inode->i_mode)))
		return 0;
	code = hash_xattrs(lister, number, LINUX_S_ISDIR(inode->i_mode) ? NULL : CAPABILITY, &entry->xattrs);
	return code ? fail(lister, code, err) : 0;
}

/* What is made. */

/* The name that a path of the runtime's has in the folder, NULL where it is not there. */
static const char *made_in(const char *folder, const char *path, size_t *length)
{
	size_t start = strlen(folder);

	if (strncmp(path, folder, start) != 0)
		return NULL;
	*length = strcspn(path + start, "/");
	return *length && (!path[start + *length] || !path[start + *length + 1]) ? path + start : NULL;
}

static bool has_name(const struct lister *lister, const char *name, size_t length)
{
	for (size_t i = 0; i < lister->count; i++)
		if (strlen(lister->names[i].text) == length && !memcmp(lister->names[i].text, name, length))
			return true;
	return false;
}

/* Folders. */

static void add(struct lister *lister, const char *text, size_t length, ext2_ino_t inode)
{
	if ((lister->count & (lister->count - 1)) == 0)
		lister->names = mvm_realloc(lister->names, lister->count ? lister->count * 2 : 1, sizeof(struct name));
	lister->names[lister->count++] = (struct name){.text = mvm_strndup(text, length), .inode = inode};
}

static int add_name(ext2_ino_t folder, int kind, struct ext2_dir_entry *entry, int offset, int size, char *buffer,
		    void *arg)
{
	if (kind == DIRENT_OTHER_FILE)
		add(arg, entry->name, (size_t)ext2fs_dirent_name_len(entry), entry->inode);
	return 0;
}

static void add_made(struct lister *lister, const char *folder)
{
	size_t length;

	for (const char *const *path = lister->made; *path; path++) {
		const char *name = made_in(folder, *path, &length);

		if (!name || has_name(lister, name, length))
			continue;
		add(lister, name, length, 0);
		lister->names[lister->count - 1].is_folder = name[length] == '/';
	}
}

static int by_name(const void *a, const void *b)
{
	const struct name *one = a, *two = b;

	return mvm_listing_compare(one->text, strlen(one->text), two->text, strlen(two->text));
}

static int describe(struct lister *lister, struct name *name, struct mvm_listing_entry *entry, struct mvm_error **err)
{
	if (!name->inode) {
		*entry = (struct mvm_listing_entry){.mode = name->is_folder ? TYPE_FOLDER | 0755 : TYPE_FILE | 0644,
						    .flags = MVM_LISTING_MADE};
	} else if (read_inode(lister, name->inode, entry, err) < 0) {
		return -1;
	}
	name->is_folder = (entry->mode & TYPE_MASK) == TYPE_FOLDER;
	entry->name = name->text;
	entry->length = (uint8_t)strlen(name->text);
	return 0;
}

static int write_folder(struct lister *lister, struct mvm_error **err)
{
	uint8_t header[MVM_LISTING_FOLDER];

	lister->bytes.length = 0;
	for (size_t i = 0; i < lister->count; i++) {
		struct mvm_listing_entry entry;

		if (describe(lister, &lister->names[i], &entry, err) < 0)
			return -1;
		lister->bytes.length +=
			mvm_listing_encode(&entry, mvm_buf_reserve(&lister->bytes, MVM_LISTING_ENTRY_MAX));
		if (lister->bytes.length > UINT32_MAX)
			return mvm_fail(err, MVM_ERR_UNSUPPORTED, "a folder of the image has too many names");
	}
	mvm_listing_encode_folder((uint32_t)lister->count, (uint32_t)lister->bytes.length, header);
	if (lister->sink->write(lister->sink->arg, header, sizeof(header), err) < 0)
		return -1;
	return lister->sink->write(lister->sink->arg, lister->bytes.data, lister->bytes.length, err);
}

/* Of what was read only the folders stay. */
static void enter(struct lister *lister)
{
	struct level *level = mvm_alloc(sizeof(*level));

	level->names = lister->names;
	for (size_t i = 0; i < lister->count; i++) {
		if (lister->names[i].is_folder)
			level->names[level->count++] = lister->names[i];
		else
			free(lister->names[i].text);
	}
	level->length = lister->path.length;
	level->up = lister->level;
	lister->level = level;
	lister->names = NULL;
	lister->count = 0;
}

static void leave(struct lister *lister)
{
	struct level *level = lister->level;

	for (size_t i = level->next; i < level->count; i++)
		free(level->names[i].text);
	free(level->names);
	lister->level = level->up;
	free(level);
}

/* The folder at `path`; 0: one that is made. */
static int list_folder(struct lister *lister, ext2_ino_t inode, struct mvm_error **err)
{
	errcode_t code = 0;
	int result;

	if (inode)
		code = ext2fs_dir_iterate2(lister->lib, inode, 0, NULL, add_name, lister);
	add_made(lister, lister->path.length ? lister->path.data : "");
	if (lister->count)
		qsort(lister->names, lister->count, sizeof(struct name), by_name);
	result = code ? fail(lister, code, err) : write_folder(lister, err);
	enter(lister);
	return result;
}

static int next_folder(struct lister *lister, struct mvm_error **err)
{
	struct level *level = lister->level;
	struct name *name;
	int result;

	if (level->next == level->count) {
		leave(lister);
		return 0;
	}
	name = &level->names[level->next++];
	lister->path.length = level->length;
	mvm_buf_addf(&lister->path, "%s/", name->text);
	result = list_folder(lister, name->inode, err);
	free(name->text);
	return result;
}

static int list_root(struct lister *lister, struct mvm_error **err)
{
	uint8_t bytes[MVM_LISTING_ENTRY_MAX];
	struct mvm_listing_entry root;

	if (read_inode(lister, EXT2_ROOT_INO, &root, err) < 0)
		return -1;
	return lister->sink->write(lister->sink->arg, bytes, mvm_listing_encode(&root, bytes), err);
}

static int list(struct lister *lister, struct mvm_error **err)
{
	int result = list_root(lister, err);

	if (result == 0)
		result = list_folder(lister, EXT2_ROOT_INO, err);
	while (result == 0 && lister->level)
		result = next_folder(lister, err);
	while (lister->level)
		leave(lister);
	return result;
}

int mvm_ext4_list(const char *path, const char *const *made, const struct mvm_ext4_sink *sink, struct mvm_error **err)
{
	struct lister lister = {.file = path, .made = made, .sink = sink};
	errcode_t code;
	int result;

	initialize_ext2_error_table(); /* the texts for fail() */
	code = ext2fs_open(path, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &lister.lib);
	if (code)
		return fail(&lister, code, err);
	result = list(&lister, err);
	ext2fs_free(lister.lib);
	mvm_buf_finish(&lister.path);
	mvm_buf_finish(&lister.bytes);
	return result;
}
