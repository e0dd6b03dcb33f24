/*
 * Names and inodes in memory, and what layers do to them.
 */
#include "ext4_internal.h"

#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

enum { FIRST_TABLE_SIZE = 1024 };

static const uint32_t TYPE_MASK = 0170000, TYPE_FOLDER = 0040000, TYPE_SYMLINK = 0120000, TYPE_CHAR = 0020000,
		      TYPE_BLOCK = 0060000;

/* Keyed, so that an image cannot choose names that all fall into one chain. */
static uint32_t hash_name(const struct mvm_ext4 *fs, const struct mvm_ext4_node *folder, const char *name,
			  size_t length)
{
	uint64_t hash = fs->table_key ^ (uint64_t)(uintptr_t)folder * 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < length; i++) {
		hash = (hash ^ (unsigned char)name[i]) * (fs->table_key | 1);
		hash ^= hash >> 29;
	}
	hash *= 0x9e3779b97f4a7c15u;
	return (uint32_t)(hash >> 32);
}

static struct ext4_inode *new_inode(struct mvm_ext4 *fs, uint32_t mode)
{
	struct ext4_inode *inode = mvm_alloc(sizeof(*inode));

	inode->mode = mode;
	fs->inodes++;
	return inode;
}

static void free_inode(struct ext4_inode *inode)
{
	ext4_xattrs_free(inode);
	if (ext4_is(inode, TYPE_SYMLINK))
		free(inode->target);
	free(inode->extents.items);
	free(inode);
}

void ext4_tree_create(struct mvm_ext4 *fs)
{
	mvm_random(&fs->table_key, sizeof(fs->table_key));
	fs->table_size = FIRST_TABLE_SIZE;
	fs->table = mvm_alloc(fs->table_size * sizeof(struct mvm_ext4_node *));
	fs->root = mvm_alloc(sizeof(*fs->root) + 1);
	fs->root->parent = fs->root;
	fs->root->inode = new_inode(fs, TYPE_FOLDER | 0755);
	fs->root->inode->self = fs->root;
	fs->root->inode->links = 1;
}

struct mvm_ext4_node *ext4_next(const struct mvm_ext4_node *node)
{
	if (ext4_is(node->inode, TYPE_FOLDER) && node->inode->first)
		return node->inode->first;
	while (!node->next) {
		if (node == node->parent)
			return NULL;
		node = node->parent;
	}
	return node->next;
}

void ext4_tree_destroy(struct mvm_ext4 *fs)
{
	struct mvm_ext4_node *node = fs->root, *last = NULL;

	/* A chain of all nodes through `chain`, which the table needs no more: parents are read until the end. */
	for (; node; node = ext4_next(node)) {
		node->chain = last;
		last = node;
	}
	while ((node = last)) {
		last = node->chain;
		if (--node->inode->links == 0)
			free_inode(node->inode);
		free(node);
	}
	free(fs->table);
}

static void grow_table(struct mvm_ext4 *fs)
{
	size_t size = fs->table_size * 2;
	struct mvm_ext4_node **table = mvm_alloc(size * sizeof(struct mvm_ext4_node *));

	for (size_t i = 0; i < fs->table_size; i++) {
		for (struct mvm_ext4_node *node = fs->table[i], *next; node; node = next) {
			next = node->chain;
			node->chain = table[node->hash & (size - 1)];
			table[node->hash & (size - 1)] = node;
		}
	}
	free(fs->table);
	fs->table = table;
	fs->table_size = size;
}

static void table_add(struct mvm_ext4 *fs, struct mvm_ext4_node *node)
{
	struct mvm_ext4_node **slot;

	if (fs->names++ >= fs->table_size)
		grow_table(fs);
	slot = &fs->table[node->hash & (fs->table_size - 1)];
	node->chain = *slot;
	*slot = node;
}

static void table_remove(struct mvm_ext4 *fs, struct mvm_ext4_node *node)
{
	struct mvm_ext4_node **slot = &fs->table[node->hash & (fs->table_size - 1)];

	while (*slot != node)
		slot = &(*slot)->chain;
	*slot = node->chain;
	fs->names--;
}

void mvm_ext4_begin_layer(struct mvm_ext4 *fs)
{
	fs->layer++;
}

