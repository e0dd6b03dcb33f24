/*
 * What is done to one container, each in a process of its own.
 */
#include <string.h>

#include "conduct.h"
#include "request.h"
#include "runtime/base/io.h"

#define NAME_OF(task) ((task)->container->config.name)

int find_lenders(struct mvm_engine *engine, const char *project, const struct node *service, struct mvm_strv *lenders,
		 struct mvm_error **err)
{
	const struct node *from = node_get(service, "volumes_from");

	for (size_t i = 0; node_is(from, NODE_LIST) && i < from->count; i++) {
		const char *text = from->entries[i].value->text;
		char *name MVM_CLEAN_FREE = mvm_strndup(text, strcspn(text, ":"));
		char *names[] = {name, NULL};
		const struct mvm_fleet_request request = {.project = project, .services = names, .all = true};
		struct mvm_container *lender MVM_CLEAN_CONTAINER = NULL;

		if (!strncmp(text, "container:", strlen("container:"))) {
			mvm_strv_add(lenders, text + strlen("container:"));
			continue;
		}
		if (mvm_fleet_pick(mvm_engine_state(engine), &request, 0, &lender, NULL) < 0)
			return node_fail(err, from->entries[i].value,
					 "cannot share volume with service %s: container missing", name);
		mvm_strv_addf(lenders, "%s%s", lender->config.id, text + strlen(name));
	}
	return 0;
}

/* With its labels, and not started. */
static int make_container(struct step_context *context, const struct task *task, const char *name,
			  const struct mvm_strv *labels, struct mvm_container **container, struct mvm_error **err)
{
	struct service_request request CLEAN_REQUEST = {0};
	struct mvm_strv lenders MVM_CLEAN_STRV = {0}, warnings MVM_CLEAN_STRV = {0};
	const struct service_wish wish = {
		.service = task->member->name,
		.node = task->member->node,
		.container = name,
		.alias = task->name,
		.image_id = task->member->image_id,
		.number = task->number,
		.labels = labels,
		.volumes_from = &lenders,
		.inherit = task->replaced,
		.state = mvm_engine_state(context->engine),
	};
	int lock MVM_CLEAN_FD = -1;

	if (find_lenders(context->engine, task->project->name, task->member->node, &lenders, err) < 0 ||
	    service_request_make(task->project->compose, &wish, &request, err) < 0)
		return -1;
	request.request.warnings = &warnings;
	if (mvm_engine_create(context->engine, &request.request, container, &lock, err) < 0)
		return mvm_error_wrap(err, "service %s", task->member->name);
	for (size_t i = 0; i < warnings.count; i++)
		step_warn(context, "%s: %s", task->member->name, warnings.items[i]);
	return 0;
}

int step_create(struct step_context *context, void *arg, struct mvm_error **err)
{
	const struct task *task = arg;
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;

	step_tell(context, MVM_COMPOSE_WORKING, "Creating", "Container %s", task->name);
	if (make_container(context, task, task->name, NULL, &container, err) < 0) {
		step_tell(context, MVM_COMPOSE_FAILED, "Error", "Container %s", task->name);
		return -1;
	}
	step_tell(context, MVM_COMPOSE_DONE, "Created", "Container %s", task->name);
	return 0;
}

/* One that has gone meanwhile is a success. */
static int stop(struct step_context *context, const struct task *task, struct mvm_error **err)
{
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (mvm_engine_stop(context->engine, task->container->config.id, 0,
			    task->timeout.given ? task->timeout.seconds : MVM_STOP_DEFAULT, &cause) == 0 ||
	    mvm_error_code(cause) == MVM_ERR_NOT_FOUND)
		return 0;
	return mvm_error_move(err, &cause);
}

static int remove_it(struct step_context *context, const struct task *task, struct mvm_error **err)
{
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (mvm_engine_remove(context->engine, task->container->config.id, true, task->volumes, &cause) == 0 ||
	    mvm_error_code(cause) == MVM_ERR_NOT_FOUND)
		return 0;
	return mvm_error_move(err, &cause);
}

/* The new one is made first, and so the old one stays where that fails. */
static int replace(struct step_context *context, const struct task *task, struct mvm_error **err)
{
	char *name MVM_CLEAN_FREE = mvm_format("%.12s_%s", task->container->config.id, task->name);
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_strv labels MVM_CLEAN_STRV = {0};

	mvm_strv_addf(&labels, MVM_LABEL_REPLACE "=%s", NAME_OF(task));
	if (make_container(context, task, name, &labels, &container, err) < 0)
		return -1;
	if (stop(context, task, err) < 0 || remove_it(context, task, err) < 0)
		return -1;
	return mvm_engine_rename(context->engine, container->config.id, task->name, err);
}

