#include "../unit.h"

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "image/ext4.h"
#include "runtime/base/spawn.h"

#define SMALL (256ULL << 20)

static struct mvm_ext4 *create(const char *folder, const char *name, uint64_t size)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_options options = {.size = size, .uuid = {1, 2, 3}};
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, name);
	struct mvm_ext4 *fs = NULL;

	assert_ok(mvm_ext4_create(path, &options, &fs, &err));
	mvm_ext4_begin_layer(fs);
	return fs;
}

static struct mvm_ext4_node *make(struct mvm_ext4 *fs, struct mvm_ext4_node *folder, const char *name, uint32_t mode)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_attr attr = {.mode = mode, .mtime = 1000, .target = "target"};
	struct mvm_ext4_node *node = NULL;

	assert_ok(mvm_ext4_make(fs, folder ? folder : mvm_ext4_root(fs), name, strlen(name), &attr, &node, &err));
	return node;
}

static struct mvm_ext4_node *make_file(struct mvm_ext4 *fs, struct mvm_ext4_node *folder, const char *name,
				       const char *content)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_node *node = make(fs, folder, name, S_IFREG | 0644);

	assert_ok(mvm_ext4_set_size(fs, node, strlen(content), &err));
	assert_ok(mvm_ext4_write(fs, node, 0, content, strlen(content), &err));
	return node;
}

/* What e2fsck says is shown where it is not content. */
static void run_fsck(const char *path)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *log_path MVM_CLEAN_FREE = mvm_format("%s.fsck", path);
	char *text MVM_CLEAN_FREE = NULL;
	char program[] = "e2fsck", flags[] = "-fn", *argv[] = {program, flags, (char *)path, NULL};
	int log MVM_CLEAN_FD = open(log_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct mvm_spawn_fd fds[] = {{log, 1}, {log, 2}};
	struct mvm_spawn spawn = {.program = program, .argv = argv, .fds = fds, .fd_count = 2};
	size_t length;
	pid_t pid;

	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	assert_ok(mvm_spawn(&spawn, &pid, &err));
	if (wait_for_exit(pid) == 0)
		return;
	assert_ok(mvm_read_file(log_path, 1 << 20, &text, &length, &err));
	fail_msg("%s", text);
}

/* Finishes the image, has it checked and opens it for reading. */
static ext2_filsys finish(struct mvm_ext4 *fs, const char *folder, const char *name)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, name);
	ext2_filsys lib;

	assert_ok(mvm_ext4_finish(fs, &err));
	mvm_ext4_destroy(fs);
	run_fsck(path);
	assert_int_equal(ext2fs_open(path, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &lib), 0);
	return lib;
}

static void close_lib(ext2_filsys lib, const char *folder, const char *name)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, name);

	ext2fs_close(lib);
	unlink(path);
}

/* 0 where the name is not there. */
static ext2_ino_t find(ext2_filsys lib, const char *path, struct ext2_inode_large *inode)
{
	ext2_ino_t number;

	if (ext2fs_namei(lib, EXT2_ROOT_INO, EXT2_ROOT_INO, path, &number) != 0)
		return 0;
	assert_int_equal(ext2fs_read_inode_full(lib, number, (void *)inode, sizeof(*inode)), 0);
	return number;
}

static void read_at(ext2_filsys lib, const char *path, uint64_t offset, void *data, unsigned length)
{
	struct ext2_inode_large inode;
	ext2_ino_t number = find(lib, path, &inode);
	ext2_file_t file;
	unsigned got;

	assert_int_not_equal(number, 0);
	assert_int_equal(ext2fs_file_open(lib, number, 0, &file), 0);
	assert_int_equal(ext2fs_file_llseek(file, offset, EXT2_SEEK_SET, NULL), 0);
	assert_int_equal(ext2fs_file_read(file, data, length, &got), 0);
	assert_int_equal(got, length);
	ext2fs_file_close(file);
}

static void expect_content(ext2_filsys lib, const char *path, const char *content)
{
	struct ext2_inode_large inode;
	char *data MVM_CLEAN_FREE = mvm_alloc(strlen(content) + 1);

	assert_int_not_equal(find(lib, path, &inode), 0);
	assert_int_equal(EXT2_I_SIZE(&inode), strlen(content));
	read_at(lib, path, 0, data, (unsigned)strlen(content));
	assert_string_equal(data, content);
}

