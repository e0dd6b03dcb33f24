/* Text with tabs in it, as columns. */
#include "cli.h"

#include <string.h>

/* Docker's: three blanks apart. */
#define PADDING 3

/* Columns on the screen, not bytes: UTF-8's continuation bytes take none. */
static size_t screen_width(const char *text, size_t length)
{
	size_t width = 0;

	for (size_t i = 0; i < length; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	return width;
}

/* Where the cell ends that starts at `at`: at a tab, or with the line, whose last cell is of no column. */
static size_t cell_end(const char *text, size_t length, size_t at)
{
	while (at < length && text[at] != '\t' && text[at] != '\n')
		at++;
	return at;
}

static void note_widths(const char *text, size_t length, size_t min_width, size_t **widths, size_t *count)
{
	size_t column = 0;

	for (size_t at = 0; at < length;) {
		size_t end = cell_end(text, length, at), width = screen_width(text + at, end - at) + PADDING;

		if (column == *count) {
			*widths = mvm_realloc(*widths, ++*count, sizeof(**widths));
			(*widths)[column] = min_width;
		}
		if (end < length && text[end] == '\t' && width > (*widths)[column])
			(*widths)[column] = width;
		column = end < length && text[end] == '\t' ? column + 1 : 0;
		at = end + 1;
	}
}

void cli_align(const char *text, size_t length, size_t min_width, FILE *out)
{
	size_t *widths MVM_CLEAN_FREE = NULL, count = 0, column = 0;

	note_widths(text, length, min_width, &widths, &count);
	for (size_t at = 0; at < length;) {
		size_t end = cell_end(text, length, at);

		fwrite(text + at, 1, end - at, out);
		if (end < length && text[end] == '\t') {
			for (size_t i = screen_width(text + at, end - at); i < widths[column]; i++)
				putc(' ', out);
			column++;
		} else {
			putc('\n', out);
			column = 0;
		}
		at = end + 1;
	}
}
