/*
 * Blocks: allocation by walking forward, and writes that are as long as they can be. They go past the system's cache
 * where the file system lets them: half of what writing costs is the copy there, pages for it must be found, which is
 * what a busy host lacks, and of a disk's content a container reads little.
 *
 * Blocks that are freed again (a later layer replaced or removed the file) are not used a second time; they
 * go back to the bitmap and become holes at the end, so that the image is as small as its content.
 */
#include "ext4_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

enum { BUFFER_SIZE = 1024 * 1024 };

void ext4_extents_add(struct ext4_extents *extents, struct ext4_extent extent)
{
	uint32_t count = extents->count;

	if ((count & (count - 1)) == 0) /* full at each power of two */
		extents->items = mvm_realloc(extents->items, count ? (size_t)count * 2 : 1, sizeof(*extents->items));
	extents->items[extents->count++] = extent;
}

void ext4_settle(struct mvm_ext4 *fs)
{
	if (fs->run > fs->settled)
		ext2fs_block_alloc_stats_range(fs->lib, fs->settled, (blk_t)(fs->run - fs->settled), +1);
	fs->settled = fs->run;
}

/* Finds the next free blocks behind the present run. */
static int next_run(struct mvm_ext4 *fs, struct mvm_error **err)
{
	blk64_t first, end, last = fs->blocks - 1;

	ext4_settle(fs);
	if (fs->run_end >= fs->blocks ||
	    ext2fs_find_first_zero_block_bitmap2(fs->lib->block_map, fs->run_end, last, &first) != 0)
		return mvm_fail(err, MVM_ERR_NO_SPACE,
				"the image does not fit into a disk of %llu MiB; choose a larger --disk-size",
				(unsigned long long)(fs->blocks * EXT4_BLOCK >> 20));
	if (ext2fs_find_first_set_block_bitmap2(fs->lib->block_map, first, last, &end) != 0)
		end = fs->blocks;
	fs->run = fs->settled = first;
	fs->run_end = end;
	return 0;
}

int ext4_allocate(struct mvm_ext4 *fs, uint32_t want, uint64_t *first, uint32_t *count, struct mvm_error **err)
{
	if (fs->run == fs->run_end && next_run(fs, err) < 0)
		return -1;
	if (want > fs->run_end - fs->run)
		want = (uint32_t)(fs->run_end - fs->run);
	*first = fs->run;
	*count = want;
	fs->run += want;
	return 0;
}

/* Whether blocks from the present run would continue the last extent, and how many it can take. */
static uint32_t room_behind(const struct mvm_ext4 *fs, const struct ext4_extents *extents, uint32_t logical)
{
	const struct ext4_extent *last;

	if (!extents->count)
		return 0;
	last = &extents->items[extents->count - 1];
	if (last->logical + last->count != logical || last->physical + last->count != fs->run || fs->run == fs->run_end)
		return 0;
	return EXT4_MAX_EXTENT - last->count;
}

/* As many of the blocks as are free in a row. */
static int extend_once(struct mvm_ext4 *fs, struct ext4_extents *extents, uint32_t logical, uint64_t want,
		       uint32_t *got, struct mvm_error **err)
{
	uint32_t room = room_behind(fs, extents, logical);
	uint32_t most = room ? room : EXT4_MAX_EXTENT;
	uint64_t physical;

	if (ext4_allocate(fs, want < most ? (uint32_t)want : most, &physical, got, err) < 0)
		return -1;
	if (room)
		extents->items[extents->count - 1].count += *got;
	else
		ext4_extents_add(extents,
				 (struct ext4_extent){.physical = physical, .logical = logical, .count = *got});
	return 0;
}

int ext4_extend(struct mvm_ext4 *fs, struct ext4_extents *extents, uint32_t logical, uint32_t count,
		struct mvm_error **err)
{
	for (uint32_t got; count; logical += got, count -= got) {
		if (extend_once(fs, extents, logical, count, &got, err) < 0)
			return -1;
	}
	return 0;
}

