/*
 * Folders: one block of entries while they fit, else a hashed tree (the kernel would search and extend a plain
 * folder of many blocks from its beginning each time, and never make a tree of it again).
 */
#include "ext4_internal.h"

#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

enum {
	TAIL = sizeof(struct ext2_dir_entry_tail),
	ROOM = EXT4_BLOCK - TAIL,
	DOTS = 24,					     /* "." and ".." */
	LEAF_FILL = ROOM - ROOM / 8,			     /* new names find room before a leaf must be split */
	ROOT_INFO = DOTS + sizeof(struct ext2_dx_root_info), /* where a root's entries begin */
	NODE_INFO = 8,
	ROOT_LIMIT = (EXT4_BLOCK - ROOT_INFO) / sizeof(struct ext2_dx_entry) - 1, /* the check sum takes one */
	NODE_LIMIT = (EXT4_BLOCK - NODE_INFO) / sizeof(struct ext2_dx_entry) - 1,
};

struct entry {
	const struct mvm_ext4_node *node;
	uint32_t hash;
	uint32_t minor;
	uint32_t order;
};

/* A leaf, or a node of the tree: the first hash in it. */
struct child {
	uint32_t hash;
	uint32_t block;
};

struct folder {
	struct mvm_ext4 *fs;
	struct ext4_inode *inode;
	struct mvm_buf data; /* all its blocks */
	struct entry *entries;
	size_t count;
	struct child *leaves; /* block counts from the first leaf */
	size_t leaf_count;
};

static size_t entry_size(const struct mvm_ext4_node *node)
{
	return (8u + node->length + 3) & ~3u;
}

static uint8_t file_type(const struct ext4_inode *inode)
{
	static const uint8_t types[] = {
		[001] = EXT2_FT_FIFO,	  [002] = EXT2_FT_CHRDEV,  [004] = EXT2_FT_DIR, [006] = EXT2_FT_BLKDEV,
		[010] = EXT2_FT_REG_FILE, [012] = EXT2_FT_SYMLINK, [014] = EXT2_FT_SOCK};
	uint32_t type = inode->mode >> 12 & 017;

	return type < sizeof(types) ? types[type] : EXT2_FT_UNKNOWN;
}

static char *add_block(struct folder *folder)
{
	char *block = mvm_buf_reserve(&folder->data, EXT4_BLOCK);

	memset(block, 0, EXT4_BLOCK);
	folder->data.length += EXT4_BLOCK;
	return block;
}

static struct ext2_dir_entry_2 *put_entry(char *at, size_t size, uint32_t number, const char *name, uint8_t length,
					  uint8_t type)
{
	struct ext2_dir_entry_2 *entry = (void *)at;

	entry->inode = number;
	entry->rec_len = (uint16_t)size;
	entry->name_len = length;
	entry->file_type = type;
	memcpy(entry->name, name, length);
	return entry;
}

static char *put_dots(const struct folder *folder, char *block, size_t rest)
{
	put_entry(block, 12, folder->inode->number, ".", 1, EXT2_FT_DIR);
	put_entry(block + 12, rest, folder->inode->self->parent->inode->number, "..", 2, EXT2_FT_DIR);
	return block + 24;
}

/* Entries one behind the other; the last is made to reach the tail. */
static void put_entries(const struct folder *folder, char *block, char *at, const struct entry *entries, size_t count)
{
	struct ext2_dir_entry_tail *tail = (void *)(block + ROOM);
	struct ext2_dir_entry_2 *last = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct mvm_ext4_node *node = entries[i].node;

		last = put_entry(at, entry_size(node), node->inode->number, node->name, node->length,
				 file_type(node->inode));
		at += entry_size(node);
	}
	if (!last)
		last = (void *)(block + 12);
	last->rec_len = (uint16_t)(last->rec_len + (block + ROOM - at));
	tail->det_rec_len = TAIL;
	tail->det_reserved_name_len = EXT2_DIR_NAME_LEN_CSUM;
	tail->det_checksum =
		ext2fs_crc32c_le(ext4_inode_seed(folder->fs, folder->inode->number), (unsigned char *)block, ROOM);
}

/* "Half MD4", seeded by the superblock. */
static int hash_entry(const struct mvm_ext4 *fs, struct entry *entry, struct mvm_error **err)
{
	const uint32_t end_mark = 0x7fffffffu << 1;
	ext2_dirhash_t hash, minor;
	errcode_t code = ext2fs_dirhash(EXT2_HASH_HALF_MD4, entry->node->name, entry->node->length,
					fs->lib->super->s_hash_seed, &hash, &minor);

	if (code)
		return mvm_fail(err, MVM_ERR_INTERNAL, "cannot hash a name (%ld)", (long)code);
	hash &= ~1u; /* the lowest bit says that a leaf goes on with the hash that the one before ended with */
	entry->hash = hash == end_mark ? end_mark - 2 : hash;
	entry->minor = minor;
	return 0;
}

static int by_hash(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->minor != b->minor)
		return a->minor < b->minor ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* Number of entries from `first` on that make a leaf. */
static size_t leaf_length(const struct folder *folder, size_t first)
{
	size_t used = 0, count = 0;

	for (size_t i = first; i < folder->count; i++, count++) {
		used += entry_size(folder->entries[i].node);
		if (used > LEAF_FILL)
			break;
	}
	return count;
}

