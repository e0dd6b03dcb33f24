/*
 * Rounds: one start and one end of the container's process, in a machine of its own. The supervisor, its lock, its
 * socket and its clients outlive them; machine, agent, streams, execs and archives do not.
 *
 * To whoever waits, is attached or follows the log, each round's end is the end, as with docker.
 */
#include "internal.h"
#include "network.h"

#include <stdlib.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/state/events.h"
#include "runtime/state/log_policy.h"
#include "runtime/state/restart_policy.h"

static void logged(void *arg)
{
	clients_logged(arg);
}

static void output_ended(void *arg)
{
	struct supervisor *supervisor = arg;

	supervisor->output_ended = true;
	supervisor_event(supervisor, EVENT_OUTPUT_ENDED);
}

int rounds_open_streams(struct supervisor *supervisor, struct mvm_error **err)
{
	static const struct streams_events events = {.logged = logged, .ended = output_ended};
	const struct mvm_container_config *asked = &supervisor->container->config;
	char *log_path MVM_CLEAN_FREE = mvm_format("%s/container.log", supervisor->container->folder);
	struct streams_config config = {
		.tty = asked->tty,
		.stdin_once = asked->stdin_once,
		.log_path = log_path,
	};

	if (mvm_log_policy_parse(asked->log_driver, &asked->log_options, &config.log_policy, err) < 0)
		return -1;
	return streams_create(supervisor->loop, &config, &events, supervisor, &supervisor->streams, err);
}

/* One whose start failed is not tried again, as with docker: what keeps it from running will not go by itself. */
void rounds_settle(struct supervisor *supervisor)
{
	bool again = supervisor->ran && !supervisor->final && !supervisor->helper &&
		     mvm_restart_wanted(&supervisor->container->config, &supervisor->container->state);

	supervisor_event(supervisor, again ? EVENT_AGAIN : EVENT_OVER);
}

void rounds_wait(struct supervisor *supervisor)
{
	struct mvm_container_state *state = &supervisor->container->state;
	uint64_t ran_ms = (mvm_now_ns() - supervisor->running_since_ns) / 1000000;

	supervisor->rounds++;
	supervisor->restart_delay_ms = mvm_restart_delay(supervisor->restart_delay_ms, ran_ms);
	state->status = MVM_STATUS_RESTARTING;
	state->restart_count++;
	supervisor_save(supervisor);
	mvm_event_died(supervisor->state, supervisor->container);
	network_note_events(supervisor->network, "disconnect");
	supervisor->ran = false;
	mvm_log(MVM_LOG_INFO, "ended with %lld, is started again in %llu ms", (long long)state->exit_code,
		(unsigned long long)supervisor->restart_delay_ms);
	mvm_timer_stop(supervisor->stop_timer);
	mvm_timer_start(supervisor->phase_timer, supervisor->restart_delay_ms);
	archives_end(supervisor);
	execs_end(supervisor);
	clients_between_rounds(supervisor);
}

int rounds_renew(struct supervisor *supervisor, struct mvm_error **err)
{
	struct mvm_container_state *state = &supervisor->container->state;

	free(state->error);
	state->error = NULL;
	state->oom_killed = false;
	supervisor->outcome_known = false;
	supervisor->stopping = supervisor->killed = supervisor->discard = false;
	supervisor->boot_tries = 0;
	supervisor->output_ended = false;
	streams_destroy(supervisor->streams);
	supervisor->streams = NULL;
	if (rounds_open_streams(supervisor, err) == 0)
		return 0;
	supervisor->output_ended = true;
	return -1;
}

bool rounds_restarting(const struct supervisor *supervisor)
{
	return supervisor->container->state.status == MVM_STATUS_RESTARTING;
}

void rounds_stop_by_user(struct supervisor *supervisor, bool final)
{
	supervisor->final = supervisor->final || final;
	if (supervisor->container->state.stopped_by_user)
		return;
	supervisor->container->state.stopped_by_user = true;
	supervisor_save(supervisor);
}
