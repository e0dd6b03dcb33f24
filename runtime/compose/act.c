/*
 * One thing done to each container of a project: stopped, killed, paused and so on.
 */
#include <string.h>

#include "conduct.h"

static const struct {
	step_fn fn;
	bool ordered, reverse;
} actions[] = {
	[MVM_COMPOSE_STOP] = {step_stop, .ordered = true, .reverse = true},
	[MVM_COMPOSE_KILL] = {step_kill},
	[MVM_COMPOSE_RESTART] = {step_restart, .ordered = true},
	[MVM_COMPOSE_PAUSE] = {step_pause},
	[MVM_COMPOSE_UNPAUSE] = {step_unpause},
	[MVM_COMPOSE_REMOVE] = {step_drop},
};

/* Whether it can be done to it at all; docker leaves the others alone, too. */
static bool is_concerned(enum mvm_compose_action action, const struct mvm_container *container)
{
	switch (action) {
	case MVM_COMPOSE_REMOVE:
		return !mvm_status_alive(container->state.status);
	case MVM_COMPOSE_KILL:
	case MVM_COMPOSE_PAUSE:
		return mvm_fleet_runs(container);
	case MVM_COMPOSE_UNPAUSE:
		return container->state.status == MVM_STATUS_PAUSED;
	default:
		return true;
	}
}

/* Named, or, of a restart, dependent on one that is and to be restarted with it. */
static bool is_meant(const struct mvm_compose_job *job, const struct mvm_compose_act *act, const char *service,
		     size_t depth)
{
	const struct member *member = graph_find(&job->graph, service);

	if (conduct_is_named(job->project, service))
		return true;
	if (act->action != MVM_COMPOSE_RESTART || act->no_deps || !member || depth > job->graph.count)
		return false;
	for (size_t i = 0; i < member->bond_count; i++)
		if (member->bonds[i].restart && is_meant(job, act, member->bonds[i].service, depth + 1))
			return true;
	return false;
}

int mvm_compose_plan_act(const struct mvm_compose_project *project, const struct mvm_compose_act *act,
			 struct mvm_compose_job **out, struct mvm_error **err)
{
	struct mvm_compose_job *job MVM_CLEAN_JOB = job_create(project, act->oneoff, err);
	bool ordered = actions[act->action].ordered;

	if (!job)
		return -1;
	if (ordered)
		graph_order(&job->graph, job->work, actions[act->action].reverse);
	for (size_t i = 0; i < job->fleet.count; i++) {
		const struct mvm_container *container = job->fleet.items[i];
		const char *service = mvm_fleet_service(container);

		if (is_concerned(act->action, container) && is_meant(job, act, service, 0))
			job_add(job, actions[act->action].fn, ordered ? graph_find(&job->graph, service) : NULL,
				(struct task){.container = container,
					      .timeout = act->timeout,
					      .volumes = act->volumes,
					      .signo = act->signo});
	}
	if (!job->names.count)
		return 1;
	*out = job;
	job = NULL;
	return 0;
}
