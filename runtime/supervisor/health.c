/*
 * The container's health check: every now and then an exec of our own, the probe, whose exit code and output
 * runtime/state/health.h makes a container's health of.
 *
 * One probe at a time, and one timer: for the next probe, or for how long this one may take. A probe that takes too
 * long is killed and has failed at once; should it not go, each time at which the next would have been due is a failure
 * too, so that a guest that hangs becomes unhealthy and processes do not pile up. While the machine stands still
 * nothing is timed.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/duration.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/state/events.h"

#define START_LIMIT_MS	30000 /* docker's, for a guest that is busy */
#define OUTPUT_LIMIT_MS 2000  /* for what is still on its way when the probe has exited */

enum { OUTPUTS = 2, PIECE = 4096 };

enum state {
	STATE_IDLE,    /* until the next probe */
	STATE_ORDERED, /* the guest is to start it */
	STATE_RUNNING,
	STATE_DRAINING, /* it has exited; its output is still on its way */
	STATE_OVERDUE,	/* it has failed, or is not wanted, and has not gone */
	STATE_COUNT
};

enum health_event {
	HEALTH_TIMER,
	HEALTH_STARTED,
	HEALTH_REFUSED,
	HEALTH_EXITED,
	HEALTH_EMPTY, /* all output is here */
	HEALTH_PAUSED,
	HEALTH_RESUMED,
	HEALTH_EVENT_COUNT
};

/* Lives as long as its exec needs it. */
struct probe {
	struct health *health; /* NULL: nobody waits for it */
	bool done;
	bool started;
	uint32_t process;
	struct timespec start;
	int64_t age; /* of the container's run when it began */
	int fds[OUTPUTS];
	struct mvm_watch *watches[OUTPUTS];
	struct mvm_buf output;
	bool cut; /* there was more */
	int exit_code;
	char *refusal;
};

struct health {
	struct supervisor *supervisor;
	enum state state;
	struct probe *probe; /* NULL where there is none */
	struct mvm_timer *timer;
	uint64_t begun_ns;  /* on the monotonic clock, without the time for which it stood still */
	uint64_t paused_ns; /* since when it does; 0: it does not */
};

static void health_event(struct health *health, enum health_event event);

static const struct mvm_health_check *check_of(const struct health *health)
{
	return &health->supervisor->container->config.health_check;
}

static int64_t age_of(const struct health *health)
{
	return (int64_t)(mvm_now_ns() - health->begun_ns);
}

static void start_timer(struct health *health, int64_t nanoseconds)
{
	mvm_timer_start(health->timer, ((uint64_t)nanoseconds + 999999) / 1000000);
}

static void wait_for_next(struct health *health)
{
	start_timer(health, mvm_health_wait(&health->supervisor->container->health, check_of(health), age_of(health)));
}

static void save(struct health *health)
{
	const struct mvm_container *container = health->supervisor->container;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (mvm_health_save(&container->health, container->folder, &err) < 0)
		mvm_log(MVM_LOG_WARN, "%s", mvm_error_message(err));
}

/* Takes the output. */
static void note(struct health *health, int64_t exit_code, const struct timespec *start, int64_t age, char *output)
{
	struct mvm_container *container = health->supervisor->container;
	enum mvm_health_status before = container->health.status;
	struct mvm_health_result result = {.start = *start, .exit_code = exit_code, .output = output};

	clock_gettime(CLOCK_REALTIME, &result.end);
	mvm_health_note(&container->health, check_of(health), &result, age);
	save(health);
	if (container->health.status != before) {
		char *action MVM_CLEAN_FREE =
			mvm_format("health_status: %s", mvm_health_name(container->health.status));

		mvm_event_container(health->supervisor->state, &container->config, action, NULL);
	}
	wait_for_next(health);
}

/* What the probe said so far. */
static char *take_output(struct probe *probe)
{
	if (probe->cut)
		mvm_buf_add(&probe->output, "...", 3);
	return mvm_buf_steal(&probe->output);
}

/* Output */

static void close_outputs(struct probe *probe)
{
	for (int i = 0; i < OUTPUTS; i++) {
		mvm_watch_remove(probe->watches[i]);
		probe->watches[i] = NULL;
		mvm_close(&probe->fds[i]);
	}
}

static void check_empty(struct probe *probe)
{
	if (probe->fds[0] < 0 && probe->fds[1] < 0)
		health_event(probe->health, HEALTH_EMPTY);
}

static void output_ready(void *arg, int fd, short revents)
{
	struct probe *probe = arg;
	struct supervisor *supervisor = probe->health->supervisor;
	char piece[PIECE];
	ssize_t n = read(fd, piece, sizeof(piece));
	size_t room = MVM_HEALTH_OUTPUT - probe->output.length;
	int which = probe->fds[0] == fd ? 0 : 1;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		probe->cut = probe->cut || (size_t)n > room;
		mvm_buf_add(&probe->output, piece, (size_t)n < room ? (size_t)n : room);
		return;
	}
	mvm_watch_remove(probe->watches[which]);
	probe->watches[which] = NULL;
	mvm_close(&probe->fds[which]);
	check_empty(probe);
	execs_left(supervisor);
}

