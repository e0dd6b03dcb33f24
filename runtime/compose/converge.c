/*
 * From what there is to what the files ask for: which containers are made, made again, or go.
 */
#include <stdlib.h>
#include <string.h>

#include "conduct.h"
#include "request.h"
#include "runtime/base/io.h"
#include "runtime/base/text.h"
#include "runtime/state/net_endpoint.h"

/* One container of a service. */
struct present {
	const struct mvm_container *container;
	bool obsolete;
};

struct plan {
	const struct mvm_compose_project *project;
	const struct mvm_compose_create *options;
	struct mvm_fleet fleet;
	struct graph graph;
	struct work *work;
	struct tasks tasks;
};

int mvm_compose_set_scale(struct mvm_compose *compose, const char *text, struct mvm_error **err)
{
	const char *mark = strchr(text, '=');
	char *name MVM_CLEAN_FREE = mvm_strndup(text, mark ? (size_t)(mark - text) : strlen(text));
	struct node *service = node_get(section_of(compose->model, "services"), name);
	int64_t count;

	if (!mark || !mark[1] || !*name)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid --scale option \"%s\". Should be SERVICE=NUM", text);
	if (!mvm_parse_int(mark + 1, 0, INT32_MAX, &count))
		return mvm_fail(err, MVM_ERR_USAGE, "invalid --scale option \"%s\": %s is no number of containers",
				text, mark + 1);
	if (!service)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "no such service: %s", name);
	if (count > 1 && node_get_text(service, "container_name"))
		return node_fail(err, node_get(service, "container_name"),
				 "services.%s: can't set container_name and scale as container name must be unique",
				 name);
	node_set(&compose->pool, service, "scale", node_int(&compose->pool, count, service));
	return 0;
}

/* --- what has changed --- */

/* The networks' and volumes' own names are no part of the service. */
static bool has_networks(const struct plan *plan, const struct member *member, const struct mvm_container *container)
{
	const struct node *networks = node_get(member->node, "networks");
	struct mvm_strv names MVM_CLEAN_STRV = {0};

	for (size_t i = 0; i < container->config.networks.count; i++) {
		struct mvm_net_endpoint endpoint MVM_CLEAN_NET_ENDPOINT = {0};

		if (mvm_net_endpoint_parse(container->config.networks.items[i], &endpoint, NULL) == 0)
			mvm_strv_add(&names, endpoint.network);
	}
	for (size_t i = 0; node_is(networks, NODE_MAP) && i < networks->count; i++) {
		const char *name = node_get_text(
			node_get(section_of(plan->project->compose->model, "networks"), networks->entries[i].key),
			"name");

		if (name && !mvm_strv_has(&names, name) &&
		    !(!strcmp(name, "bridge") && mvm_strv_has(&names, MVM_NETWORK_DEFAULT)))
			return false;
	}
	return true;
}

static bool has_volumes(const struct plan *plan, const struct member *member, const struct mvm_container *container)
{
	const struct node *mounts = node_get(member->node, "volumes");

	for (size_t i = 0; node_is(mounts, NODE_LIST) && i < mounts->count; i++) {
		const char *source = node_get_text(mounts->entries[i].value, "source");
		const struct node *volume =
			source ? node_get(section_of(plan->project->compose->model, "volumes"), source) : NULL;
		const char *name = node_get_text(volume, "name");

		if (name && !strcmp(node_get_text(mounts->entries[i].value, "type"), "volume") &&
		    !mvm_strv_has(&container->config.volume_names, name))
			return false;
	}
	return true;
}

static bool label_is(const struct mvm_container *container, const char *key, const char *wanted)
{
	const char *value = mvm_label_value(&container->config.labels, key);

	return value && !strcmp(value, wanted);
}

