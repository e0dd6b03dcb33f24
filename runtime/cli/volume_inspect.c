/*
 * `volume inspect`: docker's document of a volume.
 */
#include "inspect.h"

#include <stddef.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/text.h"
#include "volume.h"

struct values {
	const char *format;
};

static const struct cli_option options[] = {
	{"format", 'f', CLI_STRING, offsetof(struct values, format), "FORMAT", CLI_DOCUMENT_FORMAT_HELP,
	 CLI_WORDS("json")},
	CLI_OPTIONS_END,
};

char *cli_volume_mountpoint(struct mvm_engine *engine, const struct mvm_volume *volume)
{
	bool disk = !strcmp(volume->driver, MVM_VOLUME_DISK);
	const char *file = disk ? MVM_VOLUME_DISK_FILE : MVM_VOLUME_SHARED_FOLDER "/" MVM_VOLUME_DATA;

	return mvm_volume_path(mvm_engine_state(engine), volume->name, file);
}

/* NULL for none, as docker has it. */
static json_t *texts_json(const struct mvm_strv *texts)
{
	json_t *object = texts->count ? json_object() : json_null();

	for (size_t i = 0; i < texts->count; i++) {
		size_t key = strcspn(texts->items[i], "=");

		json_object_setn_new(object, texts->items[i], key, mvm_json_message(texts->items[i] + key + 1));
	}
	return object;
}

json_t *cli_describe_volume(struct mvm_engine *engine, const struct mvm_volume *volume)
{
	char created[MVM_TIME_LENGTH + 1];
	char *mountpoint MVM_CLEAN_FREE = cli_volume_mountpoint(engine, volume);

	mvm_format_time(&volume->created, created);
	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:s}", "CreatedAt", created, "Driver", volume->driver,
			 "Labels", texts_json(&volume->labels), "Mountpoint", mvm_json_message(mountpoint), "Name",
			 volume->name, "Options", texts_json(&volume->options), "Scope", "local");
}

static int inspect_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	struct mvm_volume *volume MVM_CLEAN_VOLUME = NULL;

	if (mvm_volume_load(mvm_engine_state(engine), arg, &volume, err) < 0)
		return -1;
	json_array_append_new(context, cli_describe_volume(engine, volume));
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
	printed = cli_print_documents(documents, values->format, err);
	return result < 0 ? result : printed;
}

const struct cli_command cli_volume_inspect = {
	.name = "volume inspect",
	.usage = "[OPTIONS] VOLUME [VOLUME...]",
	.summary = "Show all that is known of volumes",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_volumes,
	.values_size = sizeof(struct values),
	.run = run,
};
