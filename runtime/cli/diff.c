#include "cli.h"

#include <string.h>

#include "runtime/base/text.h"

static const struct cli_option options[] = {
	CLI_OPTIONS_END,
};

static int run(const void *values, char **args, struct mvm_error **err)
{
	struct mvm_changes changes;
	struct mvm_engine *engine;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = mvm_engine_diff(engine, args[0], &changes, err);
	mvm_engine_close(engine);
	if (result < 0)
		return mvm_error_wrap(err, "cannot compare container %s with its image", args[0]);
	for (size_t i = 0; i < changes.count; i++) {
		mvm_mask_controls(changes.items[i].path);
		printf("%c %s\n", changes.items[i].kind, changes.items[i].path);
	}
	mvm_changes_finish(&changes);
	return 0;
}

const struct cli_command cli_diff = {
	.name = "diff",
	.names = {"container diff", "diff"},
	.usage = "CONTAINER",
	.summary = "Show what has changed in a container's file system",
	.options = options,
	.complete = cli_complete_container,
	.min_args = 1,
	.max_args = 1,
	.values_size = 1,
	.run = run,
};
