/*
 * Lines with coloured, aligned names before them, as docker compose has them. Pure but for what is written.
 */
#ifndef MVM_CLI_LOG_LINES_H
#define MVM_CLI_LOG_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "runtime/base/mem.h"

struct log_name {
	char *name;
	const char *color; /* an escape sequence; NULL: none */
};

struct log_lines {
	bool color, prefix;
	struct log_name *names;
	size_t count;
	size_t colors; /* that have been given away */
	int width;     /* of the column of names */
};

void log_lines_finish(struct log_lines *lines);
/* Gives it a colour, where it has none, and room. */
void log_lines_register(struct log_lines *lines, const char *name);
/* `text` ends with a newline, or the line with its end. */
void log_lines_write(struct log_lines *lines, const char *name, const char *text, size_t length, FILE *out);
/* "NAME TEXT". */
void log_lines_say(struct log_lines *lines, const char *name, const char *text, FILE *out);

#endif
