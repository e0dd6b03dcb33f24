/*
 * `system df`: what images, containers and volumes take of the disk. The table counts allocated blocks, blobs and
 * unpacked disks together; with -v each image has docker's size, that of its files.
 */
#include "cli.h"

#include <stddef.h>
#include <string.h>

#include "image/reference.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"

struct values {
	bool verbose;
	const char *format;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"format", 0, CLI_STRING, AT(format), "FORMAT", CLI_FORMAT_HELP, CLI_WORDS("json", "table")},
	{"verbose", 'v', CLI_FLAG, AT(verbose), NULL, "Show each image, container and volume"},
	CLI_OPTIONS_END,
};

static void add_kind(struct cli_table *table, const char *name, const struct mvm_usage_kind *kind)
{
	char *size MVM_CLEAN_FREE = mvm_format_size(kind->size);
	char *reclaimable MVM_CLEAN_FREE = mvm_format_size(kind->reclaimable);

	mvm_strv_add(&table->cells, name);
	mvm_strv_addf(&table->cells, "%zu", kind->count);
	mvm_strv_addf(&table->cells, "%zu", kind->active);
	mvm_strv_add(&table->cells, size);
	if (kind->size)
		mvm_strv_addf(&table->cells, "%s (%u%%)", reclaimable,
			      (unsigned)((double)kind->reclaimable * 100 / (double)kind->size));
	else
		mvm_strv_add(&table->cells, reclaimable);
}

static int print_summary(struct mvm_engine *engine, const char *format, struct mvm_error **err)
{
	static const struct cli_column columns[] = {{"TYPE", "Type"},
						    {"TOTAL", "TotalCount"},
						    {"ACTIVE", "Active"},
						    {"SIZE", "Size"},
						    {"RECLAIMABLE", "Reclaimable"}};
	static const struct mvm_usage_kind none = {0};
	struct cli_table table = {.columns = columns, .column_count = MVM_COUNT(columns), .type = "usage"};
	struct mvm_usage usage;
	int result;

	if (mvm_engine_usage(engine, &usage, err) < 0)
		return -1;
	add_kind(&table, "Images", &usage.images);
	add_kind(&table, "Containers", &usage.containers);
	add_kind(&table, "Local Volumes", &usage.volumes);
	add_kind(&table, "Build Cache", &none);
	result = cli_table_print(&table, format, err);
	cli_table_finish(&table);
	return result;
}

/* Whether another image begins with the same `count` layers, which are then kept once. */
static bool is_shared(const struct mvm_image_list *images, const struct mvm_image *image, size_t count)
{
	for (size_t i = 0; i < images->count; i++) {
		const struct mvm_image *other = images->items[i];
		size_t same = 0;

		if (mvm_digest_equal(mvm_image_id(other), mvm_image_id(image)))
			continue;
		while (same < count && same < mvm_image_layer_count(other) &&
		       mvm_digest_equal(&mvm_image_layer(other, same)->diff_id, &mvm_image_layer(image, same)->diff_id))
			same++;
		if (same == count)
			return true;
	}
	return false;
}

/* What is listed, read once. */
struct inventory {
	struct mvm_engine *engine;
	struct mvm_image_list images;
	struct mvm_container **containers;
	size_t count;
	struct mvm_volume **volumes;
	size_t volume_count;
};

static size_t count_users(const struct inventory *inventory, const struct mvm_image *image)
{
	size_t users = 0;

	for (size_t i = 0; i < inventory->count; i++)
		users += !strcmp(inventory->containers[i]->config.image_id, mvm_image_id(image)->text);
	return users;
}

static void add_image(struct cli_table *table, const struct inventory *inventory, const struct mvm_image *image)
{
	const struct mvm_strv *names = mvm_image_names(image);
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	bool named = names->count && mvm_reference_parse(names->items[0], &reference, NULL) == 0;
	size_t count = mvm_image_layer_count(image);
	uint64_t *sizes MVM_CLEAN_FREE = mvm_alloc((count + 1) * sizeof(*sizes)), shared = 0, unique = 0;

	if (mvm_engine_layer_sizes(inventory->engine, image, sizes, NULL) < 0)
		sizes[0] = mvm_image_size(image);
	for (size_t i = 0; i < count; i++)
		*(is_shared(&inventory->images, image, i + 1) ? &shared : &unique) += sizes[i];
	mvm_strv_take(&table->cells, named ? mvm_reference_familiar_repository(&reference) : mvm_strdup("<none>"));
	mvm_strv_add(&table->cells, named && reference.tag ? reference.tag : "<none>");
	mvm_strv_take(&table->cells, mvm_strndup(mvm_digest_hex(mvm_image_id(image)), MVM_DIGEST_SHORT));
	mvm_strv_take(&table->cells, mvm_image_created(image) ? cli_ago(mvm_image_created(image)) : mvm_strdup("N/A"));
	mvm_strv_take(&table->cells, mvm_format_size(shared + unique));
	mvm_strv_take(&table->cells, mvm_format_size(shared));
	mvm_strv_take(&table->cells, mvm_format_size(unique));
	mvm_strv_addf(&table->cells, "%zu", count_users(inventory, image));
}

static void add_container(struct cli_table *table, const struct mvm_container *container)
{
	mvm_strv_take(&table->cells, mvm_strndup(container->config.id, MVM_SHORT_ID_LENGTH));
	mvm_strv_add(&table->cells, container->config.image);
	mvm_strv_take(&table->cells, cli_command_text(container, false));
	mvm_strv_addf(&table->cells, "%zu", container->config.volume_names.count);
	mvm_strv_take(&table->cells, mvm_format_size(mvm_engine_container_size(container)));
	mvm_strv_take(&table->cells, cli_ago(container->config.created.tv_sec));
	mvm_strv_take(&table->cells, cli_status_text(container));
	mvm_strv_add(&table->cells, container->config.name);
}

