/*
 * A project goes: its containers in the reverse of the order in which they came, then its networks, and what else is
 * asked for.
 */
#include <string.h>

#include "conduct.h"
#include "image/store.h"
#include "request.h"
#include "runtime/base/io.h"

struct going {
	const struct mvm_compose_project *project;
	const struct mvm_compose_down *options;
	const struct mvm_fleet *fleet;
	struct graph graph;
	struct work *work;
	struct tasks tasks;
	struct mvm_strv inherited; /* anonymous volumes that have been taken over, and so have names */
	bool any;
};

/* One that was taken over from a container that was replaced is no longer anonymous to the engine. */
static void note_volumes(struct going *going, const struct mvm_container *container)
{
	for (size_t i = 0; i < container->config.volume_names.count; i++) {
		struct mvm_volume *volume MVM_CLEAN_VOLUME = NULL;
		const char *name = container->config.volume_names.items[i];

		if (mvm_volume_load(mvm_engine_state(going->project->engine), name, &volume, NULL) == 0 &&
		    mvm_volume_is_anonymous(volume))
			mvm_strv_add(&going->inherited, name);
	}
}

static void add_removal(struct going *going, const struct mvm_container *container, const struct member *member)
{
	struct step *step = work_add(going->work, step_remove,
				     tasks_add(&going->tasks, (struct task){.project = going->project,
									    .member = member,
									    .container = container,
									    .timeout = going->options->timeout,
									    .volumes = going->options->volumes}));

	going->any = true;
	if (going->options->volumes)
		note_volumes(going, container);
	if (!member)
		return;
	step_after(step, member->begin);
	step_after(member->end, step);
}

/* Of a profile that is not enabled. */
static bool is_disabled(const struct going *going, const struct mvm_container *container)
{
	const struct mvm_compose *compose = going->project->compose;

	return compose && node_get(compose->disabled, mvm_fleet_service(container));
}

static int remove_containers(struct going *going, struct mvm_error **err)
{
	graph_order(&going->graph, going->work, true);
	for (size_t i = 0; i < going->fleet->count; i++) {
		const struct mvm_container *container = going->fleet->items[i];
		const struct member *member = graph_find(&going->graph, mvm_fleet_service(container));

		if (mvm_fleet_is_oneoff(container) ? going->options->remove_orphans
		    : member			   ? conduct_is_named(going->project, member->name)
						   : going->options->remove_orphans && !is_disabled(going, container))
			add_removal(going, container, member);
	}
	return work_run(going->work, err);
}

/* What is still in use stays, and docker says so. 0: gone. */
static int note_removal(const struct mvm_compose_project *project, const char *kind, const char *name, int result,
			struct mvm_error **cause, struct mvm_error **err)
{
	enum mvm_error_code code = result < 0 ? mvm_error_code(*cause) : MVM_ERR_INTERNAL;

	if (result == 0 || code == MVM_ERR_NOT_FOUND) {
		conduct_tell(project, MVM_COMPOSE_DONE, "Removed", "%s %s", kind, name);
		return 0;
	}
	if (code == MVM_ERR_CONFLICT) {
		conduct_tell(project, MVM_COMPOSE_WARNING, "Resource is still in use", "%s %s", kind, name);
		return 0;
	}
	conduct_tell(project, MVM_COMPOSE_FAILED, "Error", "%s %s", kind, name);
	return mvm_error_move(err, cause);
}

