/*
 * The state machine of one VM. The table below is all there is: an event that a phase
 * has no line for means nothing there. The phase changes first, then the action runs; it
 * may raise the next event.
 */
#include "internal.h"
#include "network.h"
#include "publish.h"
#include "shares.h"
#include "sockets.h"
#include "volumes.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/state/events.h"
#include "runtime/state/volume.h"

#define BOOT_LIMIT_MS	  20000 /* of the first try on an idle host; each further one gets twice as long */
#define PATIENCE_MAX_MS	  600000
#define BOOT_TRIES	  3
#define START_LIMIT_MS	  60000
#define CLOSE_LIMIT_MS	  10000
#define END_LIMIT_MS	  10000
#define KILL_LIMIT_MS	  10000
#define PAUSE_LIMIT_MS	  10000
#define EXIT_MACHINE_DIED 255
#define EXIT_KILLED	  137

static const char *const phase_names[PHASE_COUNT] = {
	[PHASE_IDLE] = "idle",		 [PHASE_WAITING] = "waiting",	[PHASE_BOOTING] = "booting",
	[PHASE_REBOOTING] = "rebooting", [PHASE_STARTING] = "starting", [PHASE_SERVING] = "serving",
	[PHASE_RUNNING] = "running",	 [PHASE_PAUSING] = "pausing",	[PHASE_PAUSED] = "paused",
	[PHASE_RESUMING] = "resuming",	 [PHASE_DRAINING] = "draining", [PHASE_CLOSING] = "closing",
	[PHASE_ENDING] = "ending",	 [PHASE_FLUSHING] = "flushing", [PHASE_SETTLING] = "settling",
	[PHASE_ENDED] = "ended",
};

void supervisor_save(struct supervisor *supervisor)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (mvm_state_save(supervisor->container, &err) < 0)
		mvm_log(MVM_LOG_ERROR, "%s", mvm_error_message(err));
}

void supervisor_exited(struct supervisor *supervisor, int exit_code, bool oom_killed)
{
	struct mvm_container_state *state = &supervisor->container->state;

	if (supervisor->outcome_known)
		return;
	supervisor->outcome_known = true;
	state->exit_code = exit_code;
	state->oom_killed = oom_killed;
	clock_gettime(CLOCK_REALTIME, &state->finished);
}

char *supervisor_boot_log(const struct supervisor *supervisor)
{
	return mvm_format("%s/%s", supervisor->container->folder, supervisor->helper ? "helper-boot.log" : "boot.log");
}

/* The end of the boot log tells what a message from outside the guest cannot. */
static void add_boot_log(struct supervisor *supervisor, struct mvm_error **error)
{
	char *path MVM_CLEAN_FREE = supervisor_boot_log(supervisor);
	char *tail MVM_CLEAN_FREE = mvm_boot_log_tail(path, 4);
	struct mvm_error *longer = NULL;

	if (mvm_error_code(*error) != MVM_ERR_MACHINE || !*tail)
		return;
	for (char *at = tail; *at; at++)
		if (*at == '\n')
			*at = at[1] ? '|' : '\0';
	mvm_fail(&longer, MVM_ERR_MACHINE, "%s; its boot log ends: %s", mvm_error_message(*error), tail);
	mvm_error_free(*error);
	*error = longer;
}

void supervisor_failed(struct supervisor *supervisor, struct mvm_error *error)
{
	struct mvm_container_state *state = &supervisor->container->state;

	if (supervisor->outcome_known) {
		mvm_error_free(error);
		return;
	}
	add_boot_log(supervisor, &error);
	mvm_log(MVM_LOG_WARN, "%s", mvm_error_message(error));
	supervisor->outcome_known = true;
	free(state->error);
	state->error = mvm_strdup(mvm_error_message(error));
	if (supervisor->ran) {
		state->exit_code = EXIT_MACHINE_DIED;
		clock_gettime(CLOCK_REALTIME, &state->finished);
		mvm_error_free(error);
	} else {
		/* One that could not be started again has ended as it did before. */
		if (!supervisor->rounds)
			state->exit_code = mvm_error_run_status(error);
		supervisor->refusal = error;
	}
}

static bool is_removed_at_end(const struct supervisor *supervisor)
{
	return supervisor->container->config.auto_remove && !supervisor->kept;
}

bool supervisor_has_process(const struct supervisor *supervisor)
{
	return supervisor->phase >= PHASE_RUNNING && supervisor->phase <= PHASE_RESUMING;
}

