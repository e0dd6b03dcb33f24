/*
 * Prints what an ext4 image holds, one JSON object a line, for comparing it entry by entry with a tree of files:
 *
 *   ext4-tree IMAGE
 *
 * Names and values are hexadecimal. Read with libext2fs, which checks check sums on the way; any error ends it.
 */
#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/digest.h"
#include "runtime/base/mem.h"

struct name {
	char *text;
	ext2_ino_t inode;
};

struct folder {
	struct name *names;
	size_t count;
};

static void check(errcode_t code, const char *doing, const char *path)
{
	if (!code)
		return;
	fprintf(stderr, "ext4-tree: cannot %s %s: %s\n", doing, path, error_message(code));
	exit(1);
}

static void print_hex(const char *key, const void *data, size_t length)
{
	const unsigned char *bytes = data;

	printf(", \"%s\": \"", key);
	for (size_t i = 0; i < length; i++)
		printf("%02x", bytes[i]);
	printf("\"");
}

static int64_t decode_time(uint32_t base, uint32_t extra)
{
	return (int64_t)(int32_t)base + ((int64_t)(extra & 3) << 32);
}

struct xattrs {
	struct ext2_xattr_handle *handle;
	const char *path;
	bool first;
};

/* Asked for by name once more: only so do ACLs come in the form of the system calls. */
static int print_xattr(char *name, char *value, size_t length, void *arg)
{
	struct xattrs *xattrs = arg;
	void *found;

	check(ext2fs_xattr_get(xattrs->handle, name, &found, &length), "read an attribute of", xattrs->path);
	printf("%s\"%s\": \"", xattrs->first ? "" : ", ", name);
	xattrs->first = false;
	for (size_t i = 0; i < length; i++)
		printf("%02x", ((unsigned char *)found)[i]);
	printf("\"");
	ext2fs_free_mem(&found);
	return 0;
}

static void print_xattrs(ext2_filsys fs, ext2_ino_t number, const char *path)
{
	struct xattrs xattrs = {.path = path, .first = true};

	check(ext2fs_xattrs_open(fs, number, &xattrs.handle), "open the attributes of", path);
	check(ext2fs_xattrs_read(xattrs.handle), "read the attributes of", path);
	printf(", \"xattrs\": {");
	check(ext2fs_xattrs_iterate(xattrs.handle, print_xattr, &xattrs), "read the attributes of", path);
	printf("}");
	ext2fs_xattrs_close(&xattrs.handle);
}

/* Of a file whose holes would take long to read: the blocks that are there, each with its number before it. */
struct blocks {
	struct mvm_hash *hash;
	const char *path;
};

static int hash_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t number, blk64_t parent, int offset, void *arg)
{
	struct blocks *blocks = arg;
	static char buffer[4096];
	char text[32];

	if (number < 0) /* of the extent tree */
		return 0;
	check(io_channel_read_blk64(fs->io, *block, 1, buffer), "read", blocks->path);
	mvm_hash_update(blocks->hash, text, (size_t)snprintf(text, sizeof(text), "%lld:", (long long)number));
	mvm_hash_update(blocks->hash, buffer, sizeof(buffer));
	return 0;
}

static void hash_blocks(ext2_filsys fs, ext2_ino_t number, struct mvm_hash *hash, const char *path)
{
	struct blocks blocks = {.hash = hash, .path = path};

	check(ext2fs_block_iterate3(fs, number, BLOCK_FLAG_READ_ONLY, NULL, hash_block, &blocks), "read", path);
}

static void hash_file(ext2_filsys fs, ext2_ino_t number, struct mvm_hash *hash, const char *path)
{
	static char buffer[256 * 1024];
	ext2_file_t file;
	unsigned got;

	check(ext2fs_file_open(fs, number, 0, &file), "open", path);
	do {
		check(ext2fs_file_read(file, buffer, sizeof(buffer), &got), "read", path);
		mvm_hash_update(hash, buffer, got);
	} while (got);
	ext2fs_file_close(file);
}

static void print_content(ext2_filsys fs, ext2_ino_t number, const struct ext2_inode_large *inode, const char *path)
{
	struct mvm_hash *hash MVM_CLEAN_HASH = mvm_hash_create();
	struct mvm_digest digest;

	if (EXT2_I_SIZE(inode) > 1 << 30)
		hash_blocks(fs, number, hash, path);
	else
		hash_file(fs, number, hash, path);
	mvm_hash_final(hash, &digest);
	printf(", \"content\": \"%s\"", mvm_digest_hex(&digest));
}

