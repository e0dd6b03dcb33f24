/*
 * Values as they are kept and shown: sizes in bytes, durations as Go's, commands as words, lists of "key=value" as
 * maps. Kinds have been checked, and variables are replaced.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/duration.h"
#include "runtime/base/text.h"
#include "schema.h"
#include "words.h"

int finish_text(struct pool *pool, struct node **node, struct mvm_error **err)
{
	return lengthen_text(pool, node, err);
}

/* Go's int64(float). */
int finish_whole(struct pool *pool, struct node **node, struct mvm_error **err)
{
	if (!node_is(*node, NODE_FLOAT))
		return 0;
	if (!(fabs((*node)->real) < 9.2e18))
		return node_fail(err, *node, "a number out of range");
	*node = node_int(pool, (int64_t)(*node)->real, *node);
	return 0;
}

/* Go's float32. */
int finish_single(struct pool *pool, struct node **node, struct mvm_error **err)
{
	struct node *real = node_new(pool, NODE_FLOAT, *node);

	real->real = node_is(*node, NODE_INT) ? (double)(*node)->integer : (*node)->real;
	real->single = true;
	*node = real;
	return 0;
}

static int parse_bytes(const char *text, int64_t *bytes)
{
	uint64_t size;

	if (mvm_parse_int(text, INT64_MIN, INT64_MAX, bytes))
		return 0;
	if (!mvm_parse_size(text, &size) || size > INT64_MAX)
		return -1;
	*bytes = (int64_t)size;
	return 0;
}

/* Shown as text; none is not shown. */
int finish_bytes(struct pool *pool, struct node **node, struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = NULL;
	int64_t bytes;

	if (finish_whole(pool, node, err) < 0)
		return -1;
	text = node_to_text(*node);
	if (parse_bytes(text, &bytes) < 0)
		return node_fail(err, *node, "invalid size: '%s'", text);
	if (bytes)
		*node = node_string(pool, pool_format(pool, "%lld", (long long)bytes), *node);
	else
		*node = node_new(pool, NODE_NULL, *node);
	return 0;
}

/* Go's durations, and days and weeks. */
static bool parse_span(const char *text, int64_t *nanoseconds)
{
	static const int64_t day = INT64_C(86400) * 1000000000;
	struct mvm_buf rest MVM_CLEAN_BUF = {0};
	double days = 0;

	for (const char *at = text; *at;) {
		char *end;
		double value = strtod(at, &end);
		size_t unit = strcspn(end, "0123456789.");

		if (end == at)
			return false;
		if (unit == 1 && (*end == 'd' || *end == 'w'))
			days += *end == 'w' ? value * 7 : value;
		else
			mvm_buf_add(&rest, at, (size_t)(end - at) + unit);
		at = end + unit;
	}
	*nanoseconds = 0;
	if (rest.length && !mvm_parse_duration(rest.data, nanoseconds))
		return false;
	if (!(fabs(days) < 100000))
		return false;
	*nanoseconds += (int64_t)(days * (double)day);
	return rest.length || *text;
}

int finish_duration(struct pool *pool, struct node **node, struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = NULL;
	int64_t nanoseconds;

	if (!parse_span((*node)->text, &nanoseconds))
		return node_fail(err, *node, "invalid duration \"%s\"; such as 1m30s is wanted", (*node)->text);
	text = mvm_format_duration(nanoseconds);
	*node = node_string(pool, text, *node);
	return 0;
}

/* None is not shown. */
int finish_delay(struct pool *pool, struct node **node, struct mvm_error **err)
{
	if (finish_duration(pool, node, err) < 0)
		return -1;
	if (!strcmp((*node)->text, "0s"))
		*node = node_new(pool, NODE_NULL, *node);
	return 0;
}

