#include "cli.h"

#include "complete.h"

struct values {
	bool none;
};

static const struct cli_option options[] = {
	CLI_OPTIONS_END,
};

static int run(const void *given, char **args, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_UNSUPPORTED,
			"images cannot be built here yet; build with another tool and bring the image over: "
			"docker build -t NAME . && docker save NAME | mvm load");
}

const struct cli_command cli_build = {
	.name = "build",
	.names = {"image build", "build"},
	.usage = "[OPTIONS] PATH",
	.summary = "Not there yet: says how to bring over what others build",
	.options = options,
	.max_args = SIZE_MAX,
	.all_are_args = true,
	.complete = cli_complete_files,
	.values_size = sizeof(struct values),
	.run = run,
};
