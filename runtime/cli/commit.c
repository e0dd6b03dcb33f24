#include "cli.h"

#include <stddef.h>
#include <string.h>

#include "image/reference.h"

struct values {
	struct mvm_strv changes;
	const char *author, *message;
	bool pause, no_pause;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"author", 'a', CLI_STRING, AT(author), "AUTHOR",
	 "Who made the image: \"John Hannibal Smith <hannibal@a-team.com>\""},
	{"change", 'c', CLI_LIST, AT(changes), "INSTRUCTION", "Apply an instruction of a Dockerfile to the image"},
	{"message", 'm', CLI_STRING, AT(message), "TEXT", "What the image's history says"},
	{"no-pause", 0, CLI_FLAG, AT(no_pause), NULL, "Let the container's processes go on meanwhile"},
	{"pause", 'p', CLI_FLAG, AT(pause), NULL, "Let them stand still (the default)"},
	CLI_OPTIONS_END,
};

static const struct values defaults = {.pause = true};

static int commit(struct mvm_engine *engine, const struct values *values, char **args, struct mvm_error **err)
{
	struct mvm_commit_request request = {
		.reference = args[1],
		.author = values->author,
		.message = values->message,
		.changes = &values->changes,
		.pause = values->pause && !values->no_pause,
	};
	struct cli_interrupt before;
	struct mvm_digest id;
	int result;

	request.interrupted = cli_interrupt_begin(&before);
	result = mvm_engine_commit(engine, args[0], &request, &id, err);
	cli_interrupt_end(&before);
	if (result < 0)
		return mvm_error_wrap(err, "cannot commit container %s", args[0]);
	puts(id.text);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct mvm_engine *engine;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = commit(engine, given, args, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_commit = {
	.name = "commit",
	.names = {"container commit", "commit"},
	.usage = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
	.summary = "Make an image of a container's changes to its own",
	.options = options,
	.complete = cli_complete_container,
	.min_args = 1,
	.max_args = 2,
	.options_first = true,
	.values_size = sizeof(struct values),
	.defaults = &defaults,
	.run = run,
};
