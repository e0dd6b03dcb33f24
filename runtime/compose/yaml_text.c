/*
 * The canonical form as YAML: block style, two blanks a level, lists indented, texts in the quotes that Go's YAML
 * writer would choose.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

enum { LONGEST_SIMPLE_KEY = 128 };

enum quotes { PLAIN, SINGLE, DOUBLE, LITERAL };

/* What of a text decides about its quotes (libyaml's analysis of scalars, for block context). */
struct analysis {
	bool indicators; /* would be read as something else without quotes */
	bool special;	 /* must be escaped */
	bool tabs;
	bool lines;
	bool outer_blank; /* at its beginning or end */
	bool end_blank;
	bool break_blank; /* a blank after a line's end */
	bool blank_break; /* and before one */
};

/* The length of the character in UTF-8, and its number; 1 and -1 for what is none. */
static size_t decode(const char *text, long *character)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t length = bytes[0] < 0x80 ? 1 : bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : bytes[0] >= 0xc2 ? 2 : 0;
	long value = length == 1 ? bytes[0] : length ? bytes[0] & (0x7f >> length) : 0;

	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80) {
			length = 0;
			break;
		}
		value = value << 6 | (bytes[i] & 0x3f);
	}
	*character = length ? value : -1;
	return length ? length : 1;
}

/* Without what YAML 1.1 takes for the end of a line, too. */
static bool is_printable(long character)
{
	if (character == 0x2028 || character == 0x2029)
		return false;
	return character == '\n' || (character >= 0x20 && character <= 0x7e) ||
	       (character >= 0xa0 && character <= 0xd7ff) ||
	       (character >= 0xe000 && character <= 0xfffd && character != 0xfeff) ||
	       (character >= 0x10000 && character <= 0x10ffff);
}

