#include "node.h"

#include <string.h>

#include "runtime/base/text.h"

enum { CHUNK_SIZE = 64 << 10, ALIGNMENT = 16 };

struct pool_chunk {
	struct pool_chunk *next;
	size_t used, size;
	_Alignas(ALIGNMENT) char data[];
};

void pool_finish(struct pool *pool)
{
	while (pool->chunks) {
		struct pool_chunk *next = pool->chunks->next;

		free(pool->chunks);
		pool->chunks = next;
	}
}

/* Texts are bounded by the files and by POOL_MAX_TEXT, and nodes by POOL_MAX_NODES. */
void *pool_alloc(struct pool *pool, size_t size)
{
	struct pool_chunk *chunk = pool->chunks;
	void *place;

	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;

		chunk = mvm_alloc(sizeof(*chunk) + room);
		chunk->size = room;
		chunk->next = pool->chunks;
		pool->chunks = chunk;
	}
	place = chunk->data + chunk->used;
	chunk->used += size;
	return place;
}

const char *pool_text(struct pool *pool, const char *text, size_t length)
{
	char *copy = pool_alloc(pool, length + 1);

	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

const char *pool_format(struct pool *pool, const char *format, ...)
{
	va_list args;
	char *text MVM_CLEAN_FREE = NULL;

	va_start(args, format);
	text = mvm_vformat(format, args);
	va_end(args);
	return pool_text(pool, text, strlen(text));
}

struct node *node_new(struct pool *pool, enum node_kind kind, const struct node *place)
{
	struct node *node = pool_alloc(pool, sizeof(*node));

	*node = (struct node){.kind = kind};
	if (place) {
		node->file = place->file;
		node->line = place->line;
		node->column = place->column;
	}
	pool->nodes++;
	return node;
}

struct node *node_string(struct pool *pool, const char *text, const struct node *place)
{
	struct node *node = node_new(pool, NODE_STRING, place);

	node->text = pool_text(pool, text, strlen(text));
	return node;
}

struct node *node_int(struct pool *pool, int64_t value, const struct node *place)
{
	struct node *node = node_new(pool, NODE_INT, place);

	node->integer = value;
	return node;
}

struct node *node_bool(struct pool *pool, bool value, const struct node *place)
{
	struct node *node = node_new(pool, NODE_BOOL, place);

	node->truth = value;
	return node;
}

struct node *node_copy(struct pool *pool, const struct node *node)
{
	struct node *copy = pool_alloc(pool, sizeof(*copy));

	*copy = *node;
	copy->tag = NODE_PLAIN;
	copy->capacity = node->count;
	pool->nodes++;
	if (node->count)
		copy->entries = pool_alloc(pool, node->count * sizeof(*copy->entries));
	for (size_t i = 0; i < node->count; i++) {
		copy->entries[i] = node->entries[i];
		copy->entries[i].value = node_copy(pool, node->entries[i].value);
	}
	return copy;
}

static struct node_entry *add_entry(struct pool *pool, struct node *node)
{
	if (node->count == node->capacity) {
		size_t capacity = node->capacity ? node->capacity * 2 : 8;
		struct node_entry *entries = pool_alloc(pool, capacity * sizeof(*entries));

		if (node->count)
			memcpy(entries, node->entries, node->count * sizeof(*entries));
		node->entries = entries;
		node->capacity = capacity;
	}
	node->entries[node->count] = (struct node_entry){0};
	return &node->entries[node->count++];
}

void node_append(struct pool *pool, struct node *list, struct node *item)
{
	add_entry(pool, list)->value = item;
}

static struct node_entry *find_entry(const struct node *map, const char *key)
{
	for (size_t i = 0; node_is(map, NODE_MAP) && i < map->count; i++)
		if (!strcmp(map->entries[i].key, key))
			return &map->entries[i];
	return NULL;
}

struct node *node_get(const struct node *node, const char *key)
{
	struct node_entry *entry = find_entry(node, key);

	return entry ? entry->value : NULL;
}

const char *node_get_text(const struct node *node, const char *key)
{
	const struct node *value = node_get(node, key);

	return node_is(value, NODE_STRING) ? value->text : NULL;
}

void node_set(struct pool *pool, struct node *map, const char *key, struct node *value)
{
	struct node_entry *entry = find_entry(map, key);

	if (!entry) {
		entry = add_entry(pool, map);
		entry->key = pool_text(pool, key, strlen(key));
		entry->line = value->line;
		entry->column = value->column;
	}
	entry->value = value;
}

void node_set_text(struct pool *pool, struct node *map, const char *key, const char *value)
{
	node_set(pool, map, key, node_string(pool, value, map));
}

void node_default(struct pool *pool, struct node *map, const char *key, struct node *value)
{
	if (!node_get(map, key))
		node_set(pool, map, key, value);
}

void node_remove(struct node *map, const char *key)
{
	struct node_entry *entry = find_entry(map, key);

	if (!entry)
		return;
	memmove(entry, entry + 1, (size_t)(map->entries + map->count - entry - 1) * sizeof(*entry));
	map->count--;
}

static bool equal_entries(const struct node *a, const struct node *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct node *other = a->kind == NODE_MAP ? node_get(b, a->entries[i].key) : b->entries[i].value;

		if (!other || !node_equal(a->entries[i].value, other))
			return false;
	}
	return true;
}