static int remove_networks(struct going *going, struct mvm_error **err)
{
	struct mvm_network **list;
	size_t count;
	int result = 0;

	if (mvm_fleet_networks(mvm_engine_state(going->project->engine), going->project->name, &list, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count && result == 0; i++) {
		struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

		going->any = true;
		conduct_tell(going->project, MVM_COMPOSE_WORKING, "Removing", "Network %s", list[i]->name);
		result = note_removal(going->project, "Network", list[i]->name,
				      mvm_engine_remove_network(going->project->engine, list[i]->name, &cause), &cause,
				      err);
	}
	mvm_network_list_free(list, count);
	return result;
}

static int remove_volume(struct going *going, const char *name, struct mvm_error **err)
{
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	going->any = true;
	conduct_tell(going->project, MVM_COMPOSE_WORKING, "Removing", "Volume %s", name);
	return note_removal(going->project, "Volume", name,
			    mvm_engine_remove_volume(going->project->engine, name, &cause), &cause, err);
}

static int remove_volumes(struct going *going, struct mvm_error **err)
{
	struct mvm_volume **list;
	size_t count;
	int result = 0;

	if (!going->options->volumes)
		return 0;
	for (size_t i = 0; i < going->inherited.count; i++)
		mvm_engine_remove_volume(going->project->engine, going->inherited.items[i], NULL);
	if (mvm_fleet_volumes(mvm_engine_state(going->project->engine), going->project->name, &list, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count && result == 0; i++)
		result = remove_volume(going, list[i]->name, err);
	mvm_volume_list_free(list, count);
	return result;
}

static int remove_image(struct going *going, const char *reference, struct mvm_error **err)
{
	struct mvm_store_removed removed MVM_CLEAN_REMOVED = {0};
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	struct mvm_store *store;
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;

	if (mvm_engine_store(going->project->engine, &store, err) < 0)
		return -1;
	if (mvm_store_find(store, reference, &image, NULL) < 0)
		return 0;
	going->any = true;
	conduct_tell(going->project, MVM_COMPOSE_WORKING, "Removing", "Image %s", reference);
	return note_removal(going->project, "Image", reference,
			    mvm_engine_remove_image(going->project->engine, reference, false, &removed, &cause), &cause,
			    err);
}

static bool is_known(const struct mvm_strv *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i], text))
			return true;
	return false;
}

/* "local": those whose name is the project's and the service's. */
static int remove_images(struct going *going, struct mvm_error **err)
{
	struct mvm_strv names MVM_CLEAN_STRV = {0};

	if (!going->options->images || !going->project->compose)
		return 0;
	for (size_t i = 0; i < going->graph.count; i++) {
		const struct member *member = &going->graph.items[i];
		const char *own = node_get_text(member->node, "image");
		char *name MVM_CLEAN_FREE = service_image(going->project->compose, member->name, member->node);

		if (conduct_is_named(going->project, member->name) &&
		    (!strcmp(going->options->images, "all") || !own) && !is_known(&names, name))
			mvm_strv_add(&names, name);
	}
	for (size_t i = 0; i < names.count; i++)
		if (remove_image(going, names.items[i], err) < 0)
			return -1;
	return 0;
}

static int go(struct going *going, struct mvm_error **err)
{
	if (remove_containers(going, err) < 0 || remove_networks(going, err) < 0 || remove_images(going, err) < 0 ||
	    remove_volumes(going, err) < 0)
		return -1;
	if (!going->any)
		conduct_warn(going->project, "Warning: No resource found to remove for project \"%s\".",
			     going->project->name);
	return 0;
}

int mvm_compose_down(const struct mvm_compose_project *project, const struct mvm_compose_down *options,
		     struct mvm_error **err)
{
	struct mvm_fleet fleet MVM_CLEAN_FLEET = {0};
	struct work *work CLEAN_WORK = work_create(project->sink);
	struct going going = {.project = project, .options = options, .fleet = &fleet, .work = work};
	int lock MVM_CLEAN_FD = -1;
	int result;

	if (conduct_lock(project, &lock, err) < 0 || conduct_load(project, MVM_ONEOFF_INCLUDE, &fleet, err) < 0)
		return -1;
	conduct_graph(project, &fleet, &going.graph);
	result = go(&going, err);
	tasks_finish(&going.tasks);
	graph_finish(&going.graph);
	mvm_strv_finish(&going.inherited);
	return result;
}
