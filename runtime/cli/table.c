#include "cli.h"

#include <string.h>
#include <time.h>

#include "runtime/base/json.h"
#include "runtime/base/text.h"
#include "runtime/template/template.h"

/* Docker's: columns are at least ten wide. */
#define MIN_WIDTH 10

/* A template of what a format names: its text, docker's spaces and escapes seen to. */
struct layout {
	bool table;
	char *text;
	struct mvm_template *template;
};

static void layout_finish(struct layout *layout)
{
	free(layout->text);
	mvm_template_destroy(layout->template);
}
#define MVM_CLEAN_LAYOUT __attribute__((cleanup(layout_finish)))

static bool is_table(const char *format)
{
	return !format || !strncmp(format, "table", strlen("table"));
}

/* The columns that are shown when nothing else is asked for. */
static char *default_text(const struct cli_table *table)
{
	struct mvm_buf text = {0};

	for (size_t i = 0; i < table->column_count; i++)
		if (!table->columns[i].hidden)
			mvm_buf_addf(&text, "%s{{.%s}}", text.length ? "\t" : "", table->columns[i].key);
	return mvm_buf_steal(&text);
}

/* No spaces around it, and \t and \n as they are typed in a shell are what they say. */
static char *unescape(const char *format)
{
	struct mvm_buf text = {0};
	size_t length;

	format += strspn(format, " ");
	length = strlen(format);
	while (length && format[length - 1] == ' ')
		length--;
	for (size_t i = 0; i < length; i++) {
		bool escape = format[i] == '\\' && i + 1 < length && (format[i + 1] == 't' || format[i + 1] == 'n');

		if (escape)
			mvm_buf_add(&text, format[++i] == 't' ? "\t" : "\n", 1);
		else
			mvm_buf_add(&text, &format[i], 1);
	}
	return mvm_buf_steal(&text);
}

static int layout_init(struct layout *layout, const struct cli_table *table, const char *format, struct mvm_error **err)
{
	layout->table = is_table(format);
	if (format && layout->table)
		format += strlen("table");
	if (!format || !*format)
		layout->text = default_text(table);
	else
		layout->text = unescape(!strcmp(format, "json") ? "{{json .}}" : format);
	return mvm_template_parse(layout->text, &layout->template, err);
}

int cli_check_format(const char *format, struct mvm_error **err)
{
	const struct cli_table none = {0};
	struct layout layout MVM_CLEAN_LAYOUT = {0};

	return layout_init(&layout, &none, format, err);
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(const struct cli_column *const *)a)->key, (*(const struct cli_column *const *)b)->key);
}

static json_t *cell_json(const struct cli_table *table, size_t row, const struct cli_column *column)
{
	const char *text = table->cells.items[row * table->column_count + (size_t)(column - table->columns)];

	return column->json ? json_loads(text, JSON_DECODE_ANY, NULL) : mvm_json_message(text);
}

/* In the order of its keys, which is that of its JSON. */
static json_t *row_json(const struct cli_table *table, size_t row)
{
	const struct cli_column **sorted MVM_CLEAN_FREE = mvm_alloc((table->column_count + 1) * sizeof(*sorted));
	json_t *object = json_object();

	for (size_t i = 0; i < table->column_count; i++)
		sorted[i] = &table->columns[i];
	if (!table->as_listed)
		qsort(sorted, table->column_count, sizeof(*sorted), by_key);
	for (size_t i = 0; i < table->column_count; i++)
		json_object_set_new(object, sorted[i]->key, cell_json(table, row, sorted[i]));
	return object;
}

json_t *cli_table_json(const struct cli_table *table)
{
	json_t *rows = json_array();

	for (size_t row = 0; row < table->cells.count / table->column_count; row++)
		json_array_append_new(rows, row_json(table, row));
	return rows;
}

