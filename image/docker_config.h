/*
 * docker's configuration file as a document that is read, changed and written back: what mvm does not know stays, in
 * its order and with the file's own indentation.
 */
#ifndef MVM_IMAGE_DOCKER_CONFIG_H
#define MVM_IMAGE_DOCKER_CONFIG_H

#include <jansson.h>
#include <stdbool.h>

struct mvm_error;

struct mvm_docker_config {
	char *path;   /* as the user knows it */
	char *target; /* where symlinks lead */
	json_t *root; /* an object, empty where there is no file */
	char indent[16];
	bool newline; /* at its end */
	int lock;     /* -1: opened to read */
};

/* INVALID for what is not a JSON object. With `change` nobody else has it open for that until it is closed. */
int mvm_docker_config_open(struct mvm_docker_config *config, bool change, struct mvm_error **err);
/* Atomically, mode 0600. */
int mvm_docker_config_save(struct mvm_docker_config *config, struct mvm_error **err);
void mvm_docker_config_close(struct mvm_docker_config *config);
#define MVM_CLEAN_DOCKER_CONFIG __attribute__((cleanup(mvm_docker_config_close)))

#endif
