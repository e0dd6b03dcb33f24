#include "cli.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "moment.h"
#include "runtime/base/text.h"

struct values {
	bool boot, details, follow, timestamps;
	const char *since, *tail, *until;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"boot", 0, CLI_FLAG, AT(boot), NULL, "Show what the VM said while it booted instead"},
	{"details", 0, CLI_FLAG, AT(details), NULL, "Show extra details provided to logs"},
	{"follow", 'f', CLI_FLAG, AT(follow), NULL, "Go on with what comes, until the container ends"},
	{"since", 0, CLI_STRING, AT(since), "TIME", "From then on: 2026-11-21T06:00:00Z, or 42m for 42 minutes ago"},
	{"tail", 'n', CLI_STRING, AT(tail), "N", "Lines to show from the end (default all)"},
	{"timestamps", 't', CLI_FLAG, AT(timestamps), NULL, "Begin lines with their time"},
	{"until", 0, CLI_STRING, AT(until), "TIME", "Up to then, as --since"},
	CLI_OPTIONS_END,
};

struct printer {
	const struct values *values;
	FILE *last; /* what was written to last: the order is kept where both are one terminal */
};

static void write_record(void *arg, const struct mvm_log_record *record, bool begins)
{
	struct printer *printer = arg;
	FILE *out = record->stream == MVM_LOG_STDERR ? stderr : stdout;

	if (printer->last && printer->last != out)
		fflush(printer->last);
	printer->last = out;
	if (begins && printer->values->timestamps)
		fprintf(out, "%.*s ", MVM_TIME_LENGTH, record->time);
	/* Docker's place for what drivers add; they add nothing here. */
	if (begins && printer->values->details)
		fputc(' ', out);
	/* The newline of a full line stands right behind its text. */
	fwrite(record->text, 1, record->text_length + record->full, out);
}

static void flush(void *arg)
{
	fflush(stdout);
	fflush(stderr);
}

/* As docker, zero is no limit here. */
static const char *or_none(const char *text)
{
	return text && !strcmp(text, "0") ? NULL : text;
}

/* As docker: what is no number, or less than nothing, is all. */
static int64_t parse_tail(const char *text)
{
	int64_t lines;

	return text && mvm_parse_int(text, 0, INT64_MAX, &lines) ? lines : -1;
}

int cli_read_log_limits(const char *tail, const char *since, const char *until, struct cli_log_limits *limits,
			struct mvm_log_request *request, struct mvm_error **err)
{
	request->tail = parse_tail(tail);
	if (cli_parse_limit("since", or_none(since), &limits->since, &request->since, err) < 0)
		return -1;
	return cli_parse_limit("until", or_none(until), &limits->until, &request->until, err);
}

static int show(struct mvm_engine *engine, const char *what, const struct values *values, struct mvm_error **err)
{
	struct mvm_log_request request = {.follow = values->follow};
	struct printer printer = {.values = values};
	const struct mvm_log_sink sink = {.write = write_record, .flush = flush, .arg = &printer};
	struct cli_log_limits limits;
	int result;

	if (values->boot && (values->follow || values->timestamps || values->since || values->until || values->tail))
		return mvm_fail(err, MVM_ERR_USAGE, "--boot shows the whole boot log: only --details goes with it");
	if (values->boot)
		return mvm_engine_boot_log(engine, what, STDOUT_FILENO, err);
	if (cli_read_log_limits(values->tail, values->since, values->until, &limits, &request, err) < 0)
		return -1;
	/* It goes out line by line otherwise, and byte by byte on stderr. */
	setvbuf(stderr, NULL, _IOFBF, BUFSIZ);
	result = mvm_engine_logs(engine, what, &request, &sink, err);
	fflush(stderr);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct mvm_engine *engine;
	int result;

	/* Without a reader there is nothing left to do, and following would not notice. */
	signal(SIGPIPE, SIG_DFL);
	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = show(engine, args[0], given, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_logs = {
	.name = "logs",
	.names = {"container logs", "logs"},
	.usage = "[OPTIONS] CONTAINER",
	.summary = "Show what a container has written",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.complete = cli_complete_containers,
	.values_size = sizeof(struct values),
	.run = run,
};
