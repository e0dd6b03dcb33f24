#include "kernel_flags.h"

#include <stddef.h>
#include <unistd.h>

struct values {
	const char *arch;
	bool quiet;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"arch", 0, CLI_STRING, AT(arch), "ARCH", "The kernel must be for this architecture: amd64 or arm64",
	 CLI_ARCHITECTURES},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Print the digest only"},
	CLI_OPTIONS_END,
};

int cli_parse_arch(const char *flag, const char *text, enum mvm_arch *arch, struct mvm_error **err)
{
	if (mvm_arch_parse(text, arch))
		return 0;
	return mvm_fail(err, MVM_ERR_USAGE, "invalid argument \"%s\" for %s: must be amd64 or arm64", text, flag);
}

int cli_adopt_kernel(struct mvm_engine *engine, const struct mvm_kernel *kernel, bool quiet, struct mvm_error **err)
{
	int result = mvm_engine_adopt_kernel(engine, kernel, err);

	if (result == 0 && !quiet)
		fprintf(stderr, "It is used for %s machines from now on, which had no kernel\n",
			mvm_arch_name(kernel->config.arch));
	return result < 0 ? -1 : 0;
}

static int pull(struct mvm_engine *engine, const struct mvm_reference *reference, struct mvm_kernel_options *how,
		struct mvm_kernel **kernel, struct mvm_error **err)
{
	struct cli_interrupt before;
	struct mvm_store *store;
	int result;

	if (mvm_engine_kernels(engine, &store, err) < 0)
		return -1;
	how->config = mvm_engine_config(engine);
	how->interrupted = cli_interrupt_begin(&before);
	result = mvm_kernel_pull(store, reference, how, kernel, err);
	cli_interrupt_end(&before);
	return result;
}

static int pull_and_tell(struct mvm_engine *engine, const char *text, const struct mvm_reference *reference,
			 struct mvm_kernel_options *how, bool quiet, struct mvm_error **err)
{
	struct mvm_progress *progress = quiet ? NULL : mvm_progress_create(STDERR_FILENO, STDOUT_FILENO);
	char *full MVM_CLEAN_FREE = mvm_reference_full(reference);
	struct mvm_kernel *kernel MVM_CLEAN_KERNEL = NULL;
	int result;

	if (!cli_has_tag(text))
		mvm_progress_result(progress, "Using default tag: %s", reference->tag);
	how->progress = progress;
	result = pull(engine, reference, how, &kernel, err);
	mvm_progress_destroy(progress);
	if (result < 0 || cli_adopt_kernel(engine, kernel, quiet, err) < 0)
		return -1;
	puts(quiet ? kernel->manifest.digest.text : full);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_kernel_options how = {0};
	struct mvm_engine *engine;
	enum mvm_arch arch;
	int result;

	if (values->arch && cli_parse_arch("--arch", values->arch, &arch, err) < 0)
		return -1;
	how.arch = values->arch ? &arch : NULL;
	if (mvm_reference_parse(args[0], &reference, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = pull_and_tell(engine, args[0], &reference, &how, values->quiet, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_kernel_pull = {
	.name = "kernel pull",
	.usage = "[OPTIONS] NAME[:TAG|@DIGEST]",
	.summary = "Download a kernel from a registry",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.complete = cli_complete_kernel,
	.values_size = sizeof(struct values),
	.run = run,
};