static void open_output(struct probe *probe, int which, int fd)
{
	probe->fds[which] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (probe->fds[which] < 0)
		return;
	mvm_set_nonblock(probe->fds[which], true);
	probe->watches[which] =
		mvm_loop_watch(probe->health->supervisor->loop, probe->fds[which], POLLIN, output_ready, probe);
}

/* The exec's side of a probe */

static void probe_free(struct probe *probe)
{
	if (probe->health && probe->health->probe == probe)
		probe->health->probe = NULL;
	close_outputs(probe);
	mvm_buf_finish(&probe->output);
	free(probe->refusal);
	free(probe);
}

static void probe_started(void *arg, uint32_t process, const int fds[STREAM_COUNT])
{
	struct probe *probe = arg;

	if (!probe->health)
		return;
	probe->started = true;
	probe->process = process;
	if (probe->health->state == STATE_ORDERED) {
		open_output(probe, 0, fds[STREAM_STDOUT]);
		open_output(probe, 1, fds[STREAM_STDERR]);
	}
	health_event(probe->health, HEALTH_STARTED);
}

static void probe_refused(void *arg, const struct mvm_error *error)
{
	struct probe *probe = arg;
	struct health *health = probe->health;

	if (health) {
		bool no_shell = mvm_error_code(error) == MVM_ERR_NO_PROGRAM &&
				!strcmp(check_of(health)->test.items[0], "CMD-SHELL");

		probe->refusal = mvm_format("%s%s", mvm_error_message(error),
					    no_shell ? "; this check is run by a shell, which the image lacks: "
						       "HEALTHCHECK CMD [\"program\"] does without"
						     : "");
		probe->done = true;
		health_event(health, HEALTH_REFUSED);
	}
	probe_free(probe);
}

static void probe_ended(void *arg, int exit_code, const char *error)
{
	struct probe *probe = arg;

	probe->exit_code = exit_code;
	if (probe->health)
		health_event(probe->health, HEALTH_EXITED);
}

static void probe_left(void *arg)
{
	probe_free(arg);
}

static bool probe_done(const void *arg)
{
	return ((const struct probe *)arg)->done;
}

/* Actions */

static json_t *make_request(const struct mvm_container_config *config)
{
	struct mvm_strv command MVM_CLEAN_STRV = {0};

	mvm_health_command(&config->health_check, &config->shell, &command);
	return json_pack("{so, so, ss, ss, sb, sb}", "args", mvm_json_from_strings(&command), "env",
			 mvm_json_from_strings(&config->env), "cwd", config->working_dir ? config->working_dir : "",
			 "user", config->user ? config->user : "", "stdout", 1, "stderr", 1);
}

static void launch(struct health *health)
{
	static const struct exec_peer peer = {
		.started = probe_started,
		.refused = probe_refused,
		.ended = probe_ended,
		.left = probe_left,
		.gone = probe_done,
	};
	json_t *request MVM_CLEAN_JSON = make_request(&health->supervisor->container->config);
	struct probe *probe = mvm_alloc(sizeof(*probe));

	*probe = (struct probe){.health = health, .age = age_of(health), .fds = {-1, -1}};
	clock_gettime(CLOCK_REALTIME, &probe->start);
	health->probe = probe;
	mvm_timer_start(health->timer, START_LIMIT_MS);
	execs_run(health->supervisor, request, &peer, probe);
}

static void allow_time(struct health *health)
{
	start_timer(health, mvm_health_timeout(check_of(health)));
}

static void note_refusal(struct health *health)
{
	struct probe *probe = health->probe;

	note(health, -1, &probe->start, probe->age, mvm_strdup(probe->refusal));
}

static void note_no_start(struct health *health)
{
	struct probe *probe = health->probe;

	note(health, -1, &probe->start, probe->age,
	     mvm_format("timed out starting health check for container %s", health->supervisor->container->config.id));
}

/* Nobody waits for it any more. */
static void kill_probe(struct health *health)
{
	struct probe *probe = health->probe;

	close_outputs(probe);
	if (probe->started)
		agent_signal(health->supervisor->agent, probe->process, 9, NULL, NULL);
}

static void time_out(struct health *health)
{
	char *limit MVM_CLEAN_FREE = mvm_format_duration(mvm_health_timeout(check_of(health)));
	struct probe *probe = health->probe;
	char *said MVM_CLEAN_FREE = take_output(probe);

	note(health, -1, &probe->start, probe->age,
	     mvm_format("Health check exceeded timeout (%s)%s%s", limit, *said ? ": " : "", said));
	kill_probe(health);
}

