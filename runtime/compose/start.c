/*
 * What is made already starts: each service when those that it depends on are as far as it asks for.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "conduct.h"
#include "runtime/base/loop.h"
#include "runtime/base/text.h"
#include "runtime/state/events.h"
#include "runtime/state/health.h"

#define LAST_LINES 5
/* Who was killed tells nobody of it. */
#define LOOK_MS 1000

/* Waiting for the containers of a service. */
struct awaited {
	const struct mvm_compose_project *project;
	const struct member *member;
	struct bond bond;
	int64_t patience; /* seconds; 0: for ever */
};

struct last_lines {
	struct mvm_buf text;
};

static void take_line(void *arg, const struct mvm_log_record *record, bool begins)
{
	struct last_lines *last = arg;

	mvm_buf_add(&last->text, record->text, record->text_length);
	if (record->full)
		mvm_buf_add(&last->text, "\n", 1);
}

static void flush_nothing(void *arg)
{
}

/* Why it may have failed: " - its last lines: ..." */
static char *why(struct step_context *context, const struct mvm_container *container)
{
	struct last_lines last = {0};
	const struct mvm_log_request request = {.tail = LAST_LINES};
	const struct mvm_log_sink sink = {.write = take_line, .flush = flush_nothing, .arg = &last};
	char *text;

	if (mvm_engine_logs(context->engine, container->config.id, &request, &sink, NULL) < 0 || !last.text.length) {
		mvm_buf_finish(&last.text);
		return mvm_strdup("");
	}
	while (last.text.length && last.text.data[last.text.length - 1] == '\n')
		last.text.data[--last.text.length] = '\0';
	for (size_t i = 0; i < last.text.length; i++)
		if (last.text.data[i] == '\n')
			last.text.data[i] = '|';
	text = mvm_format("; the last it said: %s", last.text.data ? last.text.data : "");
	mvm_buf_finish(&last.text);
	return text;
}

static int fail_of(struct step_context *context, const struct awaited *awaited, const struct mvm_container *container,
		   const char *what, struct mvm_error **err)
{
	char *reason MVM_CLEAN_FREE = why(context, container);
	bool completed = awaited->bond.condition == CONDITION_COMPLETED;

	if (!awaited->bond.required) {
		step_tell(context, MVM_COMPOSE_WARNING, "Skipped", "Container %s", container->config.name);
		step_warn(context, "optional dependency \"%s\" %s: container %s %s%s", awaited->member->name,
			  completed ? "didn't complete successfully" : "failed to start", container->config.name, what,
			  reason);
		return 1;
	}
	step_tell(context, MVM_COMPOSE_FAILED, "Error", "Container %s", container->config.name);
	if (completed)
		return mvm_fail(err, MVM_ERR_CONFLICT, "service \"%s\" didn't complete successfully: %s%s",
				awaited->member->name, what, reason);
	return mvm_fail(err, MVM_ERR_CONFLICT, "%scontainer %s %s%s",
			awaited->bond.condition == CONDITION_HEALTHY ? "dependency failed to start: " : "",
			container->config.name, what, reason);
}

/* 0: as far as it is to be; 1: not yet; 2: given up, which does not matter. */
static int judge(struct step_context *context, const struct awaited *awaited, const struct mvm_container *container,
		 struct mvm_error **err)
{
	bool probed = mvm_health_has_probe(&container->config.health_check);
	bool ended = !mvm_status_alive(container->state.status) || container->state.status == MVM_STATUS_RESTARTING;
	char *exited MVM_CLEAN_FREE = NULL;
	int result = 0;

