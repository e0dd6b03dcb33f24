#include "cli.h"

#include <stddef.h>

#include "image/archive.h"
#include "image/platform.h"
#include "image/push.h"
#include "image/reference.h"

struct values {
	const char *output, *platform;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"output", 'o', CLI_STRING, AT(output), "FILE", "Write to this file, not to stdout",
	 .complete = cli_complete_files},
	{"platform", 0, CLI_STRING, AT(platform), "OS/ARCH", "Refuse images that are for another platform",
	 CLI_PLATFORMS},
	CLI_OPTIONS_END,
};

struct save {
	struct mvm_store *store;
	char **names;
	struct mvm_archive_options options;
};

static int write_archive(void *arg, int fd, struct mvm_error **err)
{
	struct save *save = arg;
	struct cli_interrupt before;
	int result;

	save->options.interrupted = cli_interrupt_begin(&before);
	result = mvm_image_save(save->store, save->names, &save->options, fd, err);
	cli_interrupt_end(&before);
	return result;
}

/* A repository alone is all its tags. */
static void note_saved(struct mvm_engine *engine, struct mvm_store *store, const char *name)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_strv tags MVM_CLEAN_STRV = {0};

	if (!cli_has_tag(name) && mvm_reference_parse(name, &reference, NULL) == 0)
		mvm_image_names_of(store, &reference, &tags, NULL);
	for (size_t i = 0; i < tags.count; i++)
		mvm_engine_note_image(engine, tags.items[i], "save");
	if (!tags.count)
		mvm_engine_note_image(engine, name, "save");
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct save save = {.names = args};
	struct mvm_platform platform;
	struct mvm_engine *engine;
	int result;

	if (values->platform && mvm_platform_parse(values->platform, &platform, err) < 0)
		return -1;
	save.options.platform = values->platform ? &platform : NULL;
	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = mvm_engine_store(engine, &save.store, err);
	if (result == 0)
		result = cli_write_output(values->output, write_archive, &save, err);
	for (char **name = args; result == 0 && *name; name++)
		note_saved(engine, save.store, *name);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_save = {
	.name = "save",
	.names = {"image save", "save"},
	.usage = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Write images to a tar archive",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_images,
	.values_size = sizeof(struct values),
	.run = run,
};