void ext4_free(struct mvm_ext4 *fs, struct ext4_extents *extents)
{
	if (extents->count)
		ext4_settle(fs);
	for (uint32_t i = 0; i < extents->count; i++) {
		ext2fs_block_alloc_stats_range(fs->lib, extents->items[i].physical, extents->items[i].count, -1);
		ext4_extents_add(&fs->freed, extents->items[i]);
	}
	free(extents->items);
	*extents = (struct ext4_extents){0};
}

int ext4_output_open(struct mvm_ext4 *fs, struct mvm_error **err)
{
	struct ext4_output *out = &fs->out;

	out->fd = open(fs->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out->fd < 0)
		return mvm_fail_errno(err, errno, "cannot make %s", fs->path);
	out->uncached = mvm_set_uncached(out->fd, true) == 0;
	if (posix_memalign((void **)&out->buffer, EXT4_BLOCK, BUFFER_SIZE))
		abort(); /* out of memory */
	return 0;
}

/* Some file systems take back at the first write what they have promised. */
static bool go_through_cache(struct ext4_output *out)
{
	if (errno != EINVAL || !out->uncached)
		return false;
	out->uncached = false;
	return mvm_set_uncached(out->fd, false) == 0;
}

/* Whole blocks, aligned. */
static int write_out(struct mvm_ext4 *fs, const void *data, size_t length, uint64_t offset, struct mvm_error **err)
{
	struct ext4_output *out = &fs->out;

	while (mvm_pwrite_full(out->fd, data, length, (off_t)offset) < 0)
		if (!go_through_cache(out))
			return mvm_fail_errno(err, errno, "cannot write %s", fs->path);
	if (!out->uncached)
		mvm_write_back(out->fd, length, &out->unwritten);
	return 0;
}

/* The rest of a file's last block is zero. */
int ext4_flush(struct mvm_ext4 *fs, struct mvm_error **err)
{
	struct ext4_output *out = &fs->out;
	size_t rest = -out->used % EXT4_BLOCK, length = out->used + rest;

	memset(out->buffer + out->used, 0, rest);
	out->used = 0;
	return length ? write_out(fs, out->buffer, length, out->offset, err) : 0;
}

/* Makes the buffer end at `offset`: where that lies in the block being filled or the next one, the zero bytes between
 * join the two, else the buffer begins anew. It has room then. */
static int seek(struct mvm_ext4 *fs, uint64_t offset, struct mvm_error **err)
{
	struct ext4_output *out = &fs->out;
	uint64_t end = out->offset + out->used;

	if (!out->used || offset < end || offset - end >= EXT4_BLOCK || offset - out->offset >= BUFFER_SIZE) {
		if (ext4_flush(fs, err) < 0)
			return -1;
		out->offset = offset - offset % EXT4_BLOCK;
		end = out->offset;
	}
	memset(out->buffer + (end - out->offset), 0, (size_t)(offset - end));
	out->used = (size_t)(offset - out->offset);
	return 0;
}

int ext4_put(struct mvm_ext4 *fs, uint64_t offset, const void *data, size_t length, struct mvm_error **err)
{
	struct ext4_output *out = &fs->out;
	const char *from = data;

	while (length) {
		size_t count;

		if (seek(fs, offset, err) < 0)
			return -1;
		count = BUFFER_SIZE - out->used;
		if (count > length)
			count = length;
		memcpy(out->buffer + out->used, from, count);
		out->used += count;
		offset += count;
		from += count;
		length -= count;
	}
	return 0;
}

int ext4_put_blocks(struct mvm_ext4 *fs, const struct ext4_extents *extents, const void *data, struct mvm_error **err)
{
	for (uint32_t i = 0; i < extents->count; i++) {
		const struct ext4_extent *extent = &extents->items[i];
		const char *from = (const char *)data + (size_t)extent->logical * EXT4_BLOCK;

		if (ext4_put(fs, extent->physical * EXT4_BLOCK, from, (size_t)extent->count * EXT4_BLOCK, err) < 0)
			return -1;
	}
	return 0;
}

