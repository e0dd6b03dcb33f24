#include "cli.h"

#include <stdint.h>

#include "image/reference.h"

struct values {
	bool none;
};

static const struct cli_option options[] = {
	CLI_OPTIONS_END,
};

static int tag(struct mvm_engine *engine, const char *source, const struct mvm_reference *target,
	       struct mvm_error **err)
{
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	struct mvm_store *store;

	if (mvm_engine_store(engine, &store, err) < 0 || mvm_store_find(store, source, &image, err) < 0)
		return -1;
	if (mvm_store_tag(store, image, target, err) < 0)
		return -1;
	mvm_engine_note_reference(engine, target, "tag");
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct mvm_reference target MVM_CLEAN_REFERENCE = {0};
	struct mvm_engine *engine;
	int result;

	if (mvm_reference_parse(args[1], &target, err) < 0)
		return mvm_error_wrap(err, "\"%s\" is not a valid repository/tag", args[1]);
	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = tag(engine, args[0], &target, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_tag = {
	.name = "tag",
	.names = {"image tag", "tag"},
	.usage = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
	.summary = "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
	.options = options,
	.min_args = 2,
	.max_args = 2,
	.complete = cli_complete_images,
	.values_size = sizeof(struct values),
	.run = run,
};
