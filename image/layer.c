/*
 * One layer, from its source to the image. Two threads: a worker reads and inflates into a ring of buffers, the
 * caller hashes, reads the tar and writes the disk. Both halves cost about the same, and neither waits for long.
 */
#include "layer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "digest.h"
#include "inflate.h"
#include "layer_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

enum { CHUNK_SIZE = 256 * 1024, CHUNKS = 8 };

struct chunk {
	char *data;
	size_t length;
};

/* The worker fills chunks[filled % CHUNKS], the caller takes chunks[taken % CHUNKS]. */
struct ring {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct chunk chunks[CHUNKS];
	uint64_t filled;
	uint64_t taken;
	bool ended;	/* the worker fills no more */
	bool abandoned; /* the caller takes no more */

	struct mvm_inflate *inflate; /* the worker's alone until it has been joined, and so is the error */
	struct mvm_error *err;
	bool failed;
};

static ssize_t read_fd(void *arg, void *data, size_t length, struct mvm_error **err)
{
	ssize_t got;

	do
		got = read(*(int *)arg, data, length);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return mvm_fail_errno(err, errno, "cannot read the layer");
	return got;
}

struct mvm_source mvm_source_from_fd(int *fd)
{
	return (struct mvm_source){.read = read_fd, .arg = fd};
}

/* Waits for room; NULL once the caller takes no more. */
static struct chunk *wait_room(struct ring *ring)
{
	struct chunk *chunk = NULL;

	pthread_mutex_lock(&ring->lock);
	while (ring->filled - ring->taken == CHUNKS && !ring->abandoned)
		pthread_cond_wait(&ring->changed, &ring->lock);
	if (!ring->abandoned)
		chunk = &ring->chunks[ring->filled % CHUNKS];
	pthread_mutex_unlock(&ring->lock);
	return chunk;
}

static void hand_over(struct ring *ring, bool filled, bool ended)
{
	pthread_mutex_lock(&ring->lock);
	ring->filled += filled;
	ring->ended = ended;
	pthread_cond_broadcast(&ring->changed);
	pthread_mutex_unlock(&ring->lock);
}

static void *work(void *arg)
{
	struct ring *ring = arg;
	struct chunk *chunk;
	bool ended = false;

	while (!ended && (chunk = wait_room(ring))) {
		ssize_t got = mvm_inflate_read(ring->inflate, chunk->data, CHUNK_SIZE, &ring->err);

		ring->failed = got < 0;
		chunk->length = got < 0 ? 0 : (size_t)got;
		ended = got < CHUNK_SIZE;
		hand_over(ring, got > 0, ended);
	}
	return NULL;
}

/* The next chunk, or NULL at the end. */
static const struct chunk *wait_chunk(struct ring *ring)
{
	const struct chunk *chunk = NULL;

	pthread_mutex_lock(&ring->lock);
	while (ring->filled == ring->taken && !ring->ended)
		pthread_cond_wait(&ring->changed, &ring->lock);
	if (ring->filled > ring->taken)
		chunk = &ring->chunks[ring->taken % CHUNKS];
	pthread_mutex_unlock(&ring->lock);
	return chunk;
}

static void give_back(struct ring *ring, bool abandon)
{
	pthread_mutex_lock(&ring->lock);
	ring->taken += !abandon;
	ring->abandoned = abandon;
	pthread_cond_broadcast(&ring->changed);
	pthread_mutex_unlock(&ring->lock);
}

/* The caller's half: every byte is hashed and goes through the tar parser. */
static int consume(struct ring *ring, struct layer_target *target, struct mvm_tar *tar, struct mvm_hash *hash,
		   struct mvm_error **err)
{
	const struct chunk *chunk;

	while ((chunk = wait_chunk(ring))) {
		mvm_hash_update(hash, chunk->data, chunk->length);
		if (layer_feed(target, tar, chunk->data, chunk->length, err) < 0)
			return -1;
		give_back(ring, false);
	}
	return 0;
}