/* Of "name=value" in a list. */
static json_t *find_label(const void *arg, const char *name)
{
	const struct mvm_strv *labels = arg;
	size_t length = strlen(name);

	for (size_t i = 0; i < labels->count; i++)
		if (!strncmp(labels->items[i], name, length) && labels->items[i][length] == '=')
			return mvm_json_message(labels->items[i] + length + 1);
	return json_string("");
}

/* Docker's: what follows the last dot, in words. */
static json_t *label_heading(const void *arg, const char *name)
{
	const char *dot = strrchr(name, '.');
	char *text MVM_CLEAN_FREE = mvm_strdup(dot ? dot + 1 : name);

	for (char *at = text; *at; at++)
		if (*at == '-' || *at == '_')
			*at = ' ';
	return mvm_json_message(text);
}

/* What a heading cannot be made of, docker leaves out too. */
static void add_headings(const struct cli_table *table, const struct layout *layout, struct mvm_buf *text)
{
	json_t *titles MVM_CLEAN_JSON = json_object();
	const struct mvm_template_data data = {
		.value = titles, .method = table->labels ? "Label" : NULL, .call = label_heading, .headings = true};

	for (size_t i = 0; i < table->column_count; i++)
		json_object_set_new(titles, table->columns[i].key, json_string(table->columns[i].title));
	(void)mvm_template_run(layout->template, &data, text, NULL);
	mvm_buf_add(text, "\n", 1);
}

static int add_rows(const struct cli_table *table, const struct layout *layout, struct mvm_buf *text,
		    struct mvm_error **err)
{
	size_t rows = table->column_count ? table->cells.count / table->column_count : 0;

	for (size_t row = 0; row < rows; row++) {
		json_t *value MVM_CLEAN_JSON = row_json(table, row);
		const struct mvm_template_data data = {.value = value,
						       .type = table->type ? table->type : "row",
						       .method = table->labels ? "Label" : NULL,
						       .call = find_label,
						       .arg = table->labels ? table->labels[row] : NULL};

		if (mvm_template_run(layout->template, &data, text, err) < 0)
			return -1;
		mvm_buf_add(text, "\n", 1);
	}
	return 0;
}

int cli_table_write(const struct cli_table *table, const char *format, FILE *out, struct mvm_error **err)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	struct layout layout MVM_CLEAN_LAYOUT = {0};

	if (layout_init(&layout, table, format, err) < 0)
		return -1;
	if (layout.table)
		add_headings(table, &layout, &text);
	if (add_rows(table, &layout, &text, err) < 0)
		return -1;
	if (layout.table)
		cli_align(text.data, text.length, table->min_width ? table->min_width : MIN_WIDTH, out);
	else
		fwrite(text.data ? text.data : "", 1, text.length, out);
	return 0;
}

int cli_table_print(const struct cli_table *table, const char *format, struct mvm_error **err)
{
	return cli_table_write(table, format, stdout, err);
}

int cli_print_value(const json_t *value, const char *type, const char *format, struct mvm_error **err)
{
	const struct mvm_template_data data = {.value = value, .type = type};
	struct mvm_template *template MVM_CLEAN_TEMPLATE = NULL;
	struct mvm_buf text MVM_CLEAN_BUF = {0};

	if (mvm_template_parse(!strcmp(format, "json") ? "{{json .}}" : format, &template, err) < 0 ||
	    mvm_template_run(template, &data, &text, err) < 0)
		return -1;
	mvm_buf_add(&text, "\n", 1);
	fwrite(text.data, 1, text.length, stdout);
	return 0;
}

void cli_table_finish(struct cli_table *table)
{
	mvm_strv_finish(&table->cells);
}

char *cli_ago(int64_t then)
{
	char *age MVM_CLEAN_FREE = mvm_format_age((int64_t)time(NULL) - then);

	return mvm_format("%s ago", age);
}

char *cli_moment_text(time_t moment)
{
	char text[64];
	struct tm parts;

	localtime_r(&moment, &parts);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z %Z", &parts);
	return mvm_strdup(text);
}
