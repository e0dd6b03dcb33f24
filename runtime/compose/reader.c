#include "reader.h"

#include <string.h>
#include <yaml.h>

struct anchor {
	char *name;
	struct node *node; /* NULL while it is being read */
	size_t nodes;	   /* below it, and itself */
};

struct reader {
	struct pool *pool;
	const char *file;
	yaml_parser_t parser;
	yaml_event_t event;
	bool has_event;
	struct anchor *anchors;
	size_t anchor_count;
	unsigned depth;
};

static struct node place_of(const struct reader *reader, const yaml_mark_t *mark)
{
	return (struct node){
		.file = reader->file, .line = (int)mark->line + 1, .column = (int)mark->column + 1, .kind = NODE_NULL};
}

static int fail_parse(const struct reader *reader, struct mvm_error **err)
{
	const yaml_parser_t *parser = &reader->parser;
	struct node place =
		place_of(reader, parser->error == YAML_READER_ERROR ? &parser->mark : &parser->problem_mark);

	if (parser->context && parser->error != YAML_READER_ERROR)
		return node_fail(err, &place, "%s, %s", parser->problem, parser->context);
	return node_fail(err, &place, "%s", parser->problem ? parser->problem : "it is no YAML");
}

static void drop_event(struct reader *reader)
{
	if (reader->has_event)
		yaml_event_delete(&reader->event);
	reader->has_event = false;
}

static int next_event(struct reader *reader, struct mvm_error **err)
{
	drop_event(reader);
	if (!yaml_parser_parse(&reader->parser, &reader->event))
		return fail_parse(reader, err);
	reader->has_event = true;
	return 0;
}

static int check_size(const struct reader *reader, size_t more, const struct node *place, struct mvm_error **err)
{
	if (reader->pool->nodes + more > POOL_MAX_NODES)
		return node_fail(err, place, "too large: more than %d values, with what aliases stand for",
				 POOL_MAX_NODES);
	return 0;
}

/* An anchor's name stands for its latest node. */
static struct anchor *find_anchor(const struct reader *reader, const char *name)
{
	for (size_t i = reader->anchor_count; i > 0; i--)
		if (!strcmp(reader->anchors[i - 1].name, name))
			return &reader->anchors[i - 1];
	return NULL;
}

enum { NO_ANCHOR = -1 };

static ssize_t begin_anchor(struct reader *reader, const yaml_char_t *name)
{
	struct anchor *known = name ? find_anchor(reader, (const char *)name) : NULL;

	if (!name)
		return NO_ANCHOR;
	if (!known) {
		reader->anchors = mvm_realloc(reader->anchors, reader->anchor_count + 1, sizeof(*reader->anchors));
		known = &reader->anchors[reader->anchor_count++];
		known->name = mvm_strdup((const char *)name);
	}
	known->node = NULL;
	known->nodes = reader->pool->nodes;
	return known - reader->anchors;
}

static void end_anchor(struct reader *reader, ssize_t index, struct node *node)
{
	if (index == NO_ANCHOR)
		return;
	reader->anchors[index].node = node;
	reader->anchors[index].nodes = reader->pool->nodes - reader->anchors[index].nodes;
}

static unsigned height_of(const struct node *node)
{
	unsigned most = 0;

	for (size_t i = 0; i < node->count; i++) {
		unsigned height = height_of(node->entries[i].value);

		most = height > most ? height : most;
	}
	return most + 1;
}

static int fail_deep(const struct node *place, struct mvm_error **err)
{
	return node_fail(err, place, "nested deeper than %d levels", POOL_MAX_DEPTH);
}

static int read_alias(struct reader *reader, const struct node *place, struct node **node, struct mvm_error **err)
{
	const char *name = (const char *)reader->event.data.alias.anchor;
	const struct anchor *anchor = find_anchor(reader, name);

	if (!anchor)
		return node_fail(err, place, "unknown anchor '%s' referenced", name);
	if (!anchor->node)
		return node_fail(err, place, "anchor '%s' value contains itself", name);
	if (check_size(reader, anchor->nodes, place, err) < 0)
		return -1;
	if (reader->depth + height_of(anchor->node) > POOL_MAX_DEPTH + 1)
		return fail_deep(place, err);
	*node = node_copy(reader->pool, anchor->node);
	return 0;
}

