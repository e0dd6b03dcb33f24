/*
 * The empty file system, by libext2fs: features, tables, room to grow, journal.
 */
#include "ext4_internal.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

enum {
	BYTES_PER_INODE = 16384, /* mke2fs's */
	DESC_SIZE = 64,
	JOURNAL_BLOCKS = 16384, /* 64 MiB, all of it a hole */
	GROUP_BLOCKS = 8 * EXT4_BLOCK,
};
/* Growing to here needs no change of layout; past it the kernel goes over to meta_bg. */
#define GROWTH_LIMIT (1ULL << 40)

int ext4_fail(struct mvm_ext4 *fs, errcode_t code, const char *doing, struct mvm_error **err)
{
	if (code > 0 && code < 256) /* libext2fs hands errno through */
		return mvm_fail_errno(err, (int)code, "cannot %s %s", doing, fs->path);
	return mvm_fail(err, MVM_ERR_IO, "cannot %s %s: %s", doing, fs->path, error_message(code));
}

static void set_features(struct ext2_super_block *super)
{
	ext2fs_set_feature_journal(super);
	ext2fs_set_feature_xattr(super);
	ext2fs_set_feature_resize_inode(super);
	ext2fs_set_feature_dir_index(super);
	ext2fs_set_feature_filetype(super);
	ext2fs_set_feature_extents(super);
	ext2fs_set_feature_64bit(super);
	ext2fs_set_feature_flex_bg(super);
	ext2fs_set_feature_sparse_super(super);
	ext2fs_set_feature_large_file(super);
	ext2fs_set_feature_huge_file(super);
	ext2fs_set_feature_dir_nlink(super);
	ext2fs_set_feature_extra_isize(super);
	ext2fs_set_feature_metadata_csum(super);
}

/* Blocks of group descriptors that are kept free behind the present ones. */
static uint16_t growth_blocks(uint64_t blocks)
{
	uint64_t limit = GROWTH_LIMIT / EXT4_BLOCK;
	uint64_t per_block = (uint64_t)GROUP_BLOCKS * (EXT4_BLOCK / DESC_SIZE);

	if (blocks >= limit)
		return 0;
	return (uint16_t)((limit - blocks + per_block - 1) / per_block);
}

static void set_parameters(struct ext2_super_block *super, uint64_t blocks)
{
	uint64_t inodes = blocks * EXT4_BLOCK / BYTES_PER_INODE;

	*super = (struct ext2_super_block){0};
	super->s_rev_level = EXT2_DYNAMIC_REV;
	super->s_log_block_size = 2;
	super->s_log_cluster_size = 2;
	super->s_inode_size = EXT4_INODE;
	super->s_desc_size = DESC_SIZE;
	super->s_log_groups_per_flex = 4;
	super->s_inodes_count = (uint32_t)inodes;
	super->s_reserved_gdt_blocks = growth_blocks(blocks);
	ext2fs_blocks_count_set(super, blocks);
	set_features(super);
}

/* What ext2fs_initialize() leaves to its caller, or takes from the clock. */
static void set_identity(ext2_filsys lib, const uint8_t *uuid)
{
	struct ext2_super_block *super = lib->super;

	lib->now = EXT4_EPOCH;
	memcpy(super->s_uuid, uuid, sizeof(super->s_uuid));
	memcpy(super->s_hash_seed, uuid, sizeof(super->s_hash_seed));
	super->s_def_hash_version = EXT2_HASH_HALF_MD4;
	super->s_flags |= EXT2_FLAGS_SIGNED_HASH; /* whatever a char is on this host */
	super->s_checksum_type = EXT2_CRC32C_CHKSUM;
	super->s_min_extra_isize = EXT4_EXTRA_ISIZE;
	super->s_want_extra_isize = EXT4_EXTRA_ISIZE;
	super->s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
	super->s_creator_os = EXT2_OS_LINUX;
	super->s_max_mnt_count = -1;
	super->s_checkinterval = 0;
	super->s_mkfs_time = EXT4_EPOCH;
	super->s_lastcheck = EXT4_EPOCH;
	super->s_kbytes_written = 0;
	super->s_state = EXT2_VALID_FS;
	ext2fs_init_csum_seed(lib);
}

