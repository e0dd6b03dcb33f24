/*
 * `compose up` and `compose create`.
 */
#include "compose_foreground.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct values {
	bool detach, wait, force_recreate, no_recreate, always_recreate_deps, no_deps, remove_orphans, no_start, renew,
		quiet_pull, build, no_build, yes, abort_on_exit, abort_on_failure, no_color, no_prefix, timestamps,
		attach_dependencies;
	const char *pull, *timeout, *wait_timeout, *exit_code_from;
	struct mvm_strv scale, attach, no_attach;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"abort-on-container-exit", 0, CLI_FLAG, AT(abort_on_exit), NULL,
	 "Stops all containers if any container was stopped. Incompatible with -d"},
	{"abort-on-container-failure", 0, CLI_FLAG, AT(abort_on_failure), NULL,
	 "Stops all containers if any container exited with failure. Incompatible with -d"},
	{"always-recreate-deps", 0, CLI_FLAG, AT(always_recreate_deps), NULL,
	 "Recreate dependent containers. Incompatible with --no-recreate"},
	{"attach", 0, CLI_LIST, AT(attach), "SERVICE", "Restrict attaching to the specified services",
	 .complete = cli_complete_services},
	{"attach-dependencies", 0, CLI_FLAG, AT(attach_dependencies), NULL,
	 "Automatically attach to log output of dependent services"},
	{"build", 0, CLI_FLAG, AT(build), NULL, "Refused where an image is not here: images are built elsewhere"},
	{"detach", 'd', CLI_FLAG, AT(detach), NULL, "Detached mode: Run containers in the background"},
	{"exit-code-from", 0, CLI_STRING, AT(exit_code_from), "SERVICE",
	 "Return the exit code of the selected service container. Implies --abort-on-container-exit",
	 .complete = cli_complete_services},
	{"force-recreate", 0, CLI_FLAG, AT(force_recreate), NULL,
	 "Recreate containers even if their configuration and image haven't changed"},
	{"no-attach", 0, CLI_LIST, AT(no_attach), "SERVICE", "Do not attach (stream logs) to the specified services",
	 .complete = cli_complete_services},
	{"no-build", 0, CLI_FLAG, AT(no_build), NULL, "Don't build an image, even if it's policy"},
	{"no-color", 0, CLI_FLAG, AT(no_color), NULL, "Produce monochrome output"},
	{"no-deps", 0, CLI_FLAG, AT(no_deps), NULL, "Don't start linked services"},
	{"no-log-prefix", 0, CLI_FLAG, AT(no_prefix), NULL, "Don't print prefix in logs"},
	{"no-recreate", 0, CLI_FLAG, AT(no_recreate), NULL, "If containers already exist, don't recreate them"},
	{"no-start", 0, CLI_FLAG, AT(no_start), NULL, "Don't start the services after creating them"},
	{"pull", 0, CLI_STRING, AT(pull), "POLICY", "Pull image before running: always, missing or never",
	 CLI_WORDS("always", "missing", "never")},
	{"quiet-pull", 0, CLI_FLAG, AT(quiet_pull), NULL, "Pull without printing progress information"},
	{"remove-orphans", 0, CLI_FLAG, AT(remove_orphans), NULL,
	 "Remove containers for services not defined in the Compose file"},
	{"renew-anon-volumes", 'V', CLI_FLAG, AT(renew), NULL,
	 "Recreate anonymous volumes instead of retrieving data from the previous containers"},
	{"scale", 0, CLI_LIST, AT(scale), "SERVICE=NUM", "Scale SERVICE to NUM instances",
	 .complete = cli_complete_services},
	{"timeout", 't', CLI_STRING, AT(timeout), "SECONDS",
	 "Patience with containers that are to stop, where they are attached or run already"},
	{"timestamps", 0, CLI_FLAG, AT(timestamps), NULL, "Show timestamps"},
	{"wait", 0, CLI_FLAG, AT(wait), NULL, "Wait for services to be running|healthy. Implies detached mode"},
	{"wait-timeout", 0, CLI_STRING, AT(wait_timeout), "SECONDS", "Wait no longer than this"},
	{"yes", 'y', CLI_FLAG, AT(yes), NULL, "There is nothing to be asked"},
	CLI_OPTIONS_END,
};

