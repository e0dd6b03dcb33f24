/*
 * What there is of a project: its containers, networks and volumes, which docker compose (v2) marks by labels. Neither
 * a compose file nor anything else is needed to find them.
 *
 * Runs in `mvm` and reads the state on disk. Labels are whatever somebody gave; a number that is none is 0.
 */
#ifndef MVM_COMPOSE_FLEET_H
#define MVM_COMPOSE_FLEET_H

#include "runtime/base/error.h"
#include "runtime/state/container.h"
#include "runtime/state/network.h"
#include "runtime/state/volume.h"

#define MVM_LABEL_PROJECT      "com.docker.compose.project"
#define MVM_LABEL_SERVICE      "com.docker.compose.service"
#define MVM_LABEL_CONFIG_HASH  "com.docker.compose.config-hash"
#define MVM_LABEL_NUMBER       "com.docker.compose.container-number"
#define MVM_LABEL_ONEOFF       "com.docker.compose.oneoff" /* "True": by `run` */
#define MVM_LABEL_VOLUME       "com.docker.compose.volume"
#define MVM_LABEL_NETWORK      "com.docker.compose.network"
#define MVM_LABEL_WORKING_DIR  "com.docker.compose.project.working_dir"
#define MVM_LABEL_CONFIG_FILES "com.docker.compose.project.config_files"
#define MVM_LABEL_ENV_FILES    "com.docker.compose.project.environment_file"
#define MVM_LABEL_SLUG	       "com.docker.compose.slug"
#define MVM_LABEL_IMAGE	       "com.docker.compose.image"
#define MVM_LABEL_DEPENDS_ON   "com.docker.compose.depends_on"
#define MVM_LABEL_VERSION      "com.docker.compose.version"
#define MVM_LABEL_REPLACE      "com.docker.compose.replace"

enum mvm_oneoff { MVM_ONEOFF_EXCLUDE, MVM_ONEOFF_INCLUDE, MVM_ONEOFF_ONLY };

/* All borrowed. */
struct mvm_fleet_request {
	const char *project;	/* NULL: of all projects */
	char *const *services;	/* ends with NULL; NULL or empty: all of them */
	enum mvm_oneoff oneoff; /* those that `run` made */
	bool all;		/* also those that do not run */
};

struct mvm_fleet {
	struct mvm_container **items; /* by name, as docker compose shows them */
	size_t count;
	struct mvm_strv damaged; /* what is wrong with those that cannot be read, in words */
	struct mvm_container **all;
	size_t all_count;
};
int mvm_fleet_load(struct mvm_state *state, const struct mvm_fleet_request *request, struct mvm_fleet *fleet,
		   struct mvm_error **err);
void mvm_fleet_finish(struct mvm_fleet *fleet);
#define MVM_CLEAN_FLEET __attribute__((cleanup(mvm_fleet_finish)))

/* The container of one service that a command is about: of that number, or for 0 the one of the lowest, those of `run`
 * last. The request names the service as its only one. NOT_FOUND, in docker's words. The container is the caller's. */
int mvm_fleet_pick(struct mvm_state *state, const struct mvm_fleet_request *request, int64_t index,
		   struct mvm_container **container, struct mvm_error **err);

/* By the labels "key=value"; NULL where there is none. Borrowed. */
const char *mvm_label_value(const struct mvm_strv *labels, const char *key);
/* "" where it is of none. */
const char *mvm_fleet_service(const struct mvm_container *container);
int64_t mvm_fleet_number(const struct mvm_container *container);
bool mvm_fleet_is_oneoff(const struct mvm_container *container);
/* "web-1" of "project-web-1"; the whole name where somebody chose one. Borrowed. */
const char *mvm_fleet_short_name(const struct mvm_container *container);
/* Docker's ps shows it without -a. */
bool mvm_fleet_runs(const struct mvm_container *container);

/* Those of the project; mvm_network_list_free() and mvm_volume_list_free(). */
int mvm_fleet_networks(const struct mvm_state *state, const char *project, struct mvm_network ***list, size_t *count,
		       struct mvm_error **err);
int mvm_fleet_volumes(const struct mvm_state *state, const char *project, struct mvm_volume ***list, size_t *count,
		      struct mvm_error **err);

#endif
