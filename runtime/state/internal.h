/*
 * What the files of this folder share: the containers folder, and containers as JSON.
 *
 *   state.c           making, loading, saving and removing them
 *   find.c            which there are, and which one is meant
 *   names.c           their names; random_name.c  made-up ones
 *   update.c          limits that change
 *   container_json.c  their files' content
 *   remove_tree.c     folders that guests have written to go
 *   version.c         which mvm may use this home
 *   events.c          what happens to them; event_watch.c  and who is told
 */
#ifndef MVM_STATE_INTERNAL_H
#define MVM_STATE_INTERNAL_H

#include <jansson.h>

#include "container.h"

/* UNSUPPORTED where a newer mvm has written there, INVALID where the file is damaged. A home without it gets one. */
int state_check_version(const char *home, struct mvm_error **err);

/* USAGE where a text is not UTF-8. */
int mvm_container_config_to_json(const struct mvm_container_config *config, json_t **json, struct mvm_error **err);
int mvm_container_config_from_json(const json_t *json, struct mvm_container_config *config, struct mvm_error **err);
void mvm_container_config_finish(struct mvm_container_config *config);

json_t *mvm_container_state_to_json(const struct mvm_container_state *state);
void mvm_container_state_finish(struct mvm_container_state *state);
int mvm_container_state_from_json(const json_t *json, struct mvm_container_state *state, struct mvm_error **err);

/* Of each of a container's files. */
#define STATE_MAX_FILE (4u << 20)

struct mvm_state {
	char *home;
	char *containers;
	char *runtime_folder;
};

/* containers/<prefix><id>; the caller's. */
char *state_folder(const struct mvm_state *state, const char *prefix, const char *id);
int state_load_part(const char *folder, const char *name, json_t **json, struct mvm_error **err);
/* Takes the reference. */
int state_save_part(const char *folder, const char *name, json_t *json, struct mvm_error **err);
/* The one way to change config.json, under the lock on names, so that of two changes at a time none is lost. `change`
 * may refuse. NOT_FOUND where the container has just gone. */
typedef int (*state_change_fn)(struct mvm_container_config *config, const void *arg, struct mvm_error **err);
int state_change_config(struct mvm_state *state, const char *id, state_change_fn change, const void *arg,
			struct mvm_error **err);
/* Loads one whose status is true. 1: it vanished meanwhile, or a crash took it with it. */
int state_load_settled(struct mvm_state *state, const char *id, struct mvm_container **out, struct mvm_error **err);
/* Whether a file in the containers folder is a container's. */
bool state_is_id(const char *name);

/* Held while names are looked at and given. */
int state_lock_names(struct mvm_state *state, int *fd, struct mvm_error **err);
/* The ID of who has the name, the caller's; NULL where it is free. */
int state_name_owner(struct mvm_state *state, const char *name, char **owner, struct mvm_error **err);
/* Makes a name up where none was given; EXISTS where the one that was is taken. */
int state_pick_name(struct mvm_state *state, struct mvm_container_config *config, struct mvm_error **err);
/* USAGE where it is no name for a container. */
int state_check_name(const char *name, struct mvm_error **err);

/* mvm_remove_tree(), of files that belong to the user's subordinate ids, too, or are closed to him. */
int state_remove_tree(const char *path, struct mvm_error **err);

/* What others may have changed meanwhile; as it is where the container has gone. */
void state_refresh_name(const struct mvm_state *state, struct mvm_container_config *config);

/* A name for who gave none: adjective_noun. The caller owns it. */
char *mvm_random_name(void);

#endif
