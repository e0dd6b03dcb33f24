#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "image/archive.h"
#include "image/platform.h"
#include "image/reference.h"
#include "runtime/base/io.h"

struct values {
	const char *input, *platform;
	bool quiet;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"input", 'i', CLI_STRING, AT(input), "FILE", "Read this file, not stdin", .complete = cli_complete_files},
	{"platform", 0, CLI_STRING, AT(platform), "OS/ARCH", "Take the image for this platform", CLI_PLATFORMS},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Show no progress"},
	CLI_OPTIONS_END,
};

static void print_loaded(void *arg, const char *name, const struct mvm_digest *id, const struct mvm_digest *replaced)
{
	char *familiar MVM_CLEAN_FREE = NULL;

	mvm_engine_note_image(arg, id->text, "load");
	if (!name) {
		printf("Loaded image ID: %s\n", id->text);
		return;
	}
	familiar = mvm_reference_shorten(name);
	if (replaced)
		printf("The image %s already exists, renaming the old one with ID %s to empty string\n", familiar,
		       replaced->text);
	printf("Loaded image: %s\n", familiar);
}

int cli_open_input(const char *path, int *fd, struct mvm_error **err)
{
	*fd = path ? open(path, O_RDONLY | O_CLOEXEC) : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return *fd < 0 ? mvm_fail_errno(err, errno, "%s", path ? path : "stdin") : 0;
}

static int load(struct mvm_engine *engine, const struct values *values, int fd, struct mvm_error **err)
{
	const struct mvm_load_sink sink = {.loaded = print_loaded, .arg = engine};
	struct mvm_archive_options archive = {.config = mvm_engine_config(engine)};
	struct mvm_progress *progress;
	struct cli_interrupt before;
	struct mvm_platform platform;
	struct mvm_store *store;
	int result;

	if ((values->platform && mvm_platform_parse(values->platform, &platform, err) < 0) ||
	    mvm_engine_store(engine, &store, err) < 0)
		return -1;
	progress = values->quiet ? NULL : mvm_progress_create(STDERR_FILENO, STDERR_FILENO);
	archive.platform = values->platform ? &platform : NULL;
	archive.progress = progress;
	archive.interrupted = cli_interrupt_begin(&before);
	result = mvm_image_load(store, fd, &archive, &sink, err);
	cli_interrupt_end(&before);
	mvm_progress_destroy(progress);
	return result < 0 ? mvm_error_wrap(err, "cannot load %s", values->input ? values->input : "the archive") : 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_engine *engine;
	int fd MVM_CLEAN_FD = -1;
	int result;

	if (!values->input && isatty(STDIN_FILENO))
		return mvm_fail(err, MVM_ERR_INVALID, "requested load from stdin, but stdin is empty");
	if (cli_open_input(values->input, &fd, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = load(engine, values, fd, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_load = {
	.name = "load",
	.names = {"image load", "load"},
	.usage = "[OPTIONS]",
	.summary = "Read images from a tar archive",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