static void find_leaves(struct folder *folder)
{
	for (size_t first = 0; first < folder->count; first += leaf_length(folder, first)) {
		uint32_t hash = folder->entries[first].hash;

		if (first && folder->entries[first - 1].hash == hash)
			hash |= 1;
		folder->leaves = mvm_realloc(folder->leaves, folder->leaf_count + 1, sizeof(*folder->leaves));
		folder->leaves[folder->leaf_count] =
			(struct child){.hash = hash, .block = (uint32_t)folder->leaf_count};
		folder->leaf_count++;
	}
}

/* Hashes and blocks behind `info` bytes of a root or node, and its check sum. The first hash is where count and
 * limit stand. */
static void put_children(const struct folder *folder, char *block, size_t info, size_t limit,
			 const struct child *children, size_t count, uint32_t first_block)
{
	struct ext2_dx_entry *entries = (void *)(block + info);
	struct ext2_dx_countlimit *header = (void *)entries;
	struct ext2_dx_tail *tail = (void *)(entries + limit);
	static const unsigned char zero[8];
	uint32_t sum;

	for (size_t i = 0; i < count; i++)
		entries[i] = (struct ext2_dx_entry){.hash = children[i].hash, .block = first_block + children[i].block};
	header->limit = (uint16_t)limit;
	header->count = (uint16_t)count;
	sum = ext2fs_crc32c_le(ext4_inode_seed(folder->fs, folder->inode->number), (unsigned char *)block,
			       info + count * sizeof(*entries));
	tail->dt_checksum = ext2fs_crc32c_le(sum, zero, sizeof(zero)); /* the tail itself, without the sum */
}

static void put_root(struct folder *folder, const struct child *children, size_t count, uint32_t first_block,
		     uint8_t levels)
{
	char *block = add_block(folder);
	struct ext2_dx_root_info *info = (void *)put_dots(folder, block, EXT4_BLOCK - 12);

	info->hash_version = EXT2_HASH_HALF_MD4;
	info->info_length = sizeof(*info);
	info->indirect_levels = levels;
	put_children(folder, block, ROOT_INFO, ROOT_LIMIT, children, count, first_block);
}

/* Root and, where its room does not do, one level of nodes. */
static int put_tree(struct folder *folder, struct mvm_error **err)
{
	size_t nodes = (folder->leaf_count + NODE_LIMIT - 1) / NODE_LIMIT;
	struct child *tops MVM_CLEAN_FREE = NULL;

	if (folder->leaf_count <= ROOT_LIMIT) {
		put_root(folder, folder->leaves, folder->leaf_count, 1, 0);
		return 0;
	}
	if (nodes > ROOT_LIMIT)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "a folder of %zu entries is more than ext4 can hold",
				folder->count);
	tops = mvm_realloc(NULL, nodes, sizeof(*tops));
	for (size_t i = 0; i < nodes; i++)
		tops[i] = (struct child){.hash = folder->leaves[i * NODE_LIMIT].hash, .block = (uint32_t)i};
	put_root(folder, tops, nodes, 1, 1);
	for (size_t first = 0; first < folder->leaf_count; first += NODE_LIMIT) {
		size_t left = folder->leaf_count - first;
		char *block = add_block(folder);

		put_entry(block, EXT4_BLOCK, 0, "", 0, 0); /* to those who know no trees, an empty block */
		put_children(folder, block, NODE_INFO, NODE_LIMIT, folder->leaves + first,
			     left < NODE_LIMIT ? left : NODE_LIMIT, (uint32_t)(1 + nodes));
	}
	return 0;
}

static int fill_indexed(struct folder *folder, struct mvm_error **err)
{
	size_t first = 0;

	for (size_t i = 0; i < folder->count; i++) {
		if (hash_entry(folder->fs, &folder->entries[i], err) < 0)
			return -1;
	}
	qsort(folder->entries, folder->count, sizeof(*folder->entries), by_hash);
	find_leaves(folder);
	if (put_tree(folder, err) < 0)
		return -1;
	while (first < folder->count) {
		size_t count = leaf_length(folder, first);
		char *block = add_block(folder);

		put_entries(folder, block, block, folder->entries + first, count);
		first += count;
	}
	return 0;
}

/* The entries in the order they came; returns the bytes they take. */
static size_t collect(struct folder *folder)
{
	const struct mvm_ext4_node *node;
	size_t bytes = DOTS, i = 0;

	for (node = folder->inode->first; node; node = node->next)
		folder->count++;
	folder->entries = mvm_realloc(NULL, folder->count + 1, sizeof(*folder->entries));
	for (node = folder->inode->first; node; node = node->next, i++) {
		folder->entries[i] = (struct entry){.node = node, .order = (uint32_t)i};
		bytes += entry_size(node);
	}
	return bytes;
}

static int fill(struct folder *folder, bool *indexed, struct mvm_error **err)
{
	*indexed = collect(folder) > ROOM;
	if (*indexed)
		return fill_indexed(folder, err);
	char *block = add_block(folder);

	put_entries(folder, block, put_dots(folder, block, 12), folder->entries, folder->count);
	return 0;
}

int ext4_folder_write(struct mvm_ext4 *fs, struct ext4_inode *inode, bool *indexed, struct mvm_error **err)
{
	struct folder folder = {.fs = fs, .inode = inode};
	int status = fill(&folder, indexed, err);

	inode->size = folder.data.length;
	if (status == 0)
		status = ext4_extend(fs, &inode->extents, 0, (uint32_t)(folder.data.length / EXT4_BLOCK), err);
	if (status == 0)
		status = ext4_put_blocks(fs, &inode->extents, folder.data.data, err);
	free(folder.entries);
	free(folder.leaves);
	mvm_buf_finish(&folder.data);
	return status;
}
