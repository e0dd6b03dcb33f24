#include "compose.h"

#include <stddef.h>
#include <string.h>

#include "image/reference.h"

#include "runtime/base/io.h"

struct values {
	bool services, volumes, networks, profiles, images, environment, variables;
	bool resolve_digests, lock_digests;
	bool quiet, no_interpolate, no_normalize, no_path_resolution, no_consistency, no_env_resolution;
	const char *format, *hash, *output;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"environment", 0, CLI_FLAG, AT(environment), NULL, "Print environment used for interpolation"},
	{"format", 0, CLI_STRING, AT(format), "FORMAT", "Format the output: yaml (the default) or json",
	 CLI_WORDS("json", "yaml")},
	{"hash", 0, CLI_STRING, AT(hash), "SERVICES", "Print the service config hash, one per line; * is all services"},
	{"images", 0, CLI_FLAG, AT(images), NULL, "Print the image names, one per line"},
	{"lock-image-digests", 0, CLI_FLAG, AT(lock_digests), NULL, "Produce an override file with image digests"},
	{"networks", 0, CLI_FLAG, AT(networks), NULL, "Print the network names, one per line"},
	{"no-consistency", 0, CLI_FLAG, AT(no_consistency), NULL,
	 "Don't check model consistency - warning: may produce invalid Compose output"},
	{"no-env-resolution", 0, CLI_FLAG, AT(no_env_resolution), NULL, "Don't resolve service env files"},
	{"no-interpolate", 0, CLI_FLAG, AT(no_interpolate), NULL, "Don't interpolate environment variables"},
	{"no-normalize", 0, CLI_FLAG, AT(no_normalize), NULL, "Don't normalize compose model"},
	{"no-path-resolution", 0, CLI_FLAG, AT(no_path_resolution), NULL, "Don't resolve file paths"},
	{"output", 'o', CLI_STRING, AT(output), "FILE", "Save to file (default to stdout)",
	 .complete = cli_complete_files},
	{"profiles", 0, CLI_FLAG, AT(profiles), NULL, "Print the profile names, one per line"},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Only validate the configuration, don't print anything"},
	{"resolve-image-digests", 0, CLI_FLAG, AT(resolve_digests), NULL, "Pin image tags to digests"},
	{"services", 0, CLI_FLAG, AT(services), NULL, "Print the service names, one per line"},
	{"variables", 0, CLI_FLAG, AT(variables), NULL, "Print model variables and default values"},
	{"volumes", 0, CLI_FLAG, AT(volumes), NULL, "Print the volume names, one per line"},
	CLI_OPTIONS_END,
};

static int check_format(const struct values *values, enum mvm_compose_format *format, struct mvm_error **err)
{
	*format = MVM_COMPOSE_YAML;
	if (!values->format || !strcmp(values->format, "yaml"))
		return 0;
	if (strcmp(values->format, "json") != 0)
		return mvm_fail(err, MVM_ERR_USAGE, "unsupported format \"%s\"; use yaml or json", values->format);
	*format = MVM_COMPOSE_JSON;
	return 0;
}

static int add_hash(struct mvm_compose *compose, const char *service, struct mvm_strv *lines, struct mvm_error **err)
{
	char hash[65];

	if (mvm_compose_hash(compose, service, hash, err) < 0)
		return -1;
	mvm_strv_addf(lines, "%s %s", service, hash);
	return 0;
}

/* Of all services, or of those between commas. */
static int add_hashes(struct mvm_compose *compose, const char *wanted, struct mvm_strv *lines, struct mvm_error **err)
{
	char *copy MVM_CLEAN_FREE = mvm_strdup(wanted), *rest = copy, *name;
	struct mvm_strv names MVM_CLEAN_STRV = {0};

	if (!strcmp(wanted, "*"))
		mvm_compose_names(compose, "services", &names);
	while (strcmp(wanted, "*") != 0 && (name = strsep(&rest, ",")))
		mvm_strv_add(&names, name);
	for (size_t i = 0; i < names.count; i++)
		if (add_hash(compose, names.items[i], lines, err) < 0)
			return -1;
	return 0;
}

/* One of the lists. 1: none was asked for. */
static int add_lines(const struct values *values, struct mvm_compose *compose, struct mvm_strv *lines,
		     struct mvm_error **err)
{
	const struct mvm_strv *environment = mvm_compose_environment(compose);

