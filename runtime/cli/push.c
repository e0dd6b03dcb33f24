#include "cli.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "image/push.h"
#include "image/reference.h"

struct values {
	const char *platform;
	bool all_tags, quiet;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"all-tags", 'a', CLI_FLAG, AT(all_tags), NULL, "Push every tag that the repository has here"},
	{"platform", 0, CLI_STRING, AT(platform), "OS/ARCH", "Only if the image is for this platform", CLI_PLATFORMS},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Print the name only"},
	CLI_OPTIONS_END,
};

struct push {
	struct mvm_engine *engine;
	struct mvm_store *store;
	struct mvm_push_options options;
	struct mvm_platform platform;
};

/* Docker's last line of each. */
static int push_name(const struct push *push, const struct mvm_reference *reference, struct mvm_error **err)
{
	struct mvm_pushed pushed;

	if (mvm_image_push(push->store, reference, &push->options, &pushed, err) < 0)
		return -1;
	mvm_engine_note_reference(push->engine, reference, "push");
	if (!push->options.progress)
		return 0;
	printf("%s: digest: %s size: %llu\n", reference->tag, pushed.digest.text, (unsigned long long)pushed.size);
	/* In order with what follows on stderr. */
	fflush(stdout);
	return 0;
}

static int push_all(const struct push *push, const struct mvm_reference *repository, struct mvm_error **err)
{
	struct mvm_strv names MVM_CLEAN_STRV = {0};

	if (mvm_image_names_of(push->store, repository, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};

		if (mvm_reference_parse(names.items[i], &reference, err) < 0 || push_name(push, &reference, err) < 0)
			return -1;
	}
	return 0;
}

bool cli_has_tag(const char *text)
{
	const char *last = strrchr(text, '/');

	return strpbrk(last ? last : text, ":@") != NULL;
}

static int push_to(struct mvm_engine *engine, const struct values *values, const struct mvm_reference *reference,
		   struct push *push, struct mvm_error **err)
{
	struct cli_interrupt before;
	int result;

	push->engine = engine;
	if ((values->platform && mvm_platform_parse(values->platform, &push->platform, err) < 0) ||
	    mvm_engine_store(engine, &push->store, err) < 0)
		return -1;
	push->options.platform = values->platform ? &push->platform : NULL;
	push->options.config = mvm_engine_config(engine);
	push->options.interrupted = cli_interrupt_begin(&before);
	result = values->all_tags ? push_all(push, reference, err) : push_name(push, reference, err);
	cli_interrupt_end(&before);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_progress *progress = NULL;
	struct push push = {0};
	char *repository MVM_CLEAN_FREE = NULL, *full MVM_CLEAN_FREE = NULL;
	struct mvm_engine *engine;
	int result;

	if (values->all_tags && cli_has_tag(args[0]))
		return mvm_fail(err, MVM_ERR_USAGE, "tag can't be used with --all-tags/-a");
	if (mvm_reference_parse(args[0], &reference, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	repository = mvm_reference_repository(&reference);
	full = mvm_reference_full(&reference);
	if (!values->quiet)
		push.options.progress = progress = mvm_progress_create(STDERR_FILENO, STDERR_FILENO);
	if (!values->all_tags && !cli_has_tag(args[0]))
		mvm_progress_message(progress, "Using default tag: %s", reference.tag);
	mvm_progress_message(progress, "The push refers to repository [%s]", repository);
	result = push_to(engine, values, &reference, &push, err);
	mvm_progress_destroy(progress);
	mvm_engine_close(engine);
	if (result == 0 && values->quiet)
		puts(values->all_tags ? repository : full);
	return result;
}

const struct cli_command cli_push = {
	.name = "push",
	.names = {"image push", "push"},
	.common = true,
	.usage = "[OPTIONS] NAME[:TAG]",
	.summary = "Upload an image to a registry",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.complete = cli_complete_images,
	.values_size = sizeof(struct values),
	.run = run,
};
