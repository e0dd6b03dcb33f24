/*
 * A reader for each log that is followed, and one watch of the history of events, in one loop. "start" of a container
 * of the project opens a reader from that start on; "die" has the reader take the last lines before the end is told.
 */
#include "log_mux.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log_lines.h"
#include "runtime/base/text.h"
#include "runtime/compose/fleet.h"

#define NS_PER_SECOND 1000000000LL
/* What a guest writes without ever ending a line comes in lines of this length. */
#define LINE_MAX_LENGTH ((size_t)1024 * 1024)

struct member {
	struct member *next;
	struct cli_log_mux *mux;
	char *id, *name;
	bool alive;		       /* as far as we have heard */
	int64_t ended_ns;	       /* when; before its first end, since when we have listened */
	struct mvm_log_reader *reader; /* NULL: all has been read */
	struct mvm_watch *watch;
	struct mvm_timer *timer; /* until `until` */
	struct mvm_buf line[2];	 /* of each stream, what has no end yet */
};

struct cli_log_mux {
	struct mvm_engine *engine;
	const struct cli_log_mux_options *options;
	struct mvm_loop *loop;
	struct mvm_event_watch *events;
	struct mvm_watch *events_watch;
	struct log_lines lines;
	struct member *members;
	FILE *last;   /* what was written to last: the order is kept where both are one terminal */
	bool running; /* all names at the beginning are known */
	bool held;
	struct mvm_error *failure;
	int64_t begun_ns; /* since 1970 */
};

static void fail(struct cli_log_mux *mux)
{
	mvm_loop_stop(mux->loop);
}

static void flush_outputs(void)
{
	fflush(stdout);
	fflush(stderr);
}

static FILE *choose(struct cli_log_mux *mux, enum mvm_log_stream stream)
{
	FILE *out = mux->options->stderr_apart && stream == MVM_LOG_STDERR ? stderr : stdout;

	if (mux->last && mux->last != out)
		fflush(mux->last);
	mux->last = out;
	return out;
}

static void flush_line(struct member *member, enum mvm_log_stream stream)
{
	struct mvm_buf *line = &member->line[stream];

	if (!line->length)
		return;
	log_lines_write(&member->mux->lines, member->name, line->data, line->length, choose(member->mux, stream));
	line->length = 0;
}

static void take_record(void *arg, const struct mvm_log_record *record, bool begins)
{
	struct member *member = arg;
	struct mvm_buf *line = &member->line[record->stream];

	if (begins && member->mux->options->timestamps)
		mvm_buf_addf(line, "%.*s ", MVM_TIME_LENGTH, record->time);
	mvm_buf_add(line, record->text, record->text_length + record->full);
	if (record->full || line->length > LINE_MAX_LENGTH)
		flush_line(member, record->stream);
}

static void close_reader(struct member *member)
{
	for (size_t i = 0; i < MVM_COUNT(member->line); i++)
		flush_line(member, (enum mvm_log_stream)i);
	mvm_watch_remove(member->watch);
	member->watch = NULL;
	if (member->timer)
		mvm_timer_remove(member->timer);
	member->timer = NULL;
	mvm_log_reader_close(member->reader);
	member->reader = NULL;
}

static bool is_over(const struct cli_log_mux *mux)
{
	for (const struct member *member = mux->members; member; member = member->next)
		if (member->reader || member->alive)
			return false;
	return !mux->held;
}

static void check_end(struct cli_log_mux *mux)
{
	if (is_over(mux))
		mvm_loop_stop(mux->loop);
}

static void drain_events(struct cli_log_mux *mux);

/* Whoever looks a container up notes the end of one whose supervisor was killed; of one that has gone no other word
 * can come than what is there. */
static void settle(struct member *member)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;

	if (mvm_state_find(mvm_engine_state(member->mux->engine), member->id, &container, NULL) == 0)
		return;
	drain_events(member->mux);
	member->alive = false;
}

static void step(struct member *member)
{
	struct cli_log_mux *mux = member->mux;
	int result = mvm_log_reader_step(member->reader, mux->failure ? NULL : &mux->failure);

	if (result == 0)
		return;
	close_reader(member);
	if (result < 0)
		fail(mux);
	else if (!mux->options->follow)
		member->alive = false;
	else
		settle(member);
}

static void more_is_there(void *arg, int fd, short revents)
{
	struct member *member = arg;

	step(member);
	check_end(member->mux);
	flush_outputs();
}

static void time_is_up(void *arg)
{
	struct member *member = arg;

	/* Of one that goes on no line can be shown any more. */
	member->alive = false;
	step(member);
	check_end(member->mux);
}

