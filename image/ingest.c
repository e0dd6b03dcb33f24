#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/text.h"
#include "store_internal.h"

#define CHUNK (1 << 20)
/* How often to look whether another process has let go of a blob, in milliseconds. */
#define LOCK_INTERVAL 50

enum { UNKNOWN_NAME = 16 };

bool mvm_store_has_blob(const struct mvm_store *store, const struct mvm_descriptor *descriptor)
{
	char *path MVM_CLEAN_FREE = mvm_store_blob_path(store, &descriptor->digest);
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == descriptor->size;
}

int mvm_store_read_blob(const struct mvm_store *store, const struct mvm_descriptor *descriptor, size_t max,
			struct mvm_buf *blob, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_store_blob_path(store, &descriptor->digest);
	struct mvm_digest digest;
	char *data;
	size_t length;

	if (mvm_read_file(path, max, &data, &length, err) < 0)
		return -1;
	mvm_digest_of(data, length, &digest);
	if (length != descriptor->size || !mvm_digest_equal(&digest, &descriptor->digest)) {
		free(data);
		/* Of no use to anybody, and in the way of a better one. */
		unlink(path);
		return mvm_fail(err, MVM_ERR_CORRUPT, "%s was damaged and has been removed; pull the image again",
				path);
	}
	*blob = (struct mvm_buf){.data = data, .length = length, .capacity = length + 1};
	return 0;
}

