#include "cli.h"

#include <string.h>
#include <time.h>

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

static void print_rows(const struct cli_table *table)
{
	size_t count = table->column_count, rows = table->cells.count / count;

	for (size_t row = 0; row <= rows; row++) {
		for (size_t column = 0; column < count; column++) {
			const char *cell =
				row ? table->cells.items[(row - 1) * count + column] : table->columns[column].title;
			size_t width = MIN_WIDTH;

			if (!table->columns[column].title)
				continue;
			for (size_t r = 0; r <= rows; r++) {
				size_t w = screen_width(r ? table->cells.items[(r - 1) * count + column]
							  : table->columns[column].title);

				width = w + PADDING > width ? w + PADDING : width;
			}
			fputs(cell, stdout);
			for (size_t w = screen_width(cell); w < width; w++)
				if (column + 1 < count && table->columns[column + 1].title)
					putchar(' ');
		}
		putchar('\n');
	}
}

static void print_json(const struct cli_table *table)
{
	size_t count = table->column_count;

	for (size_t row = 0; row < table->cells.count / count; row++) {
		json_t *object = json_object();
		char *line;

		for (size_t column = 0; column < count; column++)
			json_object_set_new(object, table->columns[column].key,
					    json_string(table->cells.items[row * count + column]));
		line = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
		puts(line);
		free(line);
		json_decref(object);
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
