/*
 * Compose projects: what a compose.yaml and its like say, by the Compose Specification
 * (https://github.com/compose-spec/compose-spec) as docker compose (v2) reads it.
 *
 * Runs in `mvm` and blocks; reads files, and nothing else is touched. Files are the user's, but what they include may
 * be others': all of it is bounded. Errors name file, line and column where there is one: INVALID what is wrong in a
 * file, NOT_FOUND where there is no file, USAGE what is wrong with what was asked for.
 */
#ifndef MVM_COMPOSE_COMPOSE_H
#define MVM_COMPOSE_COMPOSE_H

#include <stdbool.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

struct mvm_compose;

/* All borrowed, until the project is destroyed; NULL or empty leaves it to the environment, and then to what is found.
 */
struct mvm_compose_options {
	const struct mvm_strv *files;	  /* "-" is stdin; else COMPOSE_FILE, else compose.yaml and its like */
	const struct mvm_strv *profiles;  /* else COMPOSE_PROFILES */
	const struct mvm_strv *env_files; /* else COMPOSE_ENV_FILES, else .env */
	const char *project_name;	  /* else COMPOSE_PROJECT_NAME, else "name:", else the folder's */
	const char *project_directory;	  /* else where the first file is */
	char *const *services;		  /* only these and what they depend on; ends with NULL */

	bool no_dependencies; /* those services without what they depend on */

	bool no_interpolate;	 /* variables stay, and values as they are written */
	bool no_normalize;	 /* what is implied stays so */
	bool no_path_resolution; /* relative paths stay */
	bool no_consistency;
	bool no_env_resolution; /* env_file stays */
	bool all_resources;	/* also networks, volumes and so on that no service uses */

	/* What the user should know: a variable that is not set, a key that nobody knows. NULL: nobody asks. */
	void (*warn)(void *arg, const char *text);
	void *arg;
};

int mvm_compose_load(const struct mvm_compose_options *options, struct mvm_compose **compose, struct mvm_error **err);
void mvm_compose_destroy(struct mvm_compose *compose);
static inline void mvm_compose_cleanup(struct mvm_compose **compose)
{
	mvm_compose_destroy(*compose);
}
#define MVM_CLEAN_COMPOSE __attribute__((cleanup(mvm_compose_cleanup)))

/* Borrowed. */
const char *mvm_compose_name(const struct mvm_compose *compose);
/* "NAME=value" each: what variables are replaced from. */
const struct mvm_strv *mvm_compose_environment(const struct mvm_compose *compose);

/* Adds the names of a section, "services", "networks" or "volumes", by the alphabet. */
void mvm_compose_names(const struct mvm_compose *compose, const char *section, struct mvm_strv *names);
/* Adds those services whose output is shown where nobody names any: all but those with "attach: false". */
void mvm_compose_attached(const struct mvm_compose *compose, struct mvm_strv *names);
bool mvm_compose_has_service(const struct mvm_compose *compose, const char *name);
/* Adds all profiles that services have, also those that are not there for it. */
void mvm_compose_profiles(const struct mvm_compose *compose, struct mvm_strv *profiles);
/* Adds an image for each service: PROJECT-SERVICE where it is to be built. */
void mvm_compose_images(const struct mvm_compose *compose, struct mvm_strv *images);
/* Adds four texts for each variable that the files have, by the alphabet: its name, "true" where it is required, its
 * default, and what stands for it where it is set. The project is one with `no_interpolate`. */
void mvm_compose_variables(const struct mvm_compose *compose, struct mvm_strv *texts);
/* Replaces the images of services by what `resolve` makes of them; its text is the caller's. */
int mvm_compose_resolve_images(struct mvm_compose *compose,
			       int (*resolve)(void *arg, const char *image, char **resolved, struct mvm_error **err),
			       void *arg, struct mvm_error **err);
/* Nothing stays of the project but services with their images. */
void mvm_compose_keep_images(struct mvm_compose *compose);
/* Of a service's configuration: docker's own hash, 64 hexadecimal digits. NOT_FOUND. */
int mvm_compose_hash(struct mvm_compose *compose, const char *service, char hash[65], struct mvm_error **err);

/* The canonical form, as `docker compose config` prints it. */
enum mvm_compose_format { MVM_COMPOSE_YAML, MVM_COMPOSE_JSON };
void mvm_compose_print(const struct mvm_compose *compose, enum mvm_compose_format format, struct mvm_buf *out);

#endif
