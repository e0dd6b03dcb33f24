/*
 * The configuration file: $MVM_CONFIG, else ~/.config/mvm/config.json. One JSON
 * object; each module reads its own section and says what is wrong with it.
 *
 *   {"registries": {"docker.io": {"mirrors": ["http://127.0.0.1:5000"]}}}
 *
 * Sections nobody knows are ignored, so that an older mvm reads a newer file.
 */
#ifndef MVM_BASE_CONFIG_H
#define MVM_BASE_CONFIG_H

#include <jansson.h>
#include <stddef.h>

struct mvm_error;
struct mvm_config;

/* A default file that is missing is an empty object; one that MVM_CONFIG names must be there. What is not a JSON
 * object is INVALID, with file, line and column. */
int mvm_config_load(struct mvm_config **config, struct mvm_error **err);
void mvm_config_destroy(struct mvm_config *config);
static inline void mvm_config_cleanup(struct mvm_config **config)
{
	mvm_config_destroy(*config);
}
#define MVM_CLEAN_CONFIG __attribute__((cleanup(mvm_config_cleanup)))

/* The object under a top-level key, borrowed; NULL where it is missing or `config` is NULL. Another type is INVALID. */
int mvm_config_section(const struct mvm_config *config, const char *key, const json_t **section,
		       struct mvm_error **err);

/* The whole number under a top-level key, at least 1. Where it is missing, *value is left as it is; another type is
 * INVALID. */
int mvm_config_count(const struct mvm_config *config, const char *key, size_t *value, struct mvm_error **err);

/* The text under a top-level key, borrowed; NULL where it is missing. Another type is INVALID. */
int mvm_config_string(const struct mvm_config *config, const char *key, const char **value, struct mvm_error **err);

/* The texts of a list under a top-level key, added to `values`. INVALID where it holds anything else. */
struct mvm_strv;
int mvm_config_strings(const struct mvm_config *config, const char *key, struct mvm_strv *values,
		       struct mvm_error **err);

/* Fails with INVALID: "<path of the file>: <message>; correct the file and try again". For what a module finds wrong in
 * its section. */
int mvm_config_fail(const struct mvm_config *config, struct mvm_error **err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