static void test_empty(void **state)
{
	static const uint64_t sizes[] = {MVM_EXT4_MIN_SIZE, SMALL, 1ULL << 30, 64ULL << 30, 1ULL << 40};

	for (size_t i = 0; i < MVM_COUNT(sizes); i++) {
		ext2_filsys lib = finish(create(*state, "empty", sizes[i]), *state, "empty");
		struct ext2_inode_large inode;

		assert_int_equal(ext2fs_blocks_count(lib->super), sizes[i] / 4096);
		assert_int_equal(find(lib, "/", &inode), EXT2_ROOT_INO);
		assert_int_equal(inode.i_mode, S_IFDIR | 0755);
		close_lib(lib, *state, "empty");
	}
}

static void test_bad_sizes(void **state)
{
	static const uint64_t sizes[] = {0, MVM_EXT4_MIN_SIZE - 4096, MVM_EXT4_MIN_SIZE + 1, MVM_EXT4_MAX_SIZE + 4096};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4 *fs;

	for (size_t i = 0; i < MVM_COUNT(sizes); i++) {
		struct mvm_ext4_options options = {.size = sizes[i]};

		assert_error(mvm_ext4_create("/nowhere/disk", &options, &fs, &err), MVM_ERR_INVALID, "not possible");
	}
}

/* The file must be new: what is in another's place is never written over. */
static void test_existing_file(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_options options = {.size = SMALL};
	char *path MVM_CLEAN_FREE = mvm_format("%s/there", (char *)*state);
	struct mvm_ext4 *fs;

	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_error(mvm_ext4_create(path, &options, &fs, &err), MVM_ERR_EXISTS, path);
}

static void fill_some(struct mvm_ext4 *fs)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_node *folder = make(fs, NULL, "folder", S_IFDIR | 0711), *file, *old;
	char *large MVM_CLEAN_FREE = mvm_alloc(3000000);

	memset(large, 'L', 3000000);
	old = make_file(fs, folder, "old", "goes again");
	assert_ok(mvm_ext4_write(fs, old, 0, large, 3000000, &err));
	file = make_file(fs, folder, "file", "content");
	make_file(fs, folder, "empty", "");
	make(fs, folder, "link", S_IFLNK | 0777);
	make(fs, folder, "fifo", S_IFIFO | 0600);
	assert_ok(mvm_ext4_link(fs, folder, "hard", 4, file, &err));
	assert_ok(mvm_ext4_set_xattr(fs, file, "user.a", "1", 1, &err));
	assert_ok(mvm_ext4_set_xattr(fs, file, "user.b", large, 2000, &err));
	make_file(fs, folder, "old", "new");
}

static void test_small_tree(void **state)
{
	struct mvm_ext4 *fs = create(*state, "tree", SMALL);
	struct ext2_inode_large inode, twin;
	ext2_filsys lib;
	char *path MVM_CLEAN_FREE = mvm_format("%s/tree", (char *)*state);
	struct stat st;

	fill_some(fs);
	lib = finish(fs, *state, "tree");
	expect_content(lib, "/folder/file", "content");
	expect_content(lib, "/folder/old", "new");
	expect_content(lib, "/folder/empty", "");
	assert_int_equal(find(lib, "/folder/file", &inode), find(lib, "/folder/hard", &twin));
	assert_int_equal(inode.i_links_count, 2);
	find(lib, "/folder", &inode);
	assert_int_equal(inode.i_mode, S_IFDIR | 0711);
	assert_int_equal(inode.i_mtime, 1000);
	/* The blocks of the file that was replaced are holes again. */
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_blocks * 512 < 2000000);
	close_lib(lib, *state, "tree");
}

/* Nothing in the image comes from the clock or from chance. */
static void test_same_bytes(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *data[2];
	size_t length = 0;

	for (int i = 0; i < 2; i++) {
		char *path MVM_CLEAN_FREE = mvm_format("%s/same", (char *)*state);
		struct mvm_ext4 *fs = create(*state, "same", MVM_EXT4_MIN_SIZE);

		fill_some(fs);
		for (int j = 0; j < 300; j++) {
			char name[300];

			snprintf(name, sizeof(name), "%0250d", j);
			make(fs, NULL, name, S_IFREG);
		}
		ext2fs_close(finish(fs, *state, "same"));
		assert_ok(mvm_read_file(path, MVM_EXT4_MIN_SIZE, &data[i], &length, &err));
		unlink(path);
	}
	assert_int_equal(length, MVM_EXT4_MIN_SIZE);
	assert_int_equal(memcmp(data[0], data[1], length), 0);
	free(data[0]);
	free(data[1]);
}

