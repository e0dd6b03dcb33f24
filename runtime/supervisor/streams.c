/*
 * Theory of operation: an output holds one piece of at most PIECE bytes. While a sink has
 * not taken all of it, the guest's descriptor is asleep and that sink waits for POLLOUT;
 * when the last has, the guest's descriptor wakes up. A sink that fails is dropped. At
 * the end of the guest's stream the sinks are closed, which is how a client sees the end.
 */
#include "streams.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "logger.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/state/logfile.h"

#define PIECE (128 * 1024)

struct sink {
	struct sink *next;
	struct output *output;
	int fd;
	size_t taken; /* of the output's piece */
	struct mvm_watch *watch;
};

struct output {
	struct streams *streams;
	int fd;
	struct mvm_watch *watch;
	struct mvm_log_writer log;
	struct sink *sinks;
	char *piece;
	size_t length;
	bool ended;
};

struct source {
	struct source *next;
	struct streams *streams;
	int fd;
	struct mvm_watch *watch;
};

struct input {
	int fd;
	struct mvm_watch *watch;
	struct source *sources;
	char *piece;
	size_t length, sent;
	bool end; /* no more after the piece */
};

struct streams {
	struct mvm_loop *loop;
	struct streams_config config;
	struct streams_events events;
	void *arg;
	struct logger *logger;
	struct input input;
	struct output outputs[STREAM_COUNT]; /* the first is unused */
	bool told_end;
};

static void check_end(struct streams *streams)
{
	if (streams->told_end || !streams->outputs[STREAM_STDOUT].ended || !streams->outputs[STREAM_STDERR].ended)
		return;
	streams->told_end = true;
	streams->events.ended(streams->arg);
}

static void append_log(struct streams *streams, struct mvm_buf *records)
{
	logger_append(streams->logger, records->data, records->length);
	if (records->length)
		streams->events.logged(streams->arg);
	mvm_buf_finish(records);
}

static void drop_sink(struct sink *sink)
{
	struct sink **at = &sink->output->sinks;

	while (*at != sink)
		at = &(*at)->next;
	*at = sink->next;
	mvm_watch_remove(sink->watch);
	close(sink->fd);
	free(sink);
}

static void finish_output(struct output *output)
{
	struct mvm_buf records = {0};
	struct timespec now;

	if (output->ended)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	mvm_log_flush(&output->log, &now, &records);
	append_log(output->streams, &records);
	while (output->sinks)
		drop_sink(output->sinks);
	mvm_watch_remove(output->watch);
	output->watch = NULL;
	mvm_close(&output->fd);
	output->ended = true;
	check_end(output->streams);
}

static bool all_taken(const struct output *output)
{
	for (const struct sink *sink = output->sinks; sink; sink = sink->next)
		if (sink->taken < output->length)
			return false;
	return true;
}

static void wake_output(struct output *output)
{
	if (output->watch && all_taken(output))
		mvm_watch_set(output->watch, POLLIN);
}

/* Gives the sink what it can take; false where it was dropped. */
static bool feed_sink(struct sink *sink)
{
	struct output *output = sink->output;

	while (sink->taken < output->length) {
		ssize_t n = send(sink->fd, output->piece + sink->taken, output->length - sink->taken, 0);

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			mvm_watch_set(sink->watch, POLLOUT);
			return true;
		}
		if (n < 0 && errno != EINTR) {
			drop_sink(sink);
			return false;
		}
		if (n > 0)
			sink->taken += (size_t)n;
	}
	mvm_watch_set(sink->watch, 0);
	return true;
}

static void sink_ready(void *arg, int fd, short revents)
{
	struct sink *sink = arg;
	struct output *output = sink->output;

	feed_sink(sink);
	wake_output(output);
}

static void output_ready(void *arg, int fd, short revents)
{
	struct output *output = arg;
	struct mvm_buf records = {0};
	struct timespec now;
	ssize_t n = read(fd, output->piece, PIECE);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		finish_output(output);
		return;
	}
	output->length = (size_t)n;
	for (struct sink *sink = output->sinks, *next; sink; sink = next) {
		next = sink->next;
		sink->taken = 0;
		feed_sink(sink);
	}
	clock_gettime(CLOCK_REALTIME, &now);
	mvm_log_write(&output->log, &now, output->piece, output->length, &records);
	append_log(output->streams, &records);
	if (!all_taken(output))
		mvm_watch_set(output->watch, 0);
}

static void wake_sources(struct streams *streams)
{
	struct input *input = &streams->input;
	bool ready = input->fd >= 0 && !input->end && input->sent == input->length;

	for (struct source *source = input->sources; source; source = source->next)
		mvm_watch_set(source->watch, ready ? POLLIN : 0);
}

static void drop_source(struct source *source)
{
	struct source **at = &source->streams->input.sources;

	while (*at != source)
		at = &(*at)->next;
	*at = source->next;
	mvm_watch_remove(source->watch);
	close(source->fd);
	free(source);
}

