/*
 * A second file over a first one: https://github.com/compose-spec/compose-spec/blob/main/13-merge.md
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_pairs(struct mvm_strv *pairs, const struct node_entry *entry)
{
	const struct node *value = entry->value;

	for (size_t i = 0; node_is(value, NODE_LIST) && i < value->count; i++) {
		char *text MVM_CLEAN_FREE = node_to_text(value->entries[i].value);

		mvm_strv_addf(pairs, "%s=%s", entry->key, text);
	}
	if (node_is(value, NODE_NULL)) {
		mvm_strv_add(pairs, entry->key);
	} else if (!node_is(value, NODE_LIST)) {
		char *text MVM_CLEAN_FREE = node_to_text(value);

		mvm_strv_addf(pairs, "%s=%s", entry->key, text);
	}
}

struct node *to_sequence(struct pool *pool, struct node *node)
{
	struct mvm_strv pairs MVM_CLEAN_STRV = {0};
	struct node *list;

	if (node_is(node, NODE_LIST))
		return node;
	list = node_new(pool, NODE_LIST, node);
	if (node_is(node, NODE_STRING))
		node_append(pool, list, node);
	for (size_t i = 0; node_is(node, NODE_MAP) && i < node->count; i++)
		add_pairs(&pairs, &node->entries[i]);
	if (pairs.count)
		qsort(pairs.items, pairs.count, sizeof(*pairs.items), by_text);
	for (size_t i = 0; i < pairs.count; i++)
		node_append(pool, list, node_string(pool, pairs.items[i], node));
	return list;
}

static void append_all(struct pool *pool, struct node *list, const struct node *more)
{
	for (size_t i = 0; i < more->count; i++)
		node_append(pool, list, more->entries[i].value);
}

static bool has_item(const struct node *list, const struct node *item)
{
	for (size_t i = 0; i < list->count; i++)
		if (node_equal(list->entries[i].value, item))
			return true;
	return false;
}

static struct node *merge_sequences(struct pool *pool, struct node *base, struct node *over, bool distinct)
{
	struct node *merged = to_sequence(pool, base);

	over = to_sequence(pool, over);
	for (size_t i = 0; i < over->count; i++)
		if (!distinct || !has_item(merged, over->entries[i].value))
			node_append(pool, merged, over->entries[i].value);
	return merged;
}

static int merge_maps(struct pool *pool, struct node *base, struct node *over, const struct type *type,
		      const struct path *path, struct mvm_error **err)
{
	for (size_t i = 0; i < over->count; i++) {
		const struct node_entry *entry = &over->entries[i];
		const struct path below = {.up = path, .key = entry->key};
		struct node *own = node_get(base, entry->key), *merged = entry->value;

		if (own && merge_node(pool, own, entry->value, type ? schema_of(type, entry->key) : NULL, &below,
				      &merged, err) < 0)
			return -1;
		node_set(pool, base, entry->key, merged);
	}
	return 0;
}

/* By subnet: what is of the same one is merged. */
static int merge_pools(struct pool *pool, struct node *base, struct node *over, const struct type *type,
		       const struct path *path, struct mvm_error **err)
{
	for (size_t i = 0; i < over->count; i++) {
		struct node *pool_over = over->entries[i].value, *same = NULL;
		const char *subnet = node_get_text(pool_over, "subnet");

		for (size_t j = 0; j < base->count && !same; j++) {
			const char *own = node_get_text(base->entries[j].value, "subnet");

			if (own && subnet && !strcmp(own, subnet))
				same = base->entries[j].value;
		}
		if (!same)
			node_append(pool, base, pool_over);
		else if (merge_maps(pool, same, pool_over, type->items, path, err) < 0)
			return -1;
	}
	return 0;
}

static bool same_driver(const struct node *base, const struct node *over)
{
	const char *a = node_get_text(base, "driver"), *b = node_get_text(over, "driver");

	return !a || !b || !strcmp(a, b);
}

static int fail_override(const struct node *over, const struct path *path, struct mvm_error **err)
{
	char *shown MVM_CLEAN_FREE = path_text(path);

	return node_fail(err, over, "cannot override %s", shown);
}

/* 1: not by a rule of its own. */
static int merge_specially(struct pool *pool, struct node *base, struct node *over, const struct type *type,
			   const struct path *path, struct node **merged, struct mvm_error **err)
{
	*merged = over;
	switch (type->merge) {
	case MERGE_REPLACE:
		return 0;
	case MERGE_SEQUENCE:
	case MERGE_HOSTS:
		*merged = merge_sequences(pool, base, over, type->merge == MERGE_HOSTS);
		return 0;
	case MERGE_LOGGING:
		return node_is(over, NODE_MAP) && !same_driver(base, over) ? 0 : 1;
	case MERGE_POOLS:
		*merged = base;
		return node_is(base, NODE_LIST) && node_is(over, NODE_LIST)
			       ? merge_pools(pool, base, over, type, path, err)
			       : 1;
	case MERGE_USUAL:
		break;
	}
	return 1;
}

