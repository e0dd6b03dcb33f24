/* index.json of the content store, read into entries and written back. */
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "store_internal.h"

#define MAX_INDEX (64 << 20)

static const char *annotation(const json_t *entry, const char *key)
{
	return json_string_value(json_object_get(json_object_get(entry, "annotations"), key));
}

/* Other tools put any text there; "alpine" of theirs is docker.io/library/alpine:latest. */
static char *full_name(const json_t *entry)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	const char *text = annotation(entry, MVM_ANNOTATION_NAME);

	if (!text || mvm_reference_parse(text, &reference, NULL) < 0)
		return NULL;
	return mvm_reference_full(&reference);
}

static struct mvm_entry *grow(struct mvm_entries *entries)
{
	entries->items = mvm_realloc(entries->items, entries->count + 1, sizeof(*entries->items));
	entries->items[entries->count] = (struct mvm_entry){0};
	return &entries->items[entries->count++];
}

static int read_entries(json_t *list, struct mvm_entries *entries, struct mvm_error **err)
{
	json_t *value;
	size_t i;

	json_array_foreach(list, i, value)
	{
		struct mvm_entry *entry = grow(entries);

		if (mvm_descriptor_parse(value, &entry->descriptor, err) < 0)
			return mvm_error_wrap(err, "entry %zu", i + 1);
		entry->name = full_name(value);
		entry->source = mvm_strdup(annotation(value, MVM_ANNOTATION_SOURCE));
		entry->json = json_incref(value);
	}
	return 0;
}

int mvm_entries_load(const struct mvm_store *store, struct mvm_entries *out, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/index.json", store->folder);
	struct mvm_entries entries MVM_CLEAN_ENTRIES = {0};
	json_t *root MVM_CLEAN_JSON = NULL;
	json_t *list;

	if (mvm_json_load(path, MAX_INDEX, &root, err) < 0)
		return -1;
	list = json_object_get(root, "manifests");
	if (!json_is_array(list))
		return mvm_fail(err, MVM_ERR_INVALID,
				"%s is no index of images; move the folder away and pull the images again", path);
	if (read_entries(list, &entries, err) < 0)
		return mvm_error_wrap(err, "%s", path);
	*out = entries;
	entries = (struct mvm_entries){0};
	return 0;
}

int mvm_entries_save(const struct mvm_store *store, const struct mvm_entries *entries, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/index.json", store->folder);
	json_t *list = json_array();
	json_t *root MVM_CLEAN_JSON =
		json_pack("{s:i, s:s, s:o}", "schemaVersion", 2, "mediaType", MVM_MEDIA_OCI_INDEX, "manifests", list);

	for (size_t i = 0; i < entries->count; i++)
		json_array_append(list, entries->items[i].json);
	return mvm_json_save(path, root, err);
}

static void entry_finish(struct mvm_entry *entry)
{
	mvm_descriptor_finish(&entry->descriptor);
	free(entry->name);
	free(entry->source);
	json_decref(entry->json);
}

void mvm_entries_finish(struct mvm_entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		entry_finish(&entries->items[i]);
	free(entries->items);
	*entries = (struct mvm_entries){0};
}

void mvm_entries_remove(struct mvm_entries *entries, size_t index)
{
	entry_finish(&entries->items[index]);
	entries->count--;
	memmove(&entries->items[index], &entries->items[index + 1], (entries->count - index) * sizeof(*entries->items));
}

static json_t *platform_json(const struct mvm_platform *platform)
{
	json_t *value = json_pack("{s:s, s:s}", "architecture", platform->architecture, "os", platform->os);

	if (*platform->variant)
		json_object_set_new(value, "variant", json_string(platform->variant));
	return value;
}

static void annotate(json_t *annotations, const char *key, const char *value)
{
	if (value)
		json_object_set_new(annotations, key, json_string(value));
}

void mvm_entries_add(struct mvm_entries *entries, const struct mvm_descriptor *descriptor,
		     const struct mvm_platform *platform, const char *name, const char *source)
{
	struct mvm_entry *entry = grow(entries);
	json_t *annotations = json_object();

	entry->descriptor = *descriptor;
	entry->descriptor.media_type = mvm_strdup(descriptor->media_type);
	entry->name = mvm_strdup(name);
	entry->source = mvm_strdup(source);
	annotate(annotations, MVM_ANNOTATION_NAME, name);
	annotate(annotations, MVM_ANNOTATION_DOCKER, name);
	annotate(annotations, MVM_ANNOTATION_SOURCE, source);
	entry->json = json_pack("{s:s, s:s, s:I, s:o, s:o}", "mediaType", descriptor->media_type, "digest",
				descriptor->digest.text, "size", (json_int_t)descriptor->size, "platform",
				platform_json(platform), "annotations", annotations);
}

static void set_annotation(json_t *entry, const char *key, const char *value)
{
	json_t *annotations = json_object_get(entry, "annotations");

	if (!json_is_object(annotations)) {
		annotations = json_object();
		json_object_set_new(entry, "annotations", annotations);
	}
	json_object_del(annotations, key);
	annotate(annotations, key, value);
}

void mvm_entry_set_name(struct mvm_entry *entry, const char *name)
{
	char *copy = mvm_strdup(name);

	free(entry->name);
	entry->name = copy;
	set_annotation(entry->json, MVM_ANNOTATION_NAME, name);
	set_annotation(entry->json, MVM_ANNOTATION_DOCKER, name);
}

void mvm_entry_set_source(struct mvm_entry *entry, const char *source)
{
	char *copy = mvm_strdup(source);

	free(entry->source);
	entry->source = copy;
	set_annotation(entry->json, MVM_ANNOTATION_SOURCE, source);
}
