#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "progress.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/thread.h"

/* How often to look at what nobody tells, in nanoseconds. */
#define WAIT_INTERVAL 100000000

struct feed {
	struct mvm_unpack *unpack;
	const struct mvm_image_layer *layer;
	int fd;
	uint64_t available;
	bool complete;
	uint64_t position; /* of the unpacking thread, which alone uses it */
};

struct mvm_unpack {
	const struct mvm_progress *progress;
	char *home;
	struct mvm_disk_spec spec;
	struct feed *feeds;
	pthread_t thread;
	bool joined;
	struct mvm_error *error; /* the thread's, once it has ended */

	pthread_mutex_t mutex; /* what follows, and feeds' fd, available and complete */
	pthread_cond_t changed;
	bool given_up;
	bool failed;
	bool ended;
};

/* Waits for bytes at the feed's position; returns how many there are, 0 at the end. */
static int wait_for_bytes(struct feed *feed, uint64_t *count, int *fd, struct mvm_error **err)
{
	struct mvm_unpack *unpack = feed->unpack;
	bool given_up;

	pthread_mutex_lock(&unpack->mutex);
	while (!unpack->given_up && !feed->complete && feed->available <= feed->position)
		pthread_cond_wait(&unpack->changed, &unpack->mutex);
	given_up = unpack->given_up;
	*count = feed->available > feed->position ? feed->available - feed->position : 0;
	*fd = feed->fd;
	if (feed->complete && !given_up)
		mvm_progress_layer(unpack->progress, &feed->layer->blob.digest, MVM_PROGRESS_EXTRACTING, feed->position,
				   feed->layer->blob.size);
	pthread_mutex_unlock(&unpack->mutex);
	return given_up ? mvm_fail(err, MVM_ERR_INTERRUPTED, "the download ended") : 0;
}

static ssize_t read_feed(void *arg, void *data, size_t length, struct mvm_error **err)
{
	struct feed *feed = arg;
	uint64_t count;
	ssize_t n;
	int fd;

	if (wait_for_bytes(feed, &count, &fd, err) < 0)
		return -1;
	if (!count)
		return 0;
	do
		n = pread(fd, data, count < length ? count : length, (off_t)feed->position);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return mvm_fail_errno(err, errno, "cannot read blob %.12s", mvm_digest_hex(&feed->layer->blob.digest));
	if (n == 0)
		return mvm_fail(err, MVM_ERR_CORRUPT, "blob %.12s shrank while it was unpacked",
				mvm_digest_hex(&feed->layer->blob.digest));
	feed->position += (uint64_t)n;
	return n;
}

/* Until something has changed, and not for long. The caller holds the mutex. */
static void wait_briefly(struct mvm_unpack *unpack)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_nsec += WAIT_INTERVAL;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&unpack->changed, &unpack->mutex, &end);
}

/* A lock tells nobody that it is free, so it is asked for again and again: whoever gives up must not wait for another
 * process. */
static int create_builder(struct mvm_unpack *unpack, struct mvm_disk_builder **builder, char **path,
			  struct mvm_error **err)
{
	for (;;) {
		int result = mvm_disk_builder_create(unpack->home, &unpack->spec, false, builder, path, err);
		bool given_up;

		if (result != MVM_DISK_BUSY)
			return result;
		pthread_mutex_lock(&unpack->mutex);
		if (!unpack->given_up)
			wait_briefly(unpack);
		given_up = unpack->given_up;
		pthread_mutex_unlock(&unpack->mutex);
		if (given_up)
			return mvm_fail(err, MVM_ERR_INTERRUPTED, "the download ended");
	}
}

static int build(struct mvm_unpack *unpack, struct mvm_error **err)
{
	struct mvm_disk_builder *builder = NULL;
	char *path MVM_CLEAN_FREE = NULL;
	int result = create_builder(unpack, &builder, &path, err);

	for (size_t i = 0; result == 0 && i < unpack->spec.layer_count; i++) {
		struct mvm_source source = {.read = read_feed, .arg = &unpack->feeds[i]};

		result = mvm_disk_builder_add_layer(builder, source, err);
		if (result == 0)
			mvm_progress_layer(unpack->progress, &unpack->feeds[i].layer->blob.digest,
					   MVM_PROGRESS_COMPLETE, 0, 0);
	}
	if (result == 0)
		result = mvm_disk_builder_finish(builder, &path, err);
	mvm_disk_builder_destroy(builder);
	return result < 0 ? -1 : 0;
}

