#include "cli.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "image/archive.h"
#include "image/platform.h"
#include "runtime/base/io.h"

struct values {
	struct mvm_strv changes;
	const char *message, *platform;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"change", 'c', CLI_LIST, AT(changes), "INSTRUCTION", "Apply an instruction of a Dockerfile to the image"},
	{"message", 'm', CLI_STRING, AT(message), "TEXT", "What the image's history says"},
	{"platform", 0, CLI_STRING, AT(platform), "OS/ARCH", "The platform that the files are for", CLI_PLATFORMS},
	CLI_OPTIONS_END,
};

/* Docker's rule for what is no file. */
static int check_source(const char *source, struct mvm_error **err)
{
	if (!strcmp(source, "-") && isatty(STDIN_FILENO))
		return mvm_fail(err, MVM_ERR_INVALID, "refusing to import from a terminal; redirect a tar archive");
	if (strncmp(source, "http://", 7) && strncmp(source, "https://", 8))
		return 0;
	return mvm_fail(err, MVM_ERR_UNSUPPORTED, "mvm import does not download; use: curl -fsSL %s | mvm import -",
			source);
}

static int import(struct mvm_engine *engine, const struct values *values, char **args, int fd, struct mvm_error **err)
{
	struct mvm_import what = {.message = values->message, .changes = &values->changes};
	struct mvm_archive_options archive = {.config = mvm_engine_config(engine)};
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_platform platform;
	struct cli_interrupt before;
	struct mvm_store *store;
	struct mvm_digest id;
	int result;

	result = mvm_engine_platform(engine, values->platform, &platform, err);
	if (result < 0 || (args[1] && mvm_reference_parse(args[1], &reference, err) < 0) ||
	    mvm_engine_store(engine, &store, err) < 0)
		return -1;
	archive.platform = result == 0 ? &platform : NULL;
	what.reference = args[1] ? &reference : NULL;
	archive.interrupted = cli_interrupt_begin(&before);
	result = mvm_image_import(store, fd, &what, &archive, &id, err);
	cli_interrupt_end(&before);
	if (result < 0)
		return mvm_error_wrap(err, "cannot import %s", args[0]);
	mvm_engine_note_image(engine, id.text, "import");
	puts(id.text);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct mvm_engine *engine;
	int fd MVM_CLEAN_FD = -1;
	int result;

	if (check_source(args[0], err) < 0 || cli_open_input(strcmp(args[0], "-") ? args[0] : NULL, &fd, err) < 0 ||
	    mvm_engine_open(&engine, err) < 0)
		return -1;
	result = import(engine, given, args, fd, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_import = {
	.name = "import",
	.names = {"image import", "import"},
	.usage = "[OPTIONS] FILE|- [REPOSITORY[:TAG]]",
	.summary = "Make an image of a root file system in a tar archive",
	.options = options,
	.min_args = 1,
	.max_args = 2,
	.complete = cli_complete_file,
	.values_size = sizeof(struct values),
	.run = run,
};
