#include "cli.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "complete.h"
#include "event_filter.h"
#include "moment.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"
#include "runtime/template/template.h"

#define NS_PER_SECOND 1000000000LL

struct values {
	struct mvm_strv filters;
	const char *format, *since, *until;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"filter", 'f', CLI_LIST, AT(filters), "FILTER", "container=, event=, image=, label= or type=VALUE",
	 CLI_WORDS("container=", "event=create", "event=destroy", "event=die", "event=exec_start",
		   "event=health_status", "event=oom", "event=pull", "event=start", "event=stop",
		   "image=", "label=", "type=container", "type=image")},
	{"format", 0, CLI_STRING, AT(format), "FORMAT", "json, or a Go template: '{{.Action}} {{.Actor.ID}}'",
	 CLI_WORDS("json")},
	{"since", 0, CLI_STRING, AT(since), "TIME", "From then on: 2026-11-21T06:00:00Z, or 42m for 42 minutes ago"},
	{"until", 0, CLI_STRING, AT(until), "TIME", "Up to then, as --since"},
	CLI_OPTIONS_END,
};

struct printer {
	const struct mvm_strv *filters;
	struct mvm_template *template; /* NULL: docker's lines */
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The attributes' names in their order, borrowed; the array is the caller's. */
static const char **sorted_names(const json_t *attributes, size_t *count)
{
	const char **names = mvm_alloc((json_object_size(attributes) + 1) * sizeof(*names)), *key;
	json_t *value;

	*count = 0;
	json_object_foreach((json_t *)attributes, key, value) names[(*count)++] = key;
	qsort(names, *count, sizeof(*names), by_text);
	return names;
}

/* "2026-11-21T06:18:03.123456789+01:00", the local time as Go writes it. */
static void print_time(int64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / NS_PER_SECOND);
	char text[64];
	struct tm parts;
	long offset;

	localtime_r(&seconds, &parts);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	printf("%s.%09lld", text, (long long)(time_ns % NS_PER_SECOND));
	offset = parts.tm_gmtoff / 60;
	if (offset)
		printf("%c%02ld:%02ld ", offset < 0 ? '-' : '+', labs(offset) / 60, labs(offset) % 60);
	else
		fputs("Z ", stdout);
}

/* An event is a line, whatever stands in its labels or in a command. */
static void print_masked(const char *text)
{
	char *copy MVM_CLEAN_FREE = mvm_strdup(text);

	mvm_mask_controls(copy);
	fputs(copy, stdout);
}

static void print_line(const struct mvm_event *event)
{
	size_t count;
	const char **names MVM_CLEAN_FREE = sorted_names(event->attributes, &count);

	print_time(event->time_ns);
	printf("%s ", event->type);
	print_masked(event->action);
	printf(" %s", event->id);
	for (size_t i = 0; i < count; i++) {
		fputs(i ? ", " : " (", stdout);
		print_masked(names[i]);
		putchar('=');
		print_masked(mvm_event_attribute(event, names[i]));
	}
	puts(count ? ")" : "");
}

static json_t *actor_of(const struct mvm_event *event)
{
	json_t *attributes = json_object();
	size_t count;
	const char **names MVM_CLEAN_FREE = sorted_names(event->attributes, &count);

	for (size_t i = 0; i < count; i++)
		json_object_set(attributes, names[i], json_object_get(event->attributes, names[i]));
	return json_pack("{ss, so}", "ID", event->id, "Attributes", attributes);
}

/* What docker still tells under the names of its first version. */
static const char *old_status(const struct mvm_event *event)
{
	return !strcmp(event->type, "container") || !strcmp(event->type, "image") ? event->action : "";
}

