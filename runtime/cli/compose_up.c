/*
 * `compose up` and `compose create`.
 */
#include "compose_change.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct values {
	bool detach, wait, force_recreate, no_recreate, always_recreate_deps, no_deps, remove_orphans, no_start, renew,
		quiet_pull, build, no_build, yes;
	const char *pull, *timeout, *wait_timeout;
	struct mvm_strv scale;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"always-recreate-deps", 0, CLI_FLAG, AT(always_recreate_deps), NULL,
	 "Recreate dependent containers. Incompatible with --no-recreate"},
	{"build", 0, CLI_FLAG, AT(build), NULL, "Refused where an image is not here: images are built elsewhere"},
	{"detach", 'd', CLI_FLAG, AT(detach), NULL, "Detached mode: Run containers in the background"},
	{"force-recreate", 0, CLI_FLAG, AT(force_recreate), NULL,
	 "Recreate containers even if their configuration and image haven't changed"},
	{"no-build", 0, CLI_FLAG, AT(no_build), NULL, "Don't build an image, even if it's policy"},
	{"no-deps", 0, CLI_FLAG, AT(no_deps), NULL, "Don't start linked services"},
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

static int go(const struct mvm_compose_project *project, const void *context, struct mvm_error **err)
{
	const struct values *values = context;
	struct mvm_compose_create create;
	struct mvm_compose_start start;

	if (take_create(values, &create, err) < 0 || take_start(values, &start, err) < 0)
		return -1;
	for (size_t i = 0; i < values->scale.count; i++)
		if (mvm_compose_set_scale(project->compose, values->scale.items[i], err) < 0)
			return -1;
	if (mvm_compose_create(project, &create, err) < 0)
		return -1;
	return values->no_start ? 0 : mvm_compose_start(project, &start, err);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_compose_options load = {.services = args, .no_dependencies = values->no_deps};

	if (check(values, err) < 0)
		return -1;
	if (!values->detach && !values->wait && !values->no_start)
		return mvm_fail(err, MVM_ERR_USAGE, "add -d: the output is to be seen by mvm logs");
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