/* Actions */

uint64_t supervisor_patience(uint64_t milliseconds)
{
	double load = 0, cpus = (double)sysconf(_SC_NPROCESSORS_ONLN), limit = (double)milliseconds;

	if (getloadavg(&load, 1) == 1 && cpus >= 1 && load > cpus)
		limit *= load / cpus;
	return limit < PATIENCE_MAX_MS ? (uint64_t)limit : PATIENCE_MAX_MS;
}

static void boot(struct supervisor *supervisor)
{
	struct mvm_error *err = NULL;

	if (supervisor->broken) {
		supervisor_event(supervisor, EVENT_FAILURE);
		return;
	}
	supervisor->boot_limit_ms =
		supervisor->boot_tries++ ? 2 * supervisor->boot_limit_ms : supervisor_patience(BOOT_LIMIT_MS);
	mvm_timer_start(supervisor->phase_timer, supervisor->boot_limit_ms);
	if (machine_boot(supervisor, &err) < 0) {
		supervisor_failed(supervisor, err);
		supervisor_event(supervisor, EVENT_FAILURE);
	}
}

static void boot_emulated(struct supervisor *supervisor)
{
	supervisor->accel = MVM_ACCEL_TCG;
	boot(supervisor);
}

static void give_orders(struct supervisor *supervisor)
{
	/* They tell of the networks: EVENT_NETWORK_READY. */
	if (!network_is_ready(supervisor->network))
		return;
	if (supervisor->helper)
		agent_prepare(supervisor->agent);
	else
		agent_start_process(supervisor->agent);
}

static void note_running(struct supervisor *supervisor)
{
	struct mvm_container_state *state = &supervisor->container->state;

	supervisor->ran = true;
	supervisor->running_since_ns = mvm_now_ns();
	state->status = MVM_STATUS_RUNNING;
	state->exit_code = 0;
	clock_gettime(CLOCK_REALTIME, &state->started);
	network_note(supervisor->network, &state->endpoints);
	publish_note(supervisor->publish, &state->ports);
	publish_open(supervisor->publish, supervisor->vsock);
	sockets_open(supervisor->sockets);
	health_start(supervisor);
	shares_watch(supervisor->shares, true);
	supervisor_save(supervisor);
	network_note_events(supervisor->network, "connect");
	events_note(supervisor, "start", NULL);
	/* The terminal may have changed since the order was written. */
	if (supervisor->container->config.tty && supervisor->rows) {
		events_note_resize(supervisor, supervisor->rows, supervisor->cols);
		agent_resize(supervisor->agent, CONTAINER_PROCESS, supervisor->rows, supervisor->cols, NULL, NULL);
	}
	clients_started(supervisor, NULL);
	archives_ready(supervisor);
	network_run_changes(supervisor->network);
}

static void drain(struct supervisor *supervisor)
{
	health_end(supervisor);
	shares_watch(supervisor->shares, false);
	mvm_timer_stop(supervisor->stop_timer);
	if (supervisor->stopping)
		mvm_timer_start(supervisor->stop_timer, KILL_LIMIT_MS);
	if (supervisor->output_ended)
		supervisor_event(supervisor, EVENT_OUTPUT_ENDED);
}

static void set_status(struct supervisor *supervisor, enum mvm_status status)
{
	supervisor->container->state.status = status;
	supervisor_save(supervisor);
}

static void note_paused(struct supervisor *supervisor)
{
	set_status(supervisor, MVM_STATUS_PAUSED);
	health_pause(supervisor);
	shares_watch(supervisor->shares, false);
	events_note(supervisor, "pause", NULL);
	clients_answer(supervisor, WAIT_PAUSED, NULL);
	/* A stop that came while it was asked to stand still. */
	if (supervisor->stopping)
		supervisor_event(supervisor, EVENT_RESUME);
}

/* Its clock stood still too. */
static void note_resumed(struct supervisor *supervisor)
{
	agent_set_clock(supervisor->agent);
	set_status(supervisor, MVM_STATUS_RUNNING);
	health_resume(supervisor);
	shares_watch(supervisor->shares, true);
	events_note(supervisor, "unpause", NULL);
	clients_answer(supervisor, WAIT_RESUMED, NULL);
	network_run_changes(supervisor->network);
}

