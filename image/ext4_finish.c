/*
 * The end: inodes get their numbers in the order of the tree, their blocks and their place in the tables; libext2fs
 * writes descriptors, bitmaps and superblocks.
 */
#include "ext4_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

/* All inodes by number, from EXT2_FIRST_INODE on. */
struct numbering {
	struct ext4_inode **items;
	uint32_t first;
	uint32_t count;
};

static void number_inodes(struct mvm_ext4 *fs, struct numbering *numbering)
{
	numbering->first = EXT2_FIRST_INODE(fs->lib->super);
	numbering->items = mvm_realloc(NULL, fs->inodes, sizeof(struct ext4_inode *));
	fs->root->inode->number = EXT2_ROOT_INO;
	for (struct mvm_ext4_node *node = ext4_next(fs->root); node; node = ext4_next(node)) {
		if (node->inode->number)
			continue; /* another name of it */
		node->inode->number = numbering->first + numbering->count;
		numbering->items[numbering->count++] = node->inode;
	}
}

static uint16_t link_count(const struct ext4_inode *inode)
{
	uint32_t count = 2;

	if (!ext4_is(inode, S_IFDIR))
		return (uint16_t)inode->links;
	for (const struct mvm_ext4_node *node = inode->first; node; node = node->next)
		count += ext4_is(node->inode, S_IFDIR);
	return count >= EXT4_MAX_LINKS ? 1 : (uint16_t)count; /* dir_nlink: 1 is "many" */
}

/* 34 bits of seconds from 1901 on and 30 of nanoseconds (the kernel's Documentation/filesystems/ext4, "Inode
 * Timestamps"). */
static void encode_time(int64_t seconds, uint32_t nsec, uint32_t *base, uint32_t *extra)
{
	const int64_t first = INT32_MIN, last = first + (4LL << 32) - 1;

	if (seconds < first || seconds > last) {
		seconds = seconds < first ? first : last;
		nsec = 0;
	}
	*base = (uint32_t)seconds;
	*extra = nsec << 2 | (uint32_t)((seconds - (int32_t)*base) >> 32 & 3);
}

static void set_times(struct ext2_inode_large *raw, int64_t seconds, uint32_t nsec)
{
	encode_time(seconds, nsec, &raw->i_mtime, &raw->i_mtime_extra);
	raw->i_atime = raw->i_ctime = raw->i_crtime = raw->i_mtime;
	raw->i_atime_extra = raw->i_ctime_extra = raw->i_crtime_extra = raw->i_mtime_extra;
}

static int write_symlink(struct mvm_ext4 *fs, struct ext4_inode *inode, struct ext2_inode_large *raw,
			 struct mvm_error **err)
{
	if (inode->size < sizeof(raw->i_block)) {
		memcpy(raw->i_block, inode->target, (size_t)inode->size);
		return 0;
	}
	if (ext4_extend(fs, &inode->extents, 0, 1, err) < 0)
		return -1;
	return ext4_put(fs, inode->extents.items[0].physical * EXT4_BLOCK, inode->target, (size_t)inode->size, err);
}

static void write_device(const struct ext4_inode *inode, struct ext2_inode_large *raw)
{
	/* The old form where it does, as the kernel writes it. */
	if (inode->major < 256 && inode->minor < 256)
		raw->i_block[0] = inode->major << 8 | inode->minor;
	else
		raw->i_block[1] = (inode->minor & 0xff) | inode->major << 8 | (inode->minor & ~0xffu) << 12;
}

/* What the inode points at; *has_extents where its i_block is an extent tree. */
static int write_content(struct mvm_ext4 *fs, struct ext4_inode *inode, struct ext2_inode_large *raw, bool *has_extents,
			 struct mvm_error **err)
{
	bool indexed = false;

	*has_extents = true;
	switch (inode->mode & S_IFMT) {
	case S_IFDIR:
		if (ext4_folder_write(fs, inode, &indexed, err) < 0)
			return -1;
		raw->i_flags |= indexed ? EXT2_INDEX_FL : 0;
		return 0;
	case S_IFREG:
		return 0;
	case S_IFLNK:
		*has_extents = inode->size >= sizeof(raw->i_block);
		return write_symlink(fs, inode, raw, err);
	case S_IFCHR:
	case S_IFBLK:
		write_device(inode, raw);
		/* fall through */
	default:
		*has_extents = false;
		return 0;
	}
}

static void set_blocks(struct ext2_inode_large *raw, uint64_t blocks)
{
	uint64_t sectors = blocks * (EXT4_BLOCK / 512);

	raw->i_blocks = (uint32_t)sectors;
	raw->osd2.linux2.l_i_blocks_hi = (uint16_t)(sectors >> 32);
}

static void set_owner(struct ext2_inode_large *raw, const struct ext4_inode *inode)
{
	raw->i_mode = (uint16_t)inode->mode;
	raw->i_uid = (uint16_t)inode->uid;
	raw->i_gid = (uint16_t)inode->gid;
	raw->osd2.linux2.l_i_uid_high = (uint16_t)(inode->uid >> 16);
	raw->osd2.linux2.l_i_gid_high = (uint16_t)(inode->gid >> 16);
}

