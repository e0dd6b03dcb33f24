/*
 * `compose start`, `stop`, `restart`, `kill`, `pause`, `unpause` and `rm`: containers that are there already.
 */
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "compose_change.h"
#include "prompt.h"
#include "runtime/base/text.h"

struct values {
	bool wait, no_deps, force, stop, volumes, all;
	const char *timeout, *wait_timeout, *signal;
};

#define AT(member) offsetof(struct values, member)

/* What is done, and what is said where there is nothing to do it to; NULL: nothing. */
struct order {
	struct mvm_compose_act act;
	const char *nothing;
};

static int act(const struct mvm_compose_project *project, const void *context, struct mvm_error **err)
{
	const struct order *order = context;
	struct mvm_compose_job *job MVM_CLEAN_JOB = NULL;
	int result = mvm_compose_plan_act(project, &order->act, &job, err);

	if (result > 0 && order->nothing)
		fprintf(stderr, "%s\n", order->nothing);
	return result != 0 ? (result < 0 ? -1 : 0) : mvm_compose_job_run(job, err);
}

static int act_on(char **services, const struct order *order, struct mvm_error **err)
{
	struct mvm_compose_options load = {.no_env_resolution = true};

	return cli_compose_change(&load, false, services, act, order, err);
}

static int start(const struct mvm_compose_project *project, const void *context, struct mvm_error **err)
{
	struct mvm_compose_job *job MVM_CLEAN_JOB = NULL;

	if (mvm_compose_plan_start(project, context, &job, err) < 0)
		return -1;
	return mvm_compose_job_run(job, err);
}

static int run_start(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_compose_options load = {.services = args, .no_env_resolution = true};
	struct mvm_compose_start options = {.all_needed = true, .wait = values->wait};

	if (cli_parse_number("wait-timeout", values->wait_timeout, &options.wait_timeout, err) < 0)
		return -1;
	return cli_compose_change(&load, false, args, start, &options, err);
}

static int run_stop(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct order order = {.act = {.action = MVM_COMPOSE_STOP}};

	return cli_parse_timeout(values->timeout, &order.act.timeout, err) < 0 ? -1 : act_on(args, &order, err);
}

static int run_restart(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct order order = {.act = {.action = MVM_COMPOSE_RESTART, .no_deps = values->no_deps}};

	return cli_parse_timeout(values->timeout, &order.act.timeout, err) < 0 ? -1 : act_on(args, &order, err);
}

static int run_kill(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct order order = {.act = {.action = MVM_COMPOSE_KILL, .signo = SIGKILL}, .nothing = "no container to kill"};

	if (values->signal && !mvm_parse_signal(values->signal, &order.act.signo))
		return mvm_fail(err, MVM_ERR_INVALID, "invalid signal: %s", values->signal);
	return act_on(args, &order, err);
}

static int run_pause(const void *given, char **args, struct mvm_error **err)
{
	return act_on(args, &(struct order){.act = {.action = MVM_COMPOSE_PAUSE}}, err);
}

static int run_unpause(const void *given, char **args, struct mvm_error **err)
{
	return act_on(args, &(struct order){.act = {.action = MVM_COMPOSE_UNPAUSE}}, err);
}

/* Asks, unless that is not wanted. 1: no. */
static int ask(const struct mvm_compose_job *job, struct mvm_error **err)
{
	char *names MVM_CLEAN_FREE = mvm_strv_join(mvm_compose_job_names(job), ", "), *answer MVM_CLEAN_FREE = NULL;

	fprintf(stderr, "? Going to remove %s\n", names);
	if (cli_prompt("Are you sure? [yN] ", false, &answer, err) < 0)
		return -1;
	return strcasecmp(answer, "y") != 0 && strcasecmp(answer, "yes") != 0;
}

static int stop_first(const struct mvm_compose_project *project, struct mvm_error **err)
{
	const struct order order = {.act = {.action = MVM_COMPOSE_STOP}};

	return act(project, &order, err);
}

static int rm(const struct mvm_compose_project *project, const void *context, struct mvm_error **err)
{
	const struct values *values = context;
	const struct mvm_compose_act order = {
		.action = MVM_COMPOSE_REMOVE, .oneoff = MVM_ONEOFF_INCLUDE, .volumes = values->volumes};
	struct mvm_compose_job *job MVM_CLEAN_JOB = NULL;
	int result;

	if (values->stop && stop_first(project, err) < 0)
		return -1;
	result = mvm_compose_plan_act(project, &order, &job, err);
	if (result > 0)
		fputs("No stopped containers\n", stderr);
	if (result == 0 && !values->force)
		result = ask(job, err);
	return result != 0 ? (result < 0 ? -1 : 0) : mvm_compose_job_run(job, err);
}

static int run_rm(const void *given, char **args, struct mvm_error **err)
{
	struct mvm_compose_options load = {.no_env_resolution = true};

	return cli_compose_change(&load, false, args, rm, given, err);
}

static const struct cli_option start_options[] = {
	{"wait", 0, CLI_FLAG, AT(wait), NULL, "Wait for services to be running|healthy"},
	{"wait-timeout", 0, CLI_STRING, AT(wait_timeout), "SECONDS", "Wait no longer than this"},
	CLI_OPTIONS_END,
};
static const struct cli_option stop_options[] = {
	{"timeout", 't', CLI_STRING, AT(timeout), "SECONDS", "Patience with containers that are to stop"},
	CLI_OPTIONS_END,
};
static const struct cli_option restart_options[] = {
	{"no-deps", 0, CLI_FLAG, AT(no_deps), NULL, "Don't restart dependent services"},
	{"timeout", 't', CLI_STRING, AT(timeout), "SECONDS", "Patience with containers that are to stop"},
	CLI_OPTIONS_END,
};
static const struct cli_option kill_options[] = {
	{"signal", 's', CLI_STRING, AT(signal), "SIGNAL", "SIGNAL to send to the container (default KILL)",
	 .complete = cli_complete_signals},
	CLI_OPTIONS_END,
};
static const struct cli_option rm_options[] = {
	{"all", 'a', CLI_FLAG, AT(all), NULL, "Deprecated - no effect"},
	{"force", 'f', CLI_FLAG, AT(force), NULL, "Don't ask to confirm removal"},
	{"stop", 's', CLI_FLAG, AT(stop), NULL, "Stop the containers, if required, before removing"},
	{"volumes", 'v', CLI_FLAG, AT(volumes), NULL, "Remove any anonymous volumes attached to containers"},
	CLI_OPTIONS_END,
};
static const struct cli_option no_options[] = {CLI_OPTIONS_END};

#define COMMAND(verb, table, what)                                                                                     \
	const struct cli_command cli_compose_##verb = {                                                                \
		.name = "compose " #verb,                                                                              \
		.usage = "[OPTIONS] [SERVICE...]",                                                                     \
		.summary = (what),                                                                                     \
		.options = (table),                                                                                    \
		.max_args = SIZE_MAX,                                                                                  \
		.complete = cli_complete_services,                                                                     \
		.values_size = sizeof(struct values),                                                                  \
		.run = run_##verb,                                                                                     \
		.status = cli_compose_status,                                                                          \
	}

COMMAND(start, start_options, "Start services");
COMMAND(stop, stop_options, "Stop services");
COMMAND(restart, restart_options, "Restart service containers");
COMMAND(kill, kill_options, "Force stop service containers");
COMMAND(pause, no_options, "Pause services");
COMMAND(unpause, no_options, "Unpause services");
COMMAND(rm, rm_options, "Removes stopped service containers");