static void fail_waiters(struct supervisor *supervisor, enum waiter_kind kind)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	mvm_fail(&err, MVM_ERR_TIMEOUT, "the VM does not take the order; 'mvm rm -f' ends it");
	clients_answer(supervisor, kind, err);
}

/* Should it yet stand still, it is to go on. */
static void pause_failed(struct supervisor *supervisor)
{
	machine_resume(supervisor);
	fail_waiters(supervisor, WAIT_PAUSED);
}

static void resume_failed(struct supervisor *supervisor)
{
	fail_waiters(supervisor, WAIT_RESUMED);
}

/* Word of the process's end that was on its way already: the machine must go on to be closed. */
static void resume_and_drain(struct supervisor *supervisor)
{
	machine_resume(supervisor);
	drain(supervisor);
}

static void close_guest(struct supervisor *supervisor)
{
	/* Nobody will look at the disk of a container that is about to be removed, but at its volumes, and a reader's
	 * is not kept. */
	if (supervisor->helper ? !supervisor->writer : is_removed_at_end(supervisor) && !supervisor->volumes)
		supervisor_event(supervisor, EVENT_GUEST_CLOSED);
	else
		agent_shutdown(supervisor->agent);
}

static void pull_plug(struct supervisor *supervisor)
{
	if (supervisor->machine)
		machine_kill(supervisor);
	else
		supervisor_event(supervisor, EVENT_MACHINE_STOPPED);
}

static void note_destroyed(struct supervisor *supervisor)
{
	supervisor->discard = true;
	if (supervisor->ran && !supervisor->outcome_known && !supervisor->killed)
		events_note_kill(supervisor, 9);
	if (supervisor->ran)
		supervisor_exited(supervisor, EXIT_KILLED, false);
}

static void destroy(struct supervisor *supervisor)
{
	note_destroyed(supervisor);
	pull_plug(supervisor);
}

/* What its processes have written to volumes is not to be lost with it: the guest closes them first. */
static void destroy_closing(struct supervisor *supervisor)
{
	note_destroyed(supervisor);
	if (!supervisor->volumes)
		supervisor_event(supervisor, EVENT_GUEST_CLOSED);
}

static void destroy_running(struct supervisor *supervisor)
{
	if (supervisor->volumes)
		agent_shutdown(supervisor->agent);
	destroy_closing(supervisor);
}

static void destroy_paused(struct supervisor *supervisor)
{
	if (supervisor->volumes)
		machine_resume(supervisor);
	destroy_running(supervisor);
}

static void note_discard(struct supervisor *supervisor)
{
	supervisor->discard = true;
}

static void give_up(struct supervisor *supervisor)
{
	struct mvm_error *err = NULL;

	mvm_fail(&err, MVM_ERR_MACHINE, "the VM did not get as far as running the program in time");
	supervisor_failed(supervisor, err);
	pull_plug(supervisor);
}

/* Under emulation about one boot in some hundreds hangs before the kernel has a console, when the host is busy.
 * Nothing of the container has run by then, so the machine is simply tried again. */
static void boot_timed_out(struct supervisor *supervisor)
{
	struct mvm_error *err = NULL;

	if (supervisor->boot_tries < BOOT_TRIES) {
		mvm_log(MVM_LOG_WARN, "the VM does not come up; it is started once more");
		pull_plug(supervisor);
		return;
	}
	mvm_fail(&err, MVM_ERR_MACHINE, "the VM did not boot, %d times over", BOOT_TRIES);
	supervisor_failed(supervisor, err);
	supervisor_event(supervisor, EVENT_FAILURE);
}

static void boot_again(struct supervisor *supervisor)
{
	machine_release(supervisor);
	boot(supervisor);
}

static void next_round(struct supervisor *supervisor)
{
	struct mvm_error *err = NULL;

	if (rounds_renew(supervisor, &err) == 0) {
		boot(supervisor);
		return;
	}
	supervisor_failed(supervisor, err);
	supervisor_event(supervisor, EVENT_FAILURE);
}

static void flush(struct supervisor *supervisor)
{
	health_end(supervisor);
	machine_release(supervisor);
	streams_abandon(supervisor->streams);
	if (supervisor->output_ended || supervisor->discard)
		supervisor_event(supervisor, EVENT_OUTPUT_ENDED);
}

