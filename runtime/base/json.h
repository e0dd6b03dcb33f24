/*
 * JSON files and values, on jansson: loading with a size and depth limit,
 * atomic saving, and getters that say which field is wrong.
 *
 * Values are jansson's; `json_t *` that come back are owned by the caller
 * (json_decref()), getters borrow.
 */
#ifndef MVM_BASE_JSON_H
#define MVM_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct mvm_error;

/* Parses untrusted bytes. Deeper than 64 levels, more than 262,144 objects and lists, not UTF-8 or not
 * JSON is INVALID, naming `what`. */
int mvm_json_parse(const char *data, size_t length, const char *what, json_t **value, struct mvm_error **err);
int mvm_json_load(const char *path, size_t max, json_t **value, struct mvm_error **err);
/* Atomically, mode 0600, indented. */
int mvm_json_save(const char *path, const json_t *value, struct mvm_error **err);

/* A field that is missing or null gives `fallback`; one of another type is INVALID,
 * naming the field. */
int mvm_json_get_string(const json_t *object, const char *key, const char *fallback, const char **value,
			struct mvm_error **err);
int mvm_json_get_int(const json_t *object, const char *key, int64_t fallback, int64_t *value, struct mvm_error **err);
int mvm_json_get_bool(const json_t *object, const char *key, bool fallback, bool *value, struct mvm_error **err);

/* An array of strings into a vector that the caller finishes; missing or null leaves it empty. */
struct mvm_strv;
int mvm_json_get_strings(const json_t *object, const char *key, struct mvm_strv *values, struct mvm_error **err);
/* NULL where one of them is not UTF-8. */
json_t *mvm_json_from_strings(const struct mvm_strv *values);

/* Text of any bytes, such as a path: each byte becomes the character of its number, U+0001 to U+00FF, and back. */
json_t *mvm_json_octets(const char *text);
/* As mvm_json_get_string(), but the caller's; INVALID where it is nothing that mvm_json_octets() makes. */
int mvm_json_get_octets(const json_t *object, const char *key, const char *fallback, char **value,
			struct mvm_error **err);

/* A message for people, which may quote bytes that a guest or a user chose: what is not UTF-8 becomes U+FFFD. */
json_t *mvm_json_message(const char *text);

static inline void mvm_json_cleanup(json_t **value)
{
	json_decref(*value);
}
#define MVM_CLEAN_JSON __attribute__((cleanup(mvm_json_cleanup)))

#endif
