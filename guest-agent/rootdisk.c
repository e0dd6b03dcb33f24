#include "rootdisk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "failure.h"
#include "machine.h"
#include "guest-agent/proto/message.h"
#include "sys.h"

/* What of an ext4 superblock is needed to see its size: fs/ext4/ext4.h, struct ext4_super_block. */
enum {
	SUPERBLOCK = 1024,
	SB_BLOCKS_LO = 0x04,
	SB_LOG_BLOCK_SIZE = 0x18,
	SB_MAGIC = 0x38,
	SB_INCOMPAT = 0x60,
	SB_BLOCKS_HI = 0x150,
	INCOMPAT_64BIT = 0x80,
	MAGIC = 0xef53,
};

static bool mounted;

/*
 * noatime: with relatime the first run of every program would write its inode, which
 * makes each clone of the image's disk larger and each start slower, for a time
 * stamp that next to nothing reads.
 * noinit_itable: the kernel would zero the inode tables in the background, gigabytes on
 * a disk of 64 GiB, and the sparse clone would hold every one of these zeros.
 * discard: what is deleted goes back to the host with the journal's next commit, where neighbours have become one; it
 * costs nothing that could be measured. Without a journal each extent would be told by itself, and deleting ten
 * thousand files takes ten seconds longer: a scratch disk gives all of it back at its end. noload, on a scratch disk:
 * no journal, which is for crashes that somebody comes back from. block_validity, there: a map of the metadata to catch
 * a damaged extent tree, which a clone of an image that was verified when it was written does not have.
 */
static int mount_root(const struct mvm_proto_machine *order)
{
	const char *options = NULL;

	if (strcmp(order->root_type, "ext4") == 0)
		options = order->root_scratch ? "noinit_itable,errors=remount-ro,noload,noblock_validity"
					      : "noinit_itable,errors=remount-ro,discard";
	return mount(order->root_device, MACHINE_ROOT, order->root_type, MS_NOATIME, options);
}

static uint32_t load32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* In blocks; the kernel has just checked this superblock by mounting it. */
static int read_size(int device, uint64_t *blocks, uint64_t *block_size)
{
	uint8_t block[SUPERBLOCK];

	if (pread(device, block, sizeof(block), SUPERBLOCK) != sizeof(block))
		return -1;
	if ((block[SB_MAGIC] | block[SB_MAGIC + 1] << 8) != MAGIC || load32(block + SB_LOG_BLOCK_SIZE) > 6) {
		errno = EINVAL;
		return -1;
	}
	*block_size = 1024ull << load32(block + SB_LOG_BLOCK_SIZE);
	*blocks = load32(block + SB_BLOCKS_LO);
	if (load32(block + SB_INCOMPAT) & INCOMPAT_64BIT)
		*blocks |= (uint64_t)load32(block + SB_BLOCKS_HI) << 32;
	return 0;
}

static int resize(uint64_t blocks)
{
	int folder = open(MACHINE_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = folder < 0 ? -1 : ioctl(folder, (int)EXT4_IOC_RESIZE_FS, &blocks);

	if (folder >= 0)
		close(folder);
	return rc;
}

/* A disk may be larger than its image's was made: --disk-size. */
static int grow(const char *path, struct failure *failure)
{
	int device = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t size = 0, blocks = 0, block_size = 1;
	int rc;

	if (device < 0)
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot open %s", path);
	rc = ioctl(device, (int)BLKGETSIZE64, &size) || read_size(device, &blocks, &block_size) ? -1 : 0;
	if (rc == 0 && size / block_size > blocks)
		rc = resize(size / block_size);
	if (rc)
		failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot grow the root file system to %llu bytes",
				  (unsigned long long)size);
	close(device);
	return rc;
}

int rootdisk_mount(const struct mvm_proto_machine *order, struct failure *failure)
{
	if (mounted)
		return 0;
	if (mount_root(order))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot mount the root disk %s as %s",
					 order->root_device, order->root_type);
	if (strcmp(order->root_type, "ext4") == 0 && grow(order->root_device, failure)) {
		umount2(MACHINE_ROOT, 0);
		return -1;
	}
	mounted = true;
	return 0;
}

/* Read-only instead of unmounted: that is complete when the call returns, also while a dead container's name space
 * still holds the file system. Everything is on the disk then, with the flush that ext4 ends it with. */
int rootdisk_clean(struct failure *failure)
{
	if (!mounted || mount(NULL, MACHINE_ROOT, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0)
		return 0;
	failure_set_errno(failure, MVM_PROTO_MOUNT, "the root disk cannot be made clean");
	sync();
	return -1;
}
