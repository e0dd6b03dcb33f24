/*
 * The file: cluster 0 the header with the base's name, 1 the refcount table, 2 the first refcount block, from 3 on the
 * L1 table. All but the beginnings of the first three are holes: every cluster of the disk is the base's.
 *
 * L2 entries are extended ones: a cluster is allocated whole but written in 32 parts, so that the first write to a
 * cluster neither reads nor copies the rest of it from the base, and a small write takes little of the host's disk.
 */
#include "qcow2.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"

enum {
	CLUSTER_BITS = 16,
	CLUSTER = 1 << CLUSTER_BITS,
	HEADER_LENGTH = 104,
	MAX_BASE = 1023,
	TABLE_CLUSTER = 1,
	BLOCK_CLUSTER = 2,
	L1_CLUSTER = 3,
};
/* One L1 entry stands for an L2 table of one cluster with an entry of 16 bytes for each cluster. */
#define L1_REACH		 ((uint64_t)CLUSTER * (CLUSTER / 16))
#define MAX_SIZE		 (8ULL << 40)
#define INCOMPATIBLE_EXTENDED_L2 (1 << 4)

struct writer {
	unsigned char *at;
};

static void put(struct writer *writer, uint64_t value, unsigned bytes)
{
	while (bytes--)
		*writer->at++ = (unsigned char)(value >> (8 * bytes));
}

static void put_header(struct writer *writer, const char *base, uint64_t size, uint32_t l1_entries)
{
	static const char format[8] = "raw";
	const uint32_t name_offset = HEADER_LENGTH + 16 + 8;

	put(writer, 0x514649fb, 4); /* "QFI\xfb" */
	put(writer, 3, 4);	    /* version */
	put(writer, name_offset, 8);
	put(writer, strlen(base), 4);
	put(writer, CLUSTER_BITS, 4);
	put(writer, size, 8);
	put(writer, 0, 4); /* no encryption */
	put(writer, l1_entries, 4);
	put(writer, (uint64_t)L1_CLUSTER * CLUSTER, 8);
	put(writer, (uint64_t)TABLE_CLUSTER * CLUSTER, 8);
	put(writer, 1, 4); /* clusters of the refcount table */
	put(writer, 0, 4); /* no snapshots */
	put(writer, 0, 8);
	put(writer, INCOMPATIBLE_EXTENDED_L2, 8); /* features: */
	put(writer, 0, 8);			  /* compatible */
	put(writer, 0, 8);			  /* or autoclear */
	put(writer, 4, 4);			  /* refcounts of 16 bits */
	put(writer, HEADER_LENGTH, 4);

	put(writer, 0xe2792aca, 4); /* header extension: format of the backing file */
	put(writer, 3, 4);
	memcpy(writer->at, format, sizeof(format));
	writer->at += sizeof(format);
	put(writer, 0, 8); /* end of the extensions */
	memcpy(writer->at, base, strlen(base));
}

static bool write_clusters(int fd, const char *base, uint64_t size)
{
	uint32_t l1_entries = (uint32_t)((size + L1_REACH - 1) / L1_REACH);
	uint32_t clusters = L1_CLUSTER + (l1_entries * 8 + CLUSTER - 1) / CLUSTER;
	unsigned char header[2048] = {0}, table[8], counts[64] = {0};
	struct writer writer = {.at = header};

	put_header(&writer, base, size, l1_entries);
	writer.at = table;
	put(&writer, (uint64_t)BLOCK_CLUSTER * CLUSTER, 8);
	writer.at = counts;
	for (uint32_t i = 0; i < clusters; i++)
		put(&writer, 1, 2);
	return ftruncate(fd, (off_t)clusters * CLUSTER) == 0 && mvm_pwrite_full(fd, header, sizeof(header), 0) >= 0 &&
	       mvm_pwrite_full(fd, table, sizeof(table), TABLE_CLUSTER * CLUSTER) >= 0 &&
	       mvm_pwrite_full(fd, counts, sizeof(counts), BLOCK_CLUSTER * CLUSTER) >= 0;
}

int mvm_qcow2_create(const char *path, const char *base, uint64_t size, struct mvm_error **err)
{
	int fd MVM_CLEAN_FD = -1;

	if (base[0] != '/' || strlen(base) > MAX_BASE)
		return mvm_fail(err, MVM_ERR_INVALID,
				"the path of %s is too long for an overlay; use a shorter MVM_HOME", base);
	if (size % 512 || size > MAX_SIZE)
		return mvm_fail(err, MVM_ERR_INVALID, "an overlay of %llu bytes is not possible",
				(unsigned long long)size);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || !write_clusters(fd, base, size))
		return mvm_fail_errno(err, errno, "cannot make %s", path);
	return 0;
}
