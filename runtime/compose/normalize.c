/*
 * What is implied: the default network, names of what the project makes, dependencies by other keys.
 */
#include <string.h>

#include "internal.h"
#include "substitute.h"

/* Without networks of its own a service is on the default one. */
static bool join_default(struct pool *pool, struct node *service)
{
	struct node *networks = node_get(service, "networks");

	if (node_get(service, "provider") || node_get(service, "network_mode"))
		return false;
	if (!node_is(networks, NODE_MAP) || !networks->count) {
		networks = node_new(pool, NODE_MAP, service);
		node_set(pool, networks, "default", node_new(pool, NODE_NULL, service));
		node_set(pool, service, "networks", networks);
	}
	return node_get(networks, "default") != NULL;
}

static void normalize_networks(struct mvm_compose *compose, const struct node *services)
{
	struct pool *pool = &compose->pool;
	bool used = false;

	for (size_t i = 0; services && i < services->count; i++)
		used = join_default(pool, services->entries[i].value) || used;
	if (!used)
		return;
	node_default(pool, compose->model, "networks", node_new(pool, NODE_MAP, compose->model));
	node_default(pool, node_get(compose->model, "networks"), "default", node_new(pool, NODE_NULL, compose->model));
}

/* "NAME" takes the variable's value; where there is none it stays, or goes. */
static void fill_variables(struct mvm_compose *compose, struct node *values, bool keep)
{
	size_t kept = 0;

	for (size_t i = 0; values && i < values->count; i++) {
		struct node_entry entry = values->entries[i];
		bool bare = entry.key ? node_is(entry.value, NODE_NULL) : !strchr(entry.value->text, '=');
		const char *name = entry.key ? entry.key : entry.value->text;
		const char *value = bare ? environment_find(&compose->environment, name) : NULL;

		if (value)
			entry.value = node_string(&compose->pool,
						  entry.key ? value : pool_format(&compose->pool, "%s=%s", name, value),
						  entry.value);
		if (!bare || value || keep)
			values->entries[kept++] = entry;
	}
	if (values)
		values->count = kept;
}

static void depend_on(struct pool *pool, struct node *service, const char *name, bool restart, const struct node *place)
{
	struct node *depends, *own;

	node_default(pool, service, "depends_on", node_new(pool, NODE_MAP, place));
	depends = node_get(service, "depends_on");
	if (!node_is(depends, NODE_MAP) || node_get(depends, name))
		return;
	own = node_new(pool, NODE_MAP, place);
	node_set_text(pool, own, "condition", "service_started");
	node_set(pool, own, "restart", node_bool(pool, restart, place));
	node_set(pool, own, "required", node_bool(pool, true, place));
	node_set(pool, depends, name, own);
}

/* The first part of "service:alias" and the like. */
static const char *first_part(struct pool *pool, const char *text)
{
	return pool_text(pool, text, strcspn(text, ":"));
}

static void add_links(struct pool *pool, struct node *service)
{
	const struct node *links = node_get(service, "links"), *from = node_get(service, "volumes_from");

	for (size_t i = 0; links && i < links->count; i++)
		depend_on(pool, service, first_part(pool, links->entries[i].value->text), true, links);
	for (size_t i = 0; from && i < from->count; i++)
		if (strncmp(from->entries[i].value->text, "container:", 10) != 0)
			depend_on(pool, service, first_part(pool, from->entries[i].value->text), false, from);
}

/* What it shares with another service. */
static void add_shared(struct pool *pool, struct node *service)
{
	static const char *const keys[] = {"network_mode", "ipc", "pid", "uts", "cgroup"};

	for (size_t i = 0; i < MVM_COUNT(keys); i++) {
		const char *text = node_get_text(service, keys[i]);

		if (text && !strncmp(text, "service:", 8))
			depend_on(pool, service, text + 8, true, node_get(service, keys[i]));
	}
}

static void normalize_build(struct mvm_compose *compose, struct node *build)
{
	struct pool *pool = &compose->pool;

	if (!node_is(build, NODE_MAP))
		return;
	if (!node_get(build, "dockerfile_inline"))
		node_default(pool, build, "dockerfile", node_string(pool, "Dockerfile", build));
	fill_variables(compose, node_get(build, "args"), false);
}

static void inherit_image(struct pool *pool, struct node *service)
{
	const struct node *hooks = node_get(service, "pre_start");
	const char *image = node_get_text(service, "image");

	for (size_t i = 0; image && *image && hooks && i < hooks->count; i++)
		node_default(pool, hooks->entries[i].value, "image", node_string(pool, image, hooks));
}

static void normalize_service(struct mvm_compose *compose, struct node *service)
{
	struct pool *pool = &compose->pool;
	const char *policy = node_get_text(service, "pull_policy");
	struct node *mounts = node_get(service, "volumes");

	if (policy && !strcmp(policy, "if_not_present"))
		node_set_text(pool, service, "pull_policy", "missing");
	normalize_build(compose, node_get(service, "build"));
	fill_variables(compose, node_get(service, "environment"), true);
	add_links(pool, service);
	add_shared(pool, service);
	for (size_t i = 0; mounts && i < mounts->count; i++)
		clean_target(pool, mounts->entries[i].value);
	inherit_image(pool, service);
}

/* What the project makes has its name before its own. */
static void name_section(struct mvm_compose *compose, const char *section)
{
	struct node *objects = section_of(compose->model, section);
	struct pool *pool = &compose->pool;

	for (size_t i = 0; objects && i < objects->count; i++) {
		struct node_entry *entry = &objects->entries[i];
		const struct node *external;

		if (!node_is(entry->value, NODE_MAP))
			entry->value = node_new(pool, NODE_MAP, entry->value);
		external = node_get(entry->value, "external");
		node_default(pool, entry->value, "name",
			     node_string(pool,
					 node_is(external, NODE_BOOL) && external->truth
						 ? entry->key
						 : pool_format(pool, "%s_%s", compose->name, entry->key),
					 entry->value));
	}
}

void normalize(struct mvm_compose *compose)
{
	static const char *const named[] = {"networks", "volumes", "configs", "secrets"};
	const struct node *services = section_of(compose->model, "services");

	normalize_networks(compose, services);
	for (size_t i = 0; services && i < services->count; i++)
		normalize_service(compose, services->entries[i].value);
	for (size_t i = 0; i < MVM_COUNT(named); i++)
		name_section(compose, named[i]);
}