static void watch_reader(struct member *member)
{
	struct cli_log_mux *mux = member->mux;
	int fd = mvm_log_reader_fd(member->reader), left = mvm_log_reader_left(member->reader);

	if (fd < 0)
		return;
	member->watch = mvm_loop_watch(mux->loop, fd, POLLIN, more_is_there, member);
	if (left < 0)
		return;
	member->timer = mvm_loop_timer(mux->loop, time_is_up, member);
	mvm_timer_start(member->timer, (uint64_t)left);
}

static struct member *member_of(struct cli_log_mux *mux, const char *id)
{
	for (struct member *member = mux->members; member; member = member->next)
		if (!strcmp(member->id, id))
			return member;
	return NULL;
}

static struct member *make_member(struct cli_log_mux *mux, const struct mvm_container *container)
{
	struct member *member = mvm_alloc(sizeof(*member)), **last = &mux->members;

	member->mux = mux;
	member->id = mvm_strdup(container->config.id);
	member->name = mvm_strdup(mvm_fleet_short_name(container));
	member->ended_ns = mux->begun_ns;
	log_lines_register(&mux->lines, member->name);
	while (*last)
		last = &(*last)->next;
	*last = member;
	return member;
}

static int open_reader(struct member *member, const struct mvm_container *container,
		       const struct mvm_log_request *request, struct mvm_error **err)
{
	const struct mvm_log_sink sink = {.write = take_record, .arg = member};
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (mvm_log_reader_open(member->mux->engine, container, request, &sink, &member->reader, &cause) == 0) {
		watch_reader(member);
		if (member->mux->running)
			step(member);
		return 0;
	}
	if (mvm_error_code(cause) != MVM_ERR_UNSUPPORTED)
		return mvm_error_move(err, &cause);
	fprintf(stderr, "mvm: Can't retrieve logs for \"%s\": %s\n", container->config.name, mvm_error_message(cause));
	return 0;
}

int cli_log_mux_add(struct cli_log_mux *mux, const struct mvm_container *container, struct mvm_error **err)
{
	struct mvm_log_request request = mux->options->request;
	struct member *member = member_of(mux, container->config.id);

	if (member)
		return 0;
	member = make_member(mux, container);
	request.follow = mux->options->follow;
	member->alive = request.follow && mvm_status_alive(container->state.status);
	return open_reader(member, container, &request, err);
}

static bool is_ours(const struct cli_log_mux *mux, const struct mvm_event *event)
{
	const char *project = mvm_event_attribute(event, MVM_LABEL_PROJECT),
		   *service = mvm_event_attribute(event, MVM_LABEL_SERVICE),
		   *oneoff = mvm_event_attribute(event, MVM_LABEL_ONEOFF);
	char *const *services = mux->options->services;

	if (strcmp(event->type, "container") != 0 || !project || strcmp(project, mux->options->project) != 0 ||
	    (oneoff && strcmp(oneoff, "False") != 0))
		return false;
	if (!services || !*services)
		return true;
	for (; *services; services++)
		if (service && !strcmp(service, *services))
			return true;
	return false;
}

/* It runs again, or for the first time. Its first lines may be older than the moment in which the supervisor notes that
 * it runs, so what is shown is what has come since its last end, or since we are here. */
static int take_start(struct cli_log_mux *mux, const struct mvm_event *event, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct member *member = member_of(mux, event->id);
	struct mvm_log_request request = mux->options->request;
	struct timespec since;

	/* One that has gone since. */
	if (mvm_state_find(mvm_engine_state(mux->engine), event->id, &container, NULL) < 0)
		return 0;
	if (!member)
		member = make_member(mux, container);
	else if (member->reader)
		return 0;
	member->alive = true;
	request.follow = true;
	request.tail = -1;
	since = (struct timespec){.tv_sec = (time_t)(member->ended_ns / NS_PER_SECOND),
				  .tv_nsec = (long)(member->ended_ns % NS_PER_SECOND)};
	request.since = &since;
	return open_reader(member, container, &request, err);
}

static bool starts_again(struct cli_log_mux *mux, const char *id)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;

	return mvm_state_find(mvm_engine_state(mux->engine), id, &container, NULL) == 0 && mvm_fleet_runs(container) &&
	       !container->config.auto_remove;
}