bool node_equal(const struct node *a, const struct node *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case NODE_NULL:
		return true;
	case NODE_BOOL:
		return a->truth == b->truth;
	case NODE_INT:
		return a->integer == b->integer;
	case NODE_FLOAT:
		return a->real == b->real;
	case NODE_STRING:
		return !strcmp(a->text, b->text);
	case NODE_LIST:
	case NODE_MAP:
		return equal_entries(a, b);
	}
	return false;
}

char *path_text(const struct path *path)
{
	char *before MVM_CLEAN_FREE = NULL, *own MVM_CLEAN_FREE = NULL;

	if (!path)
		return mvm_strdup("");
	before = path_text(path->up);
	own = path->key ? mvm_strdup(path->key) : mvm_format("%zu", path->index);
	return *before ? mvm_format("%s.%s", before, own) : mvm_strdup(own);
}

int pool_check(const struct pool *pool, const struct node *place, struct mvm_error **err)
{
	if (pool->nodes > POOL_MAX_ALL)
		return node_fail(err, place, "too large: it comes to more than %d values", POOL_MAX_ALL);
	return 0;
}

#undef node_fail
#undef node_wrap

int node_wrap(struct mvm_error **err, const struct node *node)
{
	if (!node || !node->file)
		return -1;
	if (!node->line)
		return mvm_error_wrap(err, "%s", node->file);
	return mvm_error_wrap(err, "%s:%d:%d", node->file, node->line, node->column);
}

int node_fail(struct mvm_error **err, const struct node *node, const char *format, ...)
{
	char *text MVM_CLEAN_FREE = NULL;
	va_list args;

	va_start(args, format);
	text = mvm_vformat(format, args);
	va_end(args);
	(void)mvm_fail(err, MVM_ERR_INVALID, "%s", text);
	return node_wrap(err, node);
}

void node_warn(struct pool *pool, const struct node *node, const char *format, ...)
{
	char *text MVM_CLEAN_FREE = NULL, *line MVM_CLEAN_FREE = NULL;
	va_list args;

	if (!pool->warn)
		return;
	va_start(args, format);
	text = mvm_vformat(format, args);
	va_end(args);
	if (node && node->file && node->line)
		line = mvm_format("%s:%d:%d: %s", node->file, node->line, node->column, text);
	else
		line = mvm_strdup(text);
	mvm_mask_controls(line);
	pool->warn(pool->warn_arg, line);
}
