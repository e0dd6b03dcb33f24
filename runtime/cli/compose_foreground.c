/*
 * One loop for the output, the start and the end: the start is a job in it, and so is the stop that follows Ctrl-C or
 * the end of a container, and the kill that follows a second Ctrl-C.
 */
#include "compose_foreground.h"

#include <signal.h>
#include <string.h>

#include "compose_board.h"
#include "log_mux.h"

#define STATUS_INTERRUPTED 130

struct session {
	struct mvm_compose_project quiet; /* while it starts, what becomes of things is not told */
	struct mvm_compose_project told;
	const struct cli_foreground *options;
	struct cli_log_mux *mux;
	struct mvm_compose_job *start, *stop, *kill;
	size_t busy; /* jobs that are not done */
	bool starting, ending, interrupted, has_code;
	int exit_code;
	struct mvm_error *error;
};

static void tell_nothing(void *arg, const char *what, enum mvm_compose_phase phase, const char *text)
{
}

static void warn(void *arg, const char *text)
{
	fprintf(stderr, "WARNING: %s\n", text);
}

static const struct mvm_compose_sink silence = {.event = tell_nothing, .warn = warn};

static void keep_error(struct session *session, struct mvm_error *error)
{
	if (session->error)
		mvm_error_free(error);
	else
		session->error = error;
}

/* With nothing left to do the output alone decides when it is over. */
static void job_ended(struct session *session)
{
	if (--session->busy == 0)
		cli_log_mux_hold(session->mux, false);
}

static void begin_job(struct session *session, struct mvm_compose_job *job, void (*done)(void *, struct mvm_error *))
{
	session->busy++;
	cli_log_mux_hold(session->mux, true);
	mvm_compose_job_begin(job, cli_log_mux_loop(session->mux), done, session);
}

static void stop_done(void *arg, struct mvm_error *error)
{
	struct session *session = arg;

	if (error)
		keep_error(session, error);
	job_ended(session);
}

/* Of those that a stop ends at the same time some are gone already. */
static void kill_done(void *arg, struct mvm_error *error)
{
	mvm_error_free(error);
	job_ended(arg);
}

static void begin_act(struct session *session, struct mvm_compose_act act, struct mvm_compose_job **job,
		      void (*done)(void *, struct mvm_error *))
{
	struct mvm_error *error = NULL;
	int result = mvm_compose_plan_act(&session->told, &act, job, &error);

	if (result == 0)
		begin_job(session, *job, done);
	else if (result < 0)
		keep_error(session, error);
}

static void begin_stop(struct session *session)
{
	begin_act(session, (struct mvm_compose_act){.action = MVM_COMPOSE_STOP, .timeout = session->options->timeout},
		  &session->stop, stop_done);
}

static void begin_end(struct session *session, const char *word)
{
	session->ending = true;
	fprintf(stderr, "%s\n", word);
	fflush(stderr);
	if (session->starting)
		mvm_compose_job_cancel(session->start);
	else
		begin_stop(session);
}

static void start_done(void *arg, struct mvm_error *error)
{
	struct session *session = arg;

	session->starting = false;
	if (session->ending) {
		mvm_error_free(error);
		begin_stop(session);
	} else if (error) {
		/* Those that run go on, without us. */
		keep_error(session, error);
		cli_log_mux_stop(session->mux);
	}
	job_ended(session);
}

static void signalled(void *arg, int signo)
{
	struct session *session = arg;

	if (session->interrupted && !session->kill)
		begin_act(session, (struct mvm_compose_act){.action = MVM_COMPOSE_KILL, .signo = SIGKILL},
			  &session->kill, kill_done);
	else if (!session->ending)
		begin_end(session, "Gracefully Stopping... press Ctrl+C again to force");
	session->interrupted = true;
}

static void container_ended(void *arg, const struct cli_log_mux_end *end)
{
	struct session *session = arg;
	const struct cli_foreground *options = session->options;
	bool aborts = options->abort_on_exit || (options->abort_on_failure && end->exit_code);

	if (options->exit_code_from && end->service && !strcmp(end->service, options->exit_code_from) &&
	    !session->has_code) {
		session->has_code = true;
		session->exit_code = end->exit_code;
	}
	if (!aborts || session->ending || end->restarts)
		return;
	if (!options->exit_code_from)
		session->exit_code = end->exit_code;
	begin_end(session, "Aborting on container exit...");
}

/* Those that run already are shown from now on, as docker has it. */
static int add_running(struct session *session, struct mvm_strv *names, struct mvm_error **err)
{
	const struct mvm_fleet_request request = {
		.project = session->told.name, .services = session->options->attach, .all = true};
	struct mvm_fleet fleet MVM_CLEAN_FLEET = {0};

	if (mvm_fleet_load(mvm_engine_state(session->told.engine), &request, &fleet, err) < 0)
		return -1;
	for (size_t i = 0; i < fleet.count; i++) {
		mvm_strv_add(names, mvm_fleet_short_name(fleet.items[i]));
		if (mvm_fleet_runs(fleet.items[i]) && cli_log_mux_add(session->mux, fleet.items[i], err) < 0)
			return -1;
	}
	return 0;
}

static int stay(struct session *session, struct mvm_error **err)
{
	static const int signals[] = {SIGINT, SIGTERM};
	const struct mvm_compose_start start = {0};
	struct mvm_strv names MVM_CLEAN_STRV = {0};
	char *joined MVM_CLEAN_FREE = NULL;

	if (add_running(session, &names, err) < 0 ||
	    mvm_compose_plan_start(&session->quiet, &start, &session->start, err) < 0)
		return -1;
	joined = mvm_strv_join(&names, ", ");
	printf("Attaching to %s\n", joined);
	fflush(stdout);
	for (size_t i = 0; i < MVM_COUNT(signals); i++)
		mvm_loop_signal(cli_log_mux_loop(session->mux), signals[i], signalled, session);
	session->starting = true;
	begin_job(session, session->start, start_done);
	if (cli_log_mux_run(session->mux, err) < 0)
		return -1;
	if (session->error)
		return mvm_error_move(err, &session->error);
	return session->interrupted ? STATUS_INTERRUPTED : session->exit_code;
}

int cli_compose_foreground(const struct mvm_compose_project *project, const struct cli_foreground *options,
			   struct mvm_error **err)
{
	struct cli_board *board CLEAN_BOARD = cli_board_create();
	struct session session = {.quiet = *project, .told = *project, .options = options};
	const struct cli_log_mux_options output = {
		.color = options->color,
		.prefix = options->prefix,
		.timestamps = options->timestamps,
		.follow = true,
		.project = project->name,
		.services = options->attach,
		.request = {.tail = 0},
		.ended = container_ended,
		.arg = &session,
	};
	int result;

	session.quiet.sink = &silence;
	cli_board_set_plain(board);
	session.told.sink = cli_board_sink(board);
	if (cli_log_mux_create(project->engine, &output, &session.mux, err) < 0)
		return -1;
	result = stay(&session, err);
	mvm_compose_job_destroy(session.start);
	mvm_compose_job_destroy(session.stop);
	mvm_compose_job_destroy(session.kill);
	cli_log_mux_destroy(session.mux);
	mvm_error_clear(&session.error);
	return result;
}