int mvm_store_check_blob(const struct mvm_store *store, const struct mvm_descriptor *descriptor, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_store_blob_path(store, &descriptor->digest);
	struct mvm_hash *hash MVM_CLEAN_HASH = mvm_hash_create();
	char *chunk MVM_CLEAN_FREE = mvm_alloc(CHUNK);
	int fd MVM_CLEAN_FD = open(path, O_RDONLY | O_CLOEXEC);
	struct mvm_digest digest;
	ssize_t n;

	if (fd < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	while ((n = mvm_read_full(fd, chunk, CHUNK)) > 0)
		mvm_hash_update(hash, chunk, (size_t)n);
	if (n < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	mvm_hash_final(hash, &digest);
	if (mvm_digest_equal(&digest, &descriptor->digest))
		return 0;
	unlink(path);
	return 1;
}

static int cannot_store(const struct mvm_ingest *ingest, int errnum, struct mvm_error **err)
{
	if (ingest->unknown)
		return mvm_fail_errno(err, errnum, "cannot store a blob in %s", ingest->store->folder);
	return mvm_fail_errno(err, errnum, "cannot store blob %.12s in %s", mvm_digest_hex(&ingest->descriptor.digest),
			      ingest->store->folder);
}

/* Whoever had the lock before may have renamed or removed the file while we waited. */
static bool still_named(const struct mvm_ingest *ingest)
{
	struct stat held, named;

	return fstat(ingest->fd, &held) == 0 && stat(ingest->path, &named) == 0 && held.st_ino == named.st_ino &&
	       held.st_dev == named.st_dev;
}

static int check_interrupt(const volatile sig_atomic_t *interrupted, struct mvm_error **err)
{
	return interrupted && *interrupted ? mvm_fail(err, MVM_ERR_INTERRUPTED, "interrupted") : 0;
}

/* A lock tells nobody that it is free, and a signal may come just before a call that would wait for it: so it is asked
 * for again and again. */
static int lock_file(struct mvm_ingest *ingest, bool wait, const volatile sig_atomic_t *interrupted,
		     struct mvm_error **err)
{
	while (flock(ingest->fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return cannot_store(ingest, errno, err);
		if (check_interrupt(interrupted, err) < 0)
			return -1;
		if (errno == EWOULDBLOCK && !wait)
			return MVM_INGEST_BUSY;
		poll(NULL, 0, LOCK_INTERVAL);
	}
	return 0;
}

static int open_and_lock(struct mvm_ingest *ingest, bool wait, const volatile sig_atomic_t *interrupted,
			 struct mvm_error **err)
{
	for (;;) {
		int result;

		ingest->fd = open(ingest->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (ingest->fd < 0)
			return cannot_store(ingest, errno, err);
		result = lock_file(ingest, wait, interrupted, err);
		if (result != 0) {
			mvm_close(&ingest->fd);
			return result;
		}
		if (still_named(ingest))
			return 0;
		mvm_close(&ingest->fd);
	}
}

/* Hashes what an earlier pull has left, so that only the rest must be fetched. What is longer than the blob is none of
 * it. */
static int take_up(struct mvm_ingest *ingest, const volatile sig_atomic_t *interrupted, struct mvm_error **err)
{
	char *chunk MVM_CLEAN_FREE = NULL;
	struct stat st;

	if (fstat(ingest->fd, &st) < 0)
		return cannot_store(ingest, errno, err);
	if (!st.st_size)
		return 0;
	if ((uint64_t)st.st_size > ingest->descriptor.size)
		return ftruncate(ingest->fd, 0) < 0 ? cannot_store(ingest, errno, err) : 0;
	chunk = mvm_alloc(CHUNK);
	while (ingest->received < (uint64_t)st.st_size) {
		ssize_t n = pread(ingest->fd, chunk, CHUNK, (off_t)ingest->received);

		if (check_interrupt(interrupted, err) < 0)
			return -1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cannot_store(ingest, n < 0 ? errno : EIO, err);
		mvm_hash_update(ingest->hash, chunk, (size_t)n);
		ingest->received += (uint64_t)n;
	}
	return 0;
}

int mvm_ingest_begin(const struct mvm_store *store, const struct mvm_descriptor *descriptor, bool wait,
		     const volatile sig_atomic_t *interrupted, struct mvm_ingest **out, struct mvm_error **err)
{
	struct mvm_ingest *ingest;
	int result;

	if (mvm_store_has_blob(store, descriptor))
		return MVM_INGEST_PRESENT;
	ingest = mvm_alloc(sizeof(*ingest));
	ingest->store = store;
	ingest->descriptor.digest = descriptor->digest;
	ingest->descriptor.size = descriptor->size;
	ingest->path = mvm_format("%s/ingest/%s", store->folder, mvm_digest_hex(&descriptor->digest));
	ingest->hash = mvm_hash_create();
	result = open_and_lock(ingest, wait, interrupted, err);
	if (result == 0 && mvm_store_has_blob(store, descriptor))
		result = MVM_INGEST_PRESENT;
	if (result == 0)
		result = take_up(ingest, interrupted, err);
	if (result == 0)
		*out = ingest;
	else
		mvm_ingest_destroy(ingest);
	return result;
}

int mvm_ingest_begin_unknown(const struct mvm_store *store, struct mvm_ingest **out, struct mvm_error **err)
{
	struct mvm_ingest *ingest = mvm_alloc(sizeof(*ingest));
	char name[2 * UNKNOWN_NAME + 1];
	unsigned char random[UNKNOWN_NAME];

	mvm_random(random, sizeof(random));
	mvm_hex(random, sizeof(random), name);
	ingest->store = store;
	ingest->unknown = true;
	ingest->descriptor.size = UINT64_MAX;
	ingest->path = mvm_format("%s/ingest/new-%s", store->folder, name);
	ingest->hash = mvm_hash_create();
	if (open_and_lock(ingest, true, NULL, err) < 0) {
		mvm_ingest_destroy(ingest);
		return -1;
	}
	*out = ingest;
	return 0;
}

void mvm_ingest_restart(struct mvm_ingest *ingest)
{
	mvm_hash_destroy(ingest->hash);
	ingest->hash = mvm_hash_create();
	ingest->received = 0;
}

int mvm_ingest_write(struct mvm_ingest *ingest, const void *data, size_t length, struct mvm_error **err)
{
	const struct mvm_descriptor *blob = &ingest->descriptor;

	if (length > blob->size - ingest->received)
		return mvm_fail(err, MVM_ERR_CORRUPT, "blob %.12s is larger than the %llu bytes that its manifest says",
				mvm_digest_hex(&blob->digest), (unsigned long long)blob->size);
	if (mvm_pwrite_full(ingest->fd, data, length, (off_t)ingest->received) < 0)
		return cannot_store(ingest, errno, err);
	mvm_write_back(ingest->fd, length, &ingest->unwritten);
	mvm_hash_update(ingest->hash, data, length);
	ingest->received += length;
	return 0;
}

static int verify(struct mvm_ingest *ingest, struct mvm_error **err)
{
	const struct mvm_descriptor *blob = &ingest->descriptor;
	struct mvm_digest digest;

	if (ingest->unknown) {
		ingest->descriptor.size = ingest->received;
		mvm_hash_final(ingest->hash, &ingest->descriptor.digest);
		return 0;
	}
	if (ingest->received != blob->size)
		return mvm_fail(err, MVM_ERR_CORRUPT, "blob %.12s is cut short: %llu of %llu bytes",
				mvm_digest_hex(&blob->digest), (unsigned long long)ingest->received,
				(unsigned long long)blob->size);
	mvm_hash_final(ingest->hash, &digest);
	if (!mvm_digest_equal(&digest, &blob->digest)) {
		mvm_ingest_restart(ingest);
		return mvm_fail(err, MVM_ERR_CORRUPT, "blob %.12s does not have its digest: it is %s",
				mvm_digest_hex(&blob->digest), digest.text);
	}
	return 0;
}

int mvm_ingest_commit(struct mvm_ingest *ingest, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = mvm_format("%s/blobs/sha256", ingest->store->folder);
	char *path MVM_CLEAN_FREE = NULL;

	if (verify(ingest, err) < 0)
		return -1;
	path = mvm_store_blob_path(ingest->store, &ingest->descriptor.digest);
	if (fsync(ingest->fd) < 0 || rename(ingest->path, path) < 0)
		return cannot_store(ingest, errno, err);
	free(ingest->path);
	ingest->path = NULL;
	/* The unpacker still reads the file, and may wait for another process's, which may wait for this blob. */
	flock(ingest->fd, LOCK_UN);
	return mvm_sync_folder(folder, err);
}

void mvm_ingest_destroy(struct mvm_ingest *ingest)
{
	if (!ingest)
		return;
	/* Only who holds the lock may remove the file; a descriptor that is open holds it. What has arrived stays: the
	 * next pull goes on from there, where it can know what it is. */
	if (ingest->path && ingest->fd >= 0 && (!ingest->received || ingest->unknown))
		unlink(ingest->path);
	mvm_close(&ingest->fd);
	mvm_hash_destroy(ingest->hash);
	free(ingest->path);
	free(ingest);
}

int mvm_store_write_blob(const struct mvm_store *store, const struct mvm_descriptor *descriptor, const void *data,
			 size_t length, struct mvm_error **err)
{
	struct mvm_ingest *ingest;
	int result = mvm_ingest_begin(store, descriptor, true, NULL, &ingest, err);

	if (result == MVM_INGEST_PRESENT)
		return 0;
	if (result < 0)
		return -1;
	mvm_ingest_restart(ingest);
	result = mvm_ingest_write(ingest, data, length, err);
	if (result == 0)
		result = mvm_ingest_commit(ingest, err);
	mvm_ingest_destroy(ingest);
	return result;
}
