/*
 * What the files of the ext4 writer share: the tree in memory, blocks, and the pieces of mvm_ext4_finish().
 */
#ifndef MVM_IMAGE_EXT4_INTERNAL_H
#define MVM_IMAGE_EXT4_INTERNAL_H

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <stdbool.h>

#include "ext4.h"

/* Inodes, folders and extents are written as they lie in memory, and on disk they are little-endian. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the ext4 writer needs a little-endian host");

enum {
	EXT4_BLOCK = 4096,
	EXT4_INODE = 256,
	EXT4_EXTRA_ISIZE = 32,
	EXT4_MAX_LINKS = 65000,
	EXT4_MAX_EXTENT = 32768, /* blocks */
};

/* The time of all that no layer dates: the superblock and the inodes of the file system itself. 2020-01-01. */
#define EXT4_EPOCH 1577836800

struct ext4_extent {
	uint64_t physical;
	uint32_t logical;
	uint32_t count;
};

struct ext4_extents {
	struct ext4_extent *items;
	uint32_t count; /* room is the next power of two */
};

/* As it will lie on disk: the name without the prefix that `index` stands for. */
struct ext4_xattr {
	struct ext4_xattr *next; /* sorted as the kernel wants them in a block */
	char *name;
	void *value;
	uint32_t length;
	uint8_t index;
	uint8_t name_length;
};

struct ext4_inode {
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t links; /* names; a folder's subfolders are counted at the end */
	int64_t mtime;
	uint32_t mtime_nsec;
	uint32_t number; /* 0 until finish */
	uint64_t size;
	struct ext4_extents extents;
	struct ext4_xattr *xattrs;
	union {
		struct { /* folders */
			struct mvm_ext4_node *first;
			struct mvm_ext4_node *last;
			struct mvm_ext4_node *self;
			uint32_t swept; /* the layer in which nothing of earlier ones is left below */
		};
		char *target; /* symlinks */
		struct {      /* devices */
			uint32_t major;
			uint32_t minor;
		};
	};
};

struct mvm_ext4_node {
	struct ext4_inode *inode;
	struct mvm_ext4_node *parent;
	struct mvm_ext4_node *previous; /* siblings, in the order they came */
	struct mvm_ext4_node *next;
	struct mvm_ext4_node *chain; /* of the hash table */
	uint32_t hash;
	uint32_t layer; /* that made it or made it anew */
	uint8_t length;
	char name[];
};

/* Small pieces that follow each other on disk become large writes. */
struct ext4_output {
	int fd;
	bool uncached; /* writes go past the system's cache */
	char *buffer;
	size_t used;
	uint64_t offset;    /* of the buffer's first byte */
	uint64_t unwritten; /* for mvm_write_back() */
};

struct mvm_ext4 {
	char *path; /* for messages */
	ext2_filsys lib;
	uint64_t blocks;
	struct ext4_output out;

	/* The run of free blocks that is being filled, [run, run_end); the bitmap knows of what lies before `settled`.
	 */
	uint64_t run;
	uint64_t run_end;
	uint64_t settled;
	struct ext4_extents freed; /* `logical` unused */

	struct mvm_ext4_node *root;
	struct mvm_ext4_node **table; /* names, by folder and name */
	size_t table_size;	      /* a power of two */
	size_t names;
	uint64_t table_key;
	uint32_t inodes; /* made and not dropped */
	uint32_t layer;
};

/* ext4_format.c */
int ext4_fail(struct mvm_ext4 *fs, errcode_t code, const char *doing, struct mvm_error **err);

/* ext4_blocks.c */
void ext4_extents_add(struct ext4_extents *extents, struct ext4_extent extent);
/* The next free blocks, 1 to `want` of them in a row. */
int ext4_allocate(struct mvm_ext4 *fs, uint32_t want, uint64_t *first, uint32_t *count, struct mvm_error **err);
/* Adds `count` blocks behind the last of the extents, wherever they are. */
int ext4_extend(struct mvm_ext4 *fs, struct ext4_extents *extents, uint32_t logical, uint32_t count,
		struct mvm_error **err);
void ext4_free(struct mvm_ext4 *fs, struct ext4_extents *extents);
/* Makes the file. */
int ext4_output_open(struct mvm_ext4 *fs, struct mvm_error **err);
int ext4_put(struct mvm_ext4 *fs, uint64_t offset, const void *data, size_t length, struct mvm_error **err);
/* Whole blocks from memory to where the extents say. */
int ext4_put_blocks(struct mvm_ext4 *fs, const struct ext4_extents *extents, const void *data, struct mvm_error **err);
/* Tells the bitmap of all that has been allocated. */
void ext4_settle(struct mvm_ext4 *fs);
int ext4_flush(struct mvm_ext4 *fs, struct mvm_error **err);
/* Makes holes of the blocks that were written and then freed. */
int ext4_discard_freed(struct mvm_ext4 *fs, struct mvm_error **err);

/* ext4_tree.c */
void ext4_tree_create(struct mvm_ext4 *fs);
void ext4_tree_destroy(struct mvm_ext4 *fs);
/* Parents first; NULL after the last. */
struct mvm_ext4_node *ext4_next(const struct mvm_ext4_node *node);
static inline bool ext4_is(const struct ext4_inode *inode, uint32_t type)
{
	return (inode->mode & 0170000) == type;
}

/* ext4_xattr.c */
void ext4_xattrs_free(struct ext4_inode *inode);
/* Fills the inode's own space, then a block, whose number goes into the inode. */
int ext4_xattrs_write(struct mvm_ext4 *fs, const struct ext4_inode *inode, struct ext2_inode_large *raw,
		      struct mvm_error **err);

/* ext4_extent.c: writes the tree under raw->i_block; the blocks it takes are added to *blocks. */
int ext4_extents_write(struct mvm_ext4 *fs, const struct ext4_inode *inode, struct ext2_inode_large *raw,
		       uint64_t *blocks, struct mvm_error **err);

/* ext4_dir.c: allocates and writes a folder's blocks; sets its size and extents, *indexed where it is a hashed one. */
int ext4_folder_write(struct mvm_ext4 *fs, struct ext4_inode *inode, bool *indexed, struct mvm_error **err);

/* The beginning of every check sum of something that belongs to an inode. */
static inline uint32_t ext4_inode_seed(const struct mvm_ext4 *fs, uint32_t number)
{
	uint32_t seed[2] = {number, 0}; /* and its generation */

	return ext2fs_crc32c_le(fs->lib->csum_seed, (const unsigned char *)seed, sizeof(seed));
}

#endif
