#include "work.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "runtime/base/control.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"

/* They are the parent's: in a step, what is half done is brought to its end. */
static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

enum state { WAITING, RUNNING, DONE };

struct step {
	struct step *next;
	struct work *work;
	step_fn fn;
	void *arg;
	const struct step **before;
	size_t before_count;
	bool may_end, waits;

	enum state state;
	pid_t pid;
	struct mvm_control control;
	struct mvm_watch *watch;
	struct mvm_error *error; /* that it told */
};

struct work {
	const struct mvm_compose_sink *sink;
	struct step *first, **last;
	size_t running, busy, most; /* `most` may be `busy` at once; 0: any number */

	struct mvm_loop *loop;
	work_fn done;
	void *arg;
	bool stopped; /* no other step is to be started */
	bool advancing;
	struct mvm_error *error;
};

/* In the child. */

static void send_message(int fd, json_t *message)
{
	struct mvm_control control;

	/* The descriptor stays the step's, and nothing is ever received. */
	mvm_control_init(&control, fd);
	mvm_control_send(&control, message, NULL, 0, NULL);
}

void step_tell(struct step_context *context, enum mvm_compose_phase phase, const char *text, const char *format, ...)
{
	char *what MVM_CLEAN_FREE = NULL;
	va_list args;

	va_start(args, format);
	what = mvm_vformat(format, args);
	va_end(args);
	send_message(context->fd, json_pack("{si, so, so}", "phase", (int)phase, "what", mvm_json_message(what), "text",
					    mvm_json_message(text)));
}

void step_warn(struct step_context *context, const char *format, ...)
{
	char *text MVM_CLEAN_FREE = NULL;
	va_list args;

	va_start(args, format);
	text = mvm_vformat(format, args);
	va_end(args);
	send_message(context->fd, json_pack("{so}", "warning", mvm_json_message(text)));
}

static void set_signals(const struct step *step, const sigset_t *mask)
{
	signal(SIGCHLD, SIG_DFL);
	for (size_t i = 0; i < MVM_COUNT(signals); i++)
		signal(signals[i], step->may_end && signals[i] == SIGTERM ? SIG_DFL : SIG_IGN);
	sigprocmask(SIG_SETMASK, mask, NULL);
}

static int do_step(const struct step *step, int fd, struct mvm_error **err)
{
	struct step_context context = {.fd = fd};
	int result;

	if (mvm_engine_open(&context.engine, err) < 0)
		return -1;
	result = step->fn(&context, step->arg, err);
	mvm_engine_close(context.engine);
	return result;
}

static _Noreturn void run_child(const struct step *step, pid_t parent, int fd, const sigset_t *mask)
{
	struct mvm_error *err = NULL;

	set_signals(step, mask);
#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	if (getppid() != parent)
		_exit(1);
	if (do_step(step, fd, &err) < 0)
		send_message(fd, json_pack("{so}", "error", mvm_control_error_to_json(err)));
	_exit(0);
}

/* In the parent. */

struct work *work_create(const struct mvm_compose_sink *sink)
{
	struct work *work = mvm_alloc(sizeof(*work));
	const char *limit = getenv("COMPOSE_PARALLEL_LIMIT");
	int64_t most;

	work->sink = sink;
	work->last = &work->first;
	if (limit && mvm_parse_int(limit, 1, INT32_MAX, &most))
		work->most = (size_t)most;
	return work;
}

void work_destroy(struct work *work)
{
	if (!work)
		return;
	for (struct step *step = work->first, *next; step; step = next) {
		next = step->next;
		free(step->before);
		free(step);
	}
	free(work);
}

struct step *work_add(struct work *work, step_fn fn, void *arg)
{
	struct step *step = mvm_alloc(sizeof(*step));

	*step = (struct step){.work = work, .fn = fn, .arg = arg};
	*work->last = step;
	work->last = &step->next;
	return step;
}

void step_after(struct step *step, const struct step *before)
{
	if (!before)
		return;
	step->before = mvm_realloc(step->before, step->before_count + 1, sizeof(*step->before));
	step->before[step->before_count++] = before;
}

void step_may_end(struct step *step)
{
	step->may_end = true;
}

void step_only_waits(struct step *step)
{
	step->may_end = step->waits = true;
}

static void advance(struct work *work);

static void stop_starting(struct work *work)
{
	work->stopped = true;
	for (struct step *step = work->first; step; step = step->next)
		if (step->state == RUNNING && step->may_end)
			kill(step->pid, SIGTERM);
}

static void note_failure(struct work *work, struct mvm_error *error)
{
	if (!work->error)
		work->error = error;
	else
		mvm_error_free(error);
	stop_starting(work);
}

static void take_message(struct step *step, const json_t *message)
{
	const struct mvm_compose_sink *sink = step->work->sink;
	const char *warning = json_string_value(json_object_get(message, "warning"));
	const json_t *error = json_object_get(message, "error");

	if (error && !step->error)
		mvm_control_error_from_json(error, &step->error);
	else if (warning)
		sink->warn(sink->arg, warning);
	else if (!error)
		sink->event(sink->arg, json_string_value(json_object_get(message, "what")),
			    (enum mvm_compose_phase)json_integer_value(json_object_get(message, "phase")),
			    json_string_value(json_object_get(message, "text")));
}

