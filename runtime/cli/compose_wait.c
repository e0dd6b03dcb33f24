#include "compose_change.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/loop.h"

struct values {
	bool down;
};

static const struct cli_option options[] = {
	{"down-project", 0, CLI_FLAG, offsetof(struct values, down), NULL,
	 "Drops project when the first container stops"},
	CLI_OPTIONS_END,
};

/* What blocks is in a process for each container; this one notes who ends last. */
struct waiting {
	struct mvm_loop *loop;
	size_t left;
	int exit_code; /* docker's: of the one that ended last */
	bool failed;
};

/* In the process for it. Codes of programs beyond what a status holds are cut as they are everywhere. */
static void wait_for(struct mvm_engine *engine, const char *id, int answer)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	unsigned char code;
	int exit_code;

	if (mvm_engine_wait(engine, id, &exit_code, &err) < 0) {
		cli_print_error(err);
		_exit(1);
	}
	printf("container \"%s\" exited with status code %d\n", id, exit_code);
	fflush(stdout);
	code = (unsigned char)exit_code;
	_exit(mvm_write_full(answer, &code, 1) < 0);
}

static void has_ended(void *arg, pid_t pid, int status)
{
	struct waiting *waiting = arg;

	if (status)
		waiting->failed = true;
	if (!--waiting->left)
		mvm_loop_stop(waiting->loop);
}

static void take_code(void *arg, int fd, short revents)
{
	struct waiting *waiting = arg;
	unsigned char code;

	while (read(fd, &code, 1) == 1)
		waiting->exit_code = code;
}

static int start_waiting(struct waiting *waiting, struct mvm_engine *engine, const char *id, int answer,
			 struct mvm_error **err)
{
	pid_t pid = fork();

	if (pid < 0)
		return mvm_fail_errno(err, errno, "cannot start a process");
	if (pid == 0)
		wait_for(engine, id, answer);
	waiting->left++;
	mvm_loop_child(waiting->loop, pid, has_ended, waiting);
	return 0;
}

static int wait_all(struct mvm_engine *engine, const char *project, const struct mvm_fleet *fleet, void *context,
		    struct mvm_error **err)
{
	struct waiting *waiting = context;
	int answers[2], result = 0;

	if (!fleet->count)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "no containers for project \"%s\"", project);
	if (mvm_pipe(answers) < 0)
		return mvm_fail_errno(err, errno, "cannot make a pipe");
	mvm_set_nonblock(answers[0], true);
	fflush(NULL);
	waiting->loop = mvm_loop_create();
	mvm_loop_watch(waiting->loop, answers[0], POLLIN, take_code, waiting);
	for (size_t i = 0; result == 0 && i < fleet->count; i++)
		result = start_waiting(waiting, engine, fleet->items[i]->config.id, answers[1], err);
	if (result == 0)
		result = mvm_loop_run(waiting->loop, err);
	take_code(waiting, answers[0], POLLIN);
	mvm_loop_destroy(waiting->loop);
	close(answers[0]);
	close(answers[1]);
	return result;
}

static int take_down(const struct mvm_compose_project *project, const void *context, struct mvm_error **err)
{
	return mvm_compose_down(project, context, err);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	const struct mvm_fleet_request request = {.services = args, .oneoff = MVM_ONEOFF_INCLUDE};
	const struct mvm_compose_down down = {.remove_orphans = true};
	struct mvm_compose_options load = {.no_env_resolution = true};
	struct waiting waiting = {0};
	char *all[] = {NULL};

	if (cli_compose_with_all(&request, wait_all, &waiting, err) < 0)
		return -1;
	if (waiting.failed)
		return 1;
	if (values->down && cli_compose_change(&load, false, all, take_down, &down, err) < 0)
		return -1;
	return waiting.exit_code;
}

const struct cli_command cli_compose_wait = {
	.name = "compose wait",
	.usage = "SERVICE [SERVICE...] [OPTIONS]",
	.summary = "Block until containers of all (or specified) services stop.",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.run = run,
};