static bool is_blank_or_end(char c)
{
	return !c || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_indicator(const char *text, const char *at)
{
	bool before = at == text || is_blank_or_end(at[-1]), after = is_blank_or_end(at[1]);

	if (at == text && strchr("#,[]{}&*!|>'\"%@`", *at))
		return true;
	if (at == text && strchr("?-", *at) && after)
		return true;
	return (*at == ':' && after) || (*at == '#' && before);
}

static void analyze_blanks(const char *text, const char *at, struct analysis *analysis)
{
	bool first = at == text, last = !at[1];

	if (*at != ' ' && *at != '\n')
		return;
	analysis->outer_blank = analysis->outer_blank || first || last;
	if (*at == ' ') {
		analysis->end_blank = analysis->end_blank || last;
		analysis->break_blank = analysis->break_blank || (!first && at[-1] == '\n');
	} else {
		analysis->lines = true;
		analysis->blank_break = analysis->blank_break || (!first && at[-1] == ' ');
	}
}

static struct analysis analyze(const char *text)
{
	struct analysis analysis = {.indicators = !strncmp(text, "---", 3) || !strncmp(text, "...", 3)};
	long character;

	for (const char *at = text; *at; at += decode(at, &character)) {
		analysis.indicators = analysis.indicators || is_indicator(text, at);
		analyze_blanks(text, at, &analysis);
		(void)decode(at, &character);
		analysis.tabs = analysis.tabs || character == '\t';
		analysis.special = analysis.special || (character != '\t' && !is_printable(character));
	}
	return analysis;
}

static enum quotes choose_quotes(const char *text, bool key)
{
	struct analysis analysis = analyze(text);

	if (analysis.lines && !key)
		return analysis.blank_break || analysis.end_blank || analysis.special || *text == '\t' ? DOUBLE
												       : LITERAL;
	if (text_is_ambiguous(text) || analysis.special || analysis.tabs || analysis.lines || analysis.blank_break)
		return DOUBLE;
	return analysis.indicators || analysis.outer_blank ? SINGLE : PLAIN;
}

static void print_escaped(long character, const char *bytes, size_t length, struct mvm_buf *out)
{
	static const char letters[] = "abtnvfr";

	if (character == '"' || character == '\\')
		mvm_buf_addf(out, "\\%c", (char)character);
	else if (character >= '\a' && character <= '\r')
		mvm_buf_addf(out, "\\%c", letters[character - '\a']);
	else if (character == 0x1b)
		mvm_buf_addf(out, "\\e");
	else if (character < 0)
		mvm_buf_addf(out, "\\x%02X", (unsigned char)*bytes);
	else if (is_printable(character) && character != 0xa0)
		mvm_buf_add(out, bytes, length);
	else if (character <= 0xff)
		mvm_buf_addf(out, "\\x%02lX", (unsigned long)character);
	else
		mvm_buf_addf(out, "\\u%04lX", (unsigned long)character);
}

static void print_double(const char *text, struct mvm_buf *out)
{
	mvm_buf_add(out, "\"", 1);
	while (*text) {
		long character;
		size_t length = decode(text, &character);

		print_escaped(character, text, length, out);
		text += length;
	}
	mvm_buf_add(out, "\"", 1);
}

static void print_single(const char *text, struct mvm_buf *out)
{
	mvm_buf_add(out, "'", 1);
	for (; *text; text++)
		mvm_buf_addf(out, *text == '\'' ? "''" : "%c", *text);
	mvm_buf_add(out, "'", 1);
}

/* "|", and "-" or "+" for other than one line's end at the end. */
static void print_literal(const char *text, int indent, struct mvm_buf *out)
{
	size_t length = strlen(text);
	bool ends = text[length - 1] == '\n';
	const char *end;

	mvm_buf_add(out, "|", 1);
	if (*text == ' ' || *text == '\n')
		mvm_buf_addf(out, "2");
	if (!ends)
		mvm_buf_add(out, "-", 1);
	else if (length == 1 || text[length - 2] == '\n')
		mvm_buf_add(out, "+", 1);
	for (const char *line = text; *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		mvm_buf_add(out, "\n", 1);
		if (end > line)
			mvm_buf_addf(out, "%*s%.*s", indent, "", (int)(end - line), line);
	}
}

static void print_text(const char *text, int indent, bool key, struct mvm_buf *out)
{
	switch (choose_quotes(text, key)) {
	case PLAIN:
		mvm_buf_addf(out, "%s", text);
		break;
	case SINGLE:
		print_single(text, out);
		break;
	case DOUBLE:
		print_double(text, out);
		break;
	case LITERAL:
		print_literal(text, indent, out);
		break;
	}
}

static void print_real(const struct node *node, struct mvm_buf *out)
{
	char *text MVM_CLEAN_FREE = node_to_text(node);

	if (!strcmp(text, "NaN"))
		mvm_buf_addf(out, ".nan");
	else if (strstr(text, "Inf"))
		mvm_buf_addf(out, *text == '-' ? "-.inf" : ".inf");
	else
		mvm_buf_addf(out, "%s", text);
}

static void print_scalar(const struct node *node, int indent, struct mvm_buf *out)
{
	char *text MVM_CLEAN_FREE = NULL;

	if (node_is(node, NODE_STRING)) {
		print_text(node->text, indent, false, out);
	} else if (node_is(node, NODE_NULL)) {
		mvm_buf_addf(out, "null");
	} else if (node_is(node, NODE_FLOAT)) {
		print_real(node, out);
	} else {
		text = node_to_text(node);
		mvm_buf_addf(out, "%s", text);
	}
}

static void print_node(const struct node *node, const struct type *type, enum style style, int indent, bool in_list,
		       struct mvm_buf *out);

/* A reader need not find the ":" of a long key. */
static void print_key(const char *key, int indent, struct mvm_buf *out)
{
	bool is_long = strlen(key) > LONGEST_SIMPLE_KEY;

	if (is_long)
		mvm_buf_add(out, "? ", 2);
	print_text(key, indent, true, out);
	if (is_long)
		mvm_buf_addf(out, "\n%*s", indent, "");
	mvm_buf_add(out, ":", 1);
}

/* `follows`: its first key stands behind a list's "- ". */
static void print_map(const struct node *map, const struct type *type, enum style style, int indent, bool follows,
		      struct mvm_buf *out)
{
	struct shown *entries;
	size_t count = order_entries(map, type, style, &entries);

	if (!count)
		mvm_buf_addf(out, "%s{}\n", follows || !out->length ? "" : " ");
	else if (!follows && out->length)
		mvm_buf_add(out, "\n", 1);
	for (size_t i = 0; i < count; i++) {
		mvm_buf_addf(out, "%*s", i || !follows ? indent : 0, "");
		print_key(entries[i].key, indent, out);
		print_node(entries[i].value, entries[i].type, style, indent + 2, false, out);
	}
	free(entries);
}

static void print_list(const struct node *list, const struct type *type, enum style style, int indent, bool follows,
		       struct mvm_buf *out)
{
	if (!list->count)
		mvm_buf_addf(out, "%s[]\n", follows ? "" : " ");
	else if (!follows)
		mvm_buf_add(out, "\n", 1);
	for (size_t i = 0; i < list->count; i++) {
		mvm_buf_addf(out, "%*s- ", i || !follows ? indent : 0, "");
		print_node(list->entries[i].value, type ? type->items : NULL, style, indent + 2, true, out);
	}
}

/* What follows a key's ":", or a list's "- ". */
static void print_node(const struct node *node, const struct type *type, enum style style, int indent, bool in_list,
		       struct mvm_buf *out)
{
	if (node_is(node, NODE_MAP)) {
		print_map(node, type, style, indent, in_list, out);
	} else if (node_is(node, NODE_LIST)) {
		print_list(node, type, style, indent, in_list, out);
	} else {
		if (!in_list)
			mvm_buf_add(out, " ", 1);
		print_scalar(node, indent, out);
		mvm_buf_add(out, "\n", 1);
	}
}

void print_yaml(const struct node *node, enum style style, struct mvm_buf *out)
{
	print_map(node, &schema_project, style, 0, false, out);
}
