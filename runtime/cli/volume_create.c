#include "cli.h"

#include <stddef.h>

struct values {
	const char *driver, *name;
	struct mvm_strv labels, options;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"driver", 'd', CLI_STRING, AT(driver), "DRIVER", "disk (the default) or shared", CLI_WORDS("disk", "shared")},
	{"label", 0, CLI_LIST, AT(labels), "KEY[=VALUE]", "Set a label"},
	{"name", 0, CLI_STRING, AT(name), "NAME", "The name, another way"},
	{"opt", 'o', CLI_LIST, AT(options), "KEY=VALUE", "size=SIZE: of a disk, at most (default 64g)",
	 CLI_WORDS("size=")},
	CLI_OPTIONS_END,
};

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	const struct mvm_volume_request request = {.name = args[0] ? args[0] : values->name,
						   .driver = values->driver,
						   .labels = &values->labels,
						   .options = &values->options};
	struct mvm_volume *volume MVM_CLEAN_VOLUME = NULL;
	struct mvm_engine *engine;
	int result;

	if (args[0] && values->name)
		return mvm_fail(err, MVM_ERR_USAGE,
				"conflicting options: cannot specify a volume-name through both --name and as a "
				"positional arg");
	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = mvm_engine_create_volume(engine, &request, &volume, err);
	if (result == 0)
		puts(volume->name);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_volume_create = {
	.name = "volume create",
	.usage = "[OPTIONS] [VOLUME]",
	.summary = "Create a volume",
	.options = options,
	.max_args = 1,
	.values_size = sizeof(struct values),
	.run = run,
};
