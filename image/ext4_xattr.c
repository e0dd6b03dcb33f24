/*
 * Extended attributes: in the inode's own space as far as it goes, then in one block.
 */
#include "ext4_internal.h"

#include <ext2fs/ext2_ext_attr.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

enum {
	INODE_SPACE = EXT4_INODE - EXT2_GOOD_OLD_INODE_SIZE - EXT4_EXTRA_ISIZE - 4, /* behind the magic number */
	BLOCK_SPACE = EXT4_BLOCK - sizeof(struct ext2_ext_attr_header),
	TERMINATOR = 4,
};

/* Numbers of the kernel's fs/ext4/xattr.h. */
static const struct {
	const char *prefix;
	bool whole; /* the prefix is the name */
	uint8_t index;
} prefixes[] = {
	{"user.", false, 1},
	{"system.posix_acl_access", true, 2},
	{"system.posix_acl_default", true, 3},
	{"trusted.", false, 4},
	{"security.", false, 6},
};

static const char *split_name(const char *name, uint8_t *index)
{
	for (size_t i = 0; i < MVM_COUNT(prefixes); i++) {
		size_t length = strlen(prefixes[i].prefix);

		if (strncmp(name, prefixes[i].prefix, length) != 0 || prefixes[i].whole != (name[length] == '\0'))
			continue;
		*index = prefixes[i].index;
		return name + length;
	}
	return NULL;
}

/* POSIX ACLs: version 2 with an id in every entry as the system calls have them, version 1 with ids only for named
 * users and groups on disk. NULL where malformed. */
static void *acl_to_disk(const void *value, size_t length, size_t *disk_length)
{
	enum { HEADER = 4, ENTRY = 8, TAG_USER = 2, TAG_GROUP = 8 };
	const unsigned char *from = value, *end = from + length;
	unsigned char *disk, *to;

	if (length < HEADER || (length - HEADER) % ENTRY || memcmp(value, "\2\0\0\0", HEADER) != 0)
		return NULL;
	disk = mvm_alloc(length);
	memcpy(disk, "\1\0\0\0", HEADER);
	to = disk + HEADER;
	for (from += HEADER; from < end; from += ENTRY) {
		bool named = from[1] == 0 && (from[0] == TAG_USER || from[0] == TAG_GROUP);
		size_t size = named ? ENTRY : ENTRY / 2;

		memcpy(to, from, size);
		to += size;
	}
	*disk_length = (size_t)(to - disk);
	return disk;
}

static void free_xattr(struct ext4_xattr *xattr)
{
	free(xattr->name);
	free(xattr->value);
	free(xattr);
}

void ext4_xattrs_free(struct ext4_inode *inode)
{
	struct ext4_xattr *xattr;

	while ((xattr = inode->xattrs)) {
		inode->xattrs = xattr->next;
		free_xattr(xattr);
	}
}

static int compare(const struct ext4_xattr *a, const struct ext4_xattr *b)
{
	if (a->index != b->index)
		return a->index < b->index ? -1 : 1;
	if (a->name_length != b->name_length)
		return a->name_length < b->name_length ? -1 : 1;
	return memcmp(a->name, b->name, a->name_length);
}

static void insert(struct ext4_inode *inode, struct ext4_xattr *xattr)
{
	struct ext4_xattr **at = &inode->xattrs;

	while (*at && compare(*at, xattr) < 0)
		at = &(*at)->next;
	xattr->next = *at;
	if (*at && compare(*at, xattr) == 0) {
		xattr->next = (*at)->next;
		free_xattr(*at);
	}
	*at = xattr;
}

static size_t space_of(const struct ext4_xattr *xattr)
{
	return EXT2_EXT_ATTR_LEN(xattr->name_length) + EXT2_EXT_ATTR_SIZE(xattr->length);
}

/* Whether this one goes into the inode: first come, first served. */
static bool goes_inside(const struct ext4_xattr *xattr, size_t *used)
{
	if (*used + space_of(xattr) + TERMINATOR > INODE_SPACE)
		return false;
	*used += space_of(xattr);
	return true;
}

static bool all_fit(const struct ext4_inode *inode)
{
	size_t inside = 0, outside = 0;

	for (const struct ext4_xattr *xattr = inode->xattrs; xattr; xattr = xattr->next) {
		if (!goes_inside(xattr, &inside))
			outside += space_of(xattr);
	}
	return outside + TERMINATOR <= BLOCK_SPACE;
}

