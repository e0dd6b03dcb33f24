#include "cli.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#include "image/reference.h"
#include "runtime/base/text.h"

struct values {
	bool all, quiet, no_trunc, digests;
	const char *format;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"all", 'a', CLI_FLAG, AT(all), NULL, "Accepted for docker's sake: all are shown anyway"},
	{"digests", 0, CLI_FLAG, AT(digests), NULL, "Show digests"},
	{"format", 0, CLI_STRING, AT(format), "FORMAT", "table (the default) or json"},
	{"no-trunc", 0, CLI_FLAG, AT(no_trunc), NULL, "Show IDs in full"},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Show IDs only"},
	CLI_OPTIONS_END,
};

static char *format_created(time_t created)
{
	char text[64];
	struct tm parts;

	localtime_r(&created, &parts);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z %Z", &parts);
	return mvm_strdup(text);
}

static const char *digest_for(const struct mvm_image *image, const char *repository)
{
	const struct mvm_strv *digests = mvm_image_repo_digests(image);
	size_t length = strlen(repository);

	for (size_t i = 0; i < digests->count; i++)
		if (!strncmp(digests->items[i], repository, length) && digests->items[i][length] == '@')
			return digests->items[i] + length + 1;
	return "<none>";
}

static void add_row(struct cli_table *table, const struct mvm_image *image, const char *name,
		    const struct values *values)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	bool named = name && mvm_reference_parse(name, &reference, NULL) == 0;
	char *repository MVM_CLEAN_FREE = named ? mvm_reference_repository(&reference) : NULL;
	const struct mvm_digest *id = mvm_image_id(image);

	mvm_strv_take(&table->cells, named ? mvm_reference_familiar_repository(&reference) : mvm_strdup("<none>"));
	mvm_strv_add(&table->cells, named && reference.tag ? reference.tag : "<none>");
	mvm_strv_add(&table->cells, named ? digest_for(image, repository) : "<none>");
	mvm_strv_take(&table->cells,
		      values->no_trunc ? mvm_strdup(id->text) : mvm_strndup(mvm_digest_hex(id), MVM_DIGEST_SHORT));
	mvm_strv_take(&table->cells, mvm_image_created(image) ? cli_ago(mvm_image_created(image)) : mvm_strdup("N/A"));
	mvm_strv_take(&table->cells, mvm_format_size(mvm_image_size(image)));
	mvm_strv_take(&table->cells, format_created(mvm_image_created(image)));
}

static void print_list(const struct mvm_image_list *list, const struct values *values)
{
	const struct cli_column columns[] = {
		{"REPOSITORY", "Repository"},
		{"TAG", "Tag"},
		{values->digests ? "DIGEST" : NULL, "Digest"},
		{"IMAGE ID", "ID"},
		{"CREATED", "CreatedSince"},
		{"SIZE", "Size"},
		{NULL, "CreatedAt"},
	};
	struct cli_table table = {.columns = columns, .column_count = MVM_COUNT(columns)};

	for (size_t i = 0; i < list->count; i++) {
		const struct mvm_strv *names = mvm_image_names(list->items[i]);

		for (size_t n = 0; n < names->count; n++)
			add_row(&table, list->items[i], names->items[n], values);
		if (!names->count)
			add_row(&table, list->items[i], NULL, values);
	}
	cli_table_print(&table, values->format);
	cli_table_finish(&table);
}

static void print_ids(const struct mvm_image_list *list, const struct values *values)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct mvm_digest *id = mvm_image_id(list->items[i]);

		if (values->no_trunc)
			puts(id->text);
		else
			printf("%.*s\n", MVM_DIGEST_SHORT, mvm_digest_hex(id));
	}
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_image_list list MVM_CLEAN_IMAGE_LIST = {0};
	struct mvm_engine *engine;
	struct mvm_store *store;
	int result;

	if (cli_check_format(values->format, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = mvm_engine_store(engine, &store, err);
	if (result == 0)
		result = mvm_store_list(store, &list, err);
	if (result == 0 && values->quiet)
		print_ids(&list, values);
	else if (result == 0)
		print_list(&list, values);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_images = {
	.name = "images",
	.names = {"image ls", "image list", "images"},
	.common = true,
	.usage = "[OPTIONS]",
	.summary = "List images",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
