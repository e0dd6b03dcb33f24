/*
 * The canonical form as JSON: as Go's encoder writes it, down to what it escapes for the sake of HTML.
 */
#include <math.h>
#include <string.h>

#include "internal.h"
#include "runtime/base/json.h"

static void print_text(const char *text, struct mvm_buf *out)
{
	json_t *value MVM_CLEAN_JSON = mvm_json_message(text);
	char *dumped MVM_CLEAN_FREE = json_dumps(value, JSON_ENCODE_ANY);

	for (const char *at = dumped; at && *at; at++) {
		if (strchr("<>&", *at))
			mvm_buf_addf(out, "\\u%04x", (unsigned)*at);
		else
			mvm_buf_add(out, at, 1);
	}
}

static void begin_line(int indent, struct mvm_buf *out)
{
	if (indent >= 0)
		mvm_buf_addf(out, "\n%*s", indent * 2, "");
}

static int deeper(int indent)
{
	return indent < 0 ? indent : indent + 1;
}

static void print_map(const struct node *map, const struct type *type, enum style style, int indent,
		      struct mvm_buf *out)
{
	struct shown *entries;
	size_t count = order_entries(map, type, style, &entries);

	mvm_buf_add(out, "{", 1);
	for (size_t i = 0; i < count; i++) {
		if (i)
			mvm_buf_add(out, ",", 1);
		begin_line(deeper(indent), out);
		print_text(entries[i].key, out);
		mvm_buf_addf(out, indent < 0 ? ":" : ": ");
		print_json(entries[i].value, entries[i].type, style, deeper(indent), out);
	}
	if (count)
		begin_line(indent, out);
	mvm_buf_add(out, "}", 1);
	free(entries);
}

static void print_list(const struct node *list, const struct type *type, enum style style, int indent,
		       struct mvm_buf *out)
{
	mvm_buf_add(out, "[", 1);
	for (size_t i = 0; i < list->count; i++) {
		if (i)
			mvm_buf_add(out, ",", 1);
		begin_line(deeper(indent), out);
		print_json(list->entries[i].value, type ? type->items : NULL, style, deeper(indent), out);
	}
	if (list->count)
		begin_line(indent, out);
	mvm_buf_add(out, "]", 1);
}

void print_json(const struct node *node, const struct type *type, enum style style, int indent, struct mvm_buf *out)
{
	char *text MVM_CLEAN_FREE = NULL;

	switch (node->kind) {
	case NODE_MAP:
		print_map(node, type, style, indent, out);
		break;
	case NODE_LIST:
		print_list(node, type, style, indent, out);
		break;
	case NODE_STRING:
		print_text(node->text, out);
		break;
	case NODE_NULL:
		mvm_buf_addf(out, "null");
		break;
	case NODE_BOOL:
	case NODE_INT:
	case NODE_FLOAT:
		text = node_to_text(node);
		/* JSON has no infinity. */
		mvm_buf_addf(out, "%s", node->kind == NODE_FLOAT && !isfinite(node->real) ? "null" : text);
		break;
	}
}
