/*
 * A container's disk and its image's, compared by the container's guest or a helper's (guest-agent/proto/listing.h).
 *
 * The host reads the image's disk, which it has written itself and which no guest can change, and never the
 * container's.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "changes.h"
#include "image/ext4_list.h"
#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/thread.h"

#define READ_SIZE (64 * 1024)

struct engine_comparison {
	struct mvm_archive *archive;
	char *disk;
	pthread_t teller;
	bool told;		 /* the thread is joined */
	struct mvm_error *error; /* the thread's; why it could not tell all */
};

/* The thread. */

static int write_listing(void *arg, const void *data, size_t length, struct mvm_error **err)
{
	struct engine_comparison *comparison = arg;

	if (mvm_write_full(mvm_archive_fd(comparison->archive), data, length) < 0)
		return mvm_fail(err, MVM_ERR_INTERRUPTED, "the VM does not listen");
	return 0;
}

static void *tell(void *arg)
{
	/* What the agent makes to mount the machine's own over it (guest-agent/container.c). */
	static const char *const made[] = {"dev/", "etc/", "etc/hostname", "etc/hosts", "etc/resolv.conf", "proc/",
					   "sys/", NULL};
	struct engine_comparison *comparison = arg;
	const struct mvm_ext4_sink sink = {.write = write_listing, .arg = comparison};

	/* The guest then misses the rest, and says so. */
	if (mvm_ext4_list(comparison->disk, made, &sink, &comparison->error) < 0)
		shutdown(mvm_archive_fd(comparison->archive), SHUT_WR);
	return NULL;
}

static void join(struct engine_comparison *comparison)
{
	if (!comparison->told)
		pthread_join(comparison->teller, NULL);
	comparison->told = true;
}

int engine_compare(struct mvm_engine *engine, const struct mvm_container *container, const struct engine_compare *how,
		   struct engine_comparison **out, struct mvm_error **err)
{
	struct engine_comparison *comparison = mvm_alloc(sizeof(*comparison));
	json_t *fields = json_pack("{sb, sb}", "layer", (int)how->layer, "pause", (int)how->pause);

	comparison->told = true;
	comparison->disk = mvm_format("%s/disks/%s/rootfs.ext4", mvm_state_home(mvm_engine_state(engine)),
				      container->config.disk_key);
	if (engine_open_archive(engine, container->config.id, "changes", fields, &comparison->archive, err) < 0 ||
	    mvm_thread_start(&comparison->teller, "listing", tell, comparison, err) < 0) {
		engine_comparison_destroy(comparison);
		return -1;
	}
	comparison->told = false;
	*out = comparison;
	return 0;
}

int engine_comparison_fd(const struct engine_comparison *comparison)
{
	return mvm_archive_fd(comparison->archive);
}

/* What kept the thread from telling all is why the guest could not compare, unless it was the guest. */
int engine_comparison_finish(struct engine_comparison *comparison, struct mvm_error **err)
{
	struct mvm_error *guests MVM_CLEAN_ERROR = NULL;
	int result = mvm_archive_finish(comparison->archive, &guests);

	join(comparison);
	if (result == 0)
		return 0;
	if (comparison->error && mvm_error_code(comparison->error) != MVM_ERR_INTERRUPTED)
		return mvm_error_move(err, &comparison->error);
	return mvm_error_move(err, &guests);
}

void engine_comparison_destroy(struct engine_comparison *comparison)
{
	if (!comparison)
		return;
	if (!comparison->told)
		shutdown(mvm_archive_fd(comparison->archive), SHUT_RDWR);
	join(comparison);
	mvm_archive_destroy(comparison->archive);
	mvm_error_free(comparison->error);
	free(comparison->disk);
	free(comparison);
}

/* diff. */

static int read_list(int fd, struct changes_reader *reader, struct mvm_error **err)
{
	char *buffer MVM_CLEAN_FREE = mvm_alloc(READ_SIZE);
	int result = 0;
	ssize_t n;

	while (result == 0 && (n = read(fd, buffer, READ_SIZE)) != 0) {
		if (n < 0 && errno != EINTR)
			result = mvm_fail_errno(err, errno, "cannot read from the VM");
		else if (n > 0)
			result = changes_feed(reader, buffer, (size_t)n, err);
	}
	return result;
}

/* Of a list that is cut short the guest says why. */
static int diff(struct engine_comparison *comparison, struct mvm_changes *changes, struct mvm_error **err)
{
	struct changes_reader reader = {.changes = changes};
	int result = read_list(engine_comparison_fd(comparison), &reader, err);

	if (result == 0)
		result = engine_comparison_finish(comparison, err);
	if (result == 0)
		result = changes_complete(&reader, err);
	changes_reader_finish(&reader);
	return result;
}

int mvm_engine_diff(struct mvm_engine *engine, const char *what, struct mvm_changes *changes, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct engine_comparison *comparison;
	struct mvm_changes found = {0};
	int result;

	if (mvm_state_find(mvm_engine_state(engine), what, &container, err) < 0 ||
	    engine_compare(engine, container, &(struct engine_compare){0}, &comparison, err) < 0)
		return -1;
	result = diff(comparison, &found, err);
	engine_comparison_destroy(comparison);
	if (result < 0) {
		mvm_changes_finish(&found);
		return -1;
	}
	*changes = found;
	return 0;
}