struct mvm_ext4_node *mvm_ext4_root(struct mvm_ext4 *fs)
{
	return fs->root;
}

struct mvm_ext4_node *mvm_ext4_parent(const struct mvm_ext4_node *node)
{
	return node->parent;
}

struct mvm_ext4_node *mvm_ext4_lookup(const struct mvm_ext4 *fs, const struct mvm_ext4_node *folder, const char *name,
				      size_t length)
{
	uint32_t hash = hash_name(fs, folder, name, length);
	struct mvm_ext4_node *node = fs->table[hash & (fs->table_size - 1)];

	for (; node; node = node->chain) {
		if (node->hash == hash && node->parent == folder && node->length == length &&
		    memcmp(node->name, name, length) == 0)
			return node;
	}
	return NULL;
}

uint32_t mvm_ext4_type(const struct mvm_ext4_node *node)
{
	return node->inode->mode & TYPE_MASK;
}

const char *mvm_ext4_target(const struct mvm_ext4_node *node)
{
	return node->inode->target;
}

static struct mvm_ext4_node *add_node(struct mvm_ext4 *fs, struct mvm_ext4_node *folder, const char *name,
				      size_t length, struct ext4_inode *inode)
{
	struct mvm_ext4_node *node = mvm_alloc(sizeof(*node) + length + 1);

	node->inode = inode;
	node->parent = folder;
	node->layer = fs->layer;
	node->length = (uint8_t)length;
	memcpy(node->name, name, length);
	node->hash = hash_name(fs, folder, name, length);
	node->previous = folder->inode->last;
	if (node->previous)
		node->previous->next = node;
	else
		folder->inode->first = node;
	folder->inode->last = node;
	inode->links++;
	table_add(fs, node);
	return node;
}

/* A name goes, and with the last one the inode and its blocks. Not for folders that have content. */
static void drop_node(struct mvm_ext4 *fs, struct mvm_ext4_node *node)
{
	struct ext4_inode *folder = node->parent->inode;

	if (node->previous)
		node->previous->next = node->next;
	else
		folder->first = node->next;
	if (node->next)
		node->next->previous = node->previous;
	else
		folder->last = node->previous;
	table_remove(fs, node);
	if (--node->inode->links == 0) {
		ext4_free(fs, &node->inode->extents);
		free_inode(node->inode);
		fs->inodes--;
	}
	free(node);
}

/* The first node of a tree to be seen, children first. A folder that was swept in layer `swept` is seen without what is
 * in it. */
static struct mvm_ext4_node *deepest(struct mvm_ext4_node *node, uint32_t swept)
{
	while (ext4_is(node->inode, TYPE_FOLDER) && node->inode->first && node->inode->swept != swept)
		node = node->inode->first;
	return node;
}

static struct mvm_ext4_node *next_upward(struct mvm_ext4_node *node, const struct mvm_ext4_node *top, uint32_t swept)
{
	if (node == top)
		return NULL;
	return node->next ? deepest(node->next, swept) : node->parent;
}

/* Children first, without recursion: an image may nest folders as deep as names allow. */
static void remove_tree(struct mvm_ext4 *fs, struct mvm_ext4_node *top)
{
	for (struct mvm_ext4_node *node = deepest(top, UINT32_MAX), *next; node; node = next) {
		next = next_upward(node, top, UINT32_MAX);
		drop_node(fs, node);
	}
}

/* A folder is gone through once a layer, however many whiteouts name it or what it is in: what is left in it then is
 * this layer's, and so is what comes later. */
void mvm_ext4_remove_lower(struct mvm_ext4 *fs, struct mvm_ext4_node *top, bool keep)
{
	keep = keep || top == fs->root;
	for (struct mvm_ext4_node *node = deepest(top, fs->layer), *next; node; node = next) {
		bool is_folder = ext4_is(node->inode, TYPE_FOLDER);

		next = next_upward(node, top, fs->layer);
		if ((is_folder && node->inode->first) || (node == top && keep) || node->layer == fs->layer) {
			if (is_folder)
				node->inode->swept = fs->layer;
			continue;
		}
		drop_node(fs, node);
	}
}

