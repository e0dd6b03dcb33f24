#include "cli.h"

#include <stddef.h>

#include "image/reference.h"

struct values {
	bool force;
};

static const struct cli_option options[] = {
	{"force", 'f', CLI_FLAG, offsetof(struct values, force), NULL,
	 "Also where stopped containers or several names use it"},
	CLI_OPTIONS_END,
};

static int remove_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	const struct values *values = context;
	struct mvm_store_removed removed = {0};
	int result = mvm_engine_remove_image(engine, arg, values->force, &removed, err);

	for (size_t i = 0; i < removed.untagged.count; i++) {
		char *name MVM_CLEAN_FREE = mvm_reference_shorten(removed.untagged.items[i]);

		printf("Untagged: %s\n", name);
	}
	for (size_t i = 0; i < removed.deleted.count; i++)
		printf("Deleted: %s\n", removed.deleted.items[i]);
	mvm_store_removed_finish(&removed);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct values values = *(const struct values *)given;

	return cli_for_each(args, remove_one, &values, err);
}

const struct cli_command cli_rmi = {
	.name = "rmi",
	.names = {"image rm", "image remove", "rmi"},
	.usage = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Remove images",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.values_size = sizeof(struct values),
	.run = run,
};