/* Deep enough for a second level of the hashed tree, and growing past one group of inodes. */
static void test_large_folder(void **state)
{
	enum { COUNT = 50000 };
	struct mvm_ext4 *fs = create(*state, "large", 1ULL << 30);
	struct mvm_ext4_node *folder = make(fs, NULL, "folder", S_IFDIR | 0755);
	struct ext2_inode_large inode;
	ext2_filsys lib;
	char name[256];

	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "%d-%060d", i, i);
		make(fs, folder, name, i % 10 == 0 ? S_IFDIR | 0755 : S_IFREG | 0644);
	}
	lib = finish(fs, *state, "large");
	assert_int_not_equal(find(lib, "/folder", &inode), 0);
	assert_true(inode.i_flags & EXT2_INDEX_FL);
	assert_true(inode.i_size > 508 * 4096); /* more leaves than a root has room for */
	assert_int_equal(inode.i_links_count, 2 + COUNT / 10);
	for (int i = 0; i < COUNT; i += 7777) {
		snprintf(name, sizeof(name), "/folder/%d-%060d", i, i);
		assert_int_not_equal(find(lib, name, &inode), 0);
	}
	close_lib(lib, *state, "large");
}

/* Sizes of folders around the end of the first block, with the names that leave least and most room. */
static void test_folder_sizes(void **state)
{
	static const int lengths[] = {4, 5, 255};
	struct mvm_ext4 *fs = create(*state, "sizes", SMALL);
	struct ext2_inode_large inode;
	ext2_filsys lib;

	for (size_t i = 0; i < MVM_COUNT(lengths); i++) {
		int most = 4060 / ((8 + lengths[i] + 3) & ~3);

		for (int count = most - 2; count <= most + 3; count++) {
			char *name MVM_CLEAN_FREE = mvm_format("%d-%d", lengths[i], count);
			struct mvm_ext4_node *folder = make(fs, NULL, name, S_IFDIR | 0755);

			for (int j = 0; j < count; j++) {
				char *entry MVM_CLEAN_FREE = mvm_format("%0*d", lengths[i], j);

				make(fs, folder, entry, S_IFREG);
			}
		}
	}
	lib = finish(fs, *state, "sizes");
	find(lib, "/255-13", &inode);
	assert_int_equal(inode.i_size, 4096);
	find(lib, "/255-18", &inode);
	assert_int_equal(inode.i_size, 3 * 4096);
	close_lib(lib, *state, "sizes");
}

/* More pieces than an inode, then a block of extents, then a level of blocks holds. */
static void test_many_extents(void **state)
{
	static const unsigned counts[] = {4, 5, 340, 341, 2000};
	struct mvm_ext4 *fs = create(*state, "extents", SMALL);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	ext2_filsys lib;
	char name[32];

	for (size_t i = 0; i < MVM_COUNT(counts); i++) {
		snprintf(name, sizeof(name), "f%u", counts[i]);
		struct mvm_ext4_node *node = make(fs, NULL, name, S_IFREG | 0644);

		for (unsigned j = 0; j < counts[i]; j++)
			assert_ok(mvm_ext4_write(fs, node, j * 12288ULL + 5, &j, sizeof(j), &err));
		assert_ok(mvm_ext4_set_size(fs, node, counts[i] * 12288ULL, &err));
	}
	lib = finish(fs, *state, "extents");
	for (size_t i = 0; i < MVM_COUNT(counts); i++) {
		snprintf(name, sizeof(name), "/f%u", counts[i]);
		for (unsigned j = 0; j < counts[i]; j += 3) {
			unsigned char data[16];
			unsigned value;

			read_at(lib, name, j * 12288ULL, data, sizeof(data));
			memcpy(&value, data + 5, sizeof(value));
			assert_int_equal(value, j);
			assert_int_equal(data[4] + data[9], 0);
		}
	}
	close_lib(lib, *state, "extents");
}

