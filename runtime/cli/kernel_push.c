#include "kernel_flags.h"

#include <stddef.h>
#include <unistd.h>

struct values {
	const char *from, *initramfs;
	bool quiet;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"from", 0, CLI_STRING, AT(from), "KERNEL|ARCH|FILE", "What gets the name first (default: what has it)",
	 .complete = cli_complete_kernel_option},
	{"initramfs", 0, CLI_STRING, AT(initramfs), "FILE", "With --from: the initramfs that goes with it",
	 .complete = cli_complete_files},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Print the name only"},
	CLI_OPTIONS_END,
};

static int take_from(struct mvm_engine *engine, const struct values *values, const struct mvm_reference *reference,
		     struct mvm_error **err)
{
	const struct mvm_kernel_source source = {.kernel = values->from, .initramfs = values->initramfs};
	struct mvm_kernel *kernel MVM_CLEAN_KERNEL = NULL;

	if (!values->from)
		return 0;
	if (!reference->tag)
		return mvm_fail(err, MVM_ERR_USAGE, "cannot push a digest reference: give a name with a tag");
	return mvm_engine_add_kernel(engine, &source, reference, &kernel, err);
}

static int push(struct mvm_engine *engine, const struct values *values, const struct mvm_reference *reference,
		const struct mvm_progress *progress, struct mvm_error **err)
{
	struct mvm_kernel_options how = {.progress = progress, .config = mvm_engine_config(engine)};
	struct cli_interrupt before;
	struct mvm_pushed pushed;
	struct mvm_store *store;
	int result;

	if (mvm_engine_kernels(engine, &store, err) < 0 || take_from(engine, values, reference, err) < 0)
		return -1;
	how.interrupted = cli_interrupt_begin(&before);
	result = mvm_kernel_push(store, reference, &how, &pushed, err);
	cli_interrupt_end(&before);
	if (result == 0 && !values->quiet)
		printf("%s: digest: %s size: %llu\n", reference->tag, pushed.digest.text,
		       (unsigned long long)pushed.size);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_progress *progress;
	char *repository MVM_CLEAN_FREE = NULL, *full MVM_CLEAN_FREE = NULL;
	struct mvm_engine *engine;
	int result;

	if (values->initramfs && !values->from)
		return mvm_fail(err, MVM_ERR_USAGE, "--initramfs needs --from: which kernel does it go with?");
	if (mvm_reference_parse(args[0], &reference, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	repository = mvm_reference_repository(&reference);
	full = mvm_reference_full(&reference);
	progress = values->quiet ? NULL : mvm_progress_create(STDERR_FILENO, STDERR_FILENO);
	if (!cli_has_tag(args[0]))
		mvm_progress_message(progress, "Using default tag: %s", reference.tag);
	mvm_progress_message(progress, "The push refers to repository [%s]", repository);
	result = push(engine, values, &reference, progress, err);
	mvm_progress_destroy(progress);
	mvm_engine_close(engine);
	if (result == 0 && values->quiet)
		puts(full);
	return result;
}

const struct cli_command cli_kernel_push = {
	.name = "kernel push",
	.usage = "[OPTIONS] NAME[:TAG]",
	.summary = "Upload a kernel to a registry",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.complete = cli_complete_kernel,
	.values_size = sizeof(struct values),
	.run = run,
};