int mvm_ext4_set_xattr(struct mvm_ext4 *fs, struct mvm_ext4_node *node, const char *name, const void *value,
		       size_t length, struct mvm_error **err)
{
	uint8_t index = 0;
	const char *rest = split_name(name, &index);
	bool acl = index == 2 || index == 3;
	struct ext4_xattr *xattr;

	if (!rest)
		return 1;
	if (strlen(rest) > UINT8_MAX || (!acl && !*rest) || length > EXT4_BLOCK)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "extended attribute %s of %zu bytes: ext4 has no room for it",
				name, length);
	xattr = mvm_alloc(sizeof(*xattr));
	xattr->index = index;
	xattr->name = mvm_strdup(rest);
	xattr->name_length = (uint8_t)strlen(rest);
	if (acl) {
		xattr->value = acl_to_disk(value, length, &length);
	} else {
		xattr->value = mvm_alloc(length + 1);
		memcpy(xattr->value, value, length);
	}
	if (!xattr->value) {
		free_xattr(xattr);
		return mvm_fail(err, MVM_ERR_INVALID, "malformed %s", name);
	}
	xattr->length = (uint32_t)length;
	insert(node->inode, xattr);
	if (!all_fit(node->inode))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"its extended attributes take more than the %d bytes that ext4 has for them",
				(int)EXT4_BLOCK);
	return 0;
}

/* A place for attributes: names from the front, values from the back; offsets count from `base`. */
struct area {
	char *base;
	char *names;
	char *values;
};

static void area_add(struct area *area, const struct ext4_xattr *xattr)
{
	struct ext2_ext_attr_entry *entry = (void *)area->names;

	area->values -= EXT2_EXT_ATTR_SIZE(xattr->length);
	area->names += EXT2_EXT_ATTR_LEN(xattr->name_length);
	memcpy(area->values, xattr->value, xattr->length);
	entry->e_name_len = xattr->name_length;
	entry->e_name_index = xattr->index;
	entry->e_value_offs = xattr->length ? (uint16_t)(area->values - area->base) : 0;
	entry->e_value_size = xattr->length;
	memcpy(EXT2_EXT_ATTR_NAME(entry), xattr->name, xattr->name_length);
	entry->e_hash = ext2fs_ext_attr_hash_entry(entry, area->values);
}

static int write_block(struct mvm_ext4 *fs, const struct ext4_inode *inode, char *block, struct ext2_inode_large *raw,
		       struct mvm_error **err)
{
	struct ext2_ext_attr_header *header = (void *)block;
	struct ext4_extents one = {0};
	errcode_t code;
	int status;

	if (ext4_extend(fs, &one, 0, 1, err) < 0)
		return -1;
	header->h_magic = EXT2_EXT_ATTR_MAGIC;
	header->h_refcount = 1;
	header->h_blocks = 1;
	ext2fs_ext_attr_block_rehash(header, (void *)(block + EXT4_BLOCK));
	raw->i_file_acl = (uint32_t)one.items[0].physical;
	raw->osd2.linux2.l_i_file_acl_high = (uint16_t)(one.items[0].physical >> 32);
	code = ext2fs_ext_attr_block_csum_set(fs->lib, inode->number, one.items[0].physical, header);
	status = code ? ext4_fail(fs, code, "make an attribute block of", err) : ext4_put_blocks(fs, &one, block, err);
	free(one.items);
	return status;
}

int ext4_xattrs_write(struct mvm_ext4 *fs, const struct ext4_inode *inode, struct ext2_inode_large *raw,
		      struct mvm_error **err)
{
	char *space = (char *)raw + EXT2_GOOD_OLD_INODE_SIZE + EXT4_EXTRA_ISIZE;
	static const uint32_t magic = EXT2_EXT_ATTR_MAGIC;
	char *block MVM_CLEAN_FREE = NULL;
	struct area inside = {.base = space + 4, .names = space + 4, .values = (char *)raw + EXT4_INODE};
	struct area outside = {0};
	size_t used = 0;

	if (!inode->xattrs)
		return 0;
	memcpy(space, &magic, sizeof(magic));
	for (const struct ext4_xattr *xattr = inode->xattrs; xattr; xattr = xattr->next) {
		if (goes_inside(xattr, &used)) {
			area_add(&inside, xattr);
			continue;
		}
		if (!block) {
			block = mvm_alloc(EXT4_BLOCK);
			outside = (struct area){.base = block,
						.names = block + sizeof(struct ext2_ext_attr_header),
						.values = block + EXT4_BLOCK};
		}
		area_add(&outside, xattr);
	}
	return block ? write_block(fs, inode, block, raw, err) : 0;
}