static void set_tag(struct node *node, const yaml_char_t *tag)
{
	if (tag && !strcmp((const char *)tag, "!reset"))
		node->tag = NODE_RESET;
	else if (tag && !strcmp((const char *)tag, "!override"))
		node->tag = NODE_OVERRIDE;
}

static int read_scalar(struct reader *reader, struct node *node, struct mvm_error **err)
{
	const char *text = (const char *)reader->event.data.scalar.value;
	const yaml_char_t *tag = reader->event.data.scalar.tag;
	size_t length = reader->event.data.scalar.length;
	bool plain = reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (memchr(text, '\0', length))
		return node_fail(err, node, "a text may not contain a null character");
	set_tag(node, tag);
	node->kind = NODE_STRING;
	node->text = pool_text(reader->pool, text, length);
	if ((!tag && plain) || (tag && node->tag != NODE_PLAIN && plain) ||
	    (tag && !strncmp((const char *)tag, "tag:yaml.org,2002:", 18) &&
	     strcmp((const char *)tag, YAML_STR_TAG) != 0))
		node_resolve(node, node->text);
	return 0;
}

static int read_node(struct reader *reader, struct node **out, struct mvm_error **err);

static int read_list(struct reader *reader, struct node *list, struct mvm_error **err)
{
	for (;;) {
		struct node *item;

		if (next_event(reader, err) < 0)
			return -1;
		if (reader->event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (read_node(reader, &item, err) < 0)
			return -1;
		node_append(reader->pool, list, item);
		if (list->count > POOL_MAX_KEYS)
			return node_fail(err, list, "a list of more than %d items", POOL_MAX_KEYS);
	}
}

/* Keys that are not there yet; the explicit ones have been read. */
static int merge_map(struct reader *reader, struct node *map, const struct node *from, struct mvm_error **err)
{
	if (!node_is(from, NODE_MAP))
		return node_fail(err, from, "map merge requires map or sequence of maps as the value");
	for (size_t i = 0; i < from->count; i++)
		node_default(reader->pool, map, from->entries[i].key, from->entries[i].value);
	return 0;
}

static int merge_key(struct reader *reader, struct node *map, const struct node *from, struct mvm_error **err)
{
	if (!node_is(from, NODE_LIST))
		return merge_map(reader, map, from, err);
	for (size_t i = 0; i < from->count; i++)
		if (merge_map(reader, map, from->entries[i].value, err) < 0)
			return -1;
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct node_entry *const *first = a, *const *second = b;
	int order = strcmp((*first)->key, (*second)->key);

	return order ? order : *first < *second ? -1 : 1;
}

static int check_keys(const struct reader *reader, const struct node *map, struct mvm_error **err)
{
	const struct node_entry **sorted MVM_CLEAN_FREE = mvm_alloc((map->count + 1) * sizeof(struct node_entry *));

	if (map->count > POOL_MAX_KEYS)
		return node_fail(err, map, "a mapping of more than %d keys", POOL_MAX_KEYS);
	for (size_t i = 0; i < map->count; i++)
		sorted[i] = &map->entries[i];
	if (map->count)
		qsort(sorted, map->count, sizeof(struct node_entry *), by_key);
	for (size_t i = 1; i < map->count; i++) {
		struct node place = {.file = reader->file, .line = sorted[i]->line, .column = sorted[i]->column};

		if (!strcmp(sorted[i - 1]->key, sorted[i]->key))
			return node_fail(err, &place, "mapping key \"%s\" already defined at line %d", sorted[i]->key,
					 sorted[i - 1]->line);
	}
	return 0;
}

/* Explicit keys, those that are merged in apart. */
static int read_entry(struct reader *reader, struct node *map, struct node *merged, struct mvm_error **err)
{
	struct node *key, *value;
	bool merges = reader->event.type == YAML_SCALAR_EVENT &&
		      reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		      !strcmp((const char *)reader->event.data.scalar.value, "<<");
	struct node_entry *entry;

	if (read_node(reader, &key, err) < 0)
		return -1;
	if (key->kind != NODE_STRING) {
		char *text MVM_CLEAN_FREE = node_to_text(key);

		return node_fail(err, key, "non-string key %s; keys that are read as something else need quotes", text);
	}
	if (next_event(reader, err) < 0 || read_node(reader, &value, err) < 0)
		return -1;
	node_append(reader->pool, merges ? merged : map, value);
	entry = merges ? &merged->entries[merged->count - 1] : &map->entries[map->count - 1];
	entry->key = key->text;
	entry->line = key->line;
	entry->column = key->column;
	return 0;
}

static int read_map(struct reader *reader, struct node *map, struct mvm_error **err)
{
	struct node merged = {.kind = NODE_MAP};

	for (;;) {
		if (next_event(reader, err) < 0)
			return -1;
		if (reader->event.type == YAML_MAPPING_END_EVENT)
			break;
		if (read_entry(reader, map, &merged, err) < 0)
			return -1;
	}
	if (check_keys(reader, map, err) < 0 || check_keys(reader, &merged, err) < 0)
		return -1;
	for (size_t i = 0; i < merged.count; i++)
		if (merge_key(reader, map, merged.entries[i].value, err) < 0)
			return -1;
	if (map->count > POOL_MAX_KEYS)
		return node_fail(err, map, "a mapping of more than %d keys", POOL_MAX_KEYS);
	return 0;
}

static int read_children(struct reader *reader, struct node *node, struct mvm_error **err)
{
	int result;

	if (++reader->depth > POOL_MAX_DEPTH)
		return fail_deep(node, err);
	result = node->kind == NODE_MAP ? read_map(reader, node, err) : read_list(reader, node, err);
	reader->depth--;
	return result;
}

/* The node that the current event begins. */
static int read_node(struct reader *reader, struct node **out, struct mvm_error **err)
{
	const yaml_event_t *event = &reader->event;
	struct node place = place_of(reader, &event->start_mark), *node;
	ssize_t anchor;

	if (check_size(reader, 1, &place, err) < 0)
		return -1;
	if (event->type == YAML_ALIAS_EVENT)
		return read_alias(reader, &place, out, err);
	if (event->type == YAML_SCALAR_EVENT) {
		anchor = begin_anchor(reader, event->data.scalar.anchor);
		node = node_new(reader->pool, NODE_STRING, &place);
		if (read_scalar(reader, node, err) < 0)
			return -1;
	} else {
		bool is_map = event->type == YAML_MAPPING_START_EVENT;

		anchor = begin_anchor(reader,
				      is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor);
		node = node_new(reader->pool, is_map ? NODE_MAP : NODE_LIST, &place);
		set_tag(node, is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag);
		if (read_children(reader, node, err) < 0)
			return -1;
	}
	end_anchor(reader, anchor, node);
	*out = node;
	return 0;
}

static void forget_anchors(struct reader *reader)
{
	for (size_t i = 0; i < reader->anchor_count; i++)
		free(reader->anchors[i].name);
	free(reader->anchors);
	reader->anchors = NULL;
	reader->anchor_count = 0;
}

static int read_stream(struct reader *reader, struct node *documents, struct mvm_error **err)
{
	for (;;) {
		struct node *document;

		if (next_event(reader, err) < 0)
			return -1;
		if (reader->event.type == YAML_STREAM_END_EVENT)
			return 0;
		if (reader->event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		if (next_event(reader, err) < 0 || read_node(reader, &document, err) < 0)
			return -1;
		node_append(reader->pool, documents, document);
		forget_anchors(reader);
	}
}

int yaml_read(struct pool *pool, const char *file, const char *data, size_t length, struct node **documents,
	      struct mvm_error **err)
{
	struct reader reader = {.pool = pool, .file = pool_text(pool, file, strlen(file))};
	struct node place = {.file = reader.file}, *list = node_new(pool, NODE_LIST, &place);
	int result;

	if (length > POOL_MAX_FILE)
		return node_fail(err, &place, "larger than %d bytes", POOL_MAX_FILE);
	if (!yaml_parser_initialize(&reader.parser))
		return mvm_fail(err, MVM_ERR_INTERNAL, "cannot make a YAML parser");
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)data, length);
	result = read_stream(&reader, list, err);
	drop_event(&reader);
	forget_anchors(&reader);
	yaml_parser_delete(&reader.parser);
	if (result == 0)
		*documents = list;
	return result;
}