/* What the container itself shows of its end; none of a helper's business. */
static void settle_container(struct supervisor *supervisor)
{
	struct mvm_container *container = supervisor->container;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	/* One that ran before and could not be started again is what it was. */
	container->state.status = container->state.started.tv_sec ? MVM_STATUS_EXITED : MVM_STATUS_CREATED;
	container->state.pid = 0;
	mvm_strv_finish(&container->state.endpoints);
	mvm_strv_finish(&container->state.ports);
	if (!is_removed_at_end(supervisor))
		supervisor_save(supervisor);
	if (supervisor->ran) {
		mvm_event_died(supervisor->state, container);
		network_note_events(supervisor->network, "disconnect");
	}
	if (supervisor->ran && supervisor->asked_to_stop)
		events_note(supervisor, "stop", NULL);
	if (!is_removed_at_end(supervisor))
		return;
	if (mvm_state_remove(supervisor->state, container->config.id, &err) == 0) {
		events_note(supervisor, "destroy", NULL);
		mvm_volume_remove_anonymous(supervisor->state, &container->config, 0);
		return;
	}
	mvm_log(MVM_LOG_ERROR, "%s", mvm_error_message(err));
}

/* The order matters: when a client learns of the end, the state says so, the name of a removed
 * container is free, and whoever comes next can take charge. */
static void finish(struct supervisor *supervisor)
{
	char *socket MVM_CLEAN_FREE = mvm_state_socket_path(supervisor->state, supervisor->container->config.id);

	if (!supervisor->outcome_known && !supervisor->helper && !supervisor->rounds) {
		struct mvm_error *stopped = NULL;

		mvm_fail(&stopped, MVM_ERR_INTERRUPTED, "the container was removed before it ran");
		supervisor_failed(supervisor, stopped);
	}
	publish_finish(supervisor->publish);
	supervisor->publish = NULL;
	sockets_finish(supervisor->sockets);
	supervisor->sockets = NULL;
	volumes_close(supervisor->volumes);
	supervisor->volumes = NULL;
	if (!supervisor->helper)
		settle_container(supervisor);
	network_leave(supervisor->network);
	supervisor->network = NULL;
	unlink(socket);
	mvm_close(&supervisor->lock_fd);
	clients_ended(supervisor);
	archives_end(supervisor);
	execs_end(supervisor);
	clients_exited(supervisor);
	mvm_loop_stop(supervisor->loop);
}

struct transition {
	enum phase next;
	void (*action)(struct supervisor *supervisor);
};

