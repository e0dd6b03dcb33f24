#include "kernel_flags.h"

static const struct cli_option options[] = {CLI_OPTIONS_END};

static int remove_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	struct mvm_kernel_removed removed = {0};
	int result = mvm_engine_remove_kernel(engine, arg, &removed, err);

	for (size_t i = 0; result == 0 && i < removed.untagged.count; i++) {
		char *name MVM_CLEAN_FREE = mvm_reference_shorten(removed.untagged.items[i]);

		printf("Untagged: %s\n", name);
	}
	if (result == 0 && mvm_digest_is_set(&removed.deleted))
		printf("Deleted: %s\n", removed.deleted.text);
	mvm_strv_finish(&removed.untagged);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	return cli_for_each(args, remove_one, NULL, err);
}

const struct cli_command cli_kernel_rm = {
	.name = "kernel rm",
	.names = {"kernel rm", "kernel remove"},
	.usage = "KERNEL [KERNEL...]",
	.summary = "Remove kernels",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_kernels,
	.run = run,
};
