#include "filter.h"

#include <stddef.h>
#include <string.h>

#include "runtime/base/text.h"

struct values {
	bool quiet, no_trunc;
	const char *format;
	struct mvm_strv filters;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"filter", 'f', CLI_LIST, AT(filters), "FILTER", "name=, id=, driver=, label=, dangling= or type=",
	 CLI_WORDS("dangling=false", "dangling=true", "driver=bridge", "id=", "label=", "name=", "type=builtin",
		   "type=custom")},
	{"format", 0, CLI_STRING, AT(format), "FORMAT", CLI_FORMAT_HELP, CLI_WORDS("json", "table")},
	{"no-trunc", 0, CLI_FLAG, AT(no_trunc), NULL, "Show IDs in full"},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Show IDs only"},
	CLI_OPTIONS_END,
};

static bool is_builtin(const struct mvm_network *network)
{
	return !strcmp(network->name, MVM_NETWORK_DEFAULT);
}

/* Several of one kind: any will do; but labels are all wanted, as docker has it. */
static bool fits(const struct values *values, const char *key, const struct mvm_network *network,
		 bool (*one)(const struct mvm_network *network, const char *value))
{
	const char *value;
	bool any = false;
	size_t at = 0;

	while ((value = cli_filter_next(&values->filters, key, &at))) {
		any = true;
		if (one(network, value))
			return true;
	}
	return !any;
}

static bool name_fits(const struct mvm_network *network, const char *value)
{
	return strstr(network->name, value) != NULL;
}

static bool id_fits(const struct mvm_network *network, const char *value)
{
	return strstr(network->id, value) != NULL;
}

static bool driver_fits(const struct mvm_network *network, const char *value)
{
	return !strcmp(value, "bridge");
}

static bool type_fits(const struct mvm_network *network, const char *value)
{
	return !strcmp(value, is_builtin(network) ? "builtin" : "custom");
}

static bool is_meant(const struct values *values, const struct mvm_network *network)
{
	const char *value;

	for (size_t at = 0; (value = cli_filter_next(&values->filters, "label", &at));)
		if (!mvm_has_label(&network->labels, value))
			return false;
	return fits(values, "name", network, name_fits) && fits(values, "id", network, id_fits) &&
	       fits(values, "driver", network, driver_fits) && fits(values, "type", network, type_fits);
}

static char *id_text(const struct mvm_network *network, bool no_trunc)
{
	return no_trunc ? mvm_strdup(network->id) : mvm_strndup(network->id, MVM_SHORT_ID_LENGTH);
}

static void add_row(struct cli_table *table, const struct mvm_network *network, const struct values *values)
{
	mvm_strv_take(&table->cells, id_text(network, values->no_trunc));
	mvm_strv_add(&table->cells, network->name);
	mvm_strv_add(&table->cells, "bridge");
	mvm_strv_add(&table->cells, "local");
	mvm_strv_add(&table->cells, network->subnet6 ? "true" : "false");
	mvm_strv_add(&table->cells, network->internal ? "true" : "false");
	mvm_strv_take(&table->cells, mvm_strv_join(&network->labels, ","));
	mvm_strv_take(&table->cells, cli_moment_text(network->created.tv_sec));
	mvm_strv_add(&table->cells, network->subnet);
}

static int print(struct mvm_network **list, size_t count, const struct values *values, struct mvm_error **err)
{
	static const struct cli_column columns[] = {
		{"NETWORK ID", "ID"},	    {"NAME", "Name"},
		{"DRIVER", "Driver"},	    {"SCOPE", "Scope"},
		{"IPV6", "IPv6", true},	    {"INTERNAL", "Internal", true},
		{"LABELS", "Labels", true}, {"CREATED AT", "CreatedAt", true},
		{"SUBNET", "Subnet", true},
	};
	const struct mvm_strv **labels MVM_CLEAN_FREE = mvm_alloc((count + 1) * sizeof(*labels));
	struct cli_table table = {
		.columns = columns, .column_count = MVM_COUNT(columns), .type = "network", .labels = labels};
	size_t rows = 0;
	int result = 0;

	for (size_t i = 0; i < count; i++) {
		char *id MVM_CLEAN_FREE = id_text(list[i], values->no_trunc);

		if (!is_meant(values, list[i]))
			continue;
		if (values->quiet) {
			puts(id);
			continue;
		}
		add_row(&table, list[i], values);
		labels[rows++] = &list[i]->labels;
	}
	if (!values->quiet)
		result = cli_table_print(&table, values->format, err);
	cli_table_finish(&table);
	return result;
}

static int list(struct mvm_engine *engine, const struct values *values, struct mvm_error **err)
{
	struct mvm_network **networks;
	size_t count;
	int result;

	if (mvm_engine_default_network(engine, err) < 0 ||
	    mvm_network_list(mvm_engine_state(engine), &networks, &count, err) < 0)
		return -1;
	result = print(networks, count, values, err);
	mvm_network_list_free(networks, count);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	static const char *const known[] = {"name", "id", "driver", "label", "type", NULL};
	const struct values *values = given;
	struct mvm_engine *engine;
	int result;

	if (cli_check_format(values->format, err) < 0 || cli_filters_check(&values->filters, known, err) < 0 ||
	    mvm_engine_open(&engine, err) < 0)
		return -1;
	result = list(engine, values, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_network_ls = {
	.name = "network ls",
	.names = {"network ls", "network list"},
	.usage = "[OPTIONS]",
	.summary = "List networks",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
