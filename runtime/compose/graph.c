#include "graph.h"

#include <string.h>

struct member *graph_find(const struct graph *graph, const char *name)
{
	for (size_t i = 0; i < graph->count; i++)
		if (!strcmp(graph->items[i].name, name))
			return &graph->items[i];
	return NULL;
}

static struct member *add_member(struct graph *graph, const char *name, const struct node *node)
{
	graph->items = mvm_realloc(graph->items, graph->count + 1, sizeof(*graph->items));
	graph->items[graph->count] = (struct member){.name = mvm_strdup(name), .node = node};
	return &graph->items[graph->count++];
}

static void add_bond(struct member *member, const char *service, size_t length, struct bond bond)
{
	bond.service = mvm_strndup(service, length);
	member->bonds = mvm_realloc(member->bonds, member->bond_count + 1, sizeof(*member->bonds));
	member->bonds[member->bond_count++] = bond;
}

static enum condition condition_of(const char *text)
{
	if (text && !strncmp(text, "service_healthy", strlen("service_healthy")))
		return CONDITION_HEALTHY;
	if (text && !strncmp(text, "service_completed_successfully", strlen("service_completed_successfully")))
		return CONDITION_COMPLETED;
	return CONDITION_STARTED;
}

static bool flag(const struct node *map, const char *key, bool usual)
{
	const struct node *value = node_get(map, key);

	return node_is(value, NODE_BOOL) ? value->truth : usual;
}

void graph_of_project(const struct mvm_compose *compose, struct graph *graph)
{
	const struct node *services = section_of(compose->model, "services");

	for (size_t i = 0; services && i < services->count; i++) {
		const struct node *node = services->entries[i].value, *depends = node_get(node, "depends_on");
		struct member *member = add_member(graph, services->entries[i].key, node);

		for (size_t j = 0; node_is(depends, NODE_MAP) && j < depends->count; j++) {
			const struct node_entry *entry = &depends->entries[j];

			/* Of another profile, and not required; or left out on purpose. */
			if (!node_get(services, entry->key))
				continue;
			add_bond(member, entry->key, strlen(entry->key),
				 (struct bond){.condition = condition_of(node_get_text(entry->value, "condition")),
					       .restart = flag(entry->value, "restart", false),
					       .required = flag(entry->value, "required", true)});
		}
	}
}

/* "db:service_healthy:false,cache:service_started:true" */
static void read_bonds(struct member *member, const char *text)
{
	for (; *text; text += strcspn(text, ","), text += *text == ',') {
		size_t length = strcspn(text, ","), name = strcspn(text, ":,");
		const char *condition = text[name] == ':' ? text + name + 1 : NULL;
		size_t end = name + 1 + (condition ? strcspn(condition, ":,") : 0);

		if (!name)
			continue;
		add_bond(member, text, name,
			 (struct bond){.condition = condition_of(condition),
				       .restart = end < length && !strncmp(text + end, ":true", 5),
				       .required = false});
	}
}

void graph_of_fleet(const struct mvm_fleet *fleet, struct graph *graph)
{
	for (size_t i = 0; i < fleet->count; i++) {
		const struct mvm_container *container = fleet->items[i];
		const char *depends = mvm_label_value(&container->config.labels, MVM_LABEL_DEPENDS_ON);
		const char *name = mvm_fleet_service(container);

		if (graph_find(graph, name))
			continue;
		read_bonds(add_member(graph, name, NULL), depends ? depends : "");
	}
}

void graph_finish(struct graph *graph)
{
	for (size_t i = 0; i < graph->count; i++) {
		struct member *member = &graph->items[i];

		for (size_t j = 0; j < member->bond_count; j++)
			free(member->bonds[j].service);
		free(member->bonds);
		free(member->name);
		free(member->image_id);
	}
	free(graph->items);
}

int64_t member_scale(const struct member *member)
{
	const struct node *scale = node_get(member->node, "scale");
	const struct node *replicas = node_get(node_get(member->node, "deploy"), "replicas");

	if (!node_is(scale, NODE_INT))
		scale = replicas;
	return node_is(scale, NODE_INT) ? scale->integer : 1;
}

void graph_order(struct graph *graph, struct work *work, bool reverse)
{
	for (size_t i = 0; i < graph->count; i++) {
		graph->items[i].begin = work_add(work, NULL, NULL);
		graph->items[i].end = work_add(work, NULL, NULL);
		step_after(graph->items[i].end, graph->items[i].begin);
	}
	for (size_t i = 0; i < graph->count; i++)
		for (size_t j = 0; j < graph->items[i].bond_count; j++) {
			const struct member *one = &graph->items[i], *other = graph_find(graph, one->bonds[j].service);

			if (other && other != one)
				step_after(reverse ? other->begin : one->begin, reverse ? one->end : other->end);
		}
}
