#include "cli.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "image/progress.h"
#include "image/reference.h"

int cli_parse_pull_policy(const char *text, enum mvm_pull_policy *policy, struct mvm_error **err)
{
	static const char *const names[] = {
		[MVM_PULL_MISSING] = "missing", [MVM_PULL_ALWAYS] = "always", [MVM_PULL_NEVER] = "never"};

	if (!text || !*text)
		return 0;
	for (size_t i = 0; i < MVM_COUNT(names); i++) {
		if (strcmp(text, names[i]))
			continue;
		*policy = (enum mvm_pull_policy)i;
		return 0;
	}
	return mvm_fail(err, MVM_ERR_USAGE,
			"invalid pull option: '%s': must be one of \"always\", \"missing\" or \"never\"", text);
}

static void say_missing(void *arg, const char *reference)
{
	struct mvm_reference parsed MVM_CLEAN_REFERENCE = {0};
	char *familiar MVM_CLEAN_FREE = NULL;

	if (mvm_reference_parse(reference, &parsed, NULL) == 0)
		familiar = mvm_reference_familiar(&parsed);
	fprintf(stderr, "Unable to find image '%s' locally\n", familiar ? familiar : reference);
}

int cli_get_image(struct mvm_engine *engine, struct mvm_image_request *request, bool quiet, struct mvm_image **image,
		  struct mvm_error **err)
{
	struct mvm_progress *progress = quiet ? NULL : mvm_progress_create(STDERR_FILENO);
	struct cli_interrupt before;
	int result;

	request->progress = progress;
	request->missing = quiet ? NULL : say_missing;
	request->interrupted = cli_interrupt_begin(&before);
	result = mvm_engine_get_image(engine, request, image, err);
	cli_interrupt_end(&before);
	mvm_progress_destroy(progress);
	request->progress = NULL;
	request->missing = NULL;
	return result;
}

struct values {
	const char *platform;
	bool quiet;
};

static const struct cli_option options[] = {
	{"platform", 0, CLI_STRING, offsetof(struct values, platform), "OS/ARCH", "Take the image for this platform"},
	{"quiet", 'q', CLI_FLAG, offsetof(struct values, quiet), NULL, "Print the name only"},
	CLI_OPTIONS_END,
};

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_image_request request = {
		.reference = args[0], .platform = values->platform, .pull = MVM_PULL_ALWAYS};
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	struct mvm_engine *engine;
	int result;

	if (mvm_reference_parse(args[0], &reference, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = cli_get_image(engine, &request, values->quiet, &image, err);
	mvm_engine_close(engine);
	if (result == 0) {
		char *full MVM_CLEAN_FREE = mvm_reference_full(&reference);

		puts(full);
	}
	return result;
}

const struct cli_command cli_pull = {
	.name = "pull",
	.names = {"image pull", "pull"},
	.common = true,
	.usage = "[OPTIONS] NAME[:TAG|@DIGEST]",
	.summary = "Download an image from a registry",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.values_size = sizeof(struct values),
	.run = run,
};