	if (values->services)
		mvm_compose_names(compose, "services", lines);
	else if (values->volumes)
		mvm_compose_names(compose, "volumes", lines);
	else if (values->networks)
		mvm_compose_names(compose, "networks", lines);
	else if (values->hash)
		return add_hashes(compose, values->hash, lines, err);
	else if (values->profiles)
		mvm_compose_profiles(compose, lines);
	else if (values->images)
		mvm_compose_images(compose, lines);
	else if (values->environment)
		for (size_t i = 0; i < environment->count; i++)
			mvm_strv_add(lines, environment->items[i]);
	else
		return 1;
	return 0;
}

static int print_variables(const struct mvm_compose *compose, const char *format, struct mvm_error **err)
{
	static const struct cli_column columns[] = {{"NAME", "Name"},
						    {"REQUIRED", "Required", false, true},
						    {"DEFAULT VALUE", "DefaultValue"},
						    {"ALTERNATE VALUE", "PresenceValue"}};
	struct cli_table table = {.columns = columns, .column_count = MVM_COUNT(columns), .as_listed = true};
	int result;

	mvm_compose_variables(compose, &table.cells);
	result = cli_compose_print_section(&table, format, err);
	cli_table_finish(&table);
	return result;
}

/* What has a digest already stays; a tag stays with its digest. */
static int resolve_image(void *arg, const char *image, char **resolved, struct mvm_error **err)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	char *full MVM_CLEAN_FREE = NULL;
	struct mvm_digest digest;

	if (mvm_reference_parse(image, &reference, err) < 0)
		return -1;
	full = mvm_reference_full(&reference);
	if (reference.tag && mvm_engine_remote_digest(arg, &reference, &digest, err) < 0)
		return mvm_error_wrap(err, "cannot resolve the image %s", image);
	*resolved = reference.tag ? mvm_format("%s@%s", full, digest.text) : mvm_strdup(full);
	return 0;
}

static int resolve_digests(const struct values *values, struct mvm_compose *compose, struct mvm_error **err)
{
	struct mvm_engine *engine;
	int result;

	if (!values->resolve_digests && !values->lock_digests)
		return 0;
	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = mvm_compose_resolve_images(compose, resolve_image, engine, err);
	mvm_engine_close(engine);
	if (result == 0 && values->lock_digests)
		mvm_compose_keep_images(compose);
	return result;
}

static int write_text(void *arg, int fd, struct mvm_error **err)
{
	const struct mvm_buf *text = arg;

	if (mvm_write_full(fd, text->data, text->length) < 0)
		return mvm_fail(err, MVM_ERR_IO, "cannot write the configuration");
	return 0;
}

static int print(const struct values *values, const struct mvm_buf *text, struct mvm_error **err)
{
	if (values->quiet)
		return 0;
	if (values->output)
		return cli_write_output(values->output, write_text, (void *)text, err);
	fwrite(text->data, 1, text->length, stdout);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_compose_options load = {
		.services = args,
		.no_interpolate = values->no_interpolate || values->variables,
		.no_normalize = values->no_normalize,
		.no_path_resolution = values->no_path_resolution,
		.no_consistency = values->no_consistency,
		.no_env_resolution =
			values->no_env_resolution || values->services || values->volumes || values->networks,
	};
	struct mvm_compose *compose MVM_CLEAN_COMPOSE = NULL;
	struct mvm_strv lines MVM_CLEAN_STRV = {0};
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	enum mvm_compose_format format = MVM_COMPOSE_YAML;
	int result;

	if ((!values->variables && check_format(values, &format, err) < 0) ||
	    cli_compose_load(&load, &compose, err) < 0)
		return -1;
	if (values->variables)
		return print_variables(compose, values->format, err);
	result = add_lines(values, compose, &lines, err);
	if (result < 0)
		return -1;
	for (size_t i = 0; i < lines.count; i++)
		mvm_buf_addf(&text, "%s\n", lines.items[i]);
	if (result == 1 && resolve_digests(values, compose, err) < 0)
		return -1;
	if (result == 1)
		mvm_compose_print(compose, format, &text);
	if (text.length && text.data[text.length - 1] != '\n')
		mvm_buf_add(&text, "\n", 1);
	return print(values, &text, err);
}

const struct cli_command cli_compose_config = {
	.name = "compose config",
	.names = {"compose config", "compose convert"},
	.usage = "[OPTIONS] [SERVICE...]",
	.summary = "Parse, resolve and render compose file in canonical format",
	.options = options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.run = run,
};