/* A file that crosses the tables of several groups, in pieces of odd sizes. */
static void test_large_file(void **state)
{
	enum { SIZE = 200 << 20 };
	struct mvm_ext4 *fs = create(*state, "file", 1ULL << 30);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_node *node = make(fs, NULL, "large", S_IFREG | 0644);
	uint32_t *data MVM_CLEAN_FREE = mvm_alloc(SIZE);
	uint32_t *again MVM_CLEAN_FREE = mvm_alloc(SIZE);
	size_t at = 0, step = 1;
	ext2_filsys lib;

	for (uint32_t i = 0; i < SIZE / 4; i++)
		data[i] = i * 2654435761u;
	for (; at < SIZE; at += step, step = step * 3 % 299993 + 1)
		assert_ok(mvm_ext4_write(fs, node, at, (char *)data + at, SIZE - at < step ? SIZE - at : step, &err));
	assert_ok(mvm_ext4_set_size(fs, node, SIZE, &err));
	lib = finish(fs, *state, "file");
	read_at(lib, "/large", 0, again, SIZE);
	assert_int_equal(memcmp(data, again, SIZE), 0);
	close_lib(lib, *state, "file");
}

static int64_t decoded(uint32_t base, uint32_t extra)
{
	return (int64_t)(int32_t)base + ((int64_t)(extra & 3) << 32);
}

static void test_times_and_owners(void **state)
{
	static const int64_t times[][2] = {
		{0, 0},
		{-1, -1},
		{INT32_MIN, INT32_MIN},
		{INT32_MAX, INT32_MAX},
		{1LL << 31, 1LL << 31},
		{1LL << 32, 1LL << 32},
		{15032385535, 15032385535},
		{15032385536, 15032385535},
		{INT64_MAX, 15032385535},
		{INT32_MIN - 1LL, INT32_MIN},
		{INT64_MIN, INT32_MIN},
	};
	struct mvm_ext4 *fs = create(*state, "times", SMALL);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct ext2_inode_large inode;
	ext2_filsys lib;
	char name[16];

	for (size_t i = 0; i < MVM_COUNT(times); i++) {
		struct mvm_ext4_attr attr = {.mode = S_IFREG | 07777,
					     .uid = 0xfffefffd,
					     .gid = 0x12345678,
					     .mtime = times[i][0],
					     .mtime_nsec = 999999999};
		struct mvm_ext4_node *node;

		snprintf(name, sizeof(name), "t%zu", i);
		assert_ok(mvm_ext4_make(fs, mvm_ext4_root(fs), name, strlen(name), &attr, &node, &err));
	}
	lib = finish(fs, *state, "times");
	for (size_t i = 0; i < MVM_COUNT(times); i++) {
		snprintf(name, sizeof(name), "/t%zu", i);
		assert_int_not_equal(find(lib, name, &inode), 0);
		assert_int_equal(decoded(inode.i_mtime, inode.i_mtime_extra), times[i][1]);
		assert_int_equal(inode.i_mtime_extra >> 2, times[i][0] == times[i][1] ? 999999999 : 0);
		assert_int_equal(inode.i_uid | (uint32_t)inode.osd2.linux2.l_i_uid_high << 16, 0xfffefffd);
		assert_int_equal(inode.i_gid | (uint32_t)inode.osd2.linux2.l_i_gid_high << 16, 0x12345678);
		assert_int_equal(inode.i_mode, S_IFREG | 07777);
	}
	close_lib(lib, *state, "times");
}