static void take_end(struct cli_log_mux *mux, const struct mvm_event *event)
{
	struct member *member = member_of(mux, event->id);
	const char *code = mvm_event_attribute(event, "exitCode");
	struct cli_log_mux_end end = {.id = event->id, .service = mvm_event_attribute(event, MVM_LABEL_SERVICE)};
	char *text MVM_CLEAN_FREE = NULL;
	int64_t number = 0;

	if (!member)
		return;
	if (member->reader)
		step(member);
	if (code && mvm_parse_int(code, INT32_MIN, INT32_MAX, &number))
		end.exit_code = (int)number;
	end.restarts = starts_again(mux, event->id);
	member->alive = end.restarts;
	member->ended_ns = event->time_ns;
	text = mvm_format("exited with code %d%s", end.exit_code, end.restarts ? " (restarting)" : "");
	cli_log_mux_say(mux, member->name, text);
	if (mux->options->ended)
		mux->options->ended(mux->options->arg, &end);
}

static int take_event(struct cli_log_mux *mux, const struct mvm_event *event, struct mvm_error **err)
{
	if (!is_ours(mux, event))
		return 0;
	if (!strcmp(event->action, "start"))
		return take_start(mux, event, err);
	if (!strcmp(event->action, "die"))
		take_end(mux, event);
	return 0;
}

static void drain_events(struct cli_log_mux *mux)
{
	int result = 0;

	while (result == 0) {
		struct mvm_event event MVM_CLEAN_EVENT = {0};

		result = mvm_event_watch_next(mux->events, &event, mux->failure ? NULL : &mux->failure);
		if (result == 0)
			result = take_event(mux, &event, mux->failure ? NULL : &mux->failure);
	}
	if (result < 0)
		fail(mux);
}

static void take_events(void *arg, int fd, short revents)
{
	struct cli_log_mux *mux = arg;

	drain_events(mux);
	check_end(mux);
	flush_outputs();
}

void cli_log_mux_say(struct cli_log_mux *mux, const char *name, const char *text)
{
	log_lines_say(&mux->lines, name, text, choose(mux, MVM_LOG_STDOUT));
	fflush(stdout);
}

int cli_log_mux_create(struct mvm_engine *engine, const struct cli_log_mux_options *options, struct cli_log_mux **out,
		       struct mvm_error **err)
{
	struct mvm_event_watch *events = NULL;
	struct cli_log_mux *mux;
	struct timespec now;

	if (options->follow && mvm_event_watch_open(mvm_engine_state(engine), false, true, &events, err) < 0)
		return -1;
	mux = mvm_alloc(sizeof(*mux));
	clock_gettime(CLOCK_REALTIME, &now);
	mux->begun_ns = (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
	mux->engine = engine;
	mux->options = options;
	mux->loop = mvm_loop_create();
	mux->events = events;
	mux->lines = (struct log_lines){.color = options->color, .prefix = options->prefix};
	if (events)
		mux->events_watch = mvm_loop_watch(mux->loop, mvm_event_watch_fd(events), POLLIN, take_events, mux);
	/* It goes out byte by byte otherwise. */
	setvbuf(stderr, NULL, _IOFBF, BUFSIZ);
	*out = mux;
	return 0;
}

void cli_log_mux_destroy(struct cli_log_mux *mux)
{
	struct member *member, *next;

	if (!mux)
		return;
	for (member = mux->members; member; member = next) {
		next = member->next;
		close_reader(member);
		for (size_t i = 0; i < MVM_COUNT(member->line); i++)
			mvm_buf_finish(&member->line[i]);
		free(member->id);
		free(member->name);
		free(member);
	}
	mvm_watch_remove(mux->events_watch);
	mvm_event_watch_close(mux->events);
	mvm_loop_destroy(mux->loop);
	log_lines_finish(&mux->lines);
	mvm_error_free(mux->failure);
	free(mux);
	flush_outputs();
}

int cli_log_mux_run(struct cli_log_mux *mux, struct mvm_error **err)
{
	/* All names are known now, and the first lines are as wide as the last. */
	for (struct member *member = mux->members; member; member = member->next)
		if (member->reader)
			step(member);
	flush_outputs();
	mux->running = true;
	if (!mux->failure && !is_over(mux) && mvm_loop_run(mux->loop, err) < 0)
		return -1;
	return mux->failure ? mvm_error_move(err, &mux->failure) : 0;
}

void cli_log_mux_stop(struct cli_log_mux *mux)
{
	mvm_loop_stop(mux->loop);
}

void cli_log_mux_hold(struct cli_log_mux *mux, bool on)
{
	mux->held = on;
	check_end(mux);
}

struct mvm_loop *cli_log_mux_loop(struct cli_log_mux *mux)
{
	return mux->loop;
}