static void wait_for_output(struct health *health)
{
	mvm_timer_start(health->timer, OUTPUT_LIMIT_MS);
	check_empty(health->probe);
}

static void conclude(struct health *health)
{
	struct probe *probe = health->probe;

	close_outputs(probe);
	probe->done = true;
	note(health, probe->exit_code, &probe->start, probe->age, take_output(probe));
}

static void let_go(struct health *health)
{
	health->probe->done = true;
}

static void note_still_there(struct health *health)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	note(health, -1, &now, age_of(health), mvm_strdup("the health check before this one has not ended yet"));
}

static void stop_timer(struct health *health)
{
	mvm_timer_stop(health->timer);
}

static void give_up(struct health *health)
{
	stop_timer(health);
	kill_probe(health);
}

static void give_up_exited(struct health *health)
{
	stop_timer(health);
	let_go(health);
}

struct health_transition {
	enum state next;
	void (*action)(struct health *health);
};

/* clang-format off */
static const struct health_transition table[STATE_COUNT][HEALTH_EVENT_COUNT] = {
	[STATE_IDLE] = {
		[HEALTH_TIMER]   = {STATE_ORDERED,  launch},
		[HEALTH_PAUSED]  = {STATE_IDLE,     stop_timer},
		[HEALTH_RESUMED] = {STATE_IDLE,     wait_for_next},
	},
	[STATE_ORDERED] = {
		[HEALTH_STARTED] = {STATE_RUNNING,  allow_time},
		[HEALTH_REFUSED] = {STATE_IDLE,     note_refusal},
		[HEALTH_TIMER]   = {STATE_OVERDUE,  note_no_start},
		[HEALTH_PAUSED]  = {STATE_OVERDUE,  give_up},
	},
	[STATE_RUNNING] = {
		[HEALTH_EXITED]  = {STATE_DRAINING, wait_for_output},
		[HEALTH_TIMER]   = {STATE_OVERDUE,  time_out},
		[HEALTH_PAUSED]  = {STATE_OVERDUE,  give_up},
	},
	[STATE_DRAINING] = {
		[HEALTH_EMPTY]   = {STATE_IDLE,     conclude},
		[HEALTH_TIMER]   = {STATE_IDLE,     conclude},
		[HEALTH_PAUSED]  = {STATE_IDLE,     give_up_exited},
	},
	[STATE_OVERDUE] = {
		[HEALTH_STARTED] = {STATE_OVERDUE,  kill_probe},
		[HEALTH_REFUSED] = {STATE_IDLE,     let_go},
		[HEALTH_EXITED]  = {STATE_IDLE,     let_go},
		[HEALTH_TIMER]   = {STATE_OVERDUE,  note_still_there},
		[HEALTH_PAUSED]  = {STATE_OVERDUE,  stop_timer},
		[HEALTH_RESUMED] = {STATE_OVERDUE,  wait_for_next},
	},
};
/* clang-format on */

static void health_event(struct health *health, enum health_event event)
{
	const struct health_transition *transition = &table[health->state][event];

	if (!transition->action)
		return;
	health->state = transition->next;
	transition->action(health);
}

static void timer_fired(void *arg)
{
	struct health *health = arg;

	health_event(health, HEALTH_TIMER);
	execs_left(health->supervisor);
}

/* From outside */

void health_start(struct supervisor *supervisor)
{
	struct health *health;

	if (!mvm_health_has_probe(&supervisor->container->config.health_check))
		return;
	health = mvm_alloc(sizeof(*health));
	*health = (struct health){.supervisor = supervisor, .begun_ns = mvm_now_ns()};
	health->timer = mvm_loop_timer(supervisor->loop, timer_fired, health);
	supervisor->health = health;
	mvm_health_begin(&supervisor->container->health);
	save(health);
	wait_for_next(health);
}

void health_pause(struct supervisor *supervisor)
{
	struct health *health = supervisor->health;

	if (!health)
		return;
	health->paused_ns = mvm_now_ns();
	health_event(health, HEALTH_PAUSED);
	execs_left(supervisor);
}

void health_resume(struct supervisor *supervisor)
{
	struct health *health = supervisor->health;

	if (!health || !health->paused_ns)
		return;
	health->begun_ns += mvm_now_ns() - health->paused_ns;
	health->paused_ns = 0;
	health_event(health, HEALTH_RESUMED);
}

void health_end(struct supervisor *supervisor)
{
	struct health *health = supervisor->health;

	if (!health)
		return;
	if (health->probe) {
		close_outputs(health->probe);
		health->probe->done = true;
		health->probe->health = NULL;
	}
	mvm_timer_remove(health->timer);
	free(health);
	supervisor->health = NULL;
}