int step_recreate(struct step_context *context, void *arg, struct mvm_error **err)
{
	const struct task *task = arg;

	step_tell(context, MVM_COMPOSE_WORKING, "Recreate", "Container %s", task->name);
	if (replace(context, task, err) < 0) {
		step_tell(context, MVM_COMPOSE_FAILED, "Error", "Container %s", task->name);
		return -1;
	}
	step_tell(context, MVM_COMPOSE_DONE, "Recreated", "Container %s", task->name);
	return 0;
}

int step_rename(struct step_context *context, void *arg, struct mvm_error **err)
{
	const struct task *task = arg;

	return mvm_engine_rename(context->engine, task->container->config.id, task->name, err);
}

int step_start(struct step_context *context, void *arg, struct mvm_error **err)
{
	const struct task *task = arg;

	step_tell(context, MVM_COMPOSE_WORKING, "Starting", "Container %s", NAME_OF(task));
	if (mvm_engine_start(context->engine, task->container->config.id, NULL, err) < 0) {
		step_tell(context, MVM_COMPOSE_FAILED, "Error", "Container %s", NAME_OF(task));
		return mvm_error_wrap(err, "service %s", task->member->name);
	}
	step_tell(context, MVM_COMPOSE_DONE, "Started", "Container %s", NAME_OF(task));
	return 0;
}

int step_stop(struct step_context *context, void *arg, struct mvm_error **err)
{
	const struct task *task = arg;

	step_tell(context, MVM_COMPOSE_WORKING, "Stopping", "Container %s", NAME_OF(task));
	if (stop(context, task, err) < 0) {
		step_tell(context, MVM_COMPOSE_FAILED, "Error while Stopping", "Container %s", NAME_OF(task));
		return -1;
	}
	step_tell(context, MVM_COMPOSE_DONE, "Stopped", "Container %s", NAME_OF(task));
	return 0;
}

int step_drop(struct step_context *context, void *arg, struct mvm_error **err)
{
	const struct task *task = arg;

	step_tell(context, MVM_COMPOSE_WORKING, "Removing", "Container %s", NAME_OF(task));
	if (remove_it(context, task, err) < 0) {
		step_tell(context, MVM_COMPOSE_FAILED, "Error while Removing", "Container %s", NAME_OF(task));
		return -1;
	}
	step_tell(context, MVM_COMPOSE_DONE, "Removed", "Container %s", NAME_OF(task));
	return 0;
}

int step_remove(struct step_context *context, void *arg, struct mvm_error **err)
{
	return step_stop(context, arg, err) < 0 ? -1 : step_drop(context, arg, err);
}

static int end(struct step_context *context, const struct task *task, int result, const char *done)
{
	step_tell(context, result < 0 ? MVM_COMPOSE_FAILED : MVM_COMPOSE_DONE, result < 0 ? "Error" : done,
		  "Container %s", NAME_OF(task));
	return result;
}

int step_kill(struct step_context *context, void *arg, struct mvm_error **err)
{
	const struct task *task = arg;

	step_tell(context, MVM_COMPOSE_WORKING, "Killing", "Container %s", NAME_OF(task));
	return end(context, task, mvm_engine_kill(context->engine, task->container->config.id, task->signo, err),
		   "Killed");
}

int step_restart(struct step_context *context, void *arg, struct mvm_error **err)
{
	const struct task *task = arg;

	step_tell(context, MVM_COMPOSE_WORKING, "Restarting", "Container %s", NAME_OF(task));
	return end(context, task,
		   mvm_engine_restart(context->engine, task->container->config.id, 0,
				      task->timeout.given ? task->timeout.seconds : MVM_STOP_DEFAULT, NULL, err),
		   "Started");
}

int step_pause(struct step_context *context, void *arg, struct mvm_error **err)
{
	const struct task *task = arg;

	step_tell(context, MVM_COMPOSE_WORKING, "Pause", "Container %s", NAME_OF(task));
	return end(context, task, mvm_engine_pause(context->engine, task->container->config.id, err), "Paused");
}

int step_unpause(struct step_context *context, void *arg, struct mvm_error **err)
{
	const struct task *task = arg;

	step_tell(context, MVM_COMPOSE_WORKING, "Unpause", "Container %s", NAME_OF(task));
	return end(context, task, mvm_engine_unpause(context->engine, task->container->config.id, err), "Unpaused");
}
