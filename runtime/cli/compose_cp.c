#include "compose_board.h"
#include "compose.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct values {
	bool all, archive, follow_link;
	const char *index;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"all", 0, CLI_FLAG, AT(all), NULL, "Include containers created by the run command"},
	{"archive", 'a', CLI_FLAG, AT(archive), NULL, "Archive mode (copy all uid/gid information)"},
	{"follow-link", 'L', CLI_FLAG, AT(follow_link), NULL, "Always follow symbol link in SRC_PATH"},
	{"index", 0, CLI_STRING, AT(index), "N", "Index of the container if service has multiple replicas"},
	CLI_OPTIONS_END,
};

struct job {
	struct mvm_copy copy;
	const char *service, *source, *target;
	bool from;
};

/* Docker compose's words: "Copying", "Copied". */
static int copy_one(struct mvm_engine *engine, const struct mvm_container *container, const struct job *job,
		    const struct mvm_compose_sink *sink, struct mvm_error **err)
{
	const char *name = container->config.name;
	char *what MVM_CLEAN_FREE = job->from ? mvm_format("%s copy %s:%s to %s", name, name, job->source, job->target)
					      : mvm_format("%s copy %s to %s:%s", name, job->source, name, job->target);
	struct mvm_copy copy = job->copy;

	copy.container = container->config.id;
	sink->event(sink->arg, what, MVM_COMPOSE_WORKING, "Copying");
	if (cli_copy(engine, &copy, job->from, true, err) < 0)
		return -1;
	sink->event(sink->arg, what, MVM_COMPOSE_DONE, "Copied");
	return 0;
}

static int copy_for_index(struct mvm_engine *engine, const struct mvm_container *container, void *context,
			  struct mvm_error **err)
{
	struct cli_board *board CLEAN_BOARD = cli_board_create();

	return copy_one(engine, container, context, cli_board_sink(board), err);
}

/* Into all of them, or from the first. */
static int copy_for_all(struct mvm_engine *engine, const char *project, const struct mvm_fleet *fleet, void *context,
			struct mvm_error **err)
{
	struct cli_board *board CLEAN_BOARD = cli_board_create();
	const struct job *job = context;

	if (!fleet->count)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "no container found for service \"%s\"", job->service);
	for (size_t i = 0; i < (job->from ? 1 : fleet->count); i++)
		if (copy_one(engine, fleet->items[i], job, cli_board_sink(board), err) < 0)
			return -1;
	return 0;
}

static int copy(const struct values *values, char *service, struct job *job, struct mvm_error **err)
{
	char *services[] = {service, NULL};
	const struct mvm_fleet_request request = {
		.services = services, .oneoff = values->all ? MVM_ONEOFF_INCLUDE : MVM_ONEOFF_EXCLUDE, .all = true};
	const struct cli_compose_choice choice = {.service = service, .index = values->index, .all = true};
	const char *here = job->from ? job->target : job->source;
	bool stream = !strcmp(here, "-");
	int64_t index;

	if (cli_compose_index(values->index, &index, err) < 0)
		return -1;
	job->service = service;
	job->copy = (struct mvm_copy){
		.path = job->from ? job->source : job->target,
		.local = stream ? NULL : here,
		.fd = job->from ? STDOUT_FILENO : STDIN_FILENO,
		.fd_name = job->from ? "the output" : "the input",
		.follow_link = values->follow_link,
		.archive = values->archive,
	};
	if (index > 0)
		return cli_compose_with_one(&choice, copy_for_index, job, err);
	return cli_compose_with_all(&request, copy_for_all, job, err);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct job job = {0};
	char *from MVM_CLEAN_FREE = NULL, *to MVM_CLEAN_FREE = NULL;

	if (!*args[0] || !*args[1])
		return mvm_fail(err, MVM_ERR_INVALID, "%s can not be empty", *args[0] ? "destination" : "source");
	from = cli_copy_split(args[0], &job.source);
	to = cli_copy_split(args[1], &job.target);
	if (from && to)
		return mvm_fail(err, MVM_ERR_INVALID, "copying between services is not supported");
	if (!from && !to)
		return mvm_fail(err, MVM_ERR_INVALID, "unknown copy direction");
	job.from = from != NULL;
	return copy(given, from ? from : to, &job, err);
}

const struct cli_command cli_compose_cp = {
	.name = "compose cp",
	.usage = "[OPTIONS] SERVICE:SRC_PATH DEST_PATH|- | SRC_PATH|- SERVICE:DEST_PATH",
	.summary = "Copy files/folders between a service container and the local filesystem",
	.options = options,
	.min_args = 2,
	.max_args = 2,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.run = run,
};
