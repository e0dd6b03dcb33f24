/*
 * Short forms and the long ones that they stand for. What is not short is left as it is; its kind has been checked.
 */
#include <ctype.h>
#include <string.h>

#include "runtime/state/port.h"
#include "schema.h"

static struct node *map_of(struct pool *pool, const struct node *place, const char *key, struct node *value)
{
	struct node *map = node_new(pool, NODE_MAP, place);

	map->tag = place->tag;
	node_set(pool, map, key, value);
	return map;
}

/* A text becomes {key: text}. */
static int lengthen_to(struct pool *pool, struct node **node, const char *key)
{
	if (node_is(*node, NODE_STRING))
		*node = map_of(pool, *node, key, node_string(pool, (*node)->text, *node));
	return 0;
}

int lengthen_build(struct pool *pool, struct node **node, struct mvm_error **err)
{
	return lengthen_to(pool, node, "context");
}

int lengthen_extends(struct pool *pool, struct node **node, struct mvm_error **err)
{
	return lengthen_to(pool, node, "service");
}

int lengthen_source(struct pool *pool, struct node **node, struct mvm_error **err)
{
	return lengthen_to(pool, node, "source");
}

int lengthen_list(struct pool *pool, struct node **node, struct mvm_error **err)
{
	struct node *list;

	if (!node_is(*node, NODE_STRING))
		return 0;
	list = node_new(pool, NODE_LIST, *node);
	list->tag = (*node)->tag;
	node_append(pool, list, node_string(pool, (*node)->text, *node));
	*node = list;
	return 0;
}

int lengthen_include(struct pool *pool, struct node **node, struct mvm_error **err)
{
	static const char *const lists[] = {"path", "env_file"};

	(void)lengthen_to(pool, node, "path");
	for (size_t i = 0; i < MVM_COUNT(lists); i++) {
		struct node *value = node_get(*node, lists[i]);

		if (!value)
			continue;
		(void)lengthen_list(pool, &value, err);
		node_set(pool, *node, lists[i], value);
	}
	return 0;
}

int lengthen_text(struct pool *pool, struct node **node, struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = node_to_text(*node);

	if (!node_is(*node, NODE_STRING))
		*node = node_string(pool, text, *node);
	return 0;
}

/* A list of names becomes a map; what stands for each is NULL: null. */
static struct node *map_from_list(struct pool *pool, const struct node *list,
				  struct node *(*value)(struct pool *pool, const struct node *))
{
	struct node *map = node_new(pool, NODE_MAP, list);

	map->tag = list->tag;
	for (size_t i = 0; i < list->count; i++) {
		const struct node *name = list->entries[i].value;

		node_set(pool, map, name->text, value ? value(pool, name) : node_new(pool, NODE_NULL, name));
	}
	return map;
}

int lengthen_names(struct pool *pool, struct node **node, struct mvm_error **err)
{
	if (node_is(*node, NODE_LIST))
		*node = map_from_list(pool, *node, NULL);
	return 0;
}

static struct node *started(struct pool *pool, const struct node *place)
{
	struct node *map = map_of(pool, place, "condition", node_string(pool, "service_started", place));

	node_set(pool, map, "required", node_bool(pool, true, place));
	return map;
}

int lengthen_depends_on(struct pool *pool, struct node **node, struct mvm_error **err)
{
	if (node_is(*node, NODE_LIST))
		*node = map_from_list(pool, *node, started);
	return 0;
}

/* "name=value" each. */
int lengthen_context_list(struct pool *pool, struct node **node, struct mvm_error **err)
{
	struct node *map, *list = *node;

	if (!node_is(list, NODE_LIST))
		return 0;
	map = node_new(pool, NODE_MAP, list);
	map->tag = list->tag;
	for (size_t i = 0; i < list->count; i++) {
		const struct node *item = list->entries[i].value;
		const char *mark = strchr(item->text, '=');

		if (!mark)
			return node_fail(err, item, "invalid value %s, expected key=value", item->text);
		node_set(pool, map, pool_text(pool, item->text, (size_t)(mark - item->text)),
			 node_string(pool, mark + 1, item));
	}
	*node = map;
	return 0;
}

int lengthen_ssh(struct pool *pool, struct node **node, struct mvm_error **err)
{
	struct node *map, *list = *node;

	if (!node_is(list, NODE_LIST))
		return 0;
	map = node_new(pool, NODE_MAP, list);
	map->tag = list->tag;
	for (size_t i = 0; i < list->count; i++) {
		const struct node *item = list->entries[i].value;
		const char *mark = strchr(item->text, '=');

		if (!mark && strcmp(item->text, "default") != 0)
			return node_fail(err, item, "invalid ssh key \"%s\"", item->text);
		node_set(pool, map, mark ? pool_text(pool, item->text, (size_t)(mark - item->text)) : item->text,
			 mark ? node_string(pool, mark + 1, item) : node_new(pool, NODE_NULL, item));
	}
	*node = map;
	return 0;
}

