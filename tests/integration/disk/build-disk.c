/*
 * Builds a root disk from layer files, as `mvm pull` does, and says where it is:
 *
 *   build-disk HOME [--size BYTES] {FILE DIFF_ID}...
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "image/disk.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

/* The path of the blob stands where its digest would. */
static int open_blob(void *arg, const struct mvm_layer *layer, int *fd, struct mvm_error **err)
{
	*fd = open(layer->digest, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? mvm_fail_errno(err, errno, "cannot open %s", layer->digest) : 0;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct mvm_disk_spec spec = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *path MVM_CLEAN_FREE = NULL;
	struct mvm_layer *layers MVM_CLEAN_FREE = NULL;
	double start = seconds();
	int at = 2;

	if (argc > 3 && strcmp(argv[2], "--size") == 0) {
		spec.size = strtoull(argv[3], NULL, 10);
		at = 4;
	}
	if (argc < at || (argc - at) % 2) {
		fprintf(stderr, "usage: build-disk HOME [--size BYTES] {FILE DIFF_ID}...\n");
		return 2;
	}
	spec.layer_count = (size_t)(argc - at) / 2;
	layers = mvm_alloc(spec.layer_count * sizeof(*layers) + 1);
	for (size_t i = 0; i < spec.layer_count; i++)
		layers[i] = (struct mvm_layer){.media_type = "application/vnd.oci.image.layer.v1.tar+gzip",
					       .digest = argv[at + (int)i * 2],
					       .diff_id = argv[at + (int)i * 2 + 1]};
	spec.layers = layers;
	if (mvm_disk_ensure(argv[1], &spec, open_blob, NULL, &path, &err) < 0) {
		fprintf(stderr, "build-disk: %s\n", mvm_error_message(err));
		return 1;
	}
	printf("%s\n", path);
	fprintf(stderr, "%.3f s\n", seconds() - start);
	return 0;
}
