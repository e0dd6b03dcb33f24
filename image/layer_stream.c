/*
 * Theory of operation: the worker inflates into a ring of chunks, which two readers go through side by side, the hasher
 * and the caller; a chunk is free for the worker when both are past it. Inflating takes longest and waits for nobody
 * but the source; hashing apart from the tar and the disk leaves the caller less to do than the worker has. Memory is
 * that of the ring.
 */
#include "layer_stream.h"

#include <stdbool.h>

#include "inflate.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/thread.h"

/* As much as the processor's own caches hold, so that a chunk is still there when it is read. */
enum { CHUNK_SIZE = 256 * 1024, CHUNKS = 8 };

enum reader { HASHER, CALLER, READERS };

struct chunk {
	char *data;
	size_t length;
};

struct layer_stream {
	pthread_t worker, hasher;
	bool worker_started, hasher_started;
	bool holding;		     /* the caller holds a chunk */
	struct mvm_inflate *inflate; /* the worker's */
	struct mvm_hash *hash;	     /* the hasher's */
	struct layer_stream_costs costs;

	pthread_mutex_t lock; /* what follows, but the content of chunks that are somebody's */
	pthread_cond_t arrived;
	pthread_cond_t freed;
	struct chunk chunks[CHUNKS]; /* number n lies in chunks[n % CHUNKS] */
	uint64_t filled;
	uint64_t taken[READERS]; /* and given back */
	bool ended;		 /* the worker fills no more */
	bool failed;		 /* for `err` */
	bool abandoned;		 /* the caller takes no more */
	struct mvm_error *err;
};

static bool is_full(const struct layer_stream *stream)
{
	return stream->filled - stream->taken[HASHER] == CHUNKS || stream->filled - stream->taken[CALLER] == CHUNKS;
}

/* Waits for room; NULL once the caller takes no more. */
static struct chunk *wait_room(struct layer_stream *stream)
{
	struct chunk *chunk;

	pthread_mutex_lock(&stream->lock);
	while (is_full(stream) && !stream->abandoned)
		pthread_cond_wait(&stream->freed, &stream->lock);
	chunk = stream->abandoned ? NULL : &stream->chunks[stream->filled % CHUNKS];
	pthread_mutex_unlock(&stream->lock);
	return chunk;
}

static void hand_over(struct layer_stream *stream, ssize_t got)
{
	pthread_mutex_lock(&stream->lock);
	stream->filled += got > 0;
	stream->ended = got < CHUNK_SIZE;
	stream->failed = got < 0;
	pthread_cond_broadcast(&stream->arrived);
	pthread_mutex_unlock(&stream->lock);
}

static void *run_worker(void *arg)
{
	struct layer_stream *stream = arg;
	struct chunk *chunk;
	ssize_t got = CHUNK_SIZE;

	while (got == CHUNK_SIZE && (chunk = wait_room(stream))) {
		got = mvm_inflate_read(stream->inflate, chunk->data, CHUNK_SIZE, &stream->err);
		chunk->length = got < 0 ? 0 : (size_t)got;
		hand_over(stream, got);
	}
	stream->costs.inflate = mvm_thread_cpu_ns();
	return NULL;
}

/* The reader's next chunk, or NULL at the end. */
static const struct chunk *wait_chunk(struct layer_stream *stream, enum reader reader)
{
	const struct chunk *chunk = NULL;

	pthread_mutex_lock(&stream->lock);
	while (stream->filled == stream->taken[reader] && !stream->ended && !stream->abandoned)
		pthread_cond_wait(&stream->arrived, &stream->lock);
	if (stream->filled > stream->taken[reader] && !stream->abandoned)
		chunk = &stream->chunks[stream->taken[reader] % CHUNKS];
	pthread_mutex_unlock(&stream->lock);
	return chunk;
}

static void give_back(struct layer_stream *stream, enum reader reader)
{
	bool was_full;

	pthread_mutex_lock(&stream->lock);
	was_full = is_full(stream);
	stream->taken[reader]++;
	if (was_full)
		pthread_cond_signal(&stream->freed);
	pthread_mutex_unlock(&stream->lock);
}

static void *run_hasher(void *arg)
{
	struct layer_stream *stream = arg;
	const struct chunk *chunk;

	while ((chunk = wait_chunk(stream, HASHER))) {
		mvm_hash_update(stream->hash, chunk->data, chunk->length);
		give_back(stream, HASHER);
	}
	stream->costs.hash = mvm_thread_cpu_ns();
	return NULL;
}

int layer_stream_open(struct mvm_source source, struct layer_stream **out, struct mvm_error **err)
{
	struct layer_stream *stream = mvm_alloc(sizeof(*stream));

	stream->inflate = mvm_inflate_create(source);
	stream->hash = mvm_hash_create();
	for (size_t i = 0; i < CHUNKS; i++)
		stream->chunks[i].data = mvm_realloc(NULL, CHUNK_SIZE, 1);
	pthread_mutex_init(&stream->lock, NULL);
	pthread_cond_init(&stream->arrived, NULL);
	pthread_cond_init(&stream->freed, NULL);
	stream->worker_started = mvm_thread_start(&stream->worker, "inflate", run_worker, stream, err) == 0;
	if (stream->worker_started)
		stream->hasher_started = mvm_thread_start(&stream->hasher, "sha256", run_hasher, stream, err) == 0;
	if (!stream->hasher_started) {
		layer_stream_close(stream);
		return -1;
	}
	*out = stream;
	return 0;
}

ssize_t layer_stream_next(struct layer_stream *stream, const void **data, struct mvm_error **err)
{
	const struct chunk *chunk;

	if (stream->holding)
		give_back(stream, CALLER);
	chunk = wait_chunk(stream, CALLER);
	stream->holding = chunk != NULL;
	if (chunk) {
		*data = chunk->data;
		return (ssize_t)chunk->length;
	}
	return stream->failed ? mvm_error_move(err, &stream->err) : 0;
}

static void join(struct layer_stream *stream)
{
	if (stream->worker_started)
		pthread_join(stream->worker, NULL);
	if (stream->hasher_started)
		pthread_join(stream->hasher, NULL);
	stream->worker_started = stream->hasher_started = false;
}

void layer_stream_finish(struct layer_stream *stream, struct mvm_digest *diff_id, struct layer_stream_costs *costs)
{
	join(stream);
	mvm_hash_final(stream->hash, diff_id);
	*costs = stream->costs;
}

void layer_stream_close(struct layer_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->abandoned = true;
	pthread_cond_broadcast(&stream->arrived);
	pthread_cond_broadcast(&stream->freed);
	pthread_mutex_unlock(&stream->lock);
	join(stream);
	for (size_t i = 0; i < CHUNKS; i++)
		free(stream->chunks[i].data);
	pthread_cond_destroy(&stream->freed);
	pthread_cond_destroy(&stream->arrived);
	pthread_mutex_destroy(&stream->lock);
	mvm_hash_destroy(stream->hash);
	mvm_inflate_destroy(stream->inflate);
	mvm_error_clear(&stream->err);
	free(stream);
}