int lengthen_env_file(struct pool *pool, struct node **node, struct mvm_error **err)
{
	struct node *list;

	(void)lengthen_list(pool, node, err);
	list = *node;
	for (size_t i = 0; i < list->count; i++) {
		(void)lengthen_to(pool, &list->entries[i].value, "path");
		node_default(pool, list->entries[i].value, "required", node_bool(pool, true, list->entries[i].value));
	}
	return 0;
}

int lengthen_device(struct pool *pool, struct node **node, struct mvm_error **err)
{
	const char *text = (*node)->text, *second, *third;
	struct node *map;

	if (!node_is(*node, NODE_STRING))
		return 0;
	second = strchr(text, ':');
	third = second ? strchr(second + 1, ':') : NULL;
	if (third && strchr(third + 1, ':'))
		return node_fail(err, *node, "confusing device mapping, please use long syntax: %s", text);
	map = map_of(pool, *node, "source", node_string(pool, text, *node));
	if (second)
		node_set_text(pool, map, "source", pool_text(pool, text, (size_t)(second - text)));
	node_set_text(pool, map, "target", node_get_text(map, "source"));
	if (second && second[1] && second + 1 != third)
		node_set_text(pool, map, "target",
			      pool_text(pool, second + 1, third ? (size_t)(third - second - 1) : strlen(second + 1)));
	node_set_text(pool, map, "permissions", third ? third + 1 : "rwm");
	*node = map;
	return 0;
}

int lengthen_gpus(struct pool *pool, struct node **node, struct mvm_error **err)
{
	struct node *list;

	if (!node_is(*node, NODE_STRING))
		return 0;
	list = node_new(pool, NODE_LIST, *node);
	list->tag = (*node)->tag;
	node_append(pool, list, map_of(pool, list, "count", node_string(pool, "all", *node)));
	*node = list;
	return 0;
}

/* The old "external: {name: NAME}". */
int lengthen_external(struct pool *pool, struct node **node, struct mvm_error **err)
{
	const struct node *external = node_get(*node, "external");
	const char *old = node_get_text(external, "name"), *name = node_get_text(*node, "name");

	if (!node_is(external, NODE_MAP))
		return 0;
	if (old)
		node_warn(pool, external, "external.name is deprecated. Please set name and external: true");
	if (old && name && strcmp(old, name) != 0)
		return node_fail(err, external, "name and external.name conflict; only use name");
	if (old)
		node_set_text(pool, *node, "name", old);
	node_set(pool, *node, "external", node_bool(pool, true, external));
	return 0;
}

/* One port of what mvm_port_parse() makes of a short form. */
static struct node *port_map(struct pool *pool, const struct node *place, const char *kept, const char *protocol)
{
	struct node *map = map_of(pool, place, "mode", node_string(pool, "ingress", place));
	struct mvm_port port;

	if (!mvm_port_read(kept, &port))
		return map;
	if (*port.ip)
		node_set_text(pool, map, "host_ip", port.ip);
	node_set(pool, map, "target", node_int(pool, port.guest, place));
	if (port.first && port.first == port.last)
		node_set_text(pool, map, "published", pool_format(pool, "%u", port.first));
	else if (port.first)
		node_set_text(pool, map, "published", pool_format(pool, "%u-%u", port.first, port.last));
	node_set_text(pool, map, "protocol", protocol ? protocol : mvm_port_protocol_name(port.protocol));
	return map;
}

static int add_ports(struct pool *pool, struct node *list, const struct node *item, struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = node_to_text(item), *protocol = strrchr(text, '/');
	struct mvm_strv ports MVM_CLEAN_STRV = {0};
	bool sctp = protocol && !strcasecmp(protocol, "/sctp");

	/* Who starts it says that it cannot; here it is only a word. */
	if (sctp)
		*protocol = '\0';
	if (mvm_port_parse(text, &ports, err) < 0)
		return node_wrap(err, item);
	for (size_t i = 0; i < ports.count; i++)
		node_append(pool, list, port_map(pool, item, ports.items[i], sctp ? "sctp" : NULL));
	return pool_check(pool, item, err);
}

int lengthen_ports(struct pool *pool, struct node **node, struct mvm_error **err)
{
	struct node *list = node_new(pool, NODE_LIST, *node);

	list->tag = (*node)->tag;
	for (size_t i = 0; i < (*node)->count; i++) {
		struct node *item = (*node)->entries[i].value;

		if (node_is(item, NODE_MAP))
			node_append(pool, list, item);
		else if (add_ports(pool, list, item, err) < 0)
			return -1;
	}
	*node = list;
	return 0;
}