static void read_messages(void *arg, int fd, short revents)
{
	struct step *step = arg;
	int result;

	do {
		json_t *message MVM_CLEAN_JSON = NULL;

		result = mvm_control_receive(&step->control, &message, NULL);
		if (result == 0)
			take_message(step, message);
	} while (result == 0);
	if (result != MVM_CONTROL_AGAIN) {
		mvm_watch_remove(step->watch);
		step->watch = NULL;
	}
}

static void child_ended(void *arg, pid_t pid, int status)
{
	struct step *step = arg;
	struct work *work = step->work;

	if (step->watch)
		read_messages(step, step->control.fd, POLLIN);
	mvm_watch_remove(step->watch);
	mvm_control_finish(&step->control);
	step->state = DONE;
	work->running--;
	work->busy -= !step->waits;
	/* Of one that we have ended, too: the error that it was ended for is the one that is told. */
	if (!step->error && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
		mvm_fail(&step->error, MVM_ERR_INTERRUPTED, "a process of mvm was killed in the middle of its work");
	if (step->error)
		note_failure(work, step->error);
	step->error = NULL;
	advance(work);
}

/* Until a child has set what signals do there, the loop's handlers would take them, and tell the parent. */
static void hold_signals(sigset_t *mask)
{
	sigset_t held;

	sigemptyset(&held);
	for (size_t i = 0; i < MVM_COUNT(signals); i++)
		sigaddset(&held, signals[i]);
	sigprocmask(SIG_BLOCK, &held, mask);
}

static int start_step(struct step *step, struct mvm_error **err)
{
	pid_t self = getpid();
	sigset_t mask;
	int pair[2];

	if (mvm_socketpair(SOCK_STREAM, pair) < 0)
		return mvm_fail_errno(err, errno, "cannot make a socket");
	fflush(NULL);
	hold_signals(&mask);
	step->pid = fork();
	if (step->pid == 0) {
		close(pair[0]);
		run_child(step, self, pair[1], &mask);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(pair[1]);
	if (step->pid < 0) {
		close(pair[0]);
		return mvm_fail_errno(err, errno, "cannot start a process");
	}
	mvm_set_nonblock(pair[0], true);
	mvm_control_init(&step->control, pair[0]);
	step->watch = mvm_loop_watch(step->work->loop, pair[0], POLLIN, read_messages, step);
	mvm_loop_child(step->work->loop, step->pid, child_ended, step);
	step->state = RUNNING;
	step->work->running++;
	step->work->busy += !step->waits;
	return 0;
}

static bool is_ready(const struct step *step)
{
	const struct work *work = step->work;

	if (step->state != WAITING || work->stopped ||
	    (step->fn && !step->waits && work->most && work->busy >= work->most))
		return false;
	for (size_t i = 0; i < step->before_count; i++)
		if (step->before[i]->state != DONE)
			return false;
	return true;
}

/* Starts all that may be; whether something was done at once, so that more may be possible. */
static bool start_ready(struct work *work)
{
	struct mvm_error *error = NULL;
	bool changed = false;

	for (struct step *step = work->first; step; step = step->next) {
		if (!is_ready(step))
			continue;
		if (!step->fn) {
			step->state = DONE;
			changed = true;
		} else if (start_step(step, &error) < 0) {
			step->state = DONE;
			note_failure(work, error);
			error = NULL;
		}
	}
	return changed;
}

static void advance(struct work *work)
{
	struct mvm_error *error;

	while (start_ready(work))
		;
	if (work->running)
		return;
	error = work->error;
	work->error = NULL;
	work->done(work->arg, error);
}

void work_begin(struct work *work, struct mvm_loop *loop, work_fn done, void *arg)
{
	work->loop = loop;
	work->done = done;
	work->arg = arg;
	advance(work);
}

void work_cancel(struct work *work)
{
	struct mvm_error *error = NULL;

	mvm_fail(&error, MVM_ERR_INTERRUPTED, "canceled");
	note_failure(work, error);
}

struct run {
	struct work *work;
	struct mvm_loop *loop;
	struct mvm_error *error;
	bool done;
};

static void run_done(void *arg, struct mvm_error *error)
{
	struct run *run = arg;

	run->error = error;
	run->done = true;
	mvm_loop_stop(run->loop);
}

static void run_signalled(void *arg, int signo)
{
	struct run *run = arg;

	work_cancel(run->work);
}

int work_run(struct work *work, struct mvm_error **err)
{
	struct run run = {.work = work, .loop = mvm_loop_create()};
	int result = 0;

	mvm_loop_signal(run.loop, SIGINT, run_signalled, &run);
	mvm_loop_signal(run.loop, SIGTERM, run_signalled, &run);
	work_begin(work, run.loop, run_done, &run);
	if (!run.done)
		result = mvm_loop_run(run.loop, err);
	mvm_loop_destroy(run.loop);
	if (result == 0 && run.error)
		return mvm_error_move(err, &run.error);
	return result;
}
