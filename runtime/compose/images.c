/*
 * The images of a project: which are to be pulled, all at once, and which are missing for good.
 */
#include <string.h>

#include "conduct.h"
#include "image/push.h"
#include "image/reference.h"
#include "request.h"

enum verdict { HERE, PULL };

struct pull {
	const struct mvm_compose_project *project;
	const struct member *member;
	char *reference;
	const char *platform;
	bool always, ignored; /* a failure is told, and no more */
};

static int note_failure(struct step_context *context, const struct pull *pull, struct mvm_error **err)
{
	step_tell(context, MVM_COMPOSE_FAILED, "Error", "%s", pull->member->name);
	mvm_error_wrap(err, "service %s: image %s", pull->member->name, pull->reference);
	if (!pull->ignored)
		return -1;
	step_warn(context, "%s", mvm_error_message(*err));
	mvm_error_clear(err);
	return 0;
}

static int pull_step(struct step_context *context, void *arg, struct mvm_error **err)
{
	const struct pull *pull = arg;
	const struct mvm_image_request request = {.reference = pull->reference,
						  .platform = pull->platform,
						  .pull = pull->always ? MVM_PULL_ALWAYS : MVM_PULL_MISSING};
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;

	step_tell(context, MVM_COMPOSE_WORKING, "Pulling", "%s", pull->member->name);
	if (mvm_engine_get_image(context->engine, &request, &image, err) < 0)
		return note_failure(context, pull, err);
	step_tell(context, MVM_COMPOSE_DONE, "Pulled", "%s", pull->member->name);
	return 0;
}

/* 1: it is not here. */
static int look_up(const struct mvm_compose_project *project, const struct member *member, char **id,
		   struct mvm_error **err)
{
	char *reference MVM_CLEAN_FREE = service_image(project->compose, member->name, member->node);
	const struct mvm_image_request request = {
		.reference = reference, .platform = node_get_text(member->node, "platform"), .pull = MVM_PULL_NEVER};
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (mvm_engine_get_image(project->engine, &request, &image, &cause) < 0)
		return mvm_error_code(cause) == MVM_ERR_NOT_FOUND ? 1 : mvm_error_move(err, &cause);
	free(*id);
	*id = mvm_strdup(mvm_image_id(image)->text);
	return 0;
}

static int fail_to_build(const struct mvm_compose_project *project, const struct member *member, struct mvm_error **err)
{
	const struct node *build = node_get(member->node, "build");
	char *reference MVM_CLEAN_FREE = service_image(project->compose, member->name, member->node);
	const char *context = node_get_text(build, "context");

	return node_fail(
		err, build,
		"service %s: image %s is not here, and images cannot be built here yet; build with another tool "
		"and bring the image over: docker build -t %s %s && docker save %s | mvm load",
		member->name, reference, reference, context ? context : ".", reference);
}

/* Docker compose's table of policies. */
static int judge(const struct mvm_compose_project *project, struct member *member, const char *policy,
		 enum verdict *verdict, struct mvm_error **err)
{
	const struct node *build = node_get(member->node, "build"), *place = node_get(member->node, "pull_policy");
	int missing = look_up(project, member, &member->image_id, err);

	if (missing < 0)
		return -1;
	if (!policy)
		policy = node_get_text(member->node, "pull_policy");
	*verdict = HERE;
	if (policy && !strcmp(policy, "always")) {
		*verdict = PULL;
		return 0;
	}
	if (!missing)
		return 0;
	if (build || (policy && !strcmp(policy, "build")))
		return fail_to_build(project, member, err);
	if (policy && !strcmp(policy, "never"))
		return node_fail(
			err, place ? place : member->node,
			"service %s: No such image: %s; pull it first, or let it be pulled by another pull policy",
			member->name, node_get_text(member->node, "image"));
	*verdict = PULL;
	return 0;
}

static bool is_planned(const struct pull *pulls, size_t count, const struct pull *pull)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(pulls[i].reference, pull->reference) &&
		    !strcmp(pulls[i].platform ? pulls[i].platform : "", pull->platform ? pull->platform : ""))
			return true;
	return false;
}

/* Of services that have one image, one pulls it. */
static void add_pull(const struct mvm_compose_project *project, const struct member *member, bool always, bool ignored,
		     struct pull *pulls, size_t *count)
{
	struct pull pull = {.project = project,
			    .member = member,
			    .reference = service_image(project->compose, member->name, member->node),
			    .platform = node_get_text(member->node, "platform"),
			    .always = always,
			    .ignored = ignored};

	if (is_planned(pulls, *count, &pull))
		free(pull.reference);
	else
		pulls[(*count)++] = pull;
}

static int plan(const struct mvm_compose_project *project, struct graph *graph, const char *policy, struct pull *pulls,
		size_t *count, struct mvm_error **err)
{
	for (size_t i = 0; i < graph->count; i++) {
		struct member *member = &graph->items[i];
		enum verdict verdict;

		if (judge(project, member, policy, &verdict, err) < 0)
			return -1;
		if (verdict == PULL)
			add_pull(project, member, member->image_id != NULL, false, pulls, count);
	}
	return 0;
}

