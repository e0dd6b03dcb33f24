#include "cli.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "image/progress.h"
#include "image/reference.h"
#include "runtime/base/text.h"

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

int cli_parse_downloads(const char *text, size_t *downloads, struct mvm_error **err)
{
	int64_t value;

	if (!text)
		return 0;
	if (!mvm_parse_int(text, 1, INT_MAX, &value))
		return mvm_fail(err, MVM_ERR_USAGE,
				"invalid argument \"%s\" for --max-concurrent-downloads: a whole number of at least 1",
				text);
	*downloads = (size_t)value;
	return 0;
}

struct session {
	struct mvm_progress *progress;
	struct cli_interrupt before;
};

/* Results go to stdout where they are what was asked for. */
static void begin(struct session *session, struct mvm_image_request *request, bool quiet, int result_fd)
{
	session->progress = quiet ? NULL : mvm_progress_create(STDERR_FILENO, result_fd);
	request->progress = session->progress;
	request->missing = quiet ? NULL : say_missing;
	request->interrupted = cli_interrupt_begin(&session->before);
}

static void end(struct session *session, struct mvm_image_request *request)
{
	cli_interrupt_end(&session->before);
	mvm_progress_destroy(session->progress);
	request->progress = NULL;
	request->missing = NULL;
	request->interrupted = NULL;
}

int cli_get_image(struct mvm_engine *engine, struct mvm_image_request *request, bool quiet, struct mvm_image **image,
		  struct mvm_error **err)
{
	struct session session;
	int result;

	begin(&session, request, quiet, STDERR_FILENO);
	result = mvm_engine_get_image(engine, request, image, err);
	end(&session, request);
	return result;
}

struct values {
	const char *platform, *downloads;
	bool all_tags, quiet;
};

static const struct cli_option options[] = {
	{"all-tags", 'a', CLI_FLAG, offsetof(struct values, all_tags), NULL, "Pull every tag of the repository"},
	{"max-concurrent-downloads", 0, CLI_STRING, offsetof(struct values, downloads), "N",
	 "Layers to fetch at once (default 3)"},
	{"platform", 0, CLI_STRING, offsetof(struct values, platform), "OS/ARCH", "Take the image for this platform",
	 CLI_PLATFORMS},
	{"quiet", 'q', CLI_FLAG, offsetof(struct values, quiet), NULL, "Print the digest only"},
	CLI_OPTIONS_END,
};

static void print_digest(const struct mvm_image *image)
{
	const struct mvm_digest *digest = mvm_image_repo_digest(image);

	puts(mvm_digest_is_set(digest) ? digest->text : mvm_image_manifest(image)->digest.text);
}

static int pull_name(struct mvm_engine *engine, struct mvm_image_request *request, const struct values *values,
		     const struct mvm_reference *reference, struct mvm_error **err)
{
	char *full MVM_CLEAN_FREE = mvm_reference_full(reference);
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;

	if (mvm_engine_get_image(engine, request, &image, err) < 0)
		return -1;
	if (values->quiet)
		print_digest(image);
	else
		puts(full);
	return 0;
}

static int pull_tags(struct mvm_engine *engine, struct mvm_image_request *request, const struct values *values,
		     const struct mvm_reference *reference, struct mvm_error **err)
{
	char *repository MVM_CLEAN_FREE = mvm_reference_repository(reference);
	struct mvm_image_list images MVM_CLEAN_IMAGE_LIST = {0};
	int result = mvm_engine_pull_tags(engine, request, &images, err);

	for (size_t i = 0; values->quiet && i < images.count; i++)
		print_digest(images.items[i]);
	if (result == 0 && !values->quiet)
		puts(repository);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_image_request request = {
		.reference = args[0], .platform = values->platform, .pull = MVM_PULL_ALWAYS};
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_engine *engine;
	struct session session;
	int result;

	if (values->all_tags && cli_has_tag(args[0]))
		return mvm_fail(err, MVM_ERR_USAGE, "tag can't be used with --all-tags/-a");
	if (cli_parse_downloads(values->downloads, &request.downloads, err) < 0 ||
	    mvm_reference_parse(args[0], &reference, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	begin(&session, &request, values->quiet, STDOUT_FILENO);
	if (!values->all_tags && !cli_has_tag(args[0]))
		mvm_progress_result(session.progress, "Using default tag: %s", reference.tag);
	result = (values->all_tags ? pull_tags : pull_name)(engine, &request, values, &reference, err);
	end(&session, &request);
	mvm_engine_close(engine);
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
	.complete = cli_complete_images,
	.values_size = sizeof(struct values),
	.run = run,
};