static bool write_allowed(uint64_t offset, size_t length)
{
	const uint64_t most = (uint64_t)(UINT32_MAX - 1) * EXT4_BLOCK;

	return offset <= most && length <= most - offset;
}

int mvm_ext4_set_size(struct mvm_ext4 *fs, struct mvm_ext4_node *node, uint64_t size, struct mvm_error **err)
{
	if (!write_allowed(size, 0))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "a file of %llu bytes is more than ext4 can hold",
				(unsigned long long)size);
	node->inode->size = size;
	return 0;
}

/* The last extent, once it covers the block at `offset`. The caller fills it before it asks for more. */
static int cover(struct mvm_ext4 *fs, struct ext4_extents *extents, uint64_t offset, size_t length,
		 const struct ext4_extent **extent, struct mvm_error **err)
{
	const struct ext4_extent *last = extents->count ? &extents->items[extents->count - 1] : NULL;
	uint32_t logical = (uint32_t)(offset / EXT4_BLOCK), got;
	uint64_t want = (offset % EXT4_BLOCK + length + EXT4_BLOCK - 1) / EXT4_BLOCK;

	if ((!last || logical >= last->logical + last->count) && extend_once(fs, extents, logical, want, &got, err) < 0)
		return -1;
	*extent = &extents->items[extents->count - 1];
	return 0;
}

int mvm_ext4_write(struct mvm_ext4 *fs, struct mvm_ext4_node *node, uint64_t offset, const void *data, size_t length,
		   struct mvm_error **err)
{
	const char *from = data;

	if (!write_allowed(offset, length))
		return mvm_ext4_set_size(fs, node, UINT64_MAX, err);
	while (length) {
		const struct ext4_extent *extent;
		uint64_t start, end;
		size_t count = length;

		if (cover(fs, &node->inode->extents, offset, length, &extent, err) < 0)
			return -1;
		start = (uint64_t)extent->logical * EXT4_BLOCK;
		end = start + (uint64_t)extent->count * EXT4_BLOCK;
		if (count > end - offset)
			count = (size_t)(end - offset);
		if (ext4_put(fs, extent->physical * EXT4_BLOCK + (offset - start), from, count, err) < 0)
			return -1;
		from += count;
		offset += count;
		length -= count;
	}
	return 0;
}

static int by_physical(const void *a, const void *b)
{
	uint64_t left = ((const struct ext4_extent *)a)->physical, right = ((const struct ext4_extent *)b)->physical;

	return left < right ? -1 : left > right;
}

static bool punch(int fd, uint64_t offset, uint64_t length)
{
#if defined(__linux__)
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length) == 0;
#elif defined(F_PUNCHHOLE)
	struct fpunchhole hole = {.fp_offset = (off_t)offset, .fp_length = (off_t)length};

	return fcntl(fd, F_PUNCHHOLE, &hole) == 0;
#else
	return false;
#endif
}

/* Zero bytes in any case: the same layers give the same image. */
static int discard(struct mvm_ext4 *fs, uint64_t offset, uint64_t length, struct mvm_error **err)
{
	static const char zero[64 * 1024] __attribute__((aligned(EXT4_BLOCK)));

	if (punch(fs->out.fd, offset, length))
		return 0;
	while (length) {
		size_t count = length < sizeof(zero) ? (size_t)length : sizeof(zero);

		if (write_out(fs, zero, count, offset, err) < 0)
			return -1;
		offset += count;
		length -= count;
	}
	return 0;
}

int ext4_discard_freed(struct mvm_ext4 *fs, struct mvm_error **err)
{
	struct ext4_extent *items = fs->freed.items;
	uint32_t count = fs->freed.count;

	if (count && ext4_flush(fs, err) < 0)
		return -1;
	if (count)
		qsort(items, count, sizeof(*items), by_physical);
	for (uint32_t i = 0; i < count;) {
		uint64_t first = items[i].physical, end = first;

		for (; i < count && items[i].physical == end; i++)
			end += items[i].count;
		if (discard(fs, first * EXT4_BLOCK, (end - first) * EXT4_BLOCK, err) < 0)
			return -1;
	}
	return 0;
}