	if (awaited->bond.condition == CONDITION_COMPLETED) {
		if (container->state.status != MVM_STATUS_EXITED)
			return 1;
		exited = mvm_format("exit %lld", (long long)container->state.exit_code);
		result = container->state.exit_code ? fail_of(context, awaited, container, exited, err) : 0;
	} else if (ended) {
		exited = mvm_format("exited (%lld)", (long long)container->state.exit_code);
		result = fail_of(context, awaited, container, exited, err);
	} else if (!probed && awaited->bond.condition == CONDITION_HEALTHY) {
		result = fail_of(context, awaited, container, "has no healthcheck configured", err);
	} else if (container->state.status == MVM_STATUS_STARTING ||
		   (probed &&
		    (container->health.status == MVM_HEALTH_STARTING || container->health.status == MVM_HEALTH_NONE))) {
		return 1;
	} else if (probed && container->health.status == MVM_HEALTH_UNHEALTHY) {
		result = fail_of(context, awaited, container, "is unhealthy", err);
	}
	if (result == 0)
		step_tell(context, MVM_COMPOSE_DONE,
			  awaited->bond.condition == CONDITION_COMPLETED ? "Exited" : "Healthy", "Container %s",
			  container->config.name);
	return result > 0 ? 2 : result;
}

static int look(struct step_context *context, const struct awaited *awaited, struct mvm_strv *waited,
		struct mvm_error **err)
{
	size_t left = 0;

	for (size_t i = 0; i < waited->count; i++) {
		struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
		int result;

		if (mvm_state_find(mvm_engine_state(context->engine), waited->items[i], &container, err) < 0)
			return -1;
		result = judge(context, awaited, container, err);
		if (result < 0)
			return -1;
		if (result == 1)
			waited->items[left++] = waited->items[i];
		else
			free(waited->items[i]);
	}
	waited->count = left;
	return left ? 1 : 0;
}

/* Milliseconds until it is to be looked again; 0: no more. */
static int time_left(uint64_t deadline)
{
	uint64_t now = mvm_now_ns();

	if (!deadline)
		return LOOK_MS;
	if (now >= deadline)
		return 0;
	now = (deadline - now) / 1000000 + 1;
	return now < LOOK_MS ? (int)now : LOOK_MS;
}

/* Each event may be the one. */
static void await_event(struct mvm_event_watch *watch, int milliseconds)
{
	struct pollfd ready = {.fd = mvm_event_watch_fd(watch), .events = POLLIN};
	int result = 0;

	poll(&ready, 1, milliseconds);
	while (result == 0) {
		struct mvm_event event MVM_CLEAN_EVENT = {0};

		result = mvm_event_watch_next(watch, &event, NULL);
	}
}

static int wait_for_all(struct step_context *context, const struct awaited *awaited, struct mvm_strv *waited,
			struct mvm_event_watch *watch, struct mvm_error **err)
{
	uint64_t deadline = awaited->patience ? mvm_now_ns() + (uint64_t)awaited->patience * 1000000000 : 0;
	int result;

	while ((result = look(context, awaited, waited, err)) > 0) {
		int left = time_left(deadline);

		if (!left)
			return mvm_fail(err, MVM_ERR_TIMEOUT, "application not healthy after %llds: container %s",
					(long long)awaited->patience, waited->items[0]);
		await_event(watch, left);
	}
	return result;
}

static int wait_step(struct step_context *context, void *arg, struct mvm_error **err)
{
	const struct awaited *awaited = arg;
	char *services[] = {awaited->member->name, NULL};
	const struct mvm_fleet_request request = {.project = awaited->project->name, .services = services, .all = true};
	struct mvm_state *state = mvm_engine_state(context->engine);
	struct mvm_fleet fleet MVM_CLEAN_FLEET = {0};
	struct mvm_strv waited MVM_CLEAN_STRV = {0};
	struct mvm_event_watch *watch;
	int result;

	if (mvm_fleet_load(state, &request, &fleet, err) < 0 ||
	    mvm_event_watch_open(state, false, true, &watch, err) < 0)
		return -1;
	for (size_t i = 0; i < fleet.count; i++) {
		mvm_strv_add(&waited, fleet.items[i]->config.name);
		step_tell(context, MVM_COMPOSE_WORKING, "Waiting", "Container %s", fleet.items[i]->config.name);
	}
	result = wait_for_all(context, awaited, &waited, watch, err);
	mvm_event_watch_close(watch);
	return result;
}

