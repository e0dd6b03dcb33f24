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

struct mvm_compose_job *job_create(const struct mvm_compose_project *project, enum mvm_oneoff oneoff,
				   struct mvm_error **err)
{
	struct mvm_compose_job *job = mvm_alloc(sizeof(*job));

	job->project = project;
	if (conduct_load(project, oneoff, &job->fleet, err) < 0) {
		free(job);
		return NULL;
	}
	job->work = work_create(project->sink);
	conduct_graph(project, &job->fleet, &job->graph);
	return job;
}

struct step *job_add(struct mvm_compose_job *job, step_fn fn, const struct member *member, struct task task)
{
	struct step *step;

	task.project = job->project;
	task.member = member;
	step = work_add(job->work, fn, tasks_add(&job->tasks, task));
	mvm_strv_add(&job->names, task.container->config.name);
	if (member) {
		step_after(step, member->begin);
		step_after(member->end, step);
	}
	return step;
}

int mvm_compose_job_run(struct mvm_compose_job *job, struct mvm_error **err)
{
	return work_run(job->work, err);
}

void mvm_compose_job_begin(struct mvm_compose_job *job, struct mvm_loop *loop,
			   void (*done)(void *arg, struct mvm_error *error), void *arg)
{
	work_begin(job->work, loop, done, arg);
}

void mvm_compose_job_cancel(struct mvm_compose_job *job)
{
	work_cancel(job->work);
}

const struct mvm_strv *mvm_compose_job_names(const struct mvm_compose_job *job)
{
	return &job->names;
}

void mvm_compose_job_destroy(struct mvm_compose_job *job)
{
	if (!job)
		return;
	for (size_t i = 0; i < job->awaited_count; i++)
		free(job->awaited[i]);
	free(job->awaited);
	mvm_strv_finish(&job->names);
	work_destroy(job->work);
	tasks_finish(&job->tasks);
	graph_finish(&job->graph);
	mvm_fleet_finish(&job->fleet);
	free(job);
}