/* By the fields of docker's message, which a template names; */
static json_t *make_fields(const struct mvm_event *event, json_t *actor)
{
	const char *status = old_status(event);
	const char *from = strcmp(event->type, "container") ? NULL : mvm_event_attribute(event, "image");

	return json_pack("{ss, ss, ss, ss, ss, sO, ss, sI, sI}", "Status", status, "ID", *status ? event->id : "",
			 "From", from ? from : "", "Type", event->type, "Action", event->action, "Actor", actor,
			 "Scope", "local", "Time", (json_int_t)(event->time_ns / NS_PER_SECOND), "TimeNano",
			 (json_int_t)event->time_ns);
}

/* and as its JSON, where they have other names and what is empty is left out. */
static json_t *make_json(const json_t *fields)
{
	static const char *const names[][2] = {{"Status", "status"}, {"ID", "id"},	   {"From", "from"},
					       {"Type", "Type"},     {"Action", "Action"}, {"Actor", "Actor"},
					       {"Scope", "scope"},   {"Time", "time"},	   {"TimeNano", "timeNano"}};
	json_t *json = json_object();

	for (size_t i = 0; i < MVM_COUNT(names); i++) {
		json_t *value = json_object_get(fields, names[i][0]);

		if (!json_is_string(value) || json_string_length(value))
			json_object_set(json, names[i][1], value);
	}
	return json;
}

static int render(const struct mvm_template *template, const struct mvm_event *event, struct mvm_buf *text,
		  struct mvm_error **err)
{
	json_t *actor MVM_CLEAN_JSON = actor_of(event);
	json_t *fields MVM_CLEAN_JSON = make_fields(event, actor), *json MVM_CLEAN_JSON = make_json(fields);
	const struct mvm_template_data data = {.value = fields, .type = "events.Message", .json = json};

	if (mvm_template_run(template, &data, text, err) < 0)
		return -1;
	mvm_buf_add(text, "\n", 1);
	return 0;
}

static int show(void *arg, const struct mvm_event *event, struct mvm_error **err)
{
	const struct printer *printer = arg;
	struct mvm_buf text MVM_CLEAN_BUF = {0};

	if (!cli_event_is_wanted(event, printer->filters))
		return 0;
	if (!printer->template) {
		print_line(event);
		return 0;
	}
	if (render(printer->template, event, &text, err) < 0)
		return -1;
	fwrite(text.data, 1, text.length, stdout);
	return 0;
}

static void flush(void *arg)
{
	fflush(stdout);
}

/* What no event has is said at once, not when the first one comes. */
static int make_template(const char *format, struct mvm_template **template, struct mvm_error **err)
{
	json_t *none MVM_CLEAN_JSON = json_object();
	const struct mvm_event empty = {.type = "", .action = "", .id = "", .attributes = none};
	struct mvm_buf text MVM_CLEAN_BUF = {0};

	if (!format || !*format)
		return 0;
	if (mvm_template_parse(!strcmp(format, "json") ? "{{json .}}" : format, template, err) < 0)
		return -1;
	return render(*template, &empty, &text, err);
}

static int watch(const struct values *values, const struct mvm_events_request *request, struct mvm_template *template,
		 struct mvm_error **err)
{
	struct printer printer = {.filters = &values->filters, .template = template};
	const struct mvm_event_sink sink = {.show = show, .flush = flush, .arg = &printer};
	struct mvm_engine *engine;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = mvm_engine_events(engine, request, &sink, err);
	mvm_engine_close(engine);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_template *template MVM_CLEAN_TEMPLATE = NULL;
	struct mvm_events_request request = {0};
	struct timespec since, until;

	/* Without a reader there is nothing left to do. */
	signal(SIGPIPE, SIG_DFL);
	if (make_template(values->format, &template, err) < 0 || cli_event_filters_check(&values->filters, err) < 0 ||
	    cli_parse_limit("since", values->since, &since, &request.since, err) < 0 ||
	    cli_parse_limit("until", values->until, &until, &request.until, err) < 0)
		return -1;
	return watch(values, &request, template, err);
}

const struct cli_command cli_events = {
	.name = "events",
	.names = {"system events", "events"},
	.usage = "[OPTIONS]",
	.summary = "Show what happens to containers and images, as it happens",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
