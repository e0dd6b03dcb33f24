#include "kernel_flags.h"

#include <stddef.h>

struct values {
	bool own;
};

static const struct cli_option options[] = {
	{"own", 0, CLI_FLAG, offsetof(struct values, own), NULL,
	 "Go back to mvm's own kernel; the argument is an architecture"},
	CLI_OPTIONS_END,
};

static int use(struct mvm_engine *engine, const char *text, struct mvm_error **err)
{
	struct mvm_kernel *kernel MVM_CLEAN_KERNEL = NULL;
	struct mvm_store *store;

	if (mvm_engine_kernels(engine, &store, err) < 0 || mvm_kernels_find(store, text, &kernel, err) < 0)
		return -1;
	return mvm_kernels_use(store, kernel->config.arch, kernel, err);
}

static int use_own(struct mvm_engine *engine, enum mvm_arch arch, struct mvm_error **err)
{
	char *own MVM_CLEAN_FREE = NULL;
	struct mvm_store *store;

	if (mvm_boot_file(arch, mvm_backend_kernel(), &own, err) < 0 || mvm_engine_kernels(engine, &store, err) < 0)
		return -1;
	return mvm_kernels_use(store, arch, NULL, err);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_engine *engine;
	enum mvm_arch arch;
	int result;

	if (values->own && cli_parse_arch("--own", args[0], &arch, err) < 0)
		return -1;
	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = values->own ? use_own(engine, arch, err) : use(engine, args[0], err);
	mvm_engine_close(engine);
	if (result == 0)
		puts(args[0]);
	return result;
}

const struct cli_command cli_kernel_use = {
	.name = "kernel use",
	.usage = "[OPTIONS] KERNEL|ARCH",
	.summary = "Choose the kernel that new containers boot",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.complete = cli_complete_kernel,
	.values_size = sizeof(struct values),
	.run = run,
};
