/*
 * `run`: the service as the files have it, changed by what was said, as one container that is nobody's number.
 */
#include <string.h>

#include "conduct.h"
#include "request.h"
#include "runtime/base/io.h"
#include "runtime/base/text.h"
#include "words.h"

enum { SLUG_BYTES = 32, SHORT_SLUG = 12 };

static struct node *list_of(struct pool *pool, const struct mvm_strv *texts, const struct node *place)
{
	struct node *list = node_new(pool, NODE_LIST, place);

	for (size_t i = 0; i < texts->count; i++)
		node_append(pool, list, node_string(pool, texts->items[i], place));
	return list;
}

static void set_list(struct pool *pool, struct node *service, const char *key, const struct mvm_strv *texts)
{
	if (texts && texts->count)
		node_set(pool, service, key, list_of(pool, texts, service));
}

static void set_text(struct pool *pool, struct node *service, const char *key, const char *text)
{
	if (text && *text)
		node_set_text(pool, service, key, text);
}

/* What is added is not dropped any more, and the other way round. */
static void move_capabilities(struct pool *pool, struct node *service, const char *to, const char *from,
			      const struct mvm_strv *given)
{
	struct node *target = node_get(service, to), *source = node_get(service, from);
	size_t kept = 0;

	if (!given || !given->count)
		return;
	if (!node_is(target, NODE_LIST))
		target = node_new(pool, NODE_LIST, service);
	for (size_t i = 0; i < given->count; i++)
		node_append(pool, target, node_string(pool, given->items[i], service));
	node_set(pool, service, to, target);
	for (size_t i = 0; node_is(source, NODE_LIST) && i < source->count; i++)
		if (!mvm_strv_has(given, source->entries[i].value->text))
			source->entries[kept++] = source->entries[i];
	if (node_is(source, NODE_LIST))
		source->count = kept;
}

/* "NAME=value", or "NAME", which has the project's value; one that has none is left out. */
static void set_environment(struct mvm_compose *compose, struct node *service, const struct mvm_strv *env)
{
	struct node *map = node_get(service, "environment");

	if (!env || !env->count)
		return;
	if (!node_is(map, NODE_MAP))
		map = node_new(&compose->pool, NODE_MAP, service);
	node_set(&compose->pool, service, "environment", map);
	for (size_t i = 0; i < env->count; i++) {
		const char *mark = strchr(env->items[i], '=');
		const char *name = pool_text(&compose->pool, env->items[i],
					     mark ? (size_t)(mark - env->items[i]) : strlen(env->items[i]));
		const char *value = mark ? mark + 1 : mvm_label_value(&compose->environment, name);

		if (value)
			node_set(&compose->pool, map, name, node_string(&compose->pool, value, service));
	}
}

/* Another entrypoint drops the service's command. */
static int set_entrypoint(struct pool *pool, struct node *service, const char *text, struct mvm_error **err)
{
	struct mvm_strv words MVM_CLEAN_STRV = {0};
	const char *rest;

	if (!text)
		return 0;
	if (!split_words(text, &words, &rest))
		return mvm_fail(err, MVM_ERR_USAGE, "invalid value for --entrypoint: %s", text);
	if (!words.count)
		mvm_strv_add(&words, "");
	set_list(pool, service, "entrypoint", &words);
	node_remove(service, "command");
	return 0;
}

