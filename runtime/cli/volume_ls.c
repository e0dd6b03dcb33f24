#include "filter.h"

#include <stddef.h>
#include <string.h>

#include "runtime/base/text.h"
#include "volume.h"

struct values {
	bool quiet;
	const char *format;
	struct mvm_strv filters;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"filter", 'f', CLI_LIST, AT(filters), "FILTER", "name=, driver=, label= or dangling=",
	 CLI_WORDS("dangling=false", "dangling=true", "driver=disk", "driver=shared", "label=", "name=")},
	{"format", 0, CLI_STRING, AT(format), "FORMAT", CLI_FORMAT_HELP, CLI_WORDS("json", "table")},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Show names only"},
	CLI_OPTIONS_END,
};

/* Several of one kind: any will do; but labels are all wanted, as docker has it. */
static bool fits(const struct values *values, const char *key, const struct mvm_volume *volume,
		 bool (*one)(const struct mvm_volume *volume, const char *value))
{
	const char *value;
	bool any = false;
	size_t at = 0;

	while ((value = cli_filter_next(&values->filters, key, &at))) {
		any = true;
		if (one(volume, value))
			return true;
	}
	return !any;
}

static bool name_fits(const struct mvm_volume *volume, const char *value)
{
	return strstr(volume->name, value) != NULL;
}

static bool driver_fits(const struct mvm_volume *volume, const char *value)
{
	return !strcmp(volume->driver, value);
}

static bool is_true(const char *text)
{
	return !strcmp(text, "true") || !strcmp(text, "1");
}

static int check_dangling(const struct mvm_strv *filters, struct mvm_error **err)
{
	const char *value;
	size_t at = 0;

	while ((value = cli_filter_next(filters, "dangling", &at)))
		if (!is_true(value) && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
			return mvm_fail(err, MVM_ERR_USAGE, "invalid filter 'dangling=%s'", value);
	return 0;
}

/* 1: it is wanted. */
static int is_meant(struct mvm_engine *engine, const struct values *values, const struct mvm_volume *volume,
		    struct mvm_error **err)
{
	struct mvm_strv users MVM_CLEAN_STRV = {0};
	const char *value;
	size_t at = 0;

	while ((value = cli_filter_next(&values->filters, "label", &at)))
		if (!mvm_has_label(&volume->labels, value))
			return 0;
	if (!fits(values, "name", volume, name_fits) || !fits(values, "driver", volume, driver_fits))
		return 0;
	at = 0;
	value = cli_filter_next(&values->filters, "dangling", &at);
	if (!value)
		return 1;
	if (mvm_volume_users(mvm_engine_state(engine), volume->name, &users, err) < 0)
		return -1;
	return is_true(value) == !users.count;
}

static void add_row(struct cli_table *table, struct mvm_engine *engine, const struct mvm_volume *volume)
{
	mvm_strv_add(&table->cells, volume->driver);
	mvm_strv_add(&table->cells, volume->name);
	mvm_strv_add(&table->cells, "local");
	mvm_strv_take(&table->cells, cli_volume_mountpoint(engine, volume));
	mvm_strv_take(&table->cells, mvm_strv_join(&volume->labels, ","));
	/* Of these docker tells in `system df` only, or of a cluster. */
	for (int i = 0; i < 5; i++)
		mvm_strv_add(&table->cells, "N/A");
}

int cli_print_volumes(struct mvm_engine *engine, struct mvm_volume *const *volumes, size_t count, bool quiet,
		      const char *format, struct mvm_error **err)
{
	static const struct cli_column columns[] = {
		{"DRIVER", "Driver"},	    {"VOLUME NAME", "Name"},
		{"SCOPE", "Scope", true},   {"MOUNTPOINT", "Mountpoint", true},
		{"LABELS", "Labels", true}, {"LINKS", "Links", true},
		{"SIZE", "Size", true},	    {"AVAILABILITY", "Availability", true},
		{"GROUP", "Group", true},   {"STATUS", "Status", true},
	};
	const struct mvm_strv **labels MVM_CLEAN_FREE = mvm_alloc((count + 1) * sizeof(*labels));
	struct cli_table table = {
		.columns = columns, .column_count = MVM_COUNT(columns), .type = "volume", .labels = labels};
	int result = 0;

	for (size_t i = 0; i < count; i++) {
		labels[i] = &volumes[i]->labels;
		if (quiet)
			puts(volumes[i]->name);
		else
			add_row(&table, engine, volumes[i]);
	}
	if (!quiet)
		result = cli_table_print(&table, format, err);
	cli_table_finish(&table);
	return result;
}

static int list(struct mvm_engine *engine, const struct values *values, struct mvm_error **err)
{
	struct mvm_volume **volumes, **meant MVM_CLEAN_FREE = NULL;
	size_t count, meant_count = 0;
	int result = 0;

	if (mvm_volume_list(mvm_engine_state(engine), &volumes, &count, err) < 0)
		return -1;
	meant = mvm_alloc((count + 1) * sizeof(*meant));
	for (size_t i = 0; i < count && result >= 0; i++) {
		result = is_meant(engine, values, volumes[i], err);
		if (result > 0)
			meant[meant_count++] = volumes[i];
	}
	if (result >= 0)
		result = cli_print_volumes(engine, meant, meant_count, values->quiet, values->format, err);
	mvm_volume_list_free(volumes, count);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	static const char *const known[] = {"name", "driver", "label", "dangling", NULL};
	const struct values *values = given;
	struct mvm_engine *engine;
	int result;

	if (cli_check_format(values->format, err) < 0 || cli_filters_check(&values->filters, known, err) < 0 ||
	    check_dangling(&values->filters, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = list(engine, values, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_volume_ls = {
	.name = "volume ls",
	.names = {"volume ls", "volume list"},
	.usage = "[OPTIONS]",
	.summary = "List volumes",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