/* The process takes no more: its clients learn it by their descriptor's end. */
static void close_input(struct streams *streams)
{
	struct input *input = &streams->input;

	mvm_watch_remove(input->watch);
	input->watch = NULL;
	mvm_close(&input->fd);
	input->end = true;
	while (input->sources)
		drop_source(input->sources);
}

static void input_ready(void *arg, int fd, short revents)
{
	struct streams *streams = arg;
	struct input *input = &streams->input;

	while (input->sent < input->length) {
		ssize_t n = send(input->fd, input->piece + input->sent, input->length - input->sent, 0);

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			mvm_watch_set(input->watch, POLLOUT);
			return;
		}
		if (n < 0 && errno != EINTR) {
			close_input(streams);
			return;
		}
		if (n > 0)
			input->sent += (size_t)n;
	}
	mvm_watch_set(input->watch, 0);
	if (input->end)
		shutdown(input->fd, SHUT_WR);
	wake_sources(streams);
}

static void source_ready(void *arg, int fd, short revents)
{
	struct source *source = arg;
	struct streams *streams = source->streams;
	struct input *input = &streams->input;
	ssize_t n = read(fd, input->piece, PIECE);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop_source(source);
		if (!streams->config.stdin_once || streams->config.tty)
			return;
		input->end = true;
		n = 0;
	}
	input->length = (size_t)n;
	input->sent = 0;
	input_ready(streams, input->fd, 0);
	wake_sources(streams);
}

int streams_create(struct mvm_loop *loop, const struct streams_config *config, const struct streams_events *events,
		   void *arg, struct streams **out, struct mvm_error **err)
{
	struct logger *logger;
	struct streams *streams;

	if (logger_create(config->log_path, &config->log_policy, &logger, err) < 0)
		return -1;
	streams = mvm_alloc(sizeof(*streams));
	*streams = (struct streams){.loop = loop, .config = *config, .events = *events, .arg = arg, .logger = logger};
	streams->input.fd = -1;
	streams->input.piece = mvm_alloc(PIECE);
	for (int kind = STREAM_STDOUT; kind < STREAM_COUNT; kind++) {
		struct output *output = &streams->outputs[kind];

		output->streams = streams;
		output->fd = -1;
		output->piece = mvm_alloc(PIECE);
		output->log.stream = kind == STREAM_STDOUT ? MVM_LOG_STDOUT : MVM_LOG_STDERR;
	}
	streams->outputs[STREAM_STDERR].ended = config->tty;
	*out = streams;
	return 0;
}

void streams_destroy(struct streams *streams)
{
	if (!streams)
		return;
	streams->told_end = true;
	for (int kind = STREAM_STDOUT; kind < STREAM_COUNT; kind++) {
		finish_output(&streams->outputs[kind]);
		free(streams->outputs[kind].piece);
	}
	close_input(streams);
	free(streams->input.piece);
	logger_destroy(streams->logger);
	free(streams);
}

void streams_connect(struct streams *streams, enum stream_kind kind, int fd)
{
	struct output *output = &streams->outputs[kind];

	mvm_set_nonblock(fd, true);
	if (kind == STREAM_STDIN) {
		streams->input.fd = fd;
		streams->input.watch = mvm_loop_watch(streams->loop, fd, 0, input_ready, streams);
		wake_sources(streams);
		return;
	}
	output->fd = fd;
	output->watch = mvm_loop_watch(streams->loop, fd, POLLIN, output_ready, output);
}

static void attach_source(struct streams *streams, int fd)
{
	struct source *source = mvm_alloc(sizeof(*source));

	*source = (struct source){.next = streams->input.sources, .streams = streams, .fd = fd};
	source->watch = mvm_loop_watch(streams->loop, fd, 0, source_ready, source);
	streams->input.sources = source;
	if (streams->input.end)
		drop_source(source);
	else
		wake_sources(streams);
}

void streams_attach(struct streams *streams, enum stream_kind kind, int fd)
{
	struct output *output = &streams->outputs[kind];
	struct sink *sink;

	mvm_set_nonblock(fd, true);
	if (kind == STREAM_STDIN) {
		attach_source(streams, fd);
		return;
	}
	if (output->ended) {
		close(fd);
		return;
	}
	sink = mvm_alloc(sizeof(*sink));
	*sink = (struct sink){.next = output->sinks, .output = output, .fd = fd, .taken = output->length};
	sink->watch = mvm_loop_watch(streams->loop, fd, 0, sink_ready, sink);
	output->sinks = sink;
}

void streams_abandon(struct streams *streams)
{
	if (!streams)
		return;
	close_input(streams);
	for (int kind = STREAM_STDOUT; kind < STREAM_COUNT; kind++)
		if (streams->outputs[kind].fd < 0)
			finish_output(&streams->outputs[kind]);
	check_end(streams);
}
