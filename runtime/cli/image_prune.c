#include "prune.h"

#include <stddef.h>
#include <string.h>

#include "filter.h"
#include "image/reference.h"
#include "prompt.h"
#include "runtime/base/text.h"

int cli_confirm(const char *warning, const char *what, struct mvm_error **err)
{
	char *question MVM_CLEAN_FREE = mvm_format("WARNING! %s\nAre you sure you want to continue? [y/N] ", warning);
	char *answer MVM_CLEAN_FREE = NULL;

	if (cli_prompt(question, false, &answer, err) < 0)
		return -1;
	if (!strcmp(answer, "y") || !strcmp(answer, "Y"))
		return 0;
	return mvm_fail(err, MVM_ERR_INTERRUPTED, "%s has been cancelled; --force does not ask", what);
}

static void report(void *arg, const struct mvm_store_removed *removed)
{
	bool *any = arg;

	if (!*any)
		puts("Deleted Images:");
	*any = true;
	for (size_t i = 0; i < removed->untagged.count; i++) {
		char *name MVM_CLEAN_FREE = mvm_reference_shorten(removed->untagged.items[i]);

		printf("untagged: %s\n", name);
	}
	for (size_t i = 0; i < removed->deleted.count; i++)
		printf("deleted: %s\n", removed->deleted.items[i]);
}

int cli_prune_images(struct mvm_engine *engine, bool all, const struct mvm_prune_filter *filter, uint64_t *reclaimed,
		     struct mvm_error **err)
{
	bool any = false;
	int result = mvm_engine_prune_images(engine, all, filter, report, &any, reclaimed, err);

	if (any)
		putchar('\n');
	return result;
}

void cli_print_reclaimed(uint64_t reclaimed)
{
	char *size MVM_CLEAN_FREE = mvm_format_size(reclaimed);

	printf("Total reclaimed space: %s\n", size);
}

struct values {
	bool all, force;
	struct mvm_strv filters;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"all", 'a', CLI_FLAG, AT(all), NULL, "Remove all unused images, not just dangling ones"},
	{"filter", 0, CLI_LIST, AT(filters), "FILTER", "until=TIME, label=NAME[=VALUE] or label!=NAME[=VALUE]",
	 CLI_PRUNE_FILTERS},
	{"force", 'f', CLI_FLAG, AT(force), NULL, "Do not prompt for confirmation"},
	CLI_OPTIONS_END,
};

static int prune(struct mvm_engine *engine, bool all, const struct mvm_prune_filter *filter, struct mvm_error **err)
{
	uint64_t reclaimed;
	int result = cli_prune_images(engine, all, filter, &reclaimed, err);

	cli_print_reclaimed(reclaimed);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_prune_filter filter MVM_CLEAN_PRUNE_FILTER = {0};
	const char *warning = values->all
				      ? "This will remove all images without at least one container associated to them."
				      : "This will remove all dangling images.";
	struct mvm_engine *engine;
	int result;

	if (cli_prune_filter(&values->filters, &filter, err) < 0 ||
	    (!values->force && cli_confirm(warning, "image prune", err) < 0) || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = prune(engine, values->all, &filter, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_image_prune = {
	.name = "image prune",
	.usage = "[OPTIONS]",
	.summary = "Remove unused images",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
