#include "json.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "io.h"
#include "mem.h"

#define MAX_DEPTH 64
/* Each object or array costs a hundred bytes and more, "{}" two to write. */
#define MAX_CONTAINERS (256 * 1024)

/* jansson's own limit (2048) is fixed when it is built; ours are checked before it recurses and allocates. */
static int check_shape(const char *data, size_t length, const char *what, struct mvm_error **err)
{
	bool in_string = false;
	int depth = 0, containers = 0;

	for (size_t i = 0; i < length; i++) {
		char c = data[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > MAX_DEPTH)
				return mvm_fail(err, MVM_ERR_INVALID, "%s: nested deeper than %d levels", what,
						MAX_DEPTH);
			if (++containers > MAX_CONTAINERS)
				return mvm_fail(err, MVM_ERR_INVALID, "%s: more than %d objects and lists", what,
						MAX_CONTAINERS);
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return 0;
}

int mvm_json_parse(const char *data, size_t length, const char *what, json_t **value, struct mvm_error **err)
{
	json_error_t error;
	json_t *parsed;

	if (check_shape(data, length, what, err) < 0)
		return -1;
	parsed = json_loadb(data, length, JSON_REJECT_DUPLICATES, &error);
	if (!parsed)
		return mvm_fail(err, MVM_ERR_INVALID, "%s: line %d, column %d: %s", what, error.line, error.column,
				error.text);
	*value = parsed;
	return 0;
}

int mvm_json_load(const char *path, size_t max, json_t **value, struct mvm_error **err)
{
	char *data MVM_CLEAN_FREE = NULL;
	size_t length;

	if (mvm_read_file(path, max, &data, &length, err) < 0)
		return -1;
	return mvm_json_parse(data, length, path, value, err);
}

int mvm_json_save(const char *path, const json_t *value, struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = json_dumps(value, JSON_INDENT(2));

	if (!text)
		return mvm_fail(err, MVM_ERR_INTERNAL, "%s: a value that JSON cannot hold", path);
	return mvm_replace_file(path, text, strlen(text), 0600, err);
}

static int wrong_type(const char *key, const char *wanted, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_INVALID, "\"%s\" is not %s", key, wanted);
}

int mvm_json_get_string(const json_t *object, const char *key, const char *fallback, const char **value,
			struct mvm_error **err)
{
	const json_t *field = json_object_get(object, key);

	if (field && !json_is_null(field) && !json_is_string(field))
		return wrong_type(key, "a string", err);
	*value = json_is_string(field) ? json_string_value(field) : fallback;
	return 0;
}

int mvm_json_get_int(const json_t *object, const char *key, int64_t fallback, int64_t *value, struct mvm_error **err)
{
	const json_t *field = json_object_get(object, key);

	if (field && !json_is_null(field) && !json_is_integer(field))
		return wrong_type(key, "a whole number", err);
	*value = json_is_integer(field) ? json_integer_value(field) : fallback;
	return 0;
}

int mvm_json_get_bool(const json_t *object, const char *key, bool fallback, bool *value, struct mvm_error **err)
{
	const json_t *field = json_object_get(object, key);

	if (field && !json_is_null(field) && !json_is_boolean(field))
		return wrong_type(key, "true or false", err);
	*value = json_is_boolean(field) ? json_is_true(field) : fallback;
	return 0;
}

int mvm_json_get_strings(const json_t *object, const char *key, struct mvm_strv *values, struct mvm_error **err)
{
	const json_t *field = json_object_get(object, key);
	json_t *item;
	size_t i;

	if (!field || json_is_null(field))
		return 0;
	if (!json_is_array(field))
		return wrong_type(key, "a list of strings", err);
	json_array_foreach(field, i, item)
	{
		if (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item))
			return wrong_type(key, "a list of strings", err);
		mvm_strv_add(values, json_string_value(item));
	}
	return 0;
}

json_t *mvm_json_from_strings(const struct mvm_strv *values)
{
	json_t *array = json_array();

	for (size_t i = 0; i < values->count; i++) {
		if (json_array_append_new(array, json_string(values->items[i])) == 0)
			continue;
		json_decref(array);
		return NULL;
	}
	return array;
}

/* The length of the character that `text` starts with, by jansson's own rules; 0 where it is not UTF-8. */
static size_t character_length(const char *text, size_t left)
{
	for (size_t length = 1; length <= 4 && length <= left; length++) {
		json_t *character = json_stringn(text, length);

		json_decref(character);
		if (character)
			return length;
	}
	return 0;
}

json_t *mvm_json_message(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	struct mvm_buf clean MVM_CLEAN_BUF = {0};
	json_t *value = json_string(text);

	if (value)
		return value;
	for (size_t left = strlen(text); left;) {
		size_t length = character_length(text, left);

		if (length)
			mvm_buf_add(&clean, text, length);
		else
			mvm_buf_add(&clean, replacement, strlen(replacement));
		text += length ? length : 1;
		left -= length ? length : 1;
	}
	return json_string(clean.data);
}

json_t *mvm_json_octets(const char *text)
{
	char *wide MVM_CLEAN_FREE = mvm_alloc(2 * strlen(text) + 1), *to = wide;

	for (const char *at = text; *at; at++) {
		unsigned char byte = (unsigned char)*at;

		if (byte >= 0x80)
			*to++ = (char)(0xc0 | byte >> 6);
		*to++ = (char)(byte >= 0x80 ? 0x80 | (byte & 0x3f) : byte);
	}
	return json_string(wide);
}

/* What comes is UTF-8, and only its first 256 characters are bytes. */
int mvm_json_get_octets(const json_t *object, const char *key, const char *fallback, char **value,
			struct mvm_error **err)
{
	const char *wide;
	char *text MVM_CLEAN_FREE = NULL, *to;

	if (mvm_json_get_string(object, key, NULL, &wide, err) < 0)
		return -1;
	if (!wide) {
		*value = fallback ? mvm_strdup(fallback) : NULL;
		return 0;
	}
	to = text = mvm_alloc(strlen(wide) + 1);
	for (const unsigned char *at = (const unsigned char *)wide; *at; at++) {
		if (*at > 0xc3)
			return mvm_fail(err, MVM_ERR_INVALID, "\"%s\" holds characters that are no bytes", key);
		*to++ = (char)(*at < 0x80 ? *at : (at[0] & 0x03) << 6 | (at[1] & 0x3f));
		at += *at >= 0x80;
	}
	*value = text;
	text = NULL;
	return 0;
}
