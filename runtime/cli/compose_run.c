/*
 * `compose run`: one container beside those of a service, which is there for a command.
 */
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "compose_change.h"
#include "runtime/base/io.h"
#include "runtime/engine/client.h"

struct values {
	bool detach, interactive, no_tty, no_tty_given, no_deps, rm, service_ports, use_aliases, remove_orphans,
		quiet_pull, build;
	const char *entrypoint, *name, *user, *workdir, *pull;
	struct mvm_strv cap_add, cap_drop, env, env_files, labels, publish, volumes;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"build", 0, CLI_FLAG, AT(build), NULL, "Refused where an image is not here: images are built elsewhere"},
	{"cap-add", 0, CLI_LIST, AT(cap_add), "CAPABILITY", "Add Linux capabilities",
	 .complete = cli_complete_capabilities},
	{"cap-drop", 0, CLI_LIST, AT(cap_drop), "CAPABILITY", "Drop Linux capabilities",
	 .complete = cli_complete_capabilities},
	{"detach", 'd', CLI_FLAG, AT(detach), NULL, "Run container in background and print container ID"},
	{"entrypoint", 0, CLI_STRING, AT(entrypoint), "COMMAND", "Override the entrypoint of the image"},
	{"env", 'e', CLI_LIST, AT(env), "NAME[=VALUE]", "Set environment variables", .complete = cli_complete_env},
	{"env-from-file", 0, CLI_LIST, AT(env_files), "FILE", "Set environment variables from file",
	 .complete = cli_complete_files},
	{"interactive", 'i', CLI_FLAG, AT(interactive), NULL, "Keep STDIN open even if not attached (default true)"},
	{"label", 'l', CLI_LIST, AT(labels), "KEY=VALUE", "Add or override a label"},
	{"name", 0, CLI_STRING, AT(name), "NAME", "Assign a name to the container"},
	{"no-TTY", 'T', CLI_FLAG, AT(no_tty), NULL,
	 "Disable pseudo-TTY allocation (default: where there is no terminal)", .given = AT(no_tty_given)},
	{"no-deps", 0, CLI_FLAG, AT(no_deps), NULL, "Don't start linked services"},
	{"publish", 'p', CLI_LIST, AT(publish), "[IP:][PORT:]PORT[/PROTO]",
	 "Publish a container's port(s) to the host"},
	{"pull", 0, CLI_STRING, AT(pull), "POLICY", "Pull image before running: always, missing or never",
	 CLI_WORDS("always", "missing", "never")},
	{"quiet-pull", 0, CLI_FLAG, AT(quiet_pull), NULL, "Pull without printing progress information"},
	{"remove-orphans", 0, CLI_FLAG, AT(remove_orphans), NULL,
	 "Remove containers for services not defined in the Compose file"},
	{"rm", 0, CLI_FLAG, AT(rm), NULL, "Automatically remove the container when it exits"},
	{"service-ports", 'P', CLI_FLAG, AT(service_ports), NULL,
	 "Run command with all service's ports enabled and mapped to the host"},
	{"use-aliases", 0, CLI_FLAG, AT(use_aliases), NULL, "Use the service's network useAliases in the network(s)"},
	{"user", 'u', CLI_STRING, AT(user), "USER[:GROUP]", "Run as specified username or uid"},
	{"volume", 'v', CLI_LIST, AT(volumes), "[SOURCE:]TARGET[:OPTIONS]", "Bind mount a volume",
	 .complete = cli_complete_mount},
	{"workdir", 'w', CLI_STRING, AT(workdir), "FOLDER", "Working directory inside the container"},
	CLI_OPTIONS_END,
};

struct order {
	const struct values *values;
	char **args; /* the service, and its command */
	bool tty;
	struct mvm_strv command, env;
};

static void order_finish(struct order *order)
{
	mvm_strv_finish(&order->command);
	mvm_strv_finish(&order->env);
}

