#include "cli.h"

#include <stddef.h>

struct values {
	const char *output;
};

static const struct cli_option options[] = {
	{"output", 'o', CLI_STRING, offsetof(struct values, output), "FILE", "Write to this file, not to stdout",
	 .complete = cli_complete_files},
	CLI_OPTIONS_END,
};

struct export
{
	struct mvm_engine *engine;
	const char *container, *output;
};

static int write_archive(void *arg, int fd, struct mvm_error **err)
{
	const struct export *export = arg;
	const char *name = export->output ? export->output : "the output";

	if (mvm_engine_export(export->engine, export->container, fd, name, err) < 0)
		return mvm_error_wrap(err, "cannot export container %s", export->container);
	return 0;
}

int cli_export_container(struct mvm_engine *engine, const char *container, const char *output, struct mvm_error **err)
{
	struct export export = {engine, container, output};

	return cli_write_output(output, write_archive, &export, err);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_engine *engine;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = cli_export_container(engine, args[0], values->output, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_export = {
	.name = "export",
	.names = {"container export", "export"},
	.usage = "[OPTIONS] CONTAINER",
	.summary = "Write a container's file system to a tar archive",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.complete = cli_complete_containers,
	.values_size = sizeof(struct values),
	.run = run,
};