static void *run(void *arg)
{
	struct mvm_unpack *unpack = arg;
	int result = build(unpack, &unpack->error);

	pthread_mutex_lock(&unpack->mutex);
	unpack->failed = result < 0;
	unpack->ended = true;
	pthread_cond_broadcast(&unpack->changed);
	pthread_mutex_unlock(&unpack->mutex);
	return NULL;
}

static void release(struct mvm_unpack *unpack)
{
	for (size_t i = 0; i < unpack->spec.layer_count; i++)
		mvm_close(&unpack->feeds[i].fd);
	pthread_cond_destroy(&unpack->changed);
	pthread_mutex_destroy(&unpack->mutex);
	mvm_error_free(unpack->error);
	free(unpack->feeds);
	free((void *)unpack->spec.layers);
	free(unpack->home);
	free(unpack);
}

int mvm_unpack_start(const char *home, const struct mvm_image *image, const struct mvm_config *config,
		     const struct mvm_progress *progress, struct mvm_unpack **out, struct mvm_error **err)
{
	struct mvm_unpack *unpack = mvm_alloc(sizeof(*unpack));
	size_t count = mvm_image_layer_count(image);

	unpack->progress = progress;
	unpack->home = mvm_strdup(home);
	unpack->spec =
		(struct mvm_disk_spec){.layers = mvm_image_disk_layers(image), .layer_count = count, .config = config};
	unpack->feeds = mvm_alloc(count * sizeof(*unpack->feeds));
	for (size_t i = 0; i < count; i++)
		unpack->feeds[i] = (struct feed){.unpack = unpack, .layer = mvm_image_layer(image, i), .fd = -1};
	pthread_mutex_init(&unpack->mutex, NULL);
	pthread_cond_init(&unpack->changed, NULL);
	if (mvm_thread_start(&unpack->thread, "unpack", run, unpack, err) < 0) {
		release(unpack);
		return mvm_error_wrap(err, "cannot unpack the image");
	}
	*out = unpack;
	return 0;
}

int mvm_unpack_feed(struct mvm_unpack *unpack, size_t layer, int fd, uint64_t available, bool complete,
		    struct mvm_error **err)
{
	struct feed *feed = &unpack->feeds[layer];
	int errnum = 0;

	pthread_mutex_lock(&unpack->mutex);
	if (feed->fd < 0) {
		feed->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		errnum = feed->fd < 0 ? errno : 0;
	}
	feed->available = available;
	feed->complete = complete;
	pthread_cond_broadcast(&unpack->changed);
	pthread_mutex_unlock(&unpack->mutex);
	return errnum ? mvm_fail_errno(err, errnum, "cannot keep a layer open") : 0;
}

bool mvm_unpack_hopeless(struct mvm_unpack *unpack)
{
	enum mvm_error_code code;
	bool failed;

	pthread_mutex_lock(&unpack->mutex);
	failed = unpack->failed;
	code = failed ? mvm_error_code(unpack->error) : MVM_ERR_INTERNAL;
	pthread_mutex_unlock(&unpack->mutex);
	return failed && (code == MVM_ERR_NO_SPACE || code == MVM_ERR_IO);
}

int mvm_unpack_finish(struct mvm_unpack *unpack, const volatile sig_atomic_t *interrupted, struct mvm_error **err)
{
	bool ended;

	mvm_log(MVM_LOG_DEBUG, "layers: fetched; processor time: fetch %.3f s", (double)mvm_thread_cpu_ns() / 1e9);
	pthread_mutex_lock(&unpack->mutex);
	while (!unpack->ended && !(interrupted && *interrupted))
		wait_briefly(unpack);
	ended = unpack->ended;
	pthread_mutex_unlock(&unpack->mutex);
	if (!ended)
		return mvm_fail(err, MVM_ERR_INTERRUPTED, "interrupted");
	pthread_join(unpack->thread, NULL);
	unpack->joined = true;
	return unpack->failed ? mvm_error_move(err, &unpack->error) : 0;
}

void mvm_unpack_destroy(struct mvm_unpack *unpack)
{
	if (!unpack)
		return;
	pthread_mutex_lock(&unpack->mutex);
	unpack->given_up = true;
	pthread_cond_broadcast(&unpack->changed);
	pthread_mutex_unlock(&unpack->mutex);
	if (!unpack->joined)
		pthread_join(unpack->thread, NULL);
	release(unpack);
}