int merge_node(struct pool *pool, struct node *base, struct node *over, const struct type *type,
	       const struct path *path, struct node **merged, struct mvm_error **err)
{
	int result;

	*merged = over;
	if (over->tag != NODE_PLAIN)
		return 0;
	result = type ? merge_specially(pool, base, over, type, path, merged, err) : 1;
	if (result <= 0)
		return result;
	*merged = base;
	if (node_is(over, NODE_NULL))
		return 0;
	if (node_is(base, NODE_MAP))
		return node_is(over, NODE_MAP) ? merge_maps(pool, base, over, type, path, err)
					       : fail_override(over, path, err);
	if (node_is(base, NODE_LIST)) {
		if (!node_is(over, NODE_LIST))
			return fail_override(over, path, err);
		append_all(pool, base, over);
		return 0;
	}
	*merged = over;
	return 0;
}

/* What an item is known by. The caller's; NULL: nothing. */
static char *key_of(const struct node *item, enum unique_rule rule)
{
	const char *target = node_get_text(item, "target"), *source = node_get_text(item, "source");
	const char *folder = rule == UNIQUE_SECRET ? "/run/secrets" : "";

	switch (rule) {
	case UNIQUE_KEY: {
		char *text = node_to_text(item);

		text[strcspn(text, "=")] = '\0';
		return text;
	}
	case UNIQUE_TARGET:
		return target ? mvm_strdup(target) : NULL;
	case UNIQUE_CONFIG:
	case UNIQUE_SECRET:
		return target ? mvm_strdup(target) : source ? mvm_format("%s/%s", folder, source) : NULL;
	case UNIQUE_PATH:
		return node_get_text(item, "path") ? mvm_strdup(node_get_text(item, "path")) : NULL;
	case UNIQUE_PORT: {
		const char *host = node_get_text(item, "host_ip"), *protocol = node_get_text(item, "protocol");
		const struct node *published = node_get(item, "published"), *port = node_get(item, "target");
		char *public MVM_CLEAN_FREE = published ? node_to_text(published) : mvm_strdup("");
		char *inside MVM_CLEAN_FREE = port ? node_to_text(port) : NULL;

		return inside ? mvm_format("%s:%s:%s/%s", host ? host : "0.0.0.0", public, inside,
					   protocol ? protocol : "tcp")
			      : NULL;
	}
	case UNIQUE_NONE:
		break;
	}
	return NULL;
}

struct keyed {
	char *key; /* NULL: like no other */
	size_t index;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *first = a, *second = b;
	int order = first->key && second->key ? strcmp(first->key, second->key) : !first->key - !second->key;

	return order ? order : first->index < second->index ? -1 : 1;
}

/* Of those with one key the last one's value, in the place of the first. */
static void unique_items(struct node *list, enum unique_rule rule)
{
	struct keyed *items MVM_CLEAN_FREE = mvm_alloc((list->count + 1) * sizeof(*items));
	size_t kept = 0, first = 0;

	for (size_t i = 0; i < list->count; i++)
		items[i] = (struct keyed){key_of(list->entries[i].value, rule), i};
	if (list->count)
		qsort(items, list->count, sizeof(*items), by_key);
	for (size_t i = 1; i < list->count; i++) {
		if (!items[first].key || !items[i].key || strcmp(items[first].key, items[i].key) != 0) {
			first = i;
			continue;
		}
		list->entries[items[first].index].value = list->entries[items[i].index].value;
		list->entries[items[i].index].value = NULL;
	}
	for (size_t i = 0; i < list->count; i++) {
		free(items[i].key);
		if (list->entries[i].value)
			list->entries[kept++] = list->entries[i];
	}
	list->count = kept;
}

void make_unique(struct node *node, const struct type *type)
{
	if (node_is(node, NODE_LIST) && type->unique != UNIQUE_NONE)
		unique_items(node, type->unique);
	for (size_t i = 0; i < node->count; i++) {
		const char *key = node->entries[i].key;
		const struct type *below = key ? schema_of(type, key) : type->items;

		if (below)
			make_unique(node->entries[i].value, below);
	}
}

void strip_tags(struct node *node)
{
	size_t kept = 0;

	node->tag = NODE_PLAIN;
	for (size_t i = 0; i < node->count; i++) {
		if (node->entries[i].value->tag == NODE_RESET)
			continue;
		strip_tags(node->entries[i].value);
		node->entries[kept++] = node->entries[i];
	}
	node->count = kept;
}
