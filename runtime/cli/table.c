#include "cli.h"

#include <string.h>
#include <time.h>

#include "runtime/base/json.h"
#include "runtime/base/text.h"

/* Docker's: at least ten wide, three blanks apart. */
#define MIN_WIDTH 10
#define PADDING	  3

int cli_check_format(const char *format, struct mvm_error **err)
{
	if (!format || !strcmp(format, "table") || !strcmp(format, "json"))
		return 0;
	return mvm_fail(err, MVM_ERR_USAGE, "unknown format '%s'; use table or json", format);
}

/* Columns on the screen, not bytes: UTF-8's continuation bytes take none. */
static size_t screen_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/* Row 0 is the titles. */
static const char *cell_at(const struct cli_table *table, size_t row, size_t column)
{
	return row ? table->cells.items[(row - 1) * table->column_count + column] : table->columns[column].title;
}

static size_t column_width(const struct cli_table *table, size_t column)
{
	size_t rows = table->cells.count / table->column_count, width = MIN_WIDTH;

	for (size_t row = 0; row <= rows; row++) {
		size_t needed = screen_width(cell_at(table, row, column)) + PADDING;

		width = needed > width ? needed : width;
	}
	return width;
}

static void print_rows(const struct cli_table *table)
{
	size_t count = table->column_count, rows = table->cells.count / count, last = 0;
	size_t *widths MVM_CLEAN_FREE = mvm_alloc(count * sizeof(*widths));

	for (size_t column = 0; column < count; column++) {
		if (!table->columns[column].title)
			continue;
		widths[column] = column_width(table, column);
		last = column;
	}
	for (size_t row = 0; row <= rows; row++) {
		for (size_t column = 0; column <= last; column++) {
			const char *cell = table->columns[column].title ? cell_at(table, row, column) : NULL;

			if (!cell)
				continue;
			fputs(cell, stdout);
			for (size_t at = screen_width(cell); column < last && at < widths[column]; at++)
				putchar(' ');
		}
		putchar('\n');
	}
}

json_t *cli_table_json(const struct cli_table *table)
{
	size_t count = table->column_count;
	json_t *rows = json_array();

	for (size_t row = 0; row < table->cells.count / count; row++) {
		json_t *object = json_object();

		for (size_t column = 0; column < count; column++)
			json_object_set_new(object, table->columns[column].key,
					    json_string(table->cells.items[row * count + column]));
		json_array_append_new(rows, object);
	}
	return rows;
}

static void print_json(const struct cli_table *table)
{
	json_t *rows MVM_CLEAN_JSON = cli_table_json(table), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		char *line MVM_CLEAN_FREE = json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS);

		puts(line);
	}
}

void cli_table_print(const struct cli_table *table, const char *format)
{
	if (format && !strcmp(format, "json"))
		print_json(table);
	else
		print_rows(table);
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