int finish_command(struct pool *pool, struct node **node, struct mvm_error **err)
{
	struct mvm_strv words MVM_CLEAN_STRV = {0};
	struct node *list;
	const char *rest;

	if (!node_is(*node, NODE_STRING))
		return 0;
	if (!split_words((*node)->text, &words, &rest))
		return node_fail(err, *node, "invalid command line string");
	if (rest)
		node_warn(pool, *node,
			  "a command is no shell's: what begins with \"%.20s\" is left out; use a list: "
			  "[\"sh\", \"-c\", \"...\"]",
			  rest);
	list = node_new(pool, NODE_LIST, *node);
	for (size_t i = 0; i < words.count; i++)
		node_append(pool, list, node_string(pool, words.items[i], *node));
	*node = list;
	return 0;
}

int finish_test(struct pool *pool, struct node **node, struct mvm_error **err)
{
	struct node *list;

	if (!node_is(*node, NODE_STRING))
		return 0;
	list = node_new(pool, NODE_LIST, *node);
	node_append(pool, list, node_string(pool, "CMD-SHELL", *node));
	node_append(pool, list, *node);
	*node = list;
	return 0;
}

int finish_list(struct pool *pool, struct node **node, struct mvm_error **err)
{
	return lengthen_list(pool, node, err);
}

/* The values of a map as texts; null stays, or is empty. */
static void values_to_text(struct pool *pool, struct node *map, bool keep_null)
{
	for (size_t i = 0; i < map->count; i++) {
		struct node **value = &map->entries[i].value;
		char *text MVM_CLEAN_FREE = node_to_text(*value);

		if (!node_is(*value, NODE_NULL) || !keep_null)
			*value = node_string(pool, text, *value);
	}
}

/* "key=value" each; without "=" it is null. */
static struct node *map_of_pairs(struct pool *pool, const struct node *list)
{
	struct node *map = node_new(pool, NODE_MAP, list);

	for (size_t i = 0; i < list->count; i++) {
		const struct node *item = list->entries[i].value;
		const char *mark = strchr(item->text, '=');

		if (mark)
			node_set(pool, map, pool_text(pool, item->text, (size_t)(mark - item->text)),
				 node_string(pool, mark + 1, item));
		else
			node_set(pool, map, item->text, node_new(pool, NODE_NULL, item));
	}
	return map;
}

static int finish_pairs(struct pool *pool, struct node **node, bool keep_null, struct mvm_error **err)
{
	if (node_is(*node, NODE_LIST))
		*node = map_of_pairs(pool, *node);
	if (node_is(*node, NODE_MAP))
		values_to_text(pool, *node, keep_null);
	for (size_t i = 0; keep_null && i < (*node)->count; i++) {
		const char *key = (*node)->entries[i].key;

		if (*key && isspace((unsigned char)key[strlen(key) - 1]))
			return node_fail(err, (*node)->entries[i].value,
					 "environment variable %s is declared with a trailing space", key);
	}
	return 0;
}

int finish_environment(struct pool *pool, struct node **node, struct mvm_error **err)
{
	return finish_pairs(pool, node, true, err);
}

int finish_labels(struct pool *pool, struct node **node, struct mvm_error **err)
{
	return finish_pairs(pool, node, false, err);
}

/* Each value is a list of texts. */
int finish_multi(struct pool *pool, struct node **node, struct mvm_error **err)
{
	for (size_t i = 0; i < (*node)->count; i++) {
		struct node *value = (*node)->entries[i].value, *list = node_new(pool, NODE_LIST, value);
		size_t count = node_is(value, NODE_LIST) ? value->count : 1;

		for (size_t j = 0; j < count; j++) {
			struct node *item = node_is(value, NODE_LIST) ? value->entries[j].value : value;

			(void)lengthen_text(pool, &item, err);
			node_append(pool, list, item);
		}
		(*node)->entries[i].value = list;
	}
	return 0;
}