static int check(const struct values *values, struct mvm_error **err)
{
	if (values->force_recreate && values->no_recreate)
		return mvm_fail(err, MVM_ERR_USAGE, "--force-recreate and --no-recreate are incompatible");
	if (values->always_recreate_deps && values->no_recreate)
		return mvm_fail(err, MVM_ERR_USAGE, "--always-recreate-deps and --no-recreate are incompatible");
	if (values->renew && values->no_recreate)
		return mvm_fail(err, MVM_ERR_USAGE, "--no-recreate and --renew-anon-volumes are incompatible");
	if (values->build && values->no_build)
		return mvm_fail(err, MVM_ERR_USAGE, "--build and --no-build are incompatible");
	if (values->abort_on_exit && values->abort_on_failure)
		return mvm_fail(err, MVM_ERR_USAGE,
				"--abort-on-container-failure cannot be combined with --abort-on-container-exit");
	if (values->attach.count && values->attach_dependencies)
		return mvm_fail(err, MVM_ERR_USAGE, "cannot combine --attach and --attach-dependencies");
	if ((values->detach || values->wait) &&
	    (values->attach_dependencies || values->abort_on_exit || values->abort_on_failure ||
	     values->exit_code_from || values->attach.count))
		return mvm_fail(err, MVM_ERR_USAGE,
				"--%s cannot be combined with --abort-on-container-exit, --abort-on-container-failure, "
				"--attach or --attach-dependencies",
				values->wait ? "wait" : "detach");
	return 0;
}

static bool in_environment(const char *name)
{
	const char *text = getenv(name);

	return text && (!strcmp(text, "1") || !strcmp(text, "true") || !strcmp(text, "True") || !strcmp(text, "y"));
}

static int take_create(const struct values *values, struct mvm_compose_create *create, struct mvm_error **err)
{
	*create = (struct mvm_compose_create){
		.recreate = values->no_recreate			      ? MVM_RECREATE_NEVER
			    : values->force_recreate || values->renew ? MVM_RECREATE_FORCE
								      : MVM_RECREATE_DIVERGED,
		.recreate_dependencies = values->no_recreate		? MVM_RECREATE_NEVER
					 : values->always_recreate_deps ? MVM_RECREATE_FORCE
									: MVM_RECREATE_DIVERGED,
		.renew_volumes = values->renew,
		.remove_orphans = values->remove_orphans || in_environment("COMPOSE_REMOVE_ORPHANS"),
		.ignore_orphans = in_environment("COMPOSE_IGNORE_ORPHANS"),
		.pull = values->pull,
	};
	if (create->ignore_orphans && create->remove_orphans)
		return mvm_fail(err, MVM_ERR_USAGE, "cannot combine COMPOSE_IGNORE_ORPHANS and --remove-orphans");
	if (values->pull && strcmp(values->pull, "always") != 0 && strcmp(values->pull, "missing") != 0 &&
	    strcmp(values->pull, "if_not_present") != 0 && strcmp(values->pull, "never") != 0)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid --pull option \"%s\"", values->pull);
	return cli_parse_timeout(values->timeout, &create->timeout, err);
}

static int take_start(const struct values *values, struct mvm_compose_start *start, struct mvm_error **err)
{
	*start = (struct mvm_compose_start){.wait = values->wait};
	if (cli_parse_number("wait-timeout", values->wait_timeout, &start->wait_timeout, err) < 0)
		return -1;
	return start->wait_timeout < 0 ? mvm_fail(err, MVM_ERR_USAGE, "--wait-timeout must be a non-negative integer")
				       : 0;
}

static bool has(const struct mvm_strv *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i], text))
			return true;
	return false;
}

/* Whose output is shown: what was named, or all; with `attach: false` in the file only where it is asked for. */
static int choose_attached(const struct values *values, const struct mvm_compose_project *project,
			   struct mvm_strv *attached, struct mvm_error **err)
{
	struct mvm_strv all MVM_CLEAN_STRV = {0};
	bool named = project->services && *project->services && !values->attach_dependencies;

	for (size_t i = 0; i < values->attach.count; i++)
		if (!mvm_compose_has_service(project->compose, values->attach.items[i]))
			return mvm_fail(err, MVM_ERR_NOT_FOUND, "cannot attach to services not included in up: %s",
					values->attach.items[i]);
	mvm_compose_attached(project->compose, &all);
	for (size_t i = 0; i < values->attach.count; i++)
		mvm_strv_add(attached, values->attach.items[i]);
	for (char *const *name = project->services; !values->attach.count && named && *name; name++)
		if (has(&all, *name) && !has(&values->no_attach, *name))
			mvm_strv_add(attached, *name);
	for (size_t i = 0; !values->attach.count && !named && i < all.count; i++)
		if (!has(&values->no_attach, all.items[i]))
			mvm_strv_add(attached, all.items[i]);
	/* None at all, and not any. */
	if (!attached->count)
		mvm_strv_add(attached, "");
	return 0;
}

