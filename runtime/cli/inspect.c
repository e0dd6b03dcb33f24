/*
 * `inspect`: docker's documents of containers and images, whichever a name is of.
 */
#include "inspect.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "image/reference.h"
#include "runtime/base/json.h"
#include "runtime/template/template.h"

struct values {
	const char *format, *type;
	bool size;
};

#define AT(member) offsetof(struct values, member)
#define FORMAT_OPTION                                                                                                  \
	{                                                                                                              \
		"format", 'f', CLI_STRING, AT(format), "FORMAT", CLI_DOCUMENT_FORMAT_HELP                              \
	}
#define SIZE_OPTION                                                                                                    \
	{                                                                                                              \
		"size", 's', CLI_FLAG, AT(size), NULL, "Show sizes too, where it is a container"                       \
	}

static const struct cli_option options[] = {
	FORMAT_OPTION,
	SIZE_OPTION,
	{"type", 0, CLI_STRING, AT(type), "TYPE",
	 "container, image, network or volume (default: the first that has the name)",
	 CLI_WORDS("container", "image", "network", "volume")},
	CLI_OPTIONS_END,
};

static const struct cli_option container_options[] = {FORMAT_OPTION, SIZE_OPTION, CLI_OPTIONS_END};

static bool is_template(const char *format)
{
	return format && *format && strcmp(format, "json") != 0;
}

int cli_check_document_format(const char *format, struct mvm_error **err)
{
	struct mvm_template *template MVM_CLEAN_TEMPLATE = NULL;

	return is_template(format) ? mvm_template_parse(format, &template, err) : 0;
}

/* What fails for one document is said, and the others are printed. */
static int print_each(const json_t *documents, const char *format, struct mvm_error **err)
{
	int result = 0;

	for (size_t i = 0; i < json_array_size(documents); i++) {
		struct mvm_error *local = NULL;

		if (cli_print_value(json_array_get(documents, i), NULL, format, &local) == 0)
			continue;
		if (*err)
			cli_print_error(*err);
		mvm_error_clear(err);
		*err = local;
		result = -1;
	}
	/* Docker's. */
	if (!json_array_size(documents))
		putchar('\n');
	return result;
}

int cli_print_documents(const json_t *documents, const char *format, struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = NULL;

	if (is_template(format))
		return print_each(documents, format, err);
	text = json_dumps(documents, format && *format ? JSON_COMPACT : JSON_INDENT(4));
	puts(text);
	return 0;
}

/* What is looked for, and what was found. */
struct search {
	const struct values *values;
	bool containers, images, networks, volumes;
	json_t *documents;
};

/* 1: there is none. */
static int find_container(struct mvm_engine *engine, const char *name, const struct search *search,
			  struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (mvm_state_find(mvm_engine_state(engine), name, &container, &cause) < 0) {
		if (mvm_error_code(cause) == MVM_ERR_NOT_FOUND &&
		    (search->images || search->networks || search->volumes))
			return 1;
		return mvm_error_move(err, &cause);
	}
	json_array_append_new(search->documents, cli_describe_container(engine, container, search->values->size));
	return 0;
}

/* 1: there is none. */
static int find_image(struct mvm_engine *engine, const char *name, const struct search *search, struct mvm_error **err)
{
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	struct mvm_store *store;

	if (mvm_engine_store(engine, &store, err) < 0)
		return -1;
	if (mvm_store_find(store, name, &image, &cause) < 0) {
		/* What cannot be an image's name is no object either. */
		bool none =
			mvm_error_code(cause) == MVM_ERR_NOT_FOUND || mvm_reference_parse(name, &reference, NULL) < 0;

		return none && (search->networks || search->volumes) ? 1 : mvm_error_move(err, &cause);
	}
	json_array_append_new(search->documents, cli_describe_image(engine, image));
	return 0;
}

/* 1: there is none. */
static int find_network(struct mvm_engine *engine, const char *name, const struct search *search,
			struct mvm_error **err)
{
	struct mvm_network *network MVM_CLEAN_NETWORK = NULL;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	json_t *document;

	if (mvm_engine_default_network(engine, err) < 0)
		return -1;
	if (mvm_network_find(mvm_engine_state(engine), name, &network, &cause) < 0) {
		if (mvm_error_code(cause) == MVM_ERR_NOT_FOUND && search->volumes)
			return 1;
		return mvm_error_move(err, &cause);
	}
	document = cli_describe_network(engine, network, err);
	if (!document)
		return -1;
	json_array_append_new(search->documents, document);
	return 0;
}

static int find_volume(struct mvm_engine *engine, const char *name, const struct search *search, struct mvm_error **err)
{
	struct mvm_volume *volume MVM_CLEAN_VOLUME = NULL;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (mvm_volume_load(mvm_engine_state(engine), name, &volume, &cause) < 0) {
		if (mvm_error_code(cause) != MVM_ERR_NOT_FOUND || !search->containers)
			return mvm_error_move(err, &cause);
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "No such object: %.200s", name);
	}
	json_array_append_new(search->documents, cli_describe_volume(engine, volume));
	return 0;
}

static int inspect_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	const struct search *search = context;
	int result = search->containers ? find_container(engine, arg, search, err) : 1;

	if (result == 1 && search->images)
		result = find_image(engine, arg, search, err);
	if (result == 1 && search->networks)
		result = find_network(engine, arg, search, err);
	return result == 1 ? find_volume(engine, arg, search, err) : result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	json_t *documents MVM_CLEAN_JSON = json_array();
	struct search search = {.values = values, .documents = documents};
	int result, printed;

	search.containers = !values->type || !strcmp(values->type, "container");
	search.images = !values->type || !strcmp(values->type, "image");
	search.networks = !values->type || !strcmp(values->type, "network");
	search.volumes = !values->type || !strcmp(values->type, "volume");
	if (!search.containers && !search.images && !search.networks && !search.volumes)
		return mvm_fail(err, MVM_ERR_INVALID,
				"'%s' is not a valid value for --type; use container, image, network or volume",
				values->type);
	if (cli_check_document_format(values->format, err) < 0)
		return -1;
	result = cli_for_each(args, inspect_one, &search, err);
	/* Those that there are, whatever became of the others. */
	printed = cli_print_documents(documents, values->format, err);
	return result < 0 ? result : printed;
}

const struct cli_command cli_inspect = {
	.name = "inspect",
	.usage = "[OPTIONS] NAME|ID [NAME|ID...]",
	.summary = "Show all that is known of containers, images, networks or volumes",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_objects,
	.values_size = sizeof(struct values),
	.run = run,
};

static const struct values of_containers = {.type = "container"};

const struct cli_command cli_container_inspect = {
	.name = "container inspect",
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Show all that is known of containers",
	.options = container_options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_containers,
	.values_size = sizeof(struct values),
	.defaults = &of_containers,
	.run = run,
};
