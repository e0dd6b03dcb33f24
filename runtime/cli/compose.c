#include "compose.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "commands.h"
#include "runtime/base/json.h"

/* Docker compose's. */
#define SECTION_WIDTH 20

struct cli_compose cli_compose_given;

#define AT(member) offsetof(struct cli_compose, member)

static const struct cli_option options[] = {
	{"all-resources", 0, CLI_FLAG, AT(all_resources), NULL,
	 "Include all resources, even those not used by services"},
	{"ansi", 0, CLI_STRING, AT(ansi), "WHEN",
	 "Control when to print ANSI control characters: never, always or auto", CLI_WORDS("always", "auto", "never")},
	{"env-file", 0, CLI_LIST, AT(env_files), "FILE", "Specify an alternate environment file",
	 .complete = cli_complete_files},
	{"file", 'f', CLI_LIST, AT(files), "FILE", "Compose configuration files; - is the standard input",
	 .complete = cli_complete_files},
	{"profile", 0, CLI_LIST, AT(profiles), "NAME", "Specify a profile to enable; * is all of them"},
	{"project-directory", 0, CLI_STRING, AT(project_directory), "FOLDER",
	 "Specify an alternate working directory (default: the path of the first compose file)",
	 .complete = cli_complete_files},
	{"project-name", 'p', CLI_STRING, AT(project_name), "NAME", "Project name"},
	CLI_OPTIONS_END,
};

static void complete_commands(struct cli_completion *completion)
{
	cli_offer_commands(completion, "compose");
}

const struct cli_command cli_compose_group = {
	.name = "compose",
	.usage = "[OPTIONS] COMMAND",
	.summary = "Define and run multi-container applications",
	.options = options,
	.max_args = SIZE_MAX,
	.options_first = true,
	.complete = complete_commands,
	.values_size = sizeof(struct cli_compose),
};

static void print_warning(void *arg, const char *text)
{
	fprintf(stderr, "WARNING: %s\n", text);
}

static void take_given(struct mvm_compose_options *load)
{
	load->files = &cli_compose_given.files;
	load->profiles = &cli_compose_given.profiles;
	load->env_files = &cli_compose_given.env_files;
	load->project_name = cli_compose_given.project_name;
	load->project_directory = cli_compose_given.project_directory;
	load->all_resources = cli_compose_given.all_resources;
}

int cli_compose_load(struct mvm_compose_options *load, struct mvm_compose **compose, struct mvm_error **err)
{
	take_given(load);
	load->warn = print_warning;
	return mvm_compose_load(load, compose, err);
}

static const char *name_of_environment(void)
{
	const char *name = getenv("COMPOSE_PROJECT_NAME");

	return name && *name ? name : NULL;
}

int cli_compose_name(char **name, struct mvm_error **err)
{
	const char *given = cli_compose_given.project_name;
	struct mvm_compose_options load = {.no_env_resolution = true};
	struct mvm_compose *compose MVM_CLEAN_COMPOSE = NULL;

	if (!given || !*given)
		given = name_of_environment();
	if (!given && cli_compose_load(&load, &compose, err) < 0)
		return -1;
	*name = mvm_strdup(given ? given : mvm_compose_name(compose));
	return 0;
}

int cli_compose_project_or_name(struct mvm_compose_options *load, struct mvm_compose **compose, char **name,
				struct mvm_error **err)
{
	const char *given = cli_compose_given.project_name;
	struct mvm_error *failure MVM_CLEAN_ERROR = NULL;

	*compose = NULL;
	if (given && *given && !cli_compose_given.files.count) {
		*name = mvm_strdup(given);
		return 0;
	}
	if (cli_compose_load(load, compose, &failure) == 0)
		*name = mvm_strdup(mvm_compose_name(*compose));
	else if (name_of_environment())
		*name = mvm_strdup(name_of_environment());
	else
		return mvm_error_move(err, &failure);
	return 0;
}