static int stay(const struct values *values, const struct mvm_compose_project *project, const struct mvm_strv *attached,
		const struct mvm_compose_timeout *timeout, struct mvm_error **err)
{
	struct cli_foreground foreground = {
		.attach = attached->items,
		.prefix = !values->no_prefix,
		.timestamps = values->timestamps,
		.abort_on_exit = values->abort_on_exit || (values->exit_code_from && !values->abort_on_failure),
		.abort_on_failure = values->abort_on_failure,
		.exit_code_from = values->exit_code_from,
		.timeout = *timeout,
	};

	if (cli_compose_colors(&foreground.color, err) < 0)
		return -1;
	foreground.color = foreground.color && !values->no_color;
	return cli_compose_foreground(project, &foreground, err);
}

static int start(const struct mvm_compose_project *project, const struct mvm_compose_start *how, struct mvm_error **err)
{
	struct mvm_compose_job *job MVM_CLEAN_JOB = NULL;

	if (mvm_compose_plan_start(project, how, &job, err) < 0)
		return -1;
	return mvm_compose_job_run(job, err);
}

static int go(const struct mvm_compose_project *project, const void *context, struct mvm_error **err)
{
	const struct values *values = context;
	struct mvm_strv attached MVM_CLEAN_STRV = {0};
	struct mvm_compose_create create;
	struct mvm_compose_start how;

	if (take_create(values, &create, err) < 0 || take_start(values, &how, err) < 0 ||
	    choose_attached(values, project, &attached, err) < 0)
		return -1;
	if (values->exit_code_from && !mvm_compose_has_service(project->compose, values->exit_code_from))
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "no such service: %s", values->exit_code_from);
	for (size_t i = 0; i < values->scale.count; i++)
		if (mvm_compose_set_scale(project->compose, values->scale.items[i], err) < 0)
			return -1;
	if (mvm_compose_create(project, &create, err) < 0)
		return -1;
	if (values->no_start)
		return 0;
	if (values->detach || values->wait)
		return start(project, &how, err);
	return stay(values, project, &attached, &create.timeout, err);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_compose_options load = {.services = args, .no_dependencies = values->no_deps};

	if (check(values, err) < 0)
		return -1;
	return cli_compose_change(&load, true, args, go, values, err);
}

const struct cli_command cli_compose_up = {
	.name = "compose up",
	.usage = "[OPTIONS] [SERVICE...]",
	.summary = "Create and start containers",
	.options = options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.run = run,
	.status = cli_compose_status,
};

static int run_create(const void *given, char **args, struct mvm_error **err)
{
	struct values values = *(const struct values *)given;

	values.no_start = true;
	return run(&values, args, err);
}

/* Those that are about starting. */
static const char *const not_of_create[] = {"abort-on-container-exit",
					    "abort-on-container-failure",
					    "always-recreate-deps",
					    "attach",
					    "attach-dependencies",
					    "detach",
					    "exit-code-from",
					    "no-attach",
					    "no-color",
					    "no-deps",
					    "no-log-prefix",
					    "no-start",
					    "renew-anon-volumes",
					    "timeout",
					    "timestamps",
					    "wait",
					    "wait-timeout",
					    NULL};

const struct cli_command cli_compose_create = {
	.name = "compose create",
	.usage = "[OPTIONS] [SERVICE...]",
	.summary = "Creates containers for a service",
	.options = options,
	.without = not_of_create,
	.max_args = SIZE_MAX,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.run = run_create,
	.status = cli_compose_status,
};

static const struct cli_option scale_options[] = {
	{"no-deps", 0, CLI_FLAG, AT(no_deps), NULL, "Don't start linked services"},
	CLI_OPTIONS_END,
};

/* `up -d --scale` of these services. */
static int run_scale(const void *given, char **args, struct mvm_error **err)
{
	struct values values = *(const struct values *)given;
	struct mvm_strv services MVM_CLEAN_STRV = {0};
	int result;

	values.detach = true;
	values.scale = (struct mvm_strv){0};
	for (; *args; args++) {
		mvm_strv_add(&values.scale, *args);
		mvm_strv_take(&services, mvm_strndup(*args, strcspn(*args, "=")));
	}
	result = run(&values, services.items, err);
	mvm_strv_finish(&values.scale);
	return result;
}

const struct cli_command cli_compose_scale = {
	.name = "compose scale",
	.usage = "[OPTIONS] SERVICE=REPLICAS...",
	.summary = "Scale services",
	.options = scale_options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.run = run_scale,
	.status = cli_compose_status,
};