static void print_target(ext2_filsys fs, ext2_ino_t number, const struct ext2_inode_large *inode, const char *path)
{
	char target[4096];
	ext2_file_t file;
	unsigned got = inode->i_size;

	if (ext2fs_is_fast_symlink((struct ext2_inode *)inode)) {
		print_hex("target", inode->i_block, inode->i_size);
		return;
	}
	check(ext2fs_file_open(fs, number, 0, &file), "open", path);
	check(ext2fs_file_read(file, target, sizeof(target), &got), "read", path);
	ext2fs_file_close(file);
	print_hex("target", target, got);
}

static void print_device(const struct ext2_inode_large *inode)
{
	uint32_t old = inode->i_block[0], large = inode->i_block[1];
	uint32_t major = old ? old >> 8 & 0xff : large >> 8 & 0xfff;
	uint32_t minor = old ? old & 0xff : (large & 0xff) | (large >> 12 & 0xfff00);

	printf(", \"major\": %u, \"minor\": %u", major, minor);
}

static void print_inode(ext2_filsys fs, ext2_ino_t number, const struct ext2_inode_large *inode, const char *path)
{
	printf("{\"inode\": %u, \"mode\": %u, \"uid\": %u, \"gid\": %u, \"links\": %u, \"mtime\": %" PRId64
	       ", \"nsec\": %u",
	       number, inode->i_mode, inode->i_uid | (uint32_t)inode->osd2.linux2.l_i_uid_high << 16,
	       inode->i_gid | (uint32_t)inode->osd2.linux2.l_i_gid_high << 16, inode->i_links_count,
	       decode_time(inode->i_mtime, inode->i_mtime_extra), inode->i_mtime_extra >> 2);
	print_hex("path", path, strlen(path));
	print_xattrs(fs, number, path);
	if (LINUX_S_ISREG(inode->i_mode)) {
		printf(", \"size\": %llu, \"sectors\": %llu", (unsigned long long)EXT2_I_SIZE(inode),
		       (unsigned long long)ext2fs_inode_i_blocks(fs, (struct ext2_inode *)inode));
		print_content(fs, number, inode, path);
	} else if (LINUX_S_ISLNK(inode->i_mode)) {
		print_target(fs, number, inode, path);
	} else if (LINUX_S_ISCHR(inode->i_mode) || LINUX_S_ISBLK(inode->i_mode)) {
		print_device(inode);
	}
	printf("}\n");
}

static int add_name(ext2_ino_t dir, int entry, struct ext2_dir_entry *dirent, int offset, int blocksize, char *buf,
		    void *arg)
{
	struct folder *folder = arg;
	size_t length = (size_t)ext2fs_dirent_name_len(dirent);

	if (entry != DIRENT_OTHER_FILE)
		return 0;
	if ((folder->count & (folder->count - 1)) == 0)
		folder->names =
			mvm_realloc(folder->names, folder->count ? folder->count * 2 : 1, sizeof(*folder->names));
	folder->names[folder->count++] =
		(struct name){.text = mvm_strndup(dirent->name, length), .inode = dirent->inode};
	return 0;
}

static void print_tree(ext2_filsys fs, ext2_ino_t number, const char *path)
{
	struct ext2_inode_large inode;
	struct folder folder = {0};

	check(ext2fs_read_inode_full(fs, number, (struct ext2_inode *)&inode, sizeof(inode)), "read", path);
	print_inode(fs, number, &inode, path);
	if (!LINUX_S_ISDIR(inode.i_mode))
		return;
	check(ext2fs_dir_iterate2(fs, number, 0, NULL, add_name, &folder), "read", path);
	for (size_t i = 0; i < folder.count; i++) {
		char *child = mvm_format("%s/%s", path, folder.names[i].text);

		print_tree(fs, folder.names[i].inode, child);
		free(child);
		free(folder.names[i].text);
	}
	free(folder.names);
}

int main(int argc, char **argv)
{
	ext2_filsys fs;

	if (argc != 2) {
		fprintf(stderr, "usage: ext4-tree IMAGE\n");
		return 2;
	}
	add_error_table(&et_ext2_error_table);
	check(ext2fs_open(argv[1], EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs), "open", argv[1]);
	check(ext2fs_read_bitmaps(fs), "read the bitmaps of", argv[1]);
	print_tree(fs, EXT2_ROOT_INO, "");
	ext2fs_close(fs);
	return fflush(stdout) == 0 ? 0 : 1;
}
