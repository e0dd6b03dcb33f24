/*
 * `image inspect`: docker's document of an image, with names in full.
 */
#include "inspect.h"

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/json.h"

struct values {
	const char *format;
};

static const struct cli_option options[] = {
	{"format", 'f', CLI_STRING, offsetof(struct values, format), "FORMAT", CLI_DOCUMENT_FORMAT_HELP,
	 CLI_WORDS("json")},
	CLI_OPTIONS_END,
};

/* What the image's configuration says, or `otherwise`; the caller's. */
static json_t *text_of(const json_t *config, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(config, key));

	return text || otherwise ? json_string(text ? text : otherwise) : NULL;
}

static const char *last_comment(const json_t *config)
{
	const json_t *history = json_object_get(config, "history");
	size_t count = json_array_size(history);
	const char *comment =
		count ? json_string_value(json_object_get(json_array_get(history, count - 1), "comment")) : NULL;

	return comment ? comment : "";
}

static json_t *layers_of(const struct mvm_image *image)
{
	json_t *layers = json_array();

	for (size_t i = 0; i < mvm_image_layer_count(image); i++)
		json_array_append_new(layers, json_string(mvm_image_layer(image, i)->diff_id.text));
	return layers;
}

/* Fields that docker leaves out where they are empty. */
static void set_text(json_t *document, const char *key, json_t *text)
{
	if (text)
		json_object_set_new(document, key, text);
}

json_t *cli_describe_image(struct mvm_engine *engine, const struct mvm_image *image)
{
	const struct mvm_descriptor *manifest = mvm_image_manifest(image);
	const struct mvm_platform *platform = mvm_image_platform(image);
	const json_t *config = mvm_image_config_json(image);
	json_t *document = json_object(), *runtime = json_object_get(config, "config");

	json_object_set_new(document, "Id", json_string(mvm_image_id(image)->text));
	json_object_set_new(document, "RepoTags", mvm_json_from_strings(mvm_image_names(image)));
	json_object_set_new(document, "RepoDigests", mvm_json_from_strings(mvm_image_repo_digests(image)));
	json_object_set_new(document, "Parent", json_string(""));
	json_object_set_new(document, "Comment", json_string(last_comment(config)));
	set_text(document, "Created", text_of(config, "created", NULL));
	json_object_set_new(document, "DockerVersion", text_of(config, "docker_version", ""));
	json_object_set_new(document, "Author", text_of(config, "author", ""));
	json_object_set(document, "Config", runtime ? runtime : json_null());
	json_object_set_new(document, "Architecture", json_string(platform->architecture));
	set_text(document, "Variant", *platform->variant ? json_string(platform->variant) : NULL);
	json_object_set_new(document, "Os", json_string(platform->os));
	json_object_set_new(document, "Size", json_integer((json_int_t)mvm_engine_image_size(engine, image)));
	json_object_set_new(document, "RootFS", json_pack("{s:s, s:o}", "Type", "layers", "Layers", layers_of(image)));
	/* Docker's for an image that was never tagged by hand. */
	json_object_set_new(document, "Metadata", json_pack("{s:s}", "LastTagTime", "0001-01-01T00:00:00Z"));
	json_object_set_new(document, "Descriptor",
			    json_pack("{s:s, s:s, s:I}", "mediaType", manifest->media_type, "digest",
				      manifest->digest.text, "size", (json_int_t)manifest->size));
	return document;
}

static int inspect_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	struct mvm_store *store;

	if (mvm_engine_store(engine, &store, err) < 0 || mvm_store_find(store, arg, &image, err) < 0)
		return -1;
	json_array_append_new(context, cli_describe_image(engine, image));
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	json_t *documents MVM_CLEAN_JSON = json_array();
	int result, printed;

	if (cli_check_document_format(values->format, err) < 0)
		return -1;
	result = cli_for_each(args, inspect_one, documents, err);
	/* Those that there are, whatever became of the others. */
	printed = cli_print_documents(documents, values->format, err);
	return result < 0 ? result : printed;
}

const struct cli_command cli_image_inspect = {
	.name = "image inspect",
	.usage = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Display detailed information on one or more images",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_images,
	.values_size = sizeof(struct values),
	.run = run,
};
