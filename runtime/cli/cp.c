#include "cli.h"

#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "complete.h"
#include "runtime/base/text.h"

#define DRAW_NS 75000000 /* docker's: between two pictures of the progress */

struct values {
	bool archive, follow_link, quiet, quiet_given;
};

static const struct cli_option options[] = {
	{"archive", 'a', CLI_FLAG, offsetof(struct values, archive), NULL, "Keep owners and groups"},
	{"follow-link", 'L', CLI_FLAG, offsetof(struct values, follow_link), NULL,
	 "Copy what SRC_PATH leads to, where it is a link"},
	{"quiet", 'q', CLI_FLAG, offsetof(struct values, quiet), NULL,
	 "Print no progress and no result, as without a terminal", .given = offsetof(struct values, quiet_given)},
	CLI_OPTIONS_END,
};

/* One end: a container and a path in it, or a local path. */
struct end {
	char *container; /* NULL: local */
	const char *path;
};

/* Docker's rule: a local path with a colon is written with "./" or "/" before it. */
char *cli_copy_split(const char *arg, const char **path)
{
	const char *colon = strchr(arg, ':');
	bool local = *arg == '/' || *arg == '.' || !colon;

	*path = local ? arg : colon + 1;
	return local || colon == arg ? NULL : mvm_strndup(arg, (size_t)(colon - arg));
}

struct progress {
	const char *header;
	struct timespec drawn;
};

static void draw(void *arg, uint64_t transferred)
{
	struct progress *progress = arg;
	char *size MVM_CLEAN_FREE = NULL;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((now.tv_sec - progress->drawn.tv_sec) * 1000000000 + now.tv_nsec - progress->drawn.tv_nsec < DRAW_NS)
		return;
	progress->drawn = now;
	size = mvm_format_size(transferred);
	fprintf(stderr, "\r\033[K%s%s", progress->header, size);
}

static void print_result(const struct mvm_copied *copied)
{
	char *content MVM_CLEAN_FREE = mvm_format_size(copied->content);
	char *transferred MVM_CLEAN_FREE = mvm_format_size(copied->transferred);

	if (copied->content == copied->transferred)
		fprintf(stderr, "Successfully copied %s to %s\n", content, copied->target);
	else
		fprintf(stderr, "Successfully copied %s (transferred %s) to %s\n", content, transferred,
			copied->target);
}

int cli_copy(struct mvm_engine *engine, const struct mvm_copy *wanted, bool from, bool quiet, struct mvm_error **err)
{
	struct mvm_copy copy = *wanted;
	struct progress progress = {.header = from ? "Copying from container - " : "Copying to container - "};
	bool drawn = !quiet && isatty(STDERR_FILENO);
	struct mvm_copied copied = {0};
	int result;

	if (drawn) {
		copy.progress = draw;
		copy.arg = &progress;
	}
	result = from ? mvm_engine_copy_from(engine, &copy, &copied, err)
		      : mvm_engine_copy_to(engine, &copy, &copied, err);
	if (drawn)
		fputs("\r\033[K", stderr);
	/* An archive on stdout speaks for itself. */
	if (result == 0 && !quiet && copied.target)
		print_result(&copied);
	free(copied.target);
	return result;
}

static int copy_ends(const struct values *values, const struct end *source, const struct end *target,
		     struct mvm_error **err)
{
	bool from = source->container != NULL;
	const struct end *there = from ? source : target, *here = from ? target : source;
	bool stream = !strcmp(here->path, "-");
	bool quiet = values->quiet_given ? values->quiet : !isatty(STDOUT_FILENO);
	struct mvm_copy copy = {
		.container = there->container,
		.path = there->path,
		.local = stream ? NULL : here->path,
		.fd = from ? STDOUT_FILENO : STDIN_FILENO,
		.fd_name = from ? "the output" : "the input",
		.follow_link = values->follow_link,
		.archive = values->archive,
	};
	struct mvm_engine *engine;
	int result;

	if (!*there->path)
		return mvm_fail(err, MVM_ERR_INVALID,
				"bad parameter: path cannot be empty: the root of container %s is %s:/",
				there->container, there->container);
	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = cli_copy(engine, &copy, from, quiet, err);
	mvm_engine_close(engine);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct end source, target;
	int result;

	if (!*args[0] || !*args[1])
		return mvm_fail(err, MVM_ERR_INVALID, "%s can not be empty", *args[0] ? "destination" : "source");
	source.container = cli_copy_split(args[0], &source.path);
	target.container = cli_copy_split(args[1], &target.path);
	if (source.container && target.container)
		result = mvm_fail(err, MVM_ERR_INVALID, "copying between containers is not supported");
	else if (!source.container && !target.container)
		result = mvm_fail(err, MVM_ERR_INVALID, "must specify at least one container source");
	else
		result = copy_ends(given, &source, &target, err);
	free(source.container);
	free(target.container);
	return result;
}

const struct cli_command cli_cp = {
	.name = "cp",
	.names = {"container cp", "machine cp", "cp"},
	.usage = "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|- | SRC_PATH|- CONTAINER:DEST_PATH",
	.summary = "Copy files between a container and the local file system",
	.options = options,
	.min_args = 2,
	.max_args = 2,
	.complete = cli_complete_copy,
	.values_size = sizeof(struct values),
	.run = run,
};
