/*
 * Changes to an image's configuration, written as instructions of a Dockerfile: `--change` of import and commit.
 *
 * CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR, in the forms that
 * docker's reference describes: lists in JSON or plain words, quotes, backslashes, and $NAME from the configuration's
 * own environment. Pure text, no I/O.
 */
#ifndef MVM_IMAGE_CHANGE_H
#define MVM_IMAGE_CHANGE_H

#include <jansson.h>

struct mvm_error;
struct mvm_strv;

/* Applies them in order to `config`, the object of that name in an image's configuration. INVALID names the
 * instruction; `config` is then good for nothing. */
int mvm_changes_apply(json_t *config, const struct mvm_strv *changes, struct mvm_error **err);

#endif