int cli_compose_fleet(struct mvm_engine *engine, const struct mvm_fleet_request *request, struct mvm_fleet *fleet,
		      struct mvm_error **err)
{
	if (mvm_fleet_load(mvm_engine_state(engine), request, fleet, err) < 0)
		return -1;
	for (size_t i = 0; i < fleet->damaged.count; i++)
		fprintf(stderr, "mvm: %s\n", fleet->damaged.items[i]);
	return 0;
}

int cli_compose_index(const char *text, int64_t *index, struct mvm_error **err)
{
	*index = 0;
	return cli_parse_number("index", text, index, err);
}

int cli_compose_with_one(const struct cli_compose_choice *choice, cli_compose_one_fn fn, void *context,
			 struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	char *name MVM_CLEAN_FREE = NULL, *services[] = {choice->service, NULL};
	struct mvm_fleet_request request = {.services = services, .oneoff = choice->oneoff, .all = choice->all};
	struct mvm_engine *engine;
	int64_t index;
	int result;

	if (cli_compose_index(choice->index, &index, err) < 0 || cli_compose_name(&name, err) < 0 ||
	    mvm_engine_open(&engine, err) < 0)
		return -1;
	request.project = name;
	result = mvm_fleet_pick(mvm_engine_state(engine), &request, index, &container, err);
	if (result == 0)
		result = fn(engine, container, context, err);
	mvm_engine_close(engine);
	return result;
}

int cli_compose_with_all(const struct mvm_fleet_request *wanted, cli_compose_all_fn fn, void *context,
			 struct mvm_error **err)
{
	struct mvm_fleet_request request = *wanted;
	struct mvm_fleet fleet MVM_CLEAN_FLEET = {0};
	char *name MVM_CLEAN_FREE = NULL;
	struct mvm_engine *engine;
	int result;

	if (cli_compose_name(&name, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	request.project = name;
	result = cli_compose_fleet(engine, &request, &fleet, err);
	if (result == 0)
		result = fn(engine, name, &fleet, context, err);
	mvm_engine_close(engine);
	return result;
}

int cli_compose_print_section(const struct cli_table *table, const char *format, struct mvm_error **err)
{
	struct cli_table wide = *table;
	json_t *rows MVM_CLEAN_JSON = NULL;
	char *text MVM_CLEAN_FREE = NULL;

	wide.min_width = SECTION_WIDTH;
	if (!format || !*format || !strcasecmp(format, "table") || !strcasecmp(format, "pretty"))
		return cli_table_print(&wide, NULL, err);
	if (strcasecmp(format, "json") != 0)
		return mvm_fail(err, MVM_ERR_INVALID, "format value \"%s\" could not be parsed: parsing failed",
				format);
	rows = cli_table_json(table);
	text = json_dumps(rows, JSON_COMPACT);
	puts(text);
	return 0;
}

int cli_compose_colors(bool *colors, struct mvm_error **err)
{
	const char *none = getenv("NO_COLOR"), *ansi = cli_compose_given.ansi;

	if (!ansi)
		ansi = getenv("COMPOSE_ANSI");
	if (!ansi || !*ansi)
		ansi = "auto";
	if (strcmp(ansi, "auto") != 0 && strcmp(ansi, "always") != 0 && strcmp(ansi, "never") != 0)
		return mvm_fail(err, MVM_ERR_USAGE, "unsupported --ansi value \"%s\"; use never, always or auto", ansi);
	*colors = strcmp(ansi, "auto") ? !strcmp(ansi, "always") : isatty(STDOUT_FILENO);
	if (none && *none)
		*colors = false;
	return 0;
}

void cli_complete_services(struct cli_completion *completion)
{
	struct mvm_compose_options load = {.no_env_resolution = true, .no_consistency = true};
	struct mvm_compose *compose MVM_CLEAN_COMPOSE = NULL;
	struct mvm_strv names MVM_CLEAN_STRV = {0};

	take_given(&load);
	if (mvm_compose_load(&load, &compose, NULL) < 0)
		return;
	mvm_compose_names(compose, "services", &names);
	for (size_t i = 0; i < names.count; i++)
		cli_offer(completion, names.items[i], NULL);
}
