/*
 * One layer, from its source to the image: what layer_stream.c inflates and hashes goes through the tar parser into
 * the disk.
 */
#include "layer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "digest.h"
#include "layer_internal.h"
#include "layer_stream.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/thread.h"

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

/* Every byte goes through the tar parser. */
static int read_tar(struct layer_target *target, struct layer_stream *stream, struct mvm_error **err)
{
	struct mvm_tar *tar = mvm_tar_create(&layer_ops, target);
	const void *data;
	ssize_t got;
	int status = 0;

	while (status == 0 && (got = layer_stream_next(stream, &data, err)) > 0)
		status = layer_feed(target, tar, data, (size_t)got, err);
	if (status == 0)
		status = got < 0 ? -1 : mvm_tar_finish(tar, err);
	mvm_tar_destroy(tar);
	return status;
}

static void log_costs(const struct mvm_layer *layer, const struct layer_stream_costs *costs, uint64_t own)
{
	mvm_log(MVM_LOG_DEBUG, "layer %s: processor time: inflate %.3f s, sha256 %.3f s, tar and ext4 %.3f s",
		layer->digest, (double)costs->inflate / 1e9, (double)costs->hash / 1e9, (double)own / 1e9);
}

static int apply(struct layer_target *target, const struct mvm_layer *layer, struct mvm_source source,
		 struct mvm_digest *diff_id, struct mvm_error **err)
{
	uint64_t start = mvm_thread_cpu_ns();
	struct layer_stream_costs costs;
	struct layer_stream *stream;
	int status;

	if (layer_stream_open(source, &stream, err) < 0)
		return -1;
	status = read_tar(target, stream, err);
	if (status == 0) {
		layer_stream_finish(stream, diff_id, &costs);
		log_costs(layer, &costs, mvm_thread_cpu_ns() - start);
	}
	layer_stream_close(stream);
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
	if (apply(target, layer, source, &found, err) < 0)
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
