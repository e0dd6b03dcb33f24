/*
 * What is shown of a map, and in which order: keys of the table as that has them, without what says nothing, then
 * extensions; other keys by the alphabet.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static bool is_raw(enum style style)
{
	return style == STYLE_RAW_YAML || style == STYLE_RAW_JSON;
}

static bool is_json(enum style style)
{
	return style == STYLE_JSON || style == STYLE_RAW_JSON;
}

/* A number within a text, from where the texts differ on, with the zeros before it. */
static long long number_at(const char *text, const char **end, bool leads)
{
	long long number = leads;

	for (*end = text; isdigit((unsigned char)**end) && *end - text < 17; (*end)++)
		number = number * 10 + (**end - '0');
	return number;
}

static bool follows_nonzero(const char *text, size_t at)
{
	while (at > 0 && isdigit((unsigned char)text[at - 1]))
		if (text[--at] != '0')
			return true;
	return false;
}

static bool is_letter(char c)
{
	return isalpha((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* As Go's YAML writer has it: numbers in texts by their value, what is no letter before letters. */
static int compare_natural(const char *a, const char *b)
{
	bool digits = false;
	size_t i = 0;

	for (; a[i] && a[i] == b[i]; i++)
		digits = isdigit((unsigned char)a[i]);
	if (!a[i] || !b[i])
		return (a[i] != '\0') - (b[i] != '\0');
	if (is_letter(a[i]) != is_letter(b[i]))
		return is_letter(a[i]) == digits ? -1 : 1;
	if (!is_letter(a[i])) {
		bool leads = (a[i] == '0' || b[i] == '0') && follows_nonzero(a, i);
		const char *end_a, *end_b;
		long long number_a = number_at(a + i, &end_a, leads), number_b = number_at(b + i, &end_b, leads);

		if (number_a != number_b)
			return number_a < number_b ? -1 : 1;
		if (end_a - a != end_b - b)
			return end_a - a < end_b - b ? -1 : 1;
	}
	return (unsigned char)a[i] < (unsigned char)b[i] ? -1 : 1;
}

static int by_nature(const void *a, const void *b)
{
	return compare_natural(((const struct shown *)a)->key, ((const struct shown *)b)->key);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(((const struct shown *)a)->key, ((const struct shown *)b)->key);
}

static void sort(struct shown *entries, size_t count, enum style style)
{
	if (count)
		qsort(entries, count, sizeof(*entries), is_json(style) ? by_bytes : by_nature);
}

static bool says_nothing(const struct node *node)
{
	switch (node->kind) {
	case NODE_NULL:
		return true;
	case NODE_BOOL:
		return !node->truth;
	case NODE_INT:
		return !node->integer;
	case NODE_FLOAT:
		return node->real == 0;
	case NODE_STRING:
		return !*node->text;
	case NODE_LIST:
	case NODE_MAP:
		return !node->count;
	}
	return false;
}

static bool is_shown(const struct field *field, const struct node *value, enum style style)
{
	if (!value || node_is(value, NODE_NULL))
		return is_json(style) && (field->flags & FIELD_IN_JSON);
	if (field->flags & FIELD_OPT_OUT)
		return node_is(value, NODE_BOOL) && !value->truth;
	if ((field->flags & FIELD_IN_JSON) && is_json(style))
		return true;
	return (field->flags & FIELD_KEPT) || !says_nothing(value);
}

/* What JSON has for something that is not there. */
static const struct node *nothing(const struct field *field)
{
	static const struct node null = {.kind = NODE_NULL}, map = {.kind = NODE_MAP};

	return field->type->takes & TAKES_TEXT ? &null : &map;
}

static size_t add_fields(const struct node *map, const struct type *type, enum style style, struct shown *entries)
{
	size_t count = 0;

	for (const struct field *field = type->fields; field->name; field++) {
		const struct node *value = node_get(map, field->name);

		if (is_shown(field, value, style))
			entries[count++] = (struct shown){
				field->name, value && !node_is(value, NODE_NULL) ? value : nothing(field), field->type};
	}
	return count;
}

static size_t add_extensions(const struct node *map, enum style style, struct shown *entries)
{
	size_t count = 0;

	for (size_t i = 0; i < map->count; i++)
		if (is_extension(map->entries[i].key))
			entries[count++] = (struct shown){map->entries[i].key, map->entries[i].value, NULL};
	sort(entries, count, style);
	return count;
}

static size_t count_fields(const struct type *type)
{
	size_t count = 0;

	while (type && type->fields && type->fields[count].name)
		count++;
	return count;
}

size_t order_entries(const struct node *map, const struct type *type, enum style style, struct shown **entries)
{
	size_t count = 0;

	*entries = mvm_alloc((map->count + count_fields(type) + 1) * sizeof(**entries));
	if (type && type->fields && !is_raw(style)) {
		count = add_fields(map, type, style, *entries);
		/* Docker's JSON has extensions of the project only, and all its keys by the alphabet. */
		if (!is_json(style) || type == &schema_project)
			count += add_extensions(map, style, *entries + count);
		if (is_json(style) && type == &schema_project)
			sort(*entries, count, style);
		return count;
	}
	for (size_t i = 0; i < map->count; i++)
		(*entries)[count++] = (struct shown){map->entries[i].key, map->entries[i].value,
						     type ? schema_of(type, map->entries[i].key) : NULL};
	sort(*entries, count, style);
	return count;
}