static void set_attr(struct ext4_inode *inode, const struct mvm_ext4_attr *attr)
{
	inode->mode = attr->mode;
	inode->uid = attr->uid;
	inode->gid = attr->gid;
	inode->mtime = attr->mtime;
	inode->mtime_nsec = attr->mtime_nsec;
}

void mvm_ext4_set_root(struct mvm_ext4 *fs, const struct mvm_ext4_attr *attr)
{
	set_attr(fs->root->inode, attr);
	ext4_xattrs_free(fs->root->inode);
	fs->root->layer = fs->layer;
}

static int check_attr(const struct mvm_ext4 *fs, const struct mvm_ext4_attr *attr, struct mvm_error **err)
{
	uint32_t type = attr->mode & TYPE_MASK;
	size_t target = type == TYPE_SYMLINK ? strlen(attr->target) : 1;

	if (target == 0 || target > MVM_EXT4_MAX_TARGET)
		return mvm_fail(err, MVM_ERR_INVALID, "a symlink's target has %zu bytes; 1 to %d are possible", target,
				(int)MVM_EXT4_MAX_TARGET);
	if ((type == TYPE_CHAR || type == TYPE_BLOCK) && (attr->major >= 1u << 12 || attr->minor >= 1u << 20))
		return mvm_fail(err, MVM_ERR_INVALID, "device number %u:%u is out of range", attr->major, attr->minor);
	if (fs->inodes + EXT2_FIRST_INODE(fs->lib->super) >= fs->lib->super->s_inodes_count)
		return mvm_fail(err, MVM_ERR_NO_SPACE,
				"the image has more files than the %u that the disk can hold; choose a larger "
				"--disk-size",
				fs->lib->super->s_inodes_count);
	return 0;
}

static struct mvm_ext4_node *make_new(struct mvm_ext4 *fs, struct mvm_ext4_node *folder, const char *name,
				      size_t length, const struct mvm_ext4_attr *attr)
{
	struct ext4_inode *inode = new_inode(fs, attr->mode);
	struct mvm_ext4_node *node = add_node(fs, folder, name, length, inode);
	uint32_t type = attr->mode & TYPE_MASK;

	set_attr(inode, attr);
	if (type == TYPE_FOLDER) {
		inode->self = node;
		inode->swept = fs->layer;
	} else if (type == TYPE_SYMLINK) {
		inode->target = mvm_strdup(attr->target);
		inode->size = strlen(attr->target);
	} else if (type == TYPE_CHAR || type == TYPE_BLOCK) {
		inode->major = attr->major;
		inode->minor = attr->minor;
	}
	return node;
}

int mvm_ext4_make(struct mvm_ext4 *fs, struct mvm_ext4_node *folder, const char *name, size_t length,
		  const struct mvm_ext4_attr *attr, struct mvm_ext4_node **out, struct mvm_error **err)
{
	struct mvm_ext4_node *old = mvm_ext4_lookup(fs, folder, name, length);

	if (check_attr(fs, attr, err) < 0)
		return -1;
	if (old && ext4_is(old->inode, TYPE_FOLDER) && (attr->mode & TYPE_MASK) == TYPE_FOLDER) {
		set_attr(old->inode, attr);
		ext4_xattrs_free(old->inode);
		old->layer = fs->layer;
		*out = old;
		return 0;
	}
	if (old)
		remove_tree(fs, old);
	*out = make_new(fs, folder, name, length, attr);
	return 0;
}

int mvm_ext4_link(struct mvm_ext4 *fs, struct mvm_ext4_node *folder, const char *name, size_t length,
		  struct mvm_ext4_node *target, struct mvm_error **err)
{
	struct mvm_ext4_node *old = mvm_ext4_lookup(fs, folder, name, length);
	struct ext4_inode *inode = target->inode;

	if (old == target) {
		old->layer = fs->layer;
		return 0;
	}
	if (inode->links >= EXT4_MAX_LINKS)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "more than %d hard links to one file", (int)EXT4_MAX_LINKS);
	inode->links++; /* `old` may be a folder that the target is in */
	if (old)
		remove_tree(fs, old);
	add_node(fs, folder, name, length, inode);
	inode->links--;
	return 0;
}
