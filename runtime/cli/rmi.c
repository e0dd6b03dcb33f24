#include "cli.h"

#include <stddef.h>

#include "image/reference.h"

struct values {
	bool force, no_prune;
};

static const struct cli_option options[] = {
	{"force", 'f', CLI_FLAG, offsetof(struct values, force), NULL,
	 "Also where stopped containers or several names use it"},
	{"no-prune", 0, CLI_FLAG, offsetof(struct values, no_prune), NULL,
	 "Accepted for docker's sake: images have no parents"},
	CLI_OPTIONS_END,
};

static int remove_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	const struct values *values = context;
	struct mvm_store_removed removed MVM_CLEAN_REMOVED = {0};
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;

	if (mvm_engine_remove_image(engine, arg, values->force, &removed, &local) < 0) {
		if (!values->force || mvm_error_code(local) != MVM_ERR_NOT_FOUND)
			return mvm_error_move(err, &local);
		/* As docker: with --force it does not matter that there is none. */
		cli_print_error(local);
		return 0;
	}
	for (size_t i = 0; i < removed.untagged.count; i++) {
		char *name MVM_CLEAN_FREE = mvm_reference_shorten(removed.untagged.items[i]);

		printf("Untagged: %s\n", name);
	}
	for (size_t i = 0; i < removed.deleted.count; i++)
		printf("Deleted: %s\n", removed.deleted.items[i]);
	return 0;
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
	.complete = cli_complete_images,
	.values_size = sizeof(struct values),
	.run = run,
};
