#include "log_lines.h"

#include <string.h>

#define RESET	   "\033[0m"
#define CLEAR_LINE "\r\033[K" /* where the terminal has echoed something */

/* Docker compose's, in its order. */
static const char *const rainbow[] = {
	"\033[36m",   "\033[33m",   "\033[32m",	  "\033[35m",	"\033[34m",
	"\033[36;1m", "\033[33;1m", "\033[32;1m", "\033[35;1m", "\033[34;1m",
};

void log_lines_finish(struct log_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->names[i].name);
	free(lines->names);
	*lines = (struct log_lines){0};
}

static const struct log_name *find(struct log_lines *lines, const char *name)
{
	for (size_t i = 0; i < lines->count; i++)
		if (!strcmp(lines->names[i].name, name))
			return &lines->names[i];
	return NULL;
}

void log_lines_register(struct log_lines *lines, const char *name)
{
	struct log_name *added;

	if (find(lines, name))
		return;
	lines->names = mvm_realloc(lines->names, lines->count + 1, sizeof(*lines->names));
	added = &lines->names[lines->count++];
	added->name = mvm_strdup(name);
	added->color = lines->color ? rainbow[lines->colors++ % MVM_COUNT(rainbow)] : NULL;
	if (lines->width < (int)strlen(name) + 1)
		lines->width = (int)strlen(name) + 1;
}

static const struct log_name *registered(struct log_lines *lines, const char *name)
{
	log_lines_register(lines, name);
	return find(lines, name);
}

void log_lines_write(struct log_lines *lines, const char *name, const char *text, size_t length, FILE *out)
{
	const struct log_name *known = registered(lines, name);

	if (lines->prefix && known->color)
		fprintf(out, "%s%-*s | " RESET, known->color, lines->width, name);
	else if (lines->prefix)
		fprintf(out, "%-*s | ", lines->width, name);
	fwrite(text, 1, length, out);
	if (!length || text[length - 1] != '\n')
		fputc('\n', out);
}

void log_lines_say(struct log_lines *lines, const char *name, const char *text, FILE *out)
{
	const struct log_name *known = registered(lines, name);

	if (known->color)
		fprintf(out, "%s" CLEAR_LINE "%s %s\n" RESET, known->color, name, text);
	else
		fprintf(out, "%s %s\n", name, text);
}