static bool is_obsolete(const struct plan *plan, const struct member *member, const struct mvm_container *container)
{
	enum mvm_compose_recreate recreate = conduct_is_named(plan->project, member->name)
						     ? plan->options->recreate
						     : plan->options->recreate_dependencies;
	char hash[65];

	if (recreate != MVM_RECREATE_DIVERGED)
		return recreate == MVM_RECREATE_FORCE;
	return mvm_compose_hash(plan->project->compose, member->name, hash, NULL) < 0 ||
	       !label_is(container, MVM_LABEL_CONFIG_HASH, hash) ||
	       !label_is(container, MVM_LABEL_IMAGE, member->image_id) || !has_networks(plan, member, container) ||
	       !has_volumes(plan, member, container);
}

/* --- the plan --- */

/* Those that are kept first: what is as it should be, by number. */
static int by_worth(const void *a, const void *b)
{
	const struct present *one = a, *two = b;
	int64_t first = mvm_fleet_number(one->container), second = mvm_fleet_number(two->container);

	if (one->obsolete != two->obsolete)
		return one->obsolete ? 1 : -1;
	return (first > second) - (first < second);
}

static struct step *add_step(struct plan *plan, const struct member *member, step_fn fn, struct task task)
{
	struct step *step;

	task.project = plan->project;
	task.member = member;
	task.timeout = plan->options->timeout;
	step = work_add(plan->work, fn, tasks_add(&plan->tasks, task));
	step_after(step, member->begin);
	step_after(member->end, step);
	return step;
}

/* What is to be started again after this service is stopped before it. */
static void stop_dependents(struct plan *plan, const struct member *member, struct step *step)
{
	for (size_t i = 0; i < plan->graph.count; i++) {
		const struct member *other = &plan->graph.items[i];

		for (size_t j = 0; j < other->bond_count; j++) {
			if (strcmp(other->bonds[j].service, member->name) != 0 || !other->bonds[j].restart)
				continue;
			for (size_t k = 0; k < plan->fleet.count; k++)
				if (!strcmp(mvm_fleet_service(plan->fleet.items[k]), other->name) &&
				    mvm_status_alive(plan->fleet.items[k]->state.status))
					step_after(step, add_step(plan, member, step_stop,
								  (struct task){.container = plan->fleet.items[k]}));
		}
	}
}

static void plan_kept(struct plan *plan, const struct member *member, const struct present *present,
		      const struct step *after)
{
	const struct mvm_container *container = present->container;
	int64_t number = mvm_fleet_number(container);
	char *name = container_name(plan->project, member, number);

	if (present->obsolete) {
		struct step *step =
			add_step(plan, member, step_recreate,
				 (struct task){.container = container,
					       .name = name,
					       .number = number,
					       .replaced = plan->options->renew_volumes ? NULL : container});

		stop_dependents(plan, member, step);
		return;
	}
	if (mvm_label_value(&container->config.labels, MVM_LABEL_REPLACE) &&
	    strcmp(container->config.name, name) != 0) {
		/* Who made it to replace another was killed in between. */
		step_after(add_step(plan, member, step_rename, (struct task){.container = container, .name = name}),
			   after);
		return;
	}
	free(name);
	if (mvm_fleet_runs(container))
		conduct_tell(plan->project, MVM_COMPOSE_DONE, "Running", "Container %s", container->config.name);
}

static void plan_member(struct plan *plan, const struct member *member)
{
	struct present *list MVM_CLEAN_FREE = mvm_alloc((plan->fleet.count + 1) * sizeof(*list));
	size_t count = 0, wanted = (size_t)member_scale(member);
	const struct step *removed = NULL;
	int64_t next = 1;

	for (size_t i = 0; i < plan->fleet.count; i++) {
		const struct mvm_container *container = plan->fleet.items[i];

		if (strcmp(mvm_fleet_service(container), member->name) != 0)
			continue;
		list[count++] =
			(struct present){.container = container, .obsolete = is_obsolete(plan, member, container)};
		if (mvm_fleet_number(container) >= next)
			next = mvm_fleet_number(container) + 1;
	}
	qsort(list, count, sizeof(*list), by_worth);
	for (size_t i = wanted; i < count; i++)
		removed = add_step(plan, member, step_remove, (struct task){.container = list[i].container});
	for (size_t i = 0; i < count && i < wanted; i++)
		plan_kept(plan, member, &list[i], removed);
	for (size_t i = count; i < wanted; i++, next++)
		add_step(plan, member, step_create,
			 (struct task){.name = container_name(plan->project, member, next), .number = next});
}