/* clang-format off */
static const struct transition table[PHASE_COUNT][EVENT_COUNT] = {
	[PHASE_IDLE] = {
		[EVENT_START]           = {PHASE_BOOTING,  boot},
		[EVENT_DESTROY]         = {PHASE_ENDED,    finish},
		[EVENT_ABANDONED]       = {PHASE_ENDED,    finish},
		[EVENT_RELEASED]        = {PHASE_ENDED,    finish},
	},
	[PHASE_WAITING] = {
		[EVENT_TIMEOUT]         = {PHASE_BOOTING,  next_round},
		[EVENT_DESTROY]         = {PHASE_ENDED,    finish},
	},
	[PHASE_BOOTING] = {
		[EVENT_AGENT_READY]     = {PHASE_STARTING, give_orders},
		[EVENT_ACCEL_UNUSABLE]  = {PHASE_BOOTING,  boot_emulated},
		[EVENT_MACHINE_STOPPED] = {PHASE_FLUSHING, flush},
		[EVENT_FAILURE]         = {PHASE_ENDING,   pull_plug},
		[EVENT_DESTROY]         = {PHASE_ENDING,   destroy},
		[EVENT_RELEASED]        = {PHASE_ENDING,   destroy},
		[EVENT_TIMEOUT]         = {PHASE_REBOOTING, boot_timed_out},
	},
	[PHASE_REBOOTING] = {
		[EVENT_MACHINE_STOPPED] = {PHASE_BOOTING,  boot_again},
		[EVENT_FAILURE]         = {PHASE_ENDING,   pull_plug},
		[EVENT_DESTROY]         = {PHASE_ENDING,   destroy},
		[EVENT_RELEASED]        = {PHASE_ENDING,   destroy},
		[EVENT_TIMEOUT]         = {PHASE_ENDING,   give_up},
	},
	[PHASE_STARTING] = {
		[EVENT_NETWORK_READY]   = {PHASE_STARTING, give_orders},
		[EVENT_GUEST_READY]     = {PHASE_SERVING,  archives_ready},
		[EVENT_PROCESS_STARTED] = {PHASE_RUNNING,  note_running},
		[EVENT_START_REFUSED]   = {PHASE_ENDING,   pull_plug},
		[EVENT_MACHINE_STOPPED] = {PHASE_FLUSHING, flush},
		[EVENT_FAILURE]         = {PHASE_ENDING,   pull_plug},
		[EVENT_DESTROY]         = {PHASE_ENDING,   destroy},
		[EVENT_RELEASED]        = {PHASE_ENDING,   destroy},
		[EVENT_TIMEOUT]         = {PHASE_ENDING,   give_up},
	},
	[PHASE_SERVING] = {
		[EVENT_RELEASED]        = {PHASE_CLOSING,  close_guest},
		[EVENT_MACHINE_STOPPED] = {PHASE_FLUSHING, flush},
		[EVENT_FAILURE]         = {PHASE_ENDING,   pull_plug},
		[EVENT_DESTROY]         = {PHASE_ENDING,   destroy},
	},
	[PHASE_RUNNING] = {
		[EVENT_PAUSE]           = {PHASE_PAUSING,  machine_pause},
		[EVENT_PROCESS_EXITED]  = {PHASE_DRAINING, drain},
		[EVENT_MACHINE_STOPPED] = {PHASE_FLUSHING, flush},
		[EVENT_FAILURE]         = {PHASE_ENDING,   pull_plug},
		[EVENT_DESTROY]         = {PHASE_CLOSING,  destroy_running},
	},
	[PHASE_PAUSING] = {
		[EVENT_MACHINE_PAUSED]  = {PHASE_PAUSED,   note_paused},
		[EVENT_PROCESS_EXITED]  = {PHASE_DRAINING, resume_and_drain},
		[EVENT_MACHINE_STOPPED] = {PHASE_FLUSHING, flush},
		[EVENT_FAILURE]         = {PHASE_ENDING,   pull_plug},
		[EVENT_DESTROY]         = {PHASE_CLOSING,  destroy_paused},
		[EVENT_TIMEOUT]         = {PHASE_RUNNING,  pause_failed},
	},
	[PHASE_PAUSED] = {
		[EVENT_RESUME]          = {PHASE_RESUMING, machine_resume},
		[EVENT_MACHINE_RESUMED] = {PHASE_RUNNING,  note_resumed},
		[EVENT_PROCESS_EXITED]  = {PHASE_DRAINING, resume_and_drain},
		[EVENT_MACHINE_STOPPED] = {PHASE_FLUSHING, flush},
		[EVENT_FAILURE]         = {PHASE_ENDING,   pull_plug},
		[EVENT_DESTROY]         = {PHASE_CLOSING,  destroy_paused},
	},
	[PHASE_RESUMING] = {
		[EVENT_MACHINE_RESUMED] = {PHASE_RUNNING,  note_resumed},
		[EVENT_PROCESS_EXITED]  = {PHASE_DRAINING, drain},
		[EVENT_MACHINE_STOPPED] = {PHASE_FLUSHING, flush},
		[EVENT_FAILURE]         = {PHASE_ENDING,   pull_plug},
		[EVENT_DESTROY]         = {PHASE_CLOSING,  destroy_running},
		[EVENT_TIMEOUT]         = {PHASE_PAUSED,   resume_failed},
	},
	[PHASE_DRAINING] = {
		[EVENT_OUTPUT_ENDED]    = {PHASE_CLOSING,  close_guest},
		[EVENT_MACHINE_STOPPED] = {PHASE_FLUSHING, flush},
		[EVENT_FAILURE]         = {PHASE_ENDING,   pull_plug},
		[EVENT_DESTROY]         = {PHASE_CLOSING,  destroy_running},
	},
	[PHASE_CLOSING] = {
		[EVENT_GUEST_CLOSED]    = {PHASE_ENDING,   pull_plug},
		[EVENT_MACHINE_STOPPED] = {PHASE_FLUSHING, flush},
		[EVENT_FAILURE]         = {PHASE_ENDING,   pull_plug},
		[EVENT_DESTROY]         = {PHASE_CLOSING,  destroy_closing},
		[EVENT_TIMEOUT]         = {PHASE_ENDING,   pull_plug},
	},
	[PHASE_ENDING] = {
		[EVENT_MACHINE_STOPPED] = {PHASE_FLUSHING, flush},
		[EVENT_DESTROY]         = {PHASE_ENDING,   note_discard},
		[EVENT_TIMEOUT]         = {PHASE_FLUSHING, flush},
	},
	[PHASE_FLUSHING] = {
		[EVENT_OUTPUT_ENDED]    = {PHASE_SETTLING, rounds_settle},
		[EVENT_DESTROY]         = {PHASE_SETTLING, rounds_settle},
	},
	[PHASE_SETTLING] = {
		[EVENT_AGAIN]           = {PHASE_WAITING,  rounds_wait},
		[EVENT_OVER]            = {PHASE_ENDED,    finish},
	},
};
/* clang-format on */