static void add_volume(struct cli_table *table, const struct inventory *inventory, const struct mvm_volume *volume)
{
	size_t links = 0;

	for (size_t i = 0; i < inventory->count; i++) {
		const struct mvm_strv *names = &inventory->containers[i]->config.volume_names;

		for (size_t n = 0; n < names->count; n++)
			links += !strcmp(names->items[n], volume->name);
	}
	mvm_strv_add(&table->cells, volume->name);
	mvm_strv_addf(&table->cells, "%zu", links);
	mvm_strv_take(&table->cells, mvm_format_size(mvm_engine_volume_size(inventory->engine, volume)));
}

struct tables {
	struct cli_table images, containers, volumes;
};

/* All in one value, for a format. */
static int print_value(const struct tables *tables, const char *format, struct mvm_error **err)
{
	json_t *all MVM_CLEAN_JSON = json_pack("{s:o, s:o, s:o, s:[]}", "Images", cli_table_json(&tables->images),
					       "Containers", cli_table_json(&tables->containers), "Volumes",
					       cli_table_json(&tables->volumes), "BuildCache");

	return cli_print_value(all, "usage", format, err);
}

static int print_tables(const struct tables *tables, struct mvm_error **err)
{
	static const struct cli_column caches[] = {
		{"CACHE ID", "ID"},	     {"CACHE TYPE", "CacheType"},    {"SIZE", "Size"},
		{"CREATED", "CreatedSince"}, {"LAST USED", "LastUsedSince"}, {"USAGE", "UsageCount"},
		{"SHARED", "Shared"}};
	const struct cli_table no_caches = {.columns = caches, .column_count = MVM_COUNT(caches)};

	puts("Images space usage:\n");
	if (cli_table_print(&tables->images, NULL, err) < 0)
		return -1;
	puts("\nContainers space usage:\n");
	if (cli_table_print(&tables->containers, NULL, err) < 0)
		return -1;
	puts("\nLocal Volumes space usage:\n");
	if (cli_table_print(&tables->volumes, NULL, err) < 0)
		return -1;
	puts("\nBuild cache usage: 0B\n");
	return cli_table_print(&no_caches, NULL, err);
}

static int print_inventory(const struct inventory *inventory, const char *format, struct mvm_error **err)
{
	static const struct cli_column image_columns[] = {
		{"REPOSITORY", "Repository"},
		{"TAG", "Tag"},
		{"IMAGE ID", "ID"},
		{"CREATED", "CreatedSince"},
		{"SIZE", "Size"},
		{"SHARED SIZE", "SharedSize"},
		{"UNIQUE SIZE", "UniqueSize"},
		{"CONTAINERS", "Containers"},
	};
	static const struct cli_column container_columns[] = {
		{"CONTAINER ID", "ID"}, {"IMAGE", "Image"},
		{"COMMAND", "Command"}, {"LOCAL VOLUMES", "LocalVolumes"},
		{"SIZE", "Size"},	{"CREATED", "RunningFor"},
		{"STATUS", "Status"},	{"NAMES", "Names"},
	};
	static const struct cli_column volume_columns[] = {
		{"VOLUME NAME", "Name"}, {"LINKS", "Links"}, {"SIZE", "Size"}};
	struct tables tables = {
		.images = {.columns = image_columns, .column_count = MVM_COUNT(image_columns)},
		.containers = {.columns = container_columns, .column_count = MVM_COUNT(container_columns)},
		.volumes = {.columns = volume_columns, .column_count = MVM_COUNT(volume_columns)},
	};
	int result;

	for (size_t i = 0; i < inventory->images.count; i++)
		add_image(&tables.images, inventory, inventory->images.items[i]);
	for (size_t i = 0; i < inventory->count; i++)
		add_container(&tables.containers, inventory->containers[i]);
	for (size_t i = 0; i < inventory->volume_count; i++)
		add_volume(&tables.volumes, inventory, inventory->volumes[i]);
	if (format && strcmp(format, "table") != 0)
		result = print_value(&tables, format, err);
	else
		result = print_tables(&tables, err);
	cli_table_finish(&tables.images);
	cli_table_finish(&tables.containers);
	cli_table_finish(&tables.volumes);
	return result;
}

static int print_details(struct mvm_engine *engine, const char *format, struct mvm_error **err)
{
	struct inventory inventory = {.engine = engine};
	struct mvm_store *store;
	int result;

	if (mvm_engine_store(engine, &store, err) < 0 || mvm_store_list(store, &inventory.images, err) < 0)
		return -1;
	result = mvm_state_list(mvm_engine_state(engine), &inventory.containers, &inventory.count, err);
	if (result == 0)
		result = mvm_volume_list(mvm_engine_state(engine), &inventory.volumes, &inventory.volume_count, err);
	if (result == 0)
		result = print_inventory(&inventory, format, err);
	mvm_container_list_free(inventory.containers, inventory.count);
	mvm_volume_list_free(inventory.volumes, inventory.volume_count);
	mvm_image_list_finish(&inventory.images);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_engine *engine;
	int result;

	if (cli_check_format(values->format, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = values->verbose ? print_details(engine, values->format, err)
				 : print_summary(engine, values->format, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_system_df = {
	.name = "system df",
	.usage = "[OPTIONS]",
	.summary = "Show disk usage",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