static void free_pulls(struct pull *pulls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(pulls[i].reference);
}

static int run(const struct mvm_compose_project *project, struct pull *pulls, size_t count, step_fn fn,
	       struct mvm_error **err)
{
	struct work *work CLEAN_WORK = work_create(project->sink);

	for (size_t i = 0; i < count; i++)
		step_may_end(work_add(work, fn, &pulls[i]));
	return work_run(work, err);
}

int conduct_find_images(const struct mvm_compose_project *project, struct graph *graph, struct mvm_error **err)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < graph->count; i++) {
		struct member *member = &graph->items[i];

		result = look_up(project, member, &member->image_id, err);
		if (result > 0)
			result = mvm_fail(err, MVM_ERR_NOT_FOUND, "service %s: its image has just been removed",
					  member->name);
	}
	return result;
}

int conduct_images(const struct mvm_compose_project *project, struct graph *graph, const char *policy,
		   struct mvm_error **err)
{
	struct pull *pulls MVM_CLEAN_FREE = mvm_alloc((graph->count + 1) * sizeof(*pulls));
	size_t count = 0;
	int result = plan(project, graph, policy, pulls, &count, err);

	if (result == 0 && count)
		result = run(project, pulls, count, pull_step, err);
	free_pulls(pulls, count);
	return result < 0 ? -1 : conduct_find_images(project, graph, err);
}

/* Why one is left out; NULL: it is not. */
static const char *reason_to_skip(const struct mvm_compose_project *project, struct member *member,
				  const struct mvm_compose_pull *options)
{
	const char *image = node_get_text(member->node, "image"), *policy = node_get_text(member->node, "pull_policy");
	bool here = look_up(project, member, &member->image_id, NULL) == 0;

	if (!image || !*image)
		return "No image to be pulled";
	if (options->ignore_buildable && node_get(member->node, "build"))
		return "Image can be built";
	if (!options->policy && policy && (!strcmp(policy, "never") || !strcmp(policy, "build")))
		return policy[0] == 'n' ? "Image is never pulled" : "Image is to be built";
	if (options->policy && !strcmp(options->policy, "missing") && here)
		return "Image is already present locally";
	return NULL;
}

static void tell_skipped(const struct mvm_compose_project *project, const struct member *member, const char *reason)
{
	char *text MVM_CLEAN_FREE = mvm_format("Skipped - %s", reason);

	conduct_tell(project, MVM_COMPOSE_WARNING, text, "%s", member->name);
}

int mvm_compose_pull(const struct mvm_compose_project *project, const struct mvm_compose_pull *options,
		     struct mvm_error **err)
{
	struct graph graph CLEAN_GRAPH = {0};
	struct pull *pulls MVM_CLEAN_FREE = NULL;
	size_t count = 0;
	int result;

	graph_of_project(project->compose, &graph);
	pulls = mvm_alloc((graph.count + 1) * sizeof(*pulls));
	for (size_t i = 0; i < graph.count; i++) {
		struct member *member = &graph.items[i];
		const char *reason = reason_to_skip(project, member, options);

		if (reason)
			tell_skipped(project, member, reason);
		else
			add_pull(project, member, true, options->ignore_failures, pulls, &count);
	}
	result = run(project, pulls, count, pull_step, err);
	free_pulls(pulls, count);
	return result;
}

static int push_step(struct step_context *context, void *arg, struct mvm_error **err)
{
	const struct pull *push = arg;
	const struct mvm_push_options options = {.config = mvm_engine_config(context->engine)};
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_pushed pushed;
	struct mvm_store *store;

	step_tell(context, MVM_COMPOSE_WORKING, "Pushing", "%s", push->member->name);
	if (mvm_engine_store(context->engine, &store, err) < 0 ||
	    mvm_reference_parse(push->reference, &reference, err) < 0 ||
	    mvm_image_push(store, &reference, &options, &pushed, err) < 0)
		return note_failure(context, push, err);
	mvm_engine_note_reference(context->engine, &reference, "push");
	step_tell(context, MVM_COMPOSE_DONE, "Pushed", "%s", push->member->name);
	return 0;
}

int mvm_compose_push(const struct mvm_compose_project *project, bool ignore_failures, struct mvm_error **err)
{
	struct graph graph CLEAN_GRAPH = {0};
	struct pull *pushes MVM_CLEAN_FREE = NULL;
	size_t count = 0;
	int result;

	graph_of_project(project->compose, &graph);
	pushes = mvm_alloc((graph.count + 1) * sizeof(*pushes));
	for (size_t i = 0; i < graph.count; i++) {
		struct member *member = &graph.items[i];
		const char *image = node_get_text(member->node, "image");

		if (!node_get(member->node, "build") || !image || !*image)
			conduct_tell(project, MVM_COMPOSE_WARNING, "Skipped", "%s", member->name);
		else
			add_pull(project, member, false, ignore_failures, pushes, &count);
	}
	result = run(project, pushes, count, push_step, err);
	free_pulls(pushes, count);
	return result;
}
