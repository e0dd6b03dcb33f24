/*
 * Extent trees: up to four extents in the inode, else blocks of them, built from the leaves up.
 */
#include "ext4_internal.h"

#include <ext2fs/ext3_extents.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

enum {
	IN_INODE = 4,
	IN_BLOCK = (EXT4_BLOCK - sizeof(struct ext3_extent_header)) / sizeof(struct ext3_extent),
	TAIL = sizeof(struct ext3_extent_header) + IN_BLOCK * sizeof(struct ext3_extent),
};

_Static_assert(sizeof(struct ext3_extent) == sizeof(struct ext3_extent_idx), "both are entries of a node");

/* One level of the tree; in those above the leaves a count is not used. */
struct level {
	const struct ext4_extent *items;
	uint32_t count;
	uint16_t depth;
};

static void fill_node(void *node, const struct level *level, uint32_t first, uint32_t count, uint32_t room)
{
	struct ext3_extent_header *header = node;
	struct ext3_extent *leaf = (void *)(header + 1);
	struct ext3_extent_idx *index = (void *)(header + 1);

	header->eh_magic = EXT3_EXT_MAGIC;
	header->eh_entries = (uint16_t)count;
	header->eh_max = (uint16_t)room;
	header->eh_depth = level->depth;
	for (uint32_t i = 0; i < count; i++) {
		const struct ext4_extent *item = &level->items[first + i];

		if (level->depth == 0) {
			leaf[i].ee_block = item->logical;
			leaf[i].ee_len = (uint16_t)item->count;
			leaf[i].ee_start = (uint32_t)item->physical;
			leaf[i].ee_start_hi = (uint16_t)(item->physical >> 32);
		} else {
			index[i].ei_block = item->logical;
			index[i].ei_leaf = (uint32_t)item->physical;
			index[i].ei_leaf_hi = (uint16_t)(item->physical >> 32);
		}
	}
}

/* Writes a level as blocks; `above` gets an item for each. */
static int write_level(struct mvm_ext4 *fs, uint32_t number, const struct level *level, struct ext4_extents *above,
		       struct mvm_error **err)
{
	for (uint32_t first = 0; first < level->count; first += IN_BLOCK) {
		uint32_t left = level->count - first, got, sum;
		struct ext4_extent item = {.logical = level->items[first].logical, .count = 1};
		unsigned char block[EXT4_BLOCK] = {0};

		fill_node(block, level, first, left < IN_BLOCK ? left : IN_BLOCK, IN_BLOCK);
		sum = ext2fs_crc32c_le(ext4_inode_seed(fs, number), block, TAIL);
		memcpy(block + TAIL, &sum, sizeof(sum));
		if (ext4_allocate(fs, 1, &item.physical, &got, err) < 0 ||
		    ext4_put(fs, item.physical * EXT4_BLOCK, block, EXT4_BLOCK, err) < 0)
			return -1;
		ext4_extents_add(above, item);
	}
	return 0;
}

int ext4_extents_write(struct mvm_ext4 *fs, const struct ext4_inode *inode, struct ext2_inode_large *raw,
		       uint64_t *blocks, struct mvm_error **err)
{
	struct level level = {.items = inode->extents.items, .count = inode->extents.count};
	struct ext4_extents present = {0};

	raw->i_flags |= EXT4_EXTENTS_FL;
	while (level.count > IN_INODE) {
		struct ext4_extents above = {0};
		int status = write_level(fs, inode->number, &level, &above, err);

		free(present.items);
		present = above;
		if (status < 0) {
			free(present.items);
			return -1;
		}
		*blocks += present.count;
		level = (struct level){
			.items = present.items, .count = present.count, .depth = (uint16_t)(level.depth + 1)};
	}
	fill_node(raw->i_block, &level, 0, level.count, IN_INODE);
	free(present.items);
	return 0;
}
