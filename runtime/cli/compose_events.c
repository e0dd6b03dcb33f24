#include "compose.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "moment.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"

#define NS_PER_SECOND 1000000000LL
#define OWN_LABELS    "com.docker.compose."

struct values {
	bool json;
	const char *since, *until;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"json", 0, CLI_FLAG, AT(json), NULL, "Output events as a stream of json objects"},
	{"since", 0, CLI_STRING, AT(since), "TIME", "From then on: 2026-11-21T06:00:00Z, or 42m for 42 minutes ago"},
	{"until", 0, CLI_STRING, AT(until), "TIME", "Up to then, as --since"},
	CLI_OPTIONS_END,
};

struct printer {
	bool json;
	const char *project;
	char *const *services;
};

static bool is_among(const char *service, char *const *services)
{
	if (!*services)
		return true;
	for (; service && *services; services++)
		if (!strcmp(service, *services))
			return true;
	return false;
}

static bool is_wanted(const struct printer *printer, const struct mvm_event *event)
{
	const char *project = mvm_event_attribute(event, MVM_LABEL_PROJECT),
		   *oneoff = mvm_event_attribute(event, MVM_LABEL_ONEOFF);

	return !strcmp(event->type, "container") && project && !strcmp(project, printer->project) &&
	       !(oneoff && !strcmp(oneoff, "True")) &&
	       is_among(mvm_event_attribute(event, MVM_LABEL_SERVICE), printer->services);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All but compose's own, by name. The names are borrowed, the list is the caller's. */
static const char **shown_names(const struct mvm_event *event, size_t *count)
{
	const char **names = mvm_alloc((json_object_size(event->attributes) + 1) * sizeof(*names)), *key;
	json_t *value;

	*count = 0;
	json_object_foreach((json_t *)event->attributes, key, value)
	{
		if (strncmp(key, OWN_LABELS, strlen(OWN_LABELS)) != 0)
			names[(*count)++] = key;
	}
	qsort(names, *count, sizeof(*names), by_text);
	return names;
}

/* The local time, as Go writes it for people, and as RFC 3339 has it; the caller's. */
static char *time_text(int64_t time_ns, bool rfc3339)
{
	time_t seconds = (time_t)(time_ns / NS_PER_SECOND);
	long nanoseconds = (long)(time_ns % NS_PER_SECOND);
	char text[32], zone[8];
	struct tm parts;

	localtime_r(&seconds, &parts);
	if (!rfc3339) {
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
		return mvm_format("%s.%06ld", text, nanoseconds / 1000);
	}
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	strftime(zone, sizeof(zone), "%z", &parts);
	if (!parts.tm_gmtoff)
		return mvm_format("%s.%09ldZ", text, nanoseconds);
	return mvm_format("%s.%09ld%.3s:%s", text, nanoseconds, zone, zone + 3);
}

static void print_json(const struct mvm_event *event)
{
	const char *service = mvm_event_attribute(event, MVM_LABEL_SERVICE);
	char *time MVM_CLEAN_FREE = time_text(event->time_ns, true), *text MVM_CLEAN_FREE = NULL;
	json_t *attributes = json_object(), *json MVM_CLEAN_JSON = NULL;
	size_t count;
	const char **names MVM_CLEAN_FREE = shown_names(event, &count);

	for (size_t i = 0; i < count; i++)
		json_object_set(attributes, names[i], json_object_get(event->attributes, names[i]));
	json = json_pack("{ss, so, ss, ss, ss, ss}", "action", event->action, "attributes", attributes, "id", event->id,
			 "service", service ? service : "", "time", time, "type", "container");
	text = json_dumps(json, JSON_COMPACT);
	puts(text ? text : "{}");
}

static void print_line(const struct mvm_event *event)
{
	char *time MVM_CLEAN_FREE = time_text(event->time_ns, false), *line MVM_CLEAN_FREE = NULL;
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	size_t count;
	const char **names MVM_CLEAN_FREE = shown_names(event, &count);

	mvm_buf_addf(&text, "%s container %s %s", time, event->action, event->id);
	for (size_t i = 0; i < count; i++)
		mvm_buf_addf(&text, "%s%s=%s", i ? ", " : " (", names[i], mvm_event_attribute(event, names[i]));
	line = mvm_buf_steal(&text);
	/* An event is a line, whatever stands in its labels or in a command. */
	mvm_mask_controls(line);
	printf("%s%s\n", line, count ? ")" : "");
}

static int show(void *arg, const struct mvm_event *event, struct mvm_error **err)
{
	const struct printer *printer = arg;

	if (is_wanted(printer, event))
		(printer->json ? print_json : print_line)(event);
	return 0;
}

static void flush(void *arg)
{
	fflush(stdout);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_compose_options load = {.services = args, .no_env_resolution = true};
	struct mvm_compose *compose MVM_CLEAN_COMPOSE = NULL;
	struct printer printer = {.json = values->json, .services = args};
	const struct mvm_event_sink sink = {.show = show, .flush = flush, .arg = &printer};
	struct mvm_events_request request = {0};
	char *name MVM_CLEAN_FREE = NULL;
	struct timespec since, until;
	struct mvm_engine *engine;
	int result;

	/* Without a reader there is nothing left to do. */
	signal(SIGPIPE, SIG_DFL);
	if (cli_parse_limit("since", values->since, &since, &request.since, err) < 0 ||
	    cli_parse_limit("until", values->until, &until, &request.until, err) < 0 ||
	    cli_compose_project_or_name(&load, &compose, &name, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	printer.project = name;
	result = mvm_engine_events(engine, &request, &sink, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_compose_events = {
	.name = "compose events",
	.usage = "[OPTIONS] [SERVICE...]",
	.summary = "Receive real time events from containers",
	.options = options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.run = run,
};
