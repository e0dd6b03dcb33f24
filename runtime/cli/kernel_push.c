#include "kernel_flags.h"

#include <stddef.h>
#include <unistd.h>

struct values {
	struct mvm_strv from;
	const char *initramfs;
	bool quiet;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"from", 0, CLI_LIST, AT(from), "KERNEL|ARCH|FILE", "What gets the name first (default: what has it)",
	 .complete = cli_complete_kernel_option},
	{"initramfs", 0, CLI_STRING, AT(initramfs), "FILE", "With --from: the initramfs that goes with it",
	 .complete = cli_complete_files},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Print the name only"},
	CLI_OPTIONS_END,
};

static int take_from(struct mvm_engine *engine, const struct values *values, const struct mvm_reference *reference,
		     struct mvm_error **err)
{
	struct mvm_kernel_source source = {.initramfs = values->initramfs};
	struct mvm_kernel *kernel MVM_CLEAN_KERNEL = NULL;

	if (!values->from.count)
		return 0;
	source.kernel = values->from.items[0];
	return mvm_engine_add_kernel(engine, &source, reference, &kernel, err);
}

/* The name is the host's one's here, as if it had been pulled. */
static int name_own(struct mvm_store *store, const struct mvm_kernel_list *kernels,
		    const struct mvm_reference *reference, struct mvm_error **err)
{
	for (size_t i = 0; i < kernels->count; i++) {
		struct mvm_kernel *tagged MVM_CLEAN_KERNEL = NULL;

		if (kernels->items[i]->config.arch == MVM_ARCH_OWN &&
		    mvm_kernels_tag(store, kernels->items[i], reference, &tagged, err) < 0)
			return -1;
	}
	return 0;
}

static int push_several(struct mvm_engine *engine, const struct values *values, const struct mvm_reference *reference,
			const struct mvm_kernel_options *how, struct mvm_pushed *pushed, struct mvm_error **err)
{
	struct mvm_kernel_list kernels MVM_CLEAN_KERNEL_LIST = {
		.items = mvm_alloc(values->from.count * sizeof(struct mvm_kernel *))};
	struct mvm_store *store;

	for (size_t i = 0; i < values->from.count; i++) {
		const struct mvm_kernel_source source = {.kernel = values->from.items[i]};

		if (mvm_engine_add_kernel(engine, &source, NULL, &kernels.items[i], err) < 0)
			return -1;
		kernels.count++;
	}
	if (mvm_engine_kernels(engine, &store, err) < 0 ||
	    mvm_kernel_push_index(store, reference, &kernels, how, pushed, err) < 0)
		return -1;
	return name_own(store, &kernels, reference, err);
}

static int push_one(struct mvm_engine *engine, const struct values *values, const struct mvm_reference *reference,
		    const struct mvm_kernel_options *how, struct mvm_pushed *pushed, struct mvm_error **err)
{
	struct mvm_store *store;

	if (mvm_engine_kernels(engine, &store, err) < 0 || take_from(engine, values, reference, err) < 0)
		return -1;
	return mvm_kernel_push(store, reference, how, pushed, err);
}

static int push(struct mvm_engine *engine, const struct values *values, const struct mvm_reference *reference,
		const struct mvm_progress *progress, struct mvm_error **err)
{
	struct mvm_kernel_options how = {.progress = progress, .config = mvm_engine_config(engine)};
	struct cli_interrupt before;
	struct mvm_pushed pushed = {0};
	int result;

	how.interrupted = cli_interrupt_begin(&before);
	result = (values->from.count > 1 ? push_several : push_one)(engine, values, reference, &how, &pushed, err);
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

	if (values->initramfs && values->from.count != 1)
		return mvm_fail(err, MVM_ERR_USAGE, "--initramfs needs one --from: which kernel does it go with?");
	if (mvm_reference_parse(args[0], &reference, err) < 0)
		return -1;
	if (values->from.count && !reference.tag)
		return mvm_fail(err, MVM_ERR_USAGE, "cannot push a digest reference: give a name with a tag");
	if (mvm_engine_open(&engine, err) < 0)
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
