#include "conduct.h"

#include <stdarg.h>
#include <string.h>

#include "runtime/base/io.h"

void conduct_tell(const struct mvm_compose_project *project, enum mvm_compose_phase phase, const char *text,
		  const char *format, ...)
{
	char *what MVM_CLEAN_FREE = NULL;
	va_list args;

	va_start(args, format);
	what = mvm_vformat(format, args);
	va_end(args);
	project->sink->event(project->sink->arg, what, phase, text);
}

void conduct_warn(const struct mvm_compose_project *project, const char *format, ...)
{
	char *text MVM_CLEAN_FREE = NULL;
	va_list args;

	va_start(args, format);
	text = mvm_vformat(format, args);
	va_end(args);
	project->sink->warn(project->sink->arg, text);
}

int conduct_lock(const struct mvm_compose_project *project, int *lock, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = mvm_format("%s/compose", mvm_state_home(mvm_engine_state(project->engine)));
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s.lock", folder, project->name);

	return mvm_make_folders(folder, err) < 0 ? -1 : mvm_lock(path, 0, lock, err);
}

int conduct_load(const struct mvm_compose_project *project, enum mvm_oneoff oneoff, struct mvm_fleet *fleet,
		 struct mvm_error **err)
{
	const struct mvm_fleet_request request = {.project = project->name, .oneoff = oneoff, .all = true};

	if (mvm_fleet_load(mvm_engine_state(project->engine), &request, fleet, err) < 0)
		return -1;
	for (size_t i = 0; i < fleet->damaged.count; i++)
		conduct_warn(project, "%s", fleet->damaged.items[i]);
	return 0;
}

void conduct_graph(const struct mvm_compose_project *project, const struct mvm_fleet *fleet, struct graph *graph)
{
	*graph = (struct graph){0};
	if (project->compose)
		graph_of_project(project->compose, graph);
	else
		graph_of_fleet(fleet, graph);
}

bool conduct_is_named(const struct mvm_compose_project *project, const char *service)
{
	char *const *name = project->services;

	if (!name || !*name)
		return true;
	for (; *name; name++)
		if (!strcmp(*name, service))
			return true;
	return false;
}

struct task *tasks_add(struct tasks *tasks, struct task task)
{
	struct task *added = mvm_alloc(sizeof(*added));

	*added = task;
	tasks->items = mvm_realloc(tasks->items, tasks->count + 1, sizeof(struct task *));
	tasks->items[tasks->count++] = added;
	return added;
}

void tasks_finish(struct tasks *tasks)
{
	for (size_t i = 0; i < tasks->count; i++) {
		free(tasks->items[i]->name);
		free(tasks->items[i]);
	}
	free(tasks->items);
}

char *container_name(const struct mvm_compose_project *project, const struct member *member, int64_t number)
{
	const char *own = node_get_text(member->node, "container_name");

	return own && *own ? mvm_strdup(own) : mvm_format("%s-%s-%lld", project->name, member->name, (long long)number);
}