static struct node *changed(struct mvm_compose *compose, const struct node *service,
			    const struct mvm_compose_oneoff *oneoff, struct mvm_error **err)
{
	struct pool *pool = &compose->pool;
	struct node *node = node_copy(pool, service);

	node_set(pool, node, "tty", node_bool(pool, oneoff->tty, node));
	node_set(pool, node, "stdin_open", node_bool(pool, oneoff->interactive, node));
	node_remove(node, "restart");
	if (node_is(node_get(node, "deploy"), NODE_MAP))
		node_remove(node_get(node, "deploy"), "restart_policy");
	if (!oneoff->service_ports)
		node_remove(node, "ports");
	if (set_entrypoint(pool, node, oneoff->entrypoint, err) < 0)
		return NULL;
	set_list(pool, node, "command", oneoff->command);
	set_text(pool, node, "user", oneoff->user);
	set_text(pool, node, "working_dir", oneoff->working_dir);
	set_environment(compose, node, oneoff->env);
	move_capabilities(pool, node, "cap_add", "cap_drop", oneoff->cap_add);
	move_capabilities(pool, node, "cap_drop", "cap_add", oneoff->cap_drop);
	return node;
}

static void add_all(struct mvm_strv *to, const struct mvm_strv *from)
{
	for (size_t i = 0; from && i < from->count; i++)
		mvm_strv_add(to, from->items[i]);
}

static int create(const struct mvm_compose_project *project, const struct mvm_compose_oneoff *oneoff,
		  struct graph *graph, const char *name, const struct mvm_strv *labels,
		  struct mvm_container **container, int *lock, struct mvm_error **err)
{
	const struct member *member = graph_find(graph, oneoff->service);
	struct service_request request CLEAN_REQUEST = {0};
	struct mvm_strv warnings MVM_CLEAN_STRV = {0}, lenders MVM_CLEAN_STRV = {0};
	const struct service_wish wish = {
		.service = member->name,
		.node = changed(project->compose, member->node, oneoff, err),
		.container = name,
		.image_id = member->image_id,
		.oneoff = true,
		.no_aliases = !oneoff->use_aliases,
		.stdin_once = oneoff->interactive && !oneoff->detach,
		.auto_remove = oneoff->auto_remove,
		.labels = labels,
		.volumes_from = &lenders,
		.state = mvm_engine_state(project->engine),
	};

	if (!wish.node || find_lenders(project->engine, project->name, member->node, &lenders, err) < 0 ||
	    service_request_make(project->compose, &wish, &request, err) < 0)
		return -1;
	add_all(&request.binds, oneoff->volumes);
	add_all(&request.publish, oneoff->publish);
	request.request.warnings = &warnings;
	if (mvm_engine_create(project->engine, &request.request, container, lock, err) < 0)
		return mvm_error_wrap(err, "service %s", member->name);
	for (size_t i = 0; i < warnings.count; i++)
		conduct_warn(project, "%s: %s", member->name, warnings.items[i]);
	return 0;
}

int mvm_compose_make_oneoff(const struct mvm_compose_project *project, const struct mvm_compose_oneoff *oneoff,
			    struct mvm_container **container, int *lock, struct mvm_error **err)
{
	struct graph graph CLEAN_GRAPH = {0};
	struct mvm_strv labels MVM_CLEAN_STRV = {0};
	unsigned char random[SLUG_BYTES];
	char slug[2 * SLUG_BYTES + 1], *name MVM_CLEAN_FREE = NULL;

	mvm_random(random, sizeof(random));
	mvm_hex(random, sizeof(random), slug);
	name = oneoff->name && *oneoff->name
		       ? mvm_strdup(oneoff->name)
		       : mvm_format("%s-%s-run-%.*s", project->name, oneoff->service, SHORT_SLUG, slug);
	add_all(&labels, oneoff->labels);
	mvm_strv_addf(&labels, MVM_LABEL_SLUG "=%s", slug);
	graph_of_project(project->compose, &graph);
	if (conduct_find_images(project, &graph, err) < 0)
		return -1;
	conduct_tell(project, MVM_COMPOSE_WORKING, "Creating", "Container %s", name);
	if (create(project, oneoff, &graph, name, &labels, container, lock, err) < 0) {
		conduct_tell(project, MVM_COMPOSE_FAILED, "Error", "Container %s", name);
		return -1;
	}
	conduct_tell(project, MVM_COMPOSE_DONE, "Created", "Container %s", name);
	return 0;
}
