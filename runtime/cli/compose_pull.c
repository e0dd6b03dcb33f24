/*
 * `compose pull`, `compose push` and `compose build`: the images of a project.
 */
#include <stddef.h>
#include <string.h>

#include "compose_change.h"

struct values {
	bool ignore_failures, ignore_buildable, include_deps;
	const char *policy;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option pull_options[] = {
	{"ignore-buildable", 0, CLI_FLAG, AT(ignore_buildable), NULL, "Ignore images that can be built"},
	{"ignore-pull-failures", 0, CLI_FLAG, AT(ignore_failures), NULL,
	 "Pull what it can and ignores images with pull failures"},
	{"include-deps", 0, CLI_FLAG, AT(include_deps), NULL, "Also pull services declared as dependencies"},
	{"policy", 0, CLI_STRING, AT(policy), "POLICY", "Apply pull policy: missing or always",
	 CLI_WORDS("always", "missing")},
	CLI_OPTIONS_END,
};

static int pull(const struct mvm_compose_project *project, const void *context, struct mvm_error **err)
{
	const struct values *values = context;
	const struct mvm_compose_pull options = {.policy = values->policy,
						 .ignore_failures = values->ignore_failures,
						 .ignore_buildable = values->ignore_buildable};

	return mvm_compose_pull(project, &options, err);
}

static int run_pull(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_compose_options load = {.services = args, .no_dependencies = !values->include_deps};

	if (values->policy && strcmp(values->policy, "missing") != 0 && strcmp(values->policy, "always") != 0)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid --policy option \"%s\"", values->policy);
	return cli_compose_change(&load, true, args, pull, values, err);
}

static const struct cli_option push_options[] = {
	{"ignore-push-failures", 0, CLI_FLAG, AT(ignore_failures), NULL,
	 "Push what it can and ignores images with push failures"},
	{"include-deps", 0, CLI_FLAG, AT(include_deps), NULL, "Also push images of services declared as dependencies"},
	CLI_OPTIONS_END,
};

static int push(const struct mvm_compose_project *project, const void *context, struct mvm_error **err)
{
	const struct values *values = context;

	return mvm_compose_push(project, values->ignore_failures, err);
}

static int run_push(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_compose_options load = {.services = args, .no_dependencies = !values->include_deps};

	return cli_compose_change(&load, true, args, push, values, err);
}

static const struct cli_option build_options[] = {CLI_OPTIONS_END};

static int run_build(const void *given, char **args, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_UNSUPPORTED,
			"images cannot be built here yet; build with another tool and bring them over: "
			"docker compose build && docker save IMAGE... | mvm load");
}

const struct cli_command cli_compose_pull = {
	.name = "compose pull",
	.usage = "[OPTIONS] [SERVICE...]",
	.summary = "Pull service images",
	.options = pull_options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.run = run_pull,
	.status = cli_compose_status,
};

const struct cli_command cli_compose_push = {
	.name = "compose push",
	.usage = "[OPTIONS] [SERVICE...]",
	.summary = "Push service images",
	.options = push_options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.run = run_push,
	.status = cli_compose_status,
};

const struct cli_command cli_compose_build = {
	.name = "compose build",
	.usage = "[OPTIONS] [SERVICE...]",
	.summary = "Not there yet: says how to bring over what others build",
	.options = build_options,
	.max_args = SIZE_MAX,
	.all_are_args = true,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.run = run_build,
};
