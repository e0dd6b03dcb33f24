#include "dotenv.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/io.h"

enum { MAX_FILE = 4 << 20, MAX_VARIABLES = 20000, MAX_VALUES = 16 << 20 };

struct parser {
	const char *at;
	size_t line;
	const struct substitution *how;
	struct mvm_strv *out;
	size_t bytes; /* of all values */
};

static const char byte_order_mark[] = "\xef\xbb\xbf";

/* Not the end of a line. */
static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

static const char *skip_blanks(const char *text)
{
	while (is_blank(*text))
		text++;
	return text;
}

/* Blank lines and comments. */
static void skip_to_statement(struct parser *parser)
{
	for (; *parser->at; parser->at++) {
		if (*parser->at == '#')
			parser->at += strcspn(parser->at, "\n");
		if (*parser->at == '\n')
			parser->line++;
		else if (!is_blank(*parser->at))
			return;
		if (!*parser->at)
			return;
	}
}

static bool is_name_byte(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 || (c && strchr("_.-[]", c));
}

static size_t trimmed(const char *text, size_t length)
{
	while (length && isspace((unsigned char)text[length - 1]))
		length--;
	return length;
}

/* The name, and what ends it: '=', ':', or '\n' and '\0' for a name alone. */
static int parse_name(struct parser *parser, char **name, char *mark, struct mvm_error **err)
{
	const char *start = parser->at, *at;

	if (!strncmp(start, "export", 6) && isspace((unsigned char)start[6]))
		start = skip_blanks(start + 6);
	for (at = start; is_name_byte(*at) || is_blank(*at); at++)
		;
	if (*at && *at != '=' && *at != ':' && *at != '\n')
		return mvm_fail(err, MVM_ERR_INVALID, "line %zu: unexpected character \"%c\" in variable name \"%.*s\"",
				parser->line, *at, (int)strcspn(start, "\n"), start);
	*mark = *at;
	*name = mvm_strndup(start, trimmed(start, (size_t)(at - start)));
	parser->at = *at && *at != '\n' ? skip_blanks(at + 1) : at;
	if (strpbrk(*name, " \t"))
		return mvm_fail(err, MVM_ERR_INVALID, "line %zu: key cannot contain a space", parser->line);
	if (!**name)
		return mvm_fail(err, MVM_ERR_INVALID, "line %zu: no variable name before \"%c\"", parser->line, *mark);
	return 0;
}

static const char *find_either(void *arg, const char *name)
{
	const struct parser *parser = arg;
	const char *value = parser->how->find(parser->how->arg, name);

	return value ? value : environment_find(parser->out, name);
}

static void note_unset(void *arg, const char *name)
{
	const struct parser *parser = arg;

	if (parser->how->unset)
		parser->how->unset(parser->how->arg, name);
}

static int set(struct parser *parser, const char *name, const struct mvm_buf *value, struct mvm_error **err)
{
	parser->bytes += value->length;
	if (parser->out->count >= MAX_VARIABLES || parser->bytes > MAX_VALUES)
		return mvm_fail(err, MVM_ERR_INVALID, "line %zu: too much: at most %d variables, of %d bytes together",
				parser->line, MAX_VARIABLES, MAX_VALUES);
	environment_set(parser->out, name, value->data ? value->data : "");
	return 0;
}

static int set_expanded(struct parser *parser, const char *name, const char *text, size_t line, struct mvm_error **err)
{
	const struct substitution how = {.find = find_either, .unset = note_unset, .arg = parser};
	struct mvm_buf value MVM_CLEAN_BUF = {0};

	if (substitute(text, &how, &value, err) < 0)
		return mvm_error_wrap(err, "line %zu", line);
	return set(parser, name, &value, err);
}

static int parse_plain(struct parser *parser, const char *name, struct mvm_error **err)
{
	size_t length = strcspn(parser->at, "\n");
	char *value MVM_CLEAN_FREE = mvm_strndup(parser->at, length), *comment = strstr(value, " #");

	if (comment)
		*comment = '\0';
	value[trimmed(value, strlen(value))] = '\0';
	parser->at += length;
	return set_expanded(parser, name, value, parser->line, err);
}

/* "\0101" is 'A'. How many bytes that was. */
static size_t add_octal(const char *text, struct mvm_buf *out)
{
	size_t digits = 0;
	unsigned value = 0;
	char byte;

	for (; digits < 3 && text[1 + digits] >= '0' && text[1 + digits] <= '7'; digits++)
		value = value * 8 + (unsigned)(text[1 + digits] - '0');
	byte = (char)value;
	if (byte)
		mvm_buf_add(out, &byte, 1);
	return 1 + digits;
}