static void test_xattrs(void **state)
{
	struct mvm_ext4 *fs = create(*state, "xattrs", SMALL);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_node *node = make(fs, NULL, "f", S_IFREG | 0644);
	struct ext2_xattr_handle *handle;
	struct ext2_inode_large inode;
	char value[5000];
	void *found;
	size_t length;
	ext2_filsys lib;

	memset(value, 'v', sizeof(value));
	assert_ok(mvm_ext4_set_xattr(fs, node, "user.replaced", "old", 3, &err));
	assert_ok(mvm_ext4_set_xattr(fs, node, "user.replaced", value, 3000, &err));
	assert_ok(mvm_ext4_set_xattr(fs, node, "security.capability", "0123456789abcdef0123", 20, &err));
	assert_ok(mvm_ext4_set_xattr(fs, node, "trusted.empty", "", 0, &err));
	assert_int_equal(mvm_ext4_set_xattr(fs, node, "com.apple.quarantine", "x", 1, &err), 1);
	assert_int_equal(mvm_ext4_set_xattr(fs, node, "system.nfs4_acl", "x", 1, &err), 1);
	lib = finish(fs, *state, "xattrs");
	assert_int_equal(ext2fs_xattrs_open(lib, find(lib, "/f", &inode), &handle), 0);
	assert_int_equal(ext2fs_xattrs_read(handle), 0);
	assert_int_equal(ext2fs_xattrs_count(handle, &length), 0);
	assert_int_equal(length, 3);
	assert_int_equal(ext2fs_xattr_get(handle, "user.replaced", &found, &length), 0);
	assert_int_equal(length, 3000);
	assert_memory_equal(found, value, 3000);
	ext2fs_free_mem(&found);
	ext2fs_xattrs_close(&handle);
	close_lib(lib, *state, "xattrs");
}

static void test_xattrs_refused(void **state)
{
	struct mvm_ext4 *fs = create(*state, "refused", SMALL);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_node *node = make(fs, NULL, "f", S_IFREG | 0644);
	char value[5000] = {0}, name[300];

	assert_error(mvm_ext4_set_xattr(fs, node, "user.a", value, 4097, &err), MVM_ERR_UNSUPPORTED, "no room");
	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[261] = '\0';
	assert_error(mvm_ext4_set_xattr(fs, node, name, "", 0, &err), MVM_ERR_UNSUPPORTED, "no room");
	assert_error(mvm_ext4_set_xattr(fs, node, "system.posix_acl_access", "\1\0\0\0", 4, &err), MVM_ERR_INVALID,
		     "malformed");
	assert_error(mvm_ext4_set_xattr(fs, node, "system.posix_acl_access", "\2\0\0\0abc", 7, &err), MVM_ERR_INVALID,
		     "malformed");
	assert_ok(mvm_ext4_set_xattr(fs, node, "user.b", value, 3000, &err));
	assert_error(mvm_ext4_set_xattr(fs, node, "user.c", value, 3000, &err), MVM_ERR_UNSUPPORTED, "take more");
	mvm_ext4_destroy(fs);
}

static bool there(struct mvm_ext4 *fs, struct mvm_ext4_node *folder, const char *name)
{
	return mvm_ext4_lookup(fs, folder ? folder : mvm_ext4_root(fs), name, strlen(name)) != NULL;
}

static void test_remove_lower(void **state)
{
	struct mvm_ext4 *fs = create(*state, "lower", SMALL);
	struct mvm_ext4_node *folder = make(fs, NULL, "folder", S_IFDIR | 0755), *inner, *other;

	inner = make(fs, folder, "inner", S_IFDIR | 0755);
	make_file(fs, inner, "low", "1");
	make_file(fs, folder, "low", "1");
	other = make(fs, NULL, "other", S_IFDIR | 0755);
	make_file(fs, other, "low", "1");
	mvm_ext4_begin_layer(fs);
	make_file(fs, inner, "high", "2");
	mvm_ext4_remove_lower(fs, folder, false);
	assert_true(there(fs, NULL, "folder")); /* for what the layer has put below it */
	assert_true(there(fs, inner, "high"));
	assert_false(there(fs, inner, "low"));
	assert_false(there(fs, folder, "low"));
	mvm_ext4_remove_lower(fs, other, true);
	assert_true(there(fs, NULL, "other"));
	assert_false(there(fs, other, "low"));
	mvm_ext4_remove_lower(fs, other, false);
	assert_false(there(fs, NULL, "other"));
	mvm_ext4_begin_layer(fs);
	mvm_ext4_remove_lower(fs, mvm_ext4_root(fs), true);
	assert_false(there(fs, NULL, "folder"));
	close_lib(finish(fs, *state, "lower"), *state, "lower");
}

/* A link's target may be inside the very folder that the link replaces. */
static void test_link_replaces_its_folder(void **state)
{
	struct mvm_ext4 *fs = create(*state, "link", SMALL);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_node *folder = make(fs, NULL, "folder", S_IFDIR | 0755);
	struct mvm_ext4_node *file = make_file(fs, folder, "file", "kept");
	ext2_filsys lib;

	assert_ok(mvm_ext4_link(fs, mvm_ext4_root(fs), "folder", 6, file, &err));
	lib = finish(fs, *state, "link");
	expect_content(lib, "/folder", "kept");
	close_lib(lib, *state, "link");
}