/* --- what belongs to no service any more --- */

static bool is_orphan(const struct plan *plan, const struct mvm_container *container)
{
	const char *service = mvm_fleet_service(container);

	return !graph_find(&plan->graph, service) && !node_get(plan->project->compose->disabled, service);
}

static void plan_orphans(struct plan *plan)
{
	struct mvm_strv names MVM_CLEAN_STRV = {0};
	char *joined MVM_CLEAN_FREE = NULL;

	for (size_t i = 0; i < plan->fleet.count; i++) {
		if (!is_orphan(plan, plan->fleet.items[i]))
			continue;
		if (plan->options->remove_orphans)
			work_add(plan->work, step_remove,
				 tasks_add(&plan->tasks, (struct task){.project = plan->project,
								       .container = plan->fleet.items[i],
								       .timeout = plan->options->timeout}));
		else
			mvm_strv_add(&names, plan->fleet.items[i]->config.name);
	}
	if (!names.count || plan->options->ignore_orphans)
		return;
	joined = mvm_strv_join(&names, " ");
	conduct_warn(plan->project,
		     "Found orphan containers ([%s]) for this project. If you removed or renamed this service in your "
		     "compose file, you can run this command with the --remove-orphans flag to clean it up.",
		     joined);
}

static int check_all(const struct mvm_compose_project *project, const struct graph *graph, struct mvm_error **err)
{
	for (size_t i = 0; i < graph->count; i++) {
		const struct member *member = &graph->items[i];
		char *name MVM_CLEAN_FREE = container_name(project, member, 1);
		const struct service_wish wish = {.service = member->name,
						  .node = member->node,
						  .container = name,
						  .image_id = "",
						  .state = mvm_engine_state(project->engine)};
		struct service_request request CLEAN_REQUEST = {0};

		/* What can be refused is refused before anything is made. */
		if (service_check_keys(project->compose, member->name, member->node, err) < 0 ||
		    service_request_make(project->compose, &wish, &request, err) < 0)
			return -1;
	}
	return conduct_check_ports(project, graph, err);
}

static int converge(struct plan *plan, struct mvm_error **err)
{
	if (conduct_load(plan->project, MVM_ONEOFF_EXCLUDE, &plan->fleet, err) < 0)
		return -1;
	graph_order(&plan->graph, plan->work, false);
	for (size_t i = 0; i < plan->graph.count; i++)
		if (!plan->project->only_needs || strcmp(plan->project->only_needs, plan->graph.items[i].name) != 0)
			plan_member(plan, &plan->graph.items[i]);
	plan_orphans(plan);
	return work_run(plan->work, err);
}

static int create(struct plan *plan, struct mvm_error **err)
{
	const struct mvm_compose_project *project = plan->project;
	int lock MVM_CLEAN_FD = -1;

	if (check_all(project, &plan->graph, err) < 0 ||
	    conduct_images(project, &plan->graph, plan->options->pull, err) < 0 ||
	    conduct_lock(project, &lock, err) < 0 || conduct_networks(project, err) < 0 ||
	    conduct_volumes(project, err) < 0)
		return -1;
	return converge(plan, err);
}

int mvm_compose_create(const struct mvm_compose_project *project, const struct mvm_compose_create *options,
		       struct mvm_error **err)
{
	struct plan plan = {.project = project, .options = options, .work = work_create(project->sink)};
	int result;

	graph_of_project(project->compose, &plan.graph);
	result = create(&plan, err);
	work_destroy(plan.work);
	tasks_finish(&plan.tasks);
	graph_finish(&plan.graph);
	mvm_fleet_finish(&plan.fleet);
	return result;
}
