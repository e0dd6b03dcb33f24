/*
 * `compose ls`: the projects that containers say they are of.
 */
#include "compose.h"

#include <jansson.h>
#include <regex.h>
#include <stddef.h>
#include <string.h>

#include "filter.h"
#include "runtime/base/json.h"

struct values {
	bool all, quiet;
	const char *format;
	struct mvm_strv filters;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"all", 'a', CLI_FLAG, AT(all), NULL, "Show all stopped Compose projects"},
	{"filter", 0, CLI_LIST, AT(filters), "FILTER", "name=", CLI_WORDS("name=")},
	{"format", 0, CLI_STRING, AT(format), "FORMAT", "table (the default) or json", CLI_WORDS("json", "table")},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Only display project names"},
	CLI_OPTIONS_END,
};

static const char *project_of(const struct mvm_container *container)
{
	return mvm_label_value(&container->config.labels, MVM_LABEL_PROJECT);
}

/* As a regular expression somewhere in it, or as it is written. */
static bool name_fits(const char *name, const struct mvm_strv *filters)
{
	const char *value;
	bool any = false;
	size_t at = 0;

	while ((value = cli_filter_next(filters, "name", &at))) {
		regex_t pattern;
		bool found = !strcmp(value, name);

		any = true;
		if (!found && regcomp(&pattern, value, REG_EXTENDED | REG_NOSUB) == 0) {
			found = regexec(&pattern, name, 0, NULL, 0) == 0;
			regfree(&pattern);
		}
		if (found)
			return true;
	}
	return !any;
}

/* "exited(1), running(2)" */
static char *status_of(const struct mvm_fleet *fleet, const char *project)
{
	static const char *const states[] = {"created", "exited", "paused", "restarting", "running"};
	struct mvm_strv parts MVM_CLEAN_STRV = {0};

	for (size_t i = 0; i < MVM_COUNT(states); i++) {
		size_t count = 0;

		for (size_t j = 0; j < fleet->count; j++)
			count += !strcmp(project_of(fleet->items[j]), project) &&
				 !strcmp(cli_state_text(fleet->items[j]), states[i]);
		if (count)
			mvm_strv_addf(&parts, "%s(%zu)", states[i], count);
	}
	return mvm_strv_join(&parts, ", ");
}

static void add_once(struct mvm_strv *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i], text))
			return;
	mvm_strv_add(list, text);
}

/* Of all its containers, each once. */
static char *files_of(const struct mvm_fleet *fleet, const char *project)
{
	struct mvm_strv files MVM_CLEAN_STRV = {0};

	for (size_t i = 0; i < fleet->count; i++) {
		const char *label = mvm_label_value(&fleet->items[i]->config.labels, MVM_LABEL_CONFIG_FILES);
		char *copy MVM_CLEAN_FREE = mvm_strdup(label ? label : ""), *rest = copy, *file;

		if (strcmp(project_of(fleet->items[i]), project) != 0)
			continue;
		if (!label)
			return mvm_strdup("N/A");
		while ((file = strsep(&rest, ",")))
			add_once(&files, file);
	}
	return mvm_strv_join(&files, ",");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void list_projects(const struct mvm_fleet *fleet, const struct mvm_strv *filters, struct mvm_strv *projects)
{
	for (size_t i = 0; i < fleet->count; i++)
		if (name_fits(project_of(fleet->items[i]), filters))
			add_once(projects, project_of(fleet->items[i]));
	if (projects->count)
		qsort(projects->items, projects->count, sizeof(*projects->items), by_text);
}

static int print(const struct mvm_fleet *fleet, const struct mvm_strv *projects, const char *format,
		 struct mvm_error **err)
{
	static const struct cli_column columns[] = {
		{"NAME", "Name"}, {"STATUS", "Status"}, {"CONFIG FILES", "ConfigFiles"}};
	struct cli_table table = {.columns = columns, .column_count = MVM_COUNT(columns), .as_listed = true};
	int result;

	for (size_t i = 0; i < projects->count; i++) {
		mvm_strv_add(&table.cells, projects->items[i]);
		mvm_strv_take(&table.cells, status_of(fleet, projects->items[i]));
		mvm_strv_take(&table.cells, files_of(fleet, projects->items[i]));
	}
	result = cli_compose_print_section(&table, format, err);
	cli_table_finish(&table);
	return result;
}

static int list(struct mvm_engine *engine, const struct values *values, struct mvm_error **err)
{
	const struct mvm_fleet_request request = {.oneoff = MVM_ONEOFF_INCLUDE, .all = values->all};
	struct mvm_fleet fleet MVM_CLEAN_FLEET = {0};
	struct mvm_strv projects MVM_CLEAN_STRV = {0};

	if (cli_compose_fleet(engine, &request, &fleet, err) < 0)
		return -1;
	list_projects(&fleet, &values->filters, &projects);
	if (!values->quiet)
		return print(&fleet, &projects, values->format, err);
	for (size_t i = 0; i < projects.count; i++)
		puts(projects.items[i]);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	static const char *const known[] = {"name", NULL};
	const struct values *values = given;
	struct mvm_engine *engine;
	int result;

	if (cli_filters_check(&values->filters, known, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = list(engine, values, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_compose_ls = {
	.name = "compose ls",
	.usage = "[OPTIONS]",
	.summary = "List running compose projects",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