static void test_link_limit(void **state)
{
	struct mvm_ext4 *fs = create(*state, "links", SMALL);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_node *file = make_file(fs, NULL, "file", "x");
	char name[16];

	for (int i = 1; i < 65000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		assert_ok(mvm_ext4_link(fs, mvm_ext4_root(fs), name, strlen(name), file, &err));
	}
	assert_error(mvm_ext4_link(fs, mvm_ext4_root(fs), "last", 4, file, &err), MVM_ERR_UNSUPPORTED, "65000");
	close_lib(finish(fs, *state, "links"), *state, "links");
}

static void test_full(void **state)
{
	struct mvm_ext4 *fs = create(*state, "full", MVM_EXT4_MIN_SIZE);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_node *file = make(fs, NULL, "file", S_IFREG), *node;
	struct mvm_ext4_attr attr = {.mode = S_IFREG};
	char *data MVM_CLEAN_FREE = mvm_alloc(1 << 20);
	char name[16];
	int status = 0, files;

	for (uint64_t at = 0; status == 0 && at < MVM_EXT4_MIN_SIZE; at += 1 << 20)
		status = mvm_ext4_write(fs, file, at, data, 1 << 20, &err);
	assert_error(status, MVM_ERR_NO_SPACE, "does not fit into a disk of 128 MiB");
	for (files = 0, status = 0; status == 0 && files < 100000; files++) {
		snprintf(name, sizeof(name), "%d", files);
		status = mvm_ext4_make(fs, mvm_ext4_root(fs), name, strlen(name), &attr, &node, &err);
	}
	assert_error(status, MVM_ERR_NO_SPACE, "more files than");
	assert_in_range(files, 8000, 8192);
	mvm_ext4_destroy(fs);
}

static void test_attributes_refused(void **state)
{
	struct mvm_ext4 *fs = create(*state, "attributes", SMALL);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_node *node, *root = mvm_ext4_root(fs), *file = make(fs, NULL, "f", S_IFREG);
	char target[4097];

	memset(target, 't', 4096);
	target[4096] = '\0';
	assert_error(mvm_ext4_make(fs, root, "a", 1, &(struct mvm_ext4_attr){.mode = S_IFLNK, .target = target}, &node,
				   &err),
		     MVM_ERR_INVALID, "4096 bytes");
	assert_error(
		mvm_ext4_make(fs, root, "a", 1, &(struct mvm_ext4_attr){.mode = S_IFLNK, .target = ""}, &node, &err),
		MVM_ERR_INVALID, "0 bytes");
	assert_error(
		mvm_ext4_make(fs, root, "a", 1, &(struct mvm_ext4_attr){.mode = S_IFCHR, .major = 4096}, &node, &err),
		MVM_ERR_INVALID, "4096:0");
	assert_error(mvm_ext4_make(fs, root, "a", 1, &(struct mvm_ext4_attr){.mode = S_IFBLK, .minor = 1 << 20}, &node,
				   &err),
		     MVM_ERR_INVALID, "0:1048576");
	assert_error(mvm_ext4_set_size(fs, file, 1ULL << 44, &err), MVM_ERR_UNSUPPORTED, "17592186044416 bytes");
	assert_error(mvm_ext4_write(fs, file, 1ULL << 44, "x", 1, &err), MVM_ERR_UNSUPPORTED, "more than ext4");
	assert_error(mvm_ext4_write(fs, file, UINT64_MAX, "x", 1, &err), MVM_ERR_UNSUPPORTED, "more than ext4");
	mvm_ext4_destroy(fs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_bad_sizes),
		cmocka_unit_test(test_existing_file),
		cmocka_unit_test(test_small_tree),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_large_folder),
		cmocka_unit_test(test_folder_sizes),
		cmocka_unit_test(test_many_extents),
		cmocka_unit_test(test_large_file),
		cmocka_unit_test(test_times_and_owners),
		cmocka_unit_test(test_xattrs),
		cmocka_unit_test(test_xattrs_refused),
		cmocka_unit_test(test_remove_lower),
		cmocka_unit_test(test_link_replaces_its_folder),
		cmocka_unit_test(test_link_limit),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_attributes_refused),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
