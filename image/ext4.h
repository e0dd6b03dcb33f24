/*
 * An ext4 image written from nothing, once, front to back: the root disk of an image's containers.
 *
 * Theory of operation. libext2fs lays out the file system (superblock, group descriptors, journal, room to grow) and
 * keeps its bitmaps, counts and check sums. On top of it, because it is too slow one file at a time: the tree of names
 * and inodes lives in memory until the end, file content goes straight to the next free blocks as it comes, and
 * mvm_ext4_finish() numbers the inodes and writes folders, extent trees, attribute blocks and inode tables in long
 * sequential runs. So whiteouts, replacements and hard links across layers cost no I/O, and memory grows with the
 * number of names, not with bytes.
 *
 * The same calls give the same bytes: UUID, hash seed and times come from the options or are constants. Everything
 * never written is a hole, inode tables and journal included, and the groups say that their tables are zeroed, so that
 * the guest's kernel has nothing to initialise. The file system grows online (EXT4_IOC_RESIZE_FS), to 1 TiB without
 * changing its layout.
 *
 * Names are raw bytes, 1 to 255 of them without '/' and NUL, never "." or ".."; the caller sees to it. One thread at
 * a time. Errors: NO_SPACE, INVALID, IO; after one only mvm_ext4_destroy() is allowed.
 */
#ifndef MVM_IMAGE_EXT4_H
#define MVM_IMAGE_EXT4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mvm_error;
struct mvm_ext4;
struct mvm_ext4_node; /* a name in a folder; owned by the image, gone once removed or replaced */

enum { MVM_EXT4_UUID = 16, MVM_EXT4_MAX_NAME = 255, MVM_EXT4_MAX_TARGET = 4095 };

/* Smallest and largest nominal size: what a journal needs, and what 32-bit block numbers reach. */
#define MVM_EXT4_MIN_SIZE (128ULL << 20)
#define MVM_EXT4_MAX_SIZE (8ULL << 40)

struct mvm_ext4_options {
	uint64_t size; /* bytes, a multiple of 4096 */
	uint8_t uuid[MVM_EXT4_UUID];
};

/* Makes the file, which must not exist. */
int mvm_ext4_create(const char *path, const struct mvm_ext4_options *options, struct mvm_ext4 **fs,
		    struct mvm_error **err);
/* Writes all that is still in memory and waits until it is on stable storage. */
int mvm_ext4_finish(struct mvm_ext4 *fs, struct mvm_error **err);
/* Leaves the file as it is. */
void mvm_ext4_destroy(struct mvm_ext4 *fs);

/* What an inode says about itself. */
struct mvm_ext4_attr {
	uint32_t mode; /* type as S_IFMT has it, and permissions */
	uint32_t uid;
	uint32_t gid;
	int64_t mtime; /* clamped to what ext4 holds, 1901 to 2446 */
	uint32_t mtime_nsec;
	uint32_t major;	    /* of devices: below 4096 */
	uint32_t minor;	    /* below 2^20 */
	const char *target; /* of symlinks: 1 to 4095 bytes */
};

/* From here on nodes are made by the next layer, which lower() tells apart. */
void mvm_ext4_begin_layer(struct mvm_ext4 *fs);

struct mvm_ext4_node *mvm_ext4_root(struct mvm_ext4 *fs);
/* The root's is itself. */
struct mvm_ext4_node *mvm_ext4_parent(const struct mvm_ext4_node *node);
/* NULL where there is none. */
struct mvm_ext4_node *mvm_ext4_lookup(const struct mvm_ext4 *fs, const struct mvm_ext4_node *folder, const char *name,
				      size_t length);
/* The type bits of S_IFMT. */
uint32_t mvm_ext4_type(const struct mvm_ext4_node *node);
/* A symlink's target, borrowed. */
const char *mvm_ext4_target(const struct mvm_ext4_node *node);

/* Makes an entry as layers do: a folder over a folder keeps its content and gets the new attributes (its xattrs
 * go); anything else takes the place of what was there, a whole tree if need be. */
int mvm_ext4_make(struct mvm_ext4 *fs, struct mvm_ext4_node *folder, const char *name, size_t length,
		  const struct mvm_ext4_attr *attr, struct mvm_ext4_node **node, struct mvm_error **err);
/* Another name for an inode that is not a folder's, in place of what was there. */
int mvm_ext4_link(struct mvm_ext4 *fs, struct mvm_ext4_node *folder, const char *name, size_t length,
		  struct mvm_ext4_node *target, struct mvm_error **err);
/* The root's attributes; until then 0755, root's, of 1970. */
void mvm_ext4_set_root(struct mvm_ext4 *fs, const struct mvm_ext4_attr *attr);

/* Adds or replaces an attribute. Returns 1 where ext4 has no place for such a name (only user., trusted., security.
 * and system.posix_acl_* have). UNSUPPORTED where all of an inode's together do not fit. */
int mvm_ext4_set_xattr(struct mvm_ext4 *fs, struct mvm_ext4_node *node, const char *name, const void *value,
		       size_t length, struct mvm_error **err);

/* Content of a regular file, at rising offsets, one file after the other; what is skipped is a hole. */
int mvm_ext4_write(struct mvm_ext4 *fs, struct mvm_ext4_node *node, uint64_t offset, const void *data, size_t length,
		   struct mvm_error **err);
int mvm_ext4_set_size(struct mvm_ext4 *fs, struct mvm_ext4_node *node, uint64_t size, struct mvm_error **err);

/* Removes what earlier layers have put there, names made or made anew by this layer stay (OCI image-spec layer.md,
 * "Whiteouts"); with `keep`, an opaque whiteout, the folder itself stays too. */
void mvm_ext4_remove_lower(struct mvm_ext4 *fs, struct mvm_ext4_node *node, bool keep);

#endif