static const uint64_t limits_ms[PHASE_COUNT] = {
	[PHASE_REBOOTING] = END_LIMIT_MS,  [PHASE_STARTING] = START_LIMIT_MS, [PHASE_PAUSING] = PAUSE_LIMIT_MS,
	[PHASE_RESUMING] = PAUSE_LIMIT_MS, [PHASE_CLOSING] = CLOSE_LIMIT_MS,  [PHASE_ENDING] = END_LIMIT_MS,
};

void supervisor_event(struct supervisor *supervisor, enum event event)
{
	const struct transition *transition = &table[supervisor->phase][event];

	if (!transition->action)
		return;
	mvm_log(MVM_LOG_DEBUG, "%s -> %s", phase_names[supervisor->phase], phase_names[transition->next]);
	/* What does not change the phase does not prolong it. */
	if (transition->next != supervisor->phase) {
		supervisor->phase = transition->next;
		mvm_timer_stop(supervisor->phase_timer);
		if (limits_ms[transition->next])
			mvm_timer_start(supervisor->phase_timer, limits_ms[transition->next]);
	}
	transition->action(supervisor);
}

static void phase_timed_out(void *arg)
{
	supervisor_event(arg, EVENT_TIMEOUT);
}

void supervisor_signal(struct supervisor *supervisor, int signo, agent_done_fn done, void *arg)
{
	events_note_kill(supervisor, signo);
	agent_signal(supervisor->agent, CONTAINER_PROCESS, signo, done, arg);
}

void supervisor_killed(struct supervisor *supervisor)
{
	supervisor->stopping = true;
	supervisor->killed = true;
	mvm_timer_start(supervisor->stop_timer, KILL_LIMIT_MS);
}

/* First the process gets SIGKILL; where even that changes nothing the guest hangs, and the machine goes. A client
 * that does not take the last output of a container being stopped loses it. */
static void stop_timed_out(void *arg)
{
	struct supervisor *supervisor = arg;

	if (supervisor_has_process(supervisor) && !supervisor->killed) {
		supervisor_signal(supervisor, 9, NULL, NULL);
		supervisor_killed(supervisor);
	} else if (supervisor->phase != PHASE_CLOSING) {
		supervisor_event(supervisor, EVENT_DESTROY);
	}
}

void supervisor_stop(struct supervisor *supervisor, int signo, int64_t timeout)
{
	if (supervisor->phase < PHASE_RUNNING) {
		supervisor_event(supervisor, EVENT_DESTROY);
		return;
	}
	supervisor->stopping = true;
	if (supervisor_has_process(supervisor))
		supervisor_signal(supervisor, signo, NULL, NULL);
	supervisor_event(supervisor, EVENT_RESUME);
	if (timeout >= 0 && !supervisor->killed)
		mvm_timer_start(supervisor->stop_timer, (uint64_t)timeout * 1000);
}

/* Saved before anything else is made: who finds the status later without us knows that there may be remains. */
int lifecycle_init(struct supervisor *supervisor, struct mvm_error **err)
{
	struct mvm_container_state *state = &supervisor->container->state;

	supervisor->phase_timer = mvm_loop_timer(supervisor->loop, phase_timed_out, supervisor);
	supervisor->stop_timer = mvm_loop_timer(supervisor->loop, stop_timed_out, supervisor);
	if (supervisor->helper)
		return 0;
	state->status = MVM_STATUS_STARTING;
	state->pid = getpid();
	free(state->error);
	state->error = NULL;
	state->oom_killed = false;
	state->restart_count = 0;
	state->stopped_by_user = false;
	return mvm_state_save(supervisor->container, err) < 0 ? -1 : mvm_state_reserve(supervisor->container, err);
}
