#include "compose.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "image/platform.h"
#include "image/reference.h"
#include "runtime/base/text.h"

struct values {
	bool quiet;
	const char *format;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"format", 0, CLI_STRING, AT(format), "FORMAT", "table (the default) or json", CLI_WORDS("json", "table")},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Only display IDs"},
	CLI_OPTIONS_END,
};

/* For people, and for programs. */
static const struct cli_column shown_columns[] = {
	{"CONTAINER", "ContainerName"}, {"REPOSITORY", "Repository"}, {"TAG", "Tag"},
	{"PLATFORM", "Platform"},	{"IMAGE ID", "ID"},	      {"SIZE", "Size"},
	{"CREATED", "Created"},
};
static const struct cli_column json_columns[] = {
	{"ID", "ID"},		{"CONTAINER", "ContainerName"}, {"REPOSITORY", "Repository"},
	{"TAG", "Tag"},		{"PLATFORM", "Platform"},	{"SIZE", "Size", false, true},
	{"CREATED", "Created"},
};

/* What a container calls its image, in its two parts; both are the caller's, and "" where there is none. */
static void split_name(const char *name, char **repository, char **tag)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	bool named = mvm_reference_parse(name, &reference, NULL) == 0;

	*repository = named ? mvm_reference_familiar_repository(&reference) : mvm_strdup("");
	*tag = mvm_strdup(named && reference.tag ? reference.tag : "");
}

static const char *or_none(const char *text)
{
	return *text ? text : "<none>";
}

/* An image that is gone has an ID, and what the container calls it. */
static void add_shown(struct mvm_engine *engine, const struct mvm_container *container, const struct mvm_image *image,
		      struct mvm_strv *cells)
{
	char *repository MVM_CLEAN_FREE = NULL, *tag MVM_CLEAN_FREE = NULL;
	time_t created = image ? mvm_image_created(image) : 0;
	const char *colon = strchr(container->config.image_id, ':');

	split_name(container->config.image, &repository, &tag);
	mvm_strv_add(cells, container->config.name);
	mvm_strv_add(cells, or_none(repository));
	mvm_strv_add(cells, or_none(tag));
	mvm_strv_take(cells, image ? mvm_platform_format(mvm_image_platform(image)) : mvm_strdup(""));
	mvm_strv_take(cells, mvm_strndup(colon ? colon + 1 : container->config.image_id, MVM_SHORT_ID_LENGTH));
	mvm_strv_take(cells, mvm_format_size(image ? mvm_engine_image_size(engine, image) : 0));
	mvm_strv_take(cells, created ? cli_ago(created) : mvm_strdup("N/A"));
}

static void add_json(struct mvm_engine *engine, const struct mvm_container *container, const struct mvm_image *image,
		     struct mvm_strv *cells)
{
	char *repository MVM_CLEAN_FREE = NULL, *tag MVM_CLEAN_FREE = NULL;
	const char *created =
		image ? json_string_value(json_object_get(mvm_image_config_json(image), "created")) : NULL;

	split_name(container->config.image, &repository, &tag);
	mvm_strv_add(cells, container->config.image_id);
	mvm_strv_add(cells, container->config.name);
	mvm_strv_add(cells, repository);
	mvm_strv_add(cells, tag);
	mvm_strv_take(cells, image ? mvm_platform_format(mvm_image_platform(image)) : mvm_strdup(""));
	mvm_strv_addf(cells, "%llu", image ? (unsigned long long)mvm_engine_image_size(engine, image) : 0ULL);
	mvm_strv_add(cells, created ? created : "");
}

static void print_ids(const struct mvm_fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++) {
		const char *id = fleet->items[i]->config.image_id, *colon = strchr(id, ':');
		size_t before = 0;

		while (strcmp(fleet->items[before]->config.image_id, id) != 0)
			before++;
		if (before == i)
			puts(colon ? colon + 1 : id);
	}
}

static int show(struct mvm_engine *engine, const char *project, const struct mvm_fleet *fleet, void *context,
		struct mvm_error **err)
{
	const struct values *values = context;
	bool json = values->format && !strcasecmp(values->format, "json");
	struct cli_table table = {.columns = json ? json_columns : shown_columns,
				  .column_count = json ? MVM_COUNT(json_columns) : MVM_COUNT(shown_columns),
				  .as_listed = true};
	struct mvm_store *store;
	int result;

	if (values->quiet) {
		print_ids(fleet);
		return 0;
	}
	if (mvm_engine_store(engine, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < fleet->count; i++) {
		struct mvm_image *image MVM_CLEAN_IMAGE = NULL;

		mvm_store_find(store, fleet->items[i]->config.image_id, &image, NULL);
		(json ? add_json : add_shown)(engine, fleet->items[i], image, &table.cells);
	}
	result = cli_compose_print_section(&table, values->format, err);
	cli_table_finish(&table);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct mvm_fleet_request request = {.services = args, .oneoff = MVM_ONEOFF_INCLUDE, .all = true};

	return cli_compose_with_all(&request, show, (void *)given, err);
}

const struct cli_command cli_compose_images = {
	.name = "compose images",
	.usage = "[OPTIONS] [SERVICE...]",
	.summary = "List images used by the created containers",
	.options = options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.run = run,
};