static int take_order(struct order *order, struct mvm_error **err)
{
	const struct values *values = order->values;

	for (char **arg = order->args + 1; *arg; arg++)
		mvm_strv_add(&order->command, *arg);
	order->tty = values->no_tty_given ? !values->no_tty : isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	return cli_read_env(&values->env_files, &values->env, &order->env, err);
}

static int run_it(const struct mvm_compose_project *project, const struct order *order,
		  const struct mvm_container *container, int lock, struct mvm_error **err)
{
	struct mvm_client *client MVM_CLEAN_CLIENT = NULL;
	struct cli_attach attach = {.tty = order->tty, .stdin_on = order->values->interactive, .sig_proxy = true};
	int exit_code = 0, result;

	if (mvm_engine_supervise(project->engine, container, lock, &client, err) < 0)
		return -1;
	if (order->values->detach) {
		mvm_client_on_event(client, cli_print_event, NULL);
		if (mvm_client_call(client, "start", NULL, NULL, err) < 0)
			return -1;
		puts(container->config.id);
		return 0;
	}
	if (cli_detach_init(&attach.detach, NULL, err) < 0)
		return -1;
	result = cli_attach_and_start(client, &attach, &exit_code, err);
	return result < 0 ? -1 : exit_code;
}

/* What the service needs runs, and where it asks for that is well. */
static int prepare(const struct mvm_compose_project *project, const struct values *values, struct mvm_error **err)
{
	const struct mvm_compose_create create = {.remove_orphans = values->remove_orphans, .pull = values->pull};
	const struct mvm_compose_start start = {0};
	struct mvm_compose_job *job MVM_CLEAN_JOB = NULL;

	if (mvm_compose_create(project, &create, err) < 0 || mvm_compose_plan_start(project, &start, &job, err) < 0)
		return -1;
	return mvm_compose_job_run(job, err);
}

static int run_service(const struct mvm_compose_project *given, const void *context, struct mvm_error **err)
{
	const struct order *order = context;
	const struct values *values = order->values;
	struct mvm_compose_project project = *given;
	const struct mvm_compose_oneoff oneoff = {
		.service = order->args[0],
		.name = values->name,
		.user = values->user,
		.working_dir = values->workdir,
		.command = &order->command,
		.entrypoint = values->entrypoint,
		.env = &order->env,
		.labels = &values->labels,
		.volumes = &values->volumes,
		.publish = &values->publish,
		.cap_add = &values->cap_add,
		.cap_drop = &values->cap_drop,
		.tty = order->tty && !values->detach,
		.interactive = values->interactive,
		.auto_remove = values->rm,
		.service_ports = values->service_ports,
		.use_aliases = values->use_aliases,
		.detach = values->detach,
	};
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	int lock;

	project.only_needs = order->args[0];
	project.services = NULL;
	if (prepare(&project, values, err) < 0 ||
	    mvm_compose_make_oneoff(&project, &oneoff, &container, &lock, err) < 0)
		return -1;
	return run_it(&project, order, container, lock, err);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct order order __attribute__((cleanup(order_finish))) = {.values = values, .args = args};
	char *services[] = {args[0], NULL};
	struct mvm_compose_options load = {.services = services, .no_dependencies = values->no_deps};

	if (values->service_ports && values->publish.count)
		return mvm_fail(err, MVM_ERR_USAGE, "--service-ports and --publish are incompatible");
	if (take_order(&order, err) < 0)
		return -1;
	return cli_compose_change(&load, true, services, run_service, &order, err);
}

static const struct values defaults = {.interactive = true};

const struct cli_command cli_compose_run = {
	.name = "compose run",
	.usage = "[OPTIONS] SERVICE [COMMAND] [ARGS...]",
	.summary = "Run a one-off command on a service",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.options_first = true,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.defaults = &defaults,
	.run = run,
	.status = cli_compose_status,
};
