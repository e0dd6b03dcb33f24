#include "cli.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#include "runtime/base/json.h"
#include "runtime/base/text.h"

#define COMMAND_WIDTH 45

struct values {
	bool no_trunc, quiet;
	bool human;
	const char *format;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"format", 0, CLI_STRING, AT(format), "FORMAT", CLI_FORMAT_HELP, CLI_WORDS("json", "table")},
	{"human", 'H', CLI_FLAG, AT(human), NULL, "Sizes and dates for people (default true)"},
	{"no-trunc", 0, CLI_FLAG, AT(no_trunc), NULL, "Show IDs and commands in full"},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Show image IDs only"},
	CLI_OPTIONS_END,
};

enum { ID_COLUMN = 0 };

static const char *text_of(const json_t *step, const char *key)
{
	const char *text = json_string_value(json_object_get(step, key));

	return text ? text : "";
}

/* The table is one line a step, and what stands here anybody may have written. */
static char *command_text(const json_t *step, bool no_trunc)
{
	struct mvm_buf text = {0};
	const char *command = text_of(step, "created_by");
	size_t characters = 0;

	for (; *command; command++) {
		characters += ((unsigned char)*command & 0xc0) != 0x80;
		if (!no_trunc && characters == COMMAND_WIDTH && command[1]) {
			mvm_buf_add(&text, "…", strlen("…"));
			break;
		}
		mvm_buf_add(&text, (unsigned char)*command < ' ' || *command == 127 ? " " : command, 1);
	}
	return mvm_buf_steal(&text);
}

/* RFC 3339 to the second, in the local zone as docker's. */
static char *moment_text(time_t moment)
{
	char text[40], zone[8];
	struct tm parts;

	localtime_r(&moment, &parts);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	strftime(zone, sizeof(zone), "%z", &parts);
	if (!strcmp(zone, "+0000"))
		return mvm_format("%sZ", text);
	return mvm_format("%s%.3s:%s", text, zone, zone + 3);
}

static void add_step(struct cli_table *table, const struct values *values, const char *id, const json_t *step,
		     uint64_t size)
{
	struct timespec created;
	bool dated = mvm_parse_time(text_of(step, "created"), &created);
	char *at = dated ? moment_text(created.tv_sec) : mvm_strdup("N/A");

	mvm_strv_add(&table->cells, id);
	if (!values->human)
		mvm_strv_add(&table->cells, at);
	else
		mvm_strv_take(&table->cells, dated ? cli_ago(created.tv_sec) : mvm_strdup("N/A"));
	mvm_strv_take(&table->cells, command_text(step, values->no_trunc));
	mvm_strv_take(&table->cells,
		      values->human ? mvm_format_size(size) : mvm_format("%llu", (unsigned long long)size));
	mvm_strv_add(&table->cells, text_of(step, "comment"));
	mvm_strv_take(&table->cells, at);
}

/* Newest first; each step but those that say so has made a layer. */
static int add_steps(struct cli_table *table, const struct values *values, struct mvm_engine *engine,
		     const struct mvm_image *image, struct mvm_error **err)
{
	const json_t *history = json_object_get(mvm_image_config_json(image), "history");
	const struct mvm_digest *id = mvm_image_id(image);
	size_t left = mvm_image_layer_count(image), steps = json_array_size(history), layers = 0;
	uint64_t *sizes MVM_CLEAN_FREE = mvm_alloc((left + 1) * sizeof(*sizes));
	char *first MVM_CLEAN_FREE =
		values->no_trunc ? mvm_strdup(id->text) : mvm_strndup(mvm_digest_hex(id), MVM_DIGEST_SHORT);

	if (mvm_engine_layer_sizes(engine, image, sizes, err) < 0)
		return -1;
	for (size_t i = 0; i < steps; i++)
		layers += !json_is_true(json_object_get(json_array_get(history, i), "empty_layer"));
	if (layers > left)
		return mvm_fail(err, MVM_ERR_INVALID, "the image's history speaks of %zu layers, and it has %zu",
				layers, left);
	left = layers;
	for (size_t i = steps; i > 0; i--) {
		const json_t *step = json_array_get(history, i - 1);
		bool empty = json_is_true(json_object_get(step, "empty_layer"));

		add_step(table, values, i == steps ? first : "<missing>", step, empty ? 0 : sizes[--left]);
	}
	return 0;
}

static int print_history(struct mvm_engine *engine, const struct values *values, const char *name,
			 struct mvm_error **err)
{
	const struct cli_column columns[] = {
		{"IMAGE", "ID"},
		{values->human ? "CREATED" : "CREATED AT", "CreatedSince"},
		{"CREATED BY", "CreatedBy"},
		{"SIZE", "Size"},
		{"COMMENT", "Comment"},
		{"CREATED AT", "CreatedAt", true},
	};
	struct cli_table table = {.columns = columns, .column_count = MVM_COUNT(columns), .type = "layer"};
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	struct mvm_store *store;
	int result;

	if (mvm_engine_store(engine, &store, err) < 0 || mvm_store_find(store, name, &image, err) < 0)
		return -1;
	result = add_steps(&table, values, engine, image, err);
	for (size_t i = ID_COLUMN; result == 0 && values->quiet && !values->format && i < table.cells.count;
	     i += table.column_count)
		puts(table.cells.items[i]);
	if (result == 0 && (!values->quiet || values->format))
		result = cli_table_print(&table, values->format, err);
	cli_table_finish(&table);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_engine *engine;
	int result;

	if (cli_check_format(values->format, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = print_history(engine, values, args[0], err);
	mvm_engine_close(engine);
	return result;
}

static const struct values defaults = {.human = true};

const struct cli_command cli_history = {
	.name = "history",
	.names = {"image history", "history"},
	.usage = "[OPTIONS] IMAGE",
	.summary = "Show the history of an image",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.complete = cli_complete_images,
	.values_size = sizeof(struct values),
	.defaults = &defaults,
	.run = run,
};
