/*
 * Layers into a disk: the input is one tar archive behind the other, each a layer. What is taken is finished, and
 * libext2fs must find it whole.
 */
#include "fuzz.h"

#include <ext2fs/ext2fs.h>
#include <unistd.h>

#include "image/layer_internal.h"
#include "image/tar_internal.h"
#include "runtime/base/mem.h"

static const char *disk_path(void)
{
	static char path[64];

	if (!*path)
		snprintf(path, sizeof(path), "%s/mvm-fuzz-%ld.ext4", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm",
			 (long)getpid());
	return path;
}

/* The length of the first archive: up to and with its zero blocks, two or more in a row. */
static size_t archive_length(const uint8_t *data, size_t size)
{
	static const uint8_t zero[2 * TAR_BLOCK];

	size_t at = 0;

	while (at + sizeof(zero) <= size && memcmp(data + at, zero, sizeof(zero)) != 0)
		at += TAR_BLOCK;
	if (at + sizeof(zero) > size)
		return size;
	while (at + TAR_BLOCK <= size && memcmp(data + at, zero, TAR_BLOCK) == 0)
		at += TAR_BLOCK;
	return at;
}

static int apply(struct mvm_ext4 *fs, struct mvm_budget *budget, const uint8_t *data, size_t size)
{
	struct layer_target target = {.fs = fs, .budget = budget};
	struct mvm_tar *tar = mvm_tar_create(&layer_ops, &target);
	int status;

	mvm_ext4_begin_layer(fs);
	status = layer_feed(&target, tar, data, size, NULL);
	if (status == 0)
		status = mvm_tar_finish(tar, NULL);
	mvm_tar_destroy(tar);
	free(target.name);
	return status;
}

static int count_name(ext2_ino_t dir, int entry, struct ext2_dir_entry *dirent, int offset, int block_size, char *block,
		      void *arg)
{
	fuzz_check(dirent->inode && ext2fs_dirent_name_len(dirent) > 0);
	++*(size_t *)arg;
	return 0;
}

/* Every inode in use has a good check sum, every folder can be read. */
static void check_disk(void)
{
	struct ext2_inode_large inode;
	ext2_inode_scan scan;
	ext2_ino_t number;
	ext2_filsys fs;

	fuzz_check(ext2fs_open(disk_path(), EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs) == 0);
	fuzz_check(ext2fs_read_bitmaps(fs) == 0);
	fuzz_check(ext2fs_open_inode_scan(fs, 0, &scan) == 0);
	while (ext2fs_get_next_inode_full(scan, &number, (void *)&inode, sizeof(inode)) == 0 && number) {
		size_t names = 0;

		if (!ext2fs_test_inode_bitmap2(fs->inode_map, number) || !LINUX_S_ISDIR(inode.i_mode))
			continue;
		fuzz_check(ext2fs_dir_iterate2(fs, number, 0, NULL, count_name, &names) == 0);
		fuzz_check(names >= 2);
	}
	ext2fs_close_inode_scan(scan);
	ext2fs_close_free(&fs);
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct mvm_ext4_options options = {.size = MVM_EXT4_MIN_SIZE};
	struct mvm_budget budget = {.max_size = 16 << 20, .max_entries = 5000};
	struct mvm_ext4 *fs;
	int status = 0;

	unlink(disk_path());
	fuzz_check(mvm_ext4_create(disk_path(), &options, &fs, NULL) == 0);
	while (status == 0 && size) {
		size_t length = archive_length(data, size);

		status = apply(fs, &budget, data, length);
		data += length;
		size -= length;
	}
	if (status == 0)
		status = mvm_ext4_finish(fs, NULL);
	mvm_ext4_destroy(fs);
	if (status == 0)
		check_disk();
	unlink(disk_path());
	return status == 0;
}