/* Signals are for the caller's thread. */
static int start_worker(struct ring *ring, pthread_t *thread, struct mvm_error **err)
{
	sigset_t all, old;
	int status;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	status = pthread_create(thread, NULL, work, ring);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return status ? mvm_fail_errno(err, status, "cannot start a thread") : 0;
}

/* Runs both halves to the end. What the worker met comes before what the caller made of it. */
static int run(struct ring *ring, struct layer_target *target, struct mvm_tar *tar, struct mvm_hash *hash,
	       struct mvm_error **err)
{
	struct mvm_error *consume_err MVM_CLEAN_ERROR = NULL;
	pthread_t thread;
	int status;

	if (start_worker(ring, &thread, err) < 0)
		return -1;
	status = consume(ring, target, tar, hash, &consume_err);
	give_back(ring, true);
	pthread_join(thread, NULL);
	if (status < 0) {
		if (err) {
			*err = consume_err;
			consume_err = NULL;
		}
		return -1;
	}
	if (ring->failed) {
		if (err) {
			*err = ring->err;
			ring->err = NULL;
		}
		return -1;
	}
	return mvm_tar_finish(tar, err);
}

static int apply(struct layer_target *target, struct mvm_source source, struct mvm_digest *diff_id,
		 struct mvm_error **err)
{
	struct ring ring = {.inflate = mvm_inflate_create(source)};
	struct mvm_tar *tar = mvm_tar_create(&layer_ops, target);
	struct mvm_hash *hash MVM_CLEAN_HASH = mvm_hash_create();
	int status;

	pthread_mutex_init(&ring.lock, NULL);
	pthread_cond_init(&ring.changed, NULL);
	for (size_t i = 0; i < CHUNKS; i++)
		ring.chunks[i].data = mvm_realloc(NULL, CHUNK_SIZE, 1);
	status = run(&ring, target, tar, hash, err);
	if (status == 0)
		mvm_hash_final(hash, diff_id);
	for (size_t i = 0; i < CHUNKS; i++)
		free(ring.chunks[i].data);
	pthread_cond_destroy(&ring.changed);
	pthread_mutex_destroy(&ring.lock);
	mvm_inflate_destroy(ring.inflate);
	mvm_error_clear(&ring.err);
	mvm_tar_destroy(tar);
	return status;
}

static int check_media_type(const char *media_type, struct mvm_error **err)
{
	static const char *const bases[] = {
		"application/vnd.oci.image.layer.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.foreign.diff.tar",
	};
	static const char *const suffixes[] = {"", "+gzip", "+zstd", ".gzip", ".zstd"};

	for (size_t i = 0; i < MVM_COUNT(bases); i++) {
		size_t length = strlen(bases[i]);

		for (size_t j = 0; strncmp(media_type, bases[i], length) == 0 && j < MVM_COUNT(suffixes); j++) {
			if (strcmp(media_type + length, suffixes[j]) == 0)
				return 0;
		}
	}
	return mvm_fail(err, MVM_ERR_UNSUPPORTED, "\"%s\" is not a layer that mvm can read", media_type);
}

static int apply_checked(struct layer_target *target, const struct mvm_layer *layer, struct mvm_source source,
			 struct mvm_error **err)
{
	struct mvm_digest expected, found;

	if (check_media_type(layer->media_type, err) < 0 || mvm_digest_parse(layer->diff_id, &expected, err) < 0)
		return -1;
	mvm_ext4_begin_layer(target->fs);
	if (apply(target, source, &found, err) < 0)
		return target->name ? mvm_error_wrap(err, "%s", target->name) : -1;
	if (!mvm_digest_equal(&expected, &found))
		return mvm_fail(err, MVM_ERR_CORRUPT, "its content is %s, the image says %s", found.text,
				expected.text);
	return 0;
}

int mvm_layer_apply(struct mvm_ext4 *fs, struct mvm_budget *budget, const struct mvm_layer *layer,
		    struct mvm_source source, struct mvm_error **err)
{
	struct layer_target target = {.fs = fs, .budget = budget};
	int status = apply_checked(&target, layer, source, err);

	free(target.name);
	return status;
}