/* Writes all that belongs to the inode and fills its 256 bytes of the table. */
static int write_inode(struct mvm_ext4 *fs, struct ext4_inode *inode, void *slot, struct mvm_error **err)
{
	struct ext2_inode_large *raw = slot;
	uint64_t blocks = 0;
	bool has_extents;
	errcode_t code;

	memset(slot, 0, EXT4_INODE);
	set_owner(raw, inode);
	raw->i_extra_isize = EXT4_EXTRA_ISIZE;
	raw->i_links_count = link_count(inode);
	set_times(raw, inode->mtime, inode->mtime_nsec);
	if (write_content(fs, inode, raw, &has_extents, err) < 0 || ext4_xattrs_write(fs, inode, raw, err) < 0)
		return -1;
	if (has_extents && ext4_extents_write(fs, inode, raw, &blocks, err) < 0)
		return -1;
	for (uint32_t i = 0; i < inode->extents.count; i++)
		blocks += inode->extents.items[i].count;
	set_blocks(raw, blocks + (raw->i_file_acl || raw->osd2.linux2.l_i_file_acl_high));
	raw->i_size = (uint32_t)inode->size;
	raw->i_size_high = (uint32_t)(inode->size >> 32);
	code = ext2fs_inode_csum_set(fs->lib, inode->number, raw);
	return code ? ext4_fail(fs, code, "make an inode of", err) : 0;
}

/* Journal and room to grow are libext2fs's; their times must not be the clock's. */
static int keep_reserved(struct mvm_ext4 *fs, uint32_t number, void *slot, struct mvm_error **err)
{
	struct ext2_inode_large *raw = slot;
	errcode_t code = ext2fs_read_inode_full(fs->lib, number, slot, EXT4_INODE);

	if (!code && raw->i_links_count) {
		raw->i_extra_isize = EXT4_EXTRA_ISIZE;
		set_times(raw, EXT4_EPOCH, 0);
		code = ext2fs_inode_csum_set(fs->lib, number, raw);
	}
	return code ? ext4_fail(fs, code, "read an inode of", err) : 0;
}

/* The inodes of one group, as one write. */
static int write_group(struct mvm_ext4 *fs, const struct numbering *numbering, dgrp_t group, char *table,
		       struct mvm_error **err)
{
	uint32_t per_group = fs->lib->super->s_inodes_per_group;
	uint32_t first = group * per_group + 1, end = numbering->first + numbering->count, used = 0;
	errcode_t code;

	for (uint32_t number = first; number < end && used < per_group; number++, used++) {
		char *slot = table + (size_t)used * EXT4_INODE;
		int status;

		if (number == EXT2_ROOT_INO)
			status = write_inode(fs, fs->root->inode, slot, err);
		else if (number < numbering->first)
			status = keep_reserved(fs, number, slot, err);
		else
			status = write_inode(fs, numbering->items[number - numbering->first], slot, err);
		if (status < 0)
			return -1;
	}
	memset(table + (size_t)used * EXT4_INODE, 0, (size_t)(-used % (EXT4_BLOCK / EXT4_INODE)) * EXT4_INODE);
	code = io_channel_write_blk64(fs->lib->io, ext2fs_inode_table_loc(fs->lib, group),
				      (int)((used * EXT4_INODE + EXT4_BLOCK - 1) / EXT4_BLOCK), table);
	return code ? ext4_fail(fs, code, "write the inodes of", err) : 0;
}

static int write_tables(struct mvm_ext4 *fs, const struct numbering *numbering, struct mvm_error **err)
{
	uint32_t per_group = fs->lib->super->s_inodes_per_group;
	char *table MVM_CLEAN_FREE = mvm_realloc(NULL, per_group, EXT4_INODE);

	for (dgrp_t group = 0; group * per_group + 1 < numbering->first + numbering->count; group++) {
		if (write_group(fs, numbering, group, table, err) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < numbering->count; i++)
		ext2fs_inode_alloc_stats2(fs->lib, numbering->first + i, +1, ext4_is(numbering->items[i], S_IFDIR));
	return 0;
}

static int close_lib(struct mvm_ext4 *fs, struct mvm_error **err)
{
	errcode_t code;

	for (dgrp_t group = 0; group < fs->lib->group_desc_count; group++)
		ext2fs_group_desc_csum_set(fs->lib, group);
	ext2fs_mark_super_dirty(fs->lib);
	ext2fs_mark_bb_dirty(fs->lib);
	ext2fs_mark_ib_dirty(fs->lib);
	code = ext2fs_close2(fs->lib, EXT2_FLAG_FLUSH_NO_SYNC);
	if (code)
		return ext4_fail(fs, code, "write", err);
	fs->lib = NULL;
	return 0;
}

int mvm_ext4_finish(struct mvm_ext4 *fs, struct mvm_error **err)
{
	struct numbering numbering = {0};
	int status;

	number_inodes(fs, &numbering);
	status = write_tables(fs, &numbering, err);
	free(numbering.items);
	if (status < 0 || ext4_flush(fs, err) < 0 || ext4_discard_freed(fs, err) < 0)
		return -1;
	ext4_settle(fs);
	if (close_lib(fs, err) < 0)
		return -1;
	if (fsync(fs->out.fd) < 0)
		return mvm_fail_errno(err, errno, "cannot write %s", fs->path);
	return 0;
}