/* The file was born as a hole: the guest's kernel need not zero the tables. */
static void set_tables_zeroed(ext2_filsys lib)
{
	for (dgrp_t group = 0; group < lib->group_desc_count; group++)
		ext2fs_bg_flags_set(lib, group, EXT2_BG_INODE_ZEROED);
	for (ext2_ino_t number = 1; number < EXT2_FIRST_INODE(lib->super); number++)
		ext2fs_inode_alloc_stats2(lib, number, +1, number == EXT2_ROOT_INO);
}

static int add_journal(struct mvm_ext4 *fs, struct mvm_error **err)
{
	struct ext2fs_journal_params params = {.num_journal_blocks = JOURNAL_BLOCKS};
	blk64_t goal;
	errcode_t code;

	if (fs->blocks / 16 < JOURNAL_BLOCKS)
		params.num_journal_blocks = (blk_t)(fs->blocks / 16);
	code = ext2fs_find_first_zero_block_bitmap2(fs->lib->block_map, 0, fs->blocks - 1, &goal);
	if (!code)
		code = ext2fs_add_journal_inode3(fs->lib, &params, goal,
						 EXT2_MKJOURNAL_LAZYINIT | EXT2_MKJOURNAL_NO_MNT_CHECK);
	return code ? ext4_fail(fs, code, "make the journal of", err) : 0;
}

static int format(struct mvm_ext4 *fs, const struct mvm_ext4_options *options, struct mvm_error **err)
{
	struct ext2_super_block parameters;
	errcode_t code;

	initialize_ext2_error_table(); /* the texts for ext4_fail() */
	set_parameters(&parameters, fs->blocks);
	code = ext2fs_initialize(fs->path, EXT2_FLAG_64BITS, &parameters, unix_io_manager, &fs->lib);
	if (code)
		return ext4_fail(fs, code, "format", err);
	set_identity(fs->lib, options->uuid);
	code = ext2fs_allocate_tables(fs->lib);
	if (!code && ext2fs_has_feature_resize_inode(fs->lib->super))
		code = ext2fs_create_resize_inode(fs->lib);
	if (code)
		return ext4_fail(fs, code, "format", err);
	set_tables_zeroed(fs->lib);
	if (add_journal(fs, err) < 0)
		return -1;
	fs->lib->super->s_overhead_clusters = (uint32_t)(fs->blocks - ext2fs_free_blocks_count(fs->lib->super));
	return 0;
}

static int open_file(struct mvm_ext4 *fs, uint64_t size, struct mvm_error **err)
{
	if (ext4_output_open(fs, err) < 0)
		return -1;
	if (ftruncate(fs->out.fd, (off_t)size) < 0)
		return mvm_fail_errno(err, errno, "cannot give %s its size of %llu bytes", fs->path,
				      (unsigned long long)size);
	return 0;
}

int mvm_ext4_create(const char *path, const struct mvm_ext4_options *options, struct mvm_ext4 **out,
		    struct mvm_error **err)
{
	struct mvm_ext4 *fs;

	if (options->size < MVM_EXT4_MIN_SIZE || options->size > MVM_EXT4_MAX_SIZE || options->size % EXT4_BLOCK)
		return mvm_fail(err, MVM_ERR_INVALID,
				"a disk of %llu bytes is not possible; choose from 128 MiB to 8 TiB, in units of 4096",
				(unsigned long long)options->size);
	fs = mvm_alloc(sizeof(*fs));
	fs->path = mvm_strdup(path);
	fs->blocks = options->size / EXT4_BLOCK;
	ext4_tree_create(fs);
	if (open_file(fs, options->size, err) < 0 || format(fs, options, err) < 0) {
		mvm_ext4_destroy(fs);
		return -1;
	}
	*out = fs;
	return 0;
}

void mvm_ext4_destroy(struct mvm_ext4 *fs)
{
	if (!fs)
		return;
	if (fs->lib)
		ext2fs_free(fs->lib);
	ext4_tree_destroy(fs);
	mvm_close(&fs->out.fd);
	free(fs->out.buffer);
	free(fs->freed.items);
	free(fs->path);
	free(fs);
}