int finish_ssh(struct pool *pool, struct node **node, struct mvm_error **err)
{
	struct node *map = *node, *list = node_new(pool, NODE_LIST, map);

	for (size_t i = 0; i < map->count; i++) {
		const struct node *value = map->entries[i].value;
		char *path MVM_CLEAN_FREE = node_to_text(value);

		node_append(pool, list,
			    node_string(pool,
					*path ? pool_format(pool, "%s: %s", map->entries[i].key, path)
					      : map->entries[i].key,
					value));
	}
	*node = list;
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_host(struct mvm_strv *hosts, const char *name, const char *address, const struct node *place,
		    struct mvm_error **err)
{
	size_t length = strlen(address);
	bool bracketed = length > 2 && address[0] == '[' && address[length - 1] == ']';

	if (!*name || strpbrk(name, ":="))
		return node_fail(err, place, "bad host name '%s'", name);
	mvm_strv_addf(hosts, "%s=%.*s", name, (int)(bracketed ? length - 2 : length), address + bracketed);
	return 0;
}

/* "name=address[,address]" or "name:address". */
static int add_host_text(struct mvm_strv *hosts, const struct node *item, struct mvm_error **err)
{
	char *copy MVM_CLEAN_FREE = mvm_strdup(item->text), *rest, *address;
	size_t name = strcspn(copy, strchr(copy, '=') ? "=" : ":");

	if (!copy[name])
		return node_fail(err, item, "invalid additional host, missing IP: %s", item->text);
	copy[name] = '\0';
	rest = copy + name + 1;
	while ((address = strsep(&rest, ",")))
		if (add_host(hosts, copy, address, item, err) < 0)
			return -1;
	return 0;
}

static int add_host_entry(struct mvm_strv *hosts, const struct node_entry *entry, struct mvm_error **err)
{
	const struct node *value = entry->value;

	if (!node_is(value, NODE_LIST))
		return add_host(hosts, entry->key, node_is(value, NODE_STRING) ? value->text : "", value, err);
	for (size_t i = 0; i < value->count; i++)
		if (add_host(hosts, entry->key, value->entries[i].value->text, value, err) < 0)
			return -1;
	return 0;
}

int finish_hosts(struct pool *pool, struct node **node, struct mvm_error **err)
{
	struct node *list = node_new(pool, NODE_LIST, *node);
	struct mvm_strv hosts MVM_CLEAN_STRV = {0};

	for (size_t i = 0; i < (*node)->count; i++) {
		const struct node_entry *entry = &(*node)->entries[i];

		if ((entry->key ? add_host_entry(&hosts, entry, err) : add_host_text(&hosts, entry->value, err)) < 0)
			return -1;
	}
	if (hosts.count)
		qsort(hosts.items, hosts.count, sizeof(*hosts.items), by_text);
	for (size_t i = 0; i < hosts.count; i++)
		node_append(pool, list, node_string(pool, hosts.items[i], *node));
	*node = list;
	return 0;
}

/* A text is octal, a number is what it was written as; shown with a 0. */
int finish_mode(struct pool *pool, struct node **node, struct mvm_error **err)
{
	char *end;
	long long mode;

	if (finish_whole(pool, node, err) < 0)
		return -1;
	errno = 0;
	mode = node_is(*node, NODE_INT) ? (*node)->integer : strtoll((*node)->text, &end, 8);
	if (node_is(*node, NODE_STRING) && (errno || !isdigit((unsigned char)*(*node)->text) || *end))
		return node_fail(err, *node, "invalid mode \"%s\"; an octal number is wanted", (*node)->text);
	*node = node_string(pool, pool_format(pool, "0%llo", mode), *node);
	return 0;
}

/* "all" is -1. */
int finish_count(struct pool *pool, struct node **node, struct mvm_error **err)
{
	int64_t count = -1;

	if (!node_is(*node, NODE_STRING))
		return 0;
	if (strcasecmp((*node)->text, "all") != 0 && !mvm_parse_int((*node)->text, INT64_MIN, INT64_MAX, &count))
		return node_fail(err, *node, "invalid value \"%s\", the only value allowed is 'all' or a number",
				 (*node)->text);
	*node = node_int(pool, count, *node);
	return 0;
}