static struct step *add_wait(struct mvm_compose_job *job, const struct member *member, struct bond bond,
			     int64_t patience)
{
	struct awaited *awaited = mvm_alloc(sizeof(*awaited));
	struct step *step = work_add(job->work, wait_step, awaited);

	*awaited = (struct awaited){.project = job->project, .member = member, .bond = bond, .patience = patience};
	job->awaited = mvm_realloc(job->awaited, job->awaited_count + 1, sizeof(struct awaited *));
	job->awaited[job->awaited_count++] = awaited;
	step_only_waits(step);
	step_after(step, member->end);
	return step;
}

static bool has_containers(const struct mvm_compose_job *job, const struct member *member)
{
	for (size_t i = 0; i < job->fleet.count; i++)
		if (!strcmp(mvm_fleet_service(job->fleet.items[i]), member->name))
			return true;
	return false;
}

static int add_waits(struct mvm_compose_job *job, const struct member *member, struct mvm_error **err)
{
	for (size_t i = 0; i < member->bond_count; i++) {
		const struct bond *bond = &member->bonds[i];
		const struct member *other = graph_find(&job->graph, bond->service);

		if (!other || bond->condition == CONDITION_STARTED || (other->node && !member_scale(other)))
			continue;
		if (has_containers(job, other))
			step_after(member->begin, add_wait(job, other, *bond, 0));
		else if (bond->required)
			return mvm_fail(err, MVM_ERR_NOT_FOUND, "%s is missing dependency %s", member->name,
					other->name);
		else
			conduct_warn(job->project, "%s is missing dependency %s", member->name, other->name);
	}
	return 0;
}

static void add_starts(struct mvm_compose_job *job, const struct member *member)
{
	for (size_t i = 0; i < job->fleet.count; i++) {
		const struct mvm_container *container = job->fleet.items[i];

		if (!strcmp(mvm_fleet_service(container), member->name) && !mvm_fleet_runs(container))
			job_add(job, step_start, member, (struct task){.container = container});
	}
}

/* `--wait`: one that another waits for to complete is to end, and all others are to stay. */
static enum condition final_condition(const struct mvm_compose_job *job, const struct member *member)
{
	for (size_t i = 0; i < job->graph.count; i++)
		for (size_t j = 0; j < job->graph.items[i].bond_count; j++) {
			const struct bond *bond = &job->graph.items[i].bonds[j];

			if (!strcmp(bond->service, member->name) && bond->condition == CONDITION_COMPLETED)
				return CONDITION_COMPLETED;
		}
	return CONDITION_RUNNING_OR_HEALTHY;
}

static int lay_out(struct mvm_compose_job *job, const struct mvm_compose_start *options, struct mvm_error **err)
{
	graph_order(&job->graph, job->work, false);
	for (size_t i = 0; i < job->graph.count; i++) {
		const struct member *member = &job->graph.items[i];
		bool wanted = !options->all_needed || !member->node || !member_scale(member);

		if (!wanted && !has_containers(job, member))
			return mvm_fail(err, MVM_ERR_NOT_FOUND, "service \"%s\" has no container to start",
					member->name);
		if (add_waits(job, member, err) < 0)
			return -1;
		if (!job->project->only_needs || strcmp(job->project->only_needs, member->name) != 0)
			add_starts(job, member);
	}
	for (size_t i = 0; options->wait && i < job->graph.count; i++) {
		const struct member *member = &job->graph.items[i];
		const struct bond bond = {.condition = final_condition(job, member), .required = true};

		if (has_containers(job, member))
			add_wait(job, member, bond, options->wait_timeout);
	}
	return 0;
}

int mvm_compose_plan_start(const struct mvm_compose_project *project, const struct mvm_compose_start *options,
			   struct mvm_compose_job **out, struct mvm_error **err)
{
	struct mvm_compose_job *job MVM_CLEAN_JOB = job_create(project, MVM_ONEOFF_EXCLUDE, err);

	if (!job || lay_out(job, options, err) < 0)
		return -1;
	*out = job;
	job = NULL;
	return 0;
}