/* What a backslash makes of what follows it, in double quotes: a dollar stays one by being two. */
static size_t add_escape(const char *text, struct mvm_buf *out)
{
	static const char letters[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
	const char *letter = *text ? strchr(letters, *text) : NULL;

	if (letter)
		mvm_buf_add(out, &values[letter - letters], 1);
	else if (*text == '$')
		mvm_buf_add(out, "$$", 2);
	else if (*text == '"' || *text == '\\')
		mvm_buf_add(out, text, 1);
	else if (*text == '0')
		return add_octal(text, out);
	else
		mvm_buf_addf(out, "\\%c", *text);
	return 1;
}

/* Up to the quote that ends it; in single quotes only that quote can be escaped. */
static int read_quoted(struct parser *parser, struct mvm_buf *out, struct mvm_error **err)
{
	const char quote = *parser->at, *start = parser->at, *at = start + 1;
	size_t first = parser->line;

	for (; *at && *at != quote; at++) {
		parser->line += *at == '\n';
		if (*at == '\\' && at[1] && quote == '"') {
			at += add_escape(at + 1, out);
			continue;
		}
		at += *at == '\\' && at[1] == quote;
		mvm_buf_add(out, at, 1);
	}
	if (!*at)
		return mvm_fail(err, MVM_ERR_INVALID, "line %zu: unterminated quoted value %.*s", first,
				(int)strcspn(start, "\n"), start);
	parser->at = at + 1;
	return 0;
}

static int parse_quoted(struct parser *parser, const char *name, struct mvm_error **err)
{
	struct mvm_buf value MVM_CLEAN_BUF = {0};
	char quote = *parser->at;
	size_t line = parser->line;

	if (read_quoted(parser, &value, err) < 0)
		return -1;
	if (quote == '"')
		return set_expanded(parser, name, value.data ? value.data : "", line, err);
	return set(parser, name, &value, err);
}

static int parse_statement(struct parser *parser, struct mvm_error **err)
{
	char *name MVM_CLEAN_FREE = NULL, mark = 0;
	const char *inherited;

	if (parse_name(parser, &name, &mark, err) < 0)
		return -1;
	if (mark == '=' || mark == ':')
		return *parser->at == '"' || *parser->at == '\'' ? parse_quoted(parser, name, err)
								 : parse_plain(parser, name, err);
	inherited = parser->how->find(parser->how->arg, name);
	if (inherited)
		environment_set(parser->out, name, inherited);
	return 0;
}

int dotenv_parse(const char *text, const struct substitution *how, struct mvm_strv *out, struct mvm_error **err)
{
	struct parser parser = {.at = text, .line = 1, .how = how, .out = out};

	if (!strncmp(text, byte_order_mark, strlen(byte_order_mark)))
		parser.at += strlen(byte_order_mark);
	for (skip_to_statement(&parser); *parser.at; skip_to_statement(&parser))
		if (parse_statement(&parser, err) < 0)
			return -1;
	return 0;
}

static int read_text(const char *path, char **text, struct mvm_error **err)
{
	char *read MVM_CLEAN_FREE = NULL;
	size_t length;

	if (mvm_read_file(path, MAX_FILE, &read, &length, err) < 0)
		return -1;
	if (memchr(read, '\0', length))
		return mvm_fail(err, MVM_ERR_INVALID, "failed to read %s: not a text file", path);
	*text = read;
	read = NULL;
	return 0;
}

int dotenv_read(const char *path, const struct substitution *how, struct mvm_strv *out, struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = NULL;

	if (read_text(path, &text, err) < 0)
		return -1;
	return dotenv_parse(text, how, out, err) < 0 ? mvm_error_wrap(err, "failed to read %s", path) : 0;
}

static int parse_raw_line(struct parser *parser, char *line, struct mvm_error **err)
{
	size_t name = strcspn(line, "=");
	struct mvm_buf value = {0};

	value.data = line[name] ? line + name + 1 : (char *)parser->how->find(parser->how->arg, line);
	if (!name || (line[strcspn(line, " \t")] && strcspn(line, " \t") < name))
		return mvm_fail(err, MVM_ERR_INVALID, "line %zu: variable '%.*s' contains whitespaces or is empty",
				parser->line, (int)name, line);
	line[name] = '\0';
	value.length = value.data ? strlen(value.data) : 0;
	return value.data ? set(parser, line, &value, err) : 0;
}

int dotenv_read_raw(const char *path, const struct substitution *how, struct mvm_strv *out, struct mvm_error **err)
{
	struct parser parser = {.how = how, .out = out};
	char *text MVM_CLEAN_FREE = NULL, *rest, *line;

	if (read_text(path, &text, err) < 0)
		return -1;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		parser.line++;
		line = (char *)skip_blanks(line);
		line[strcspn(line, "\r")] = '\0';
		if (*line && *line != '#' && parse_raw_line(&parser, line, err) < 0)
			return mvm_error_wrap(err, "failed to read %s", path);
	}
	return 0;
}
