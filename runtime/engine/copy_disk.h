/* What both directions of `cp` ask of a container's disk, over a connection to whoever is in charge of it. */
#ifndef MVM_ENGINE_COPY_DISK_H
#define MVM_ENGINE_COPY_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"

/* What is at a path there. */
struct copy_status {
	uint32_t mode; /* Linux's st_mode, also where the host is none */
	uint64_t size;
	char *link_target; /* of a link: where it leads in the end; owned */
};
void copy_status_finish(struct copy_status *status);
#define COPY_CLEAN_STATUS __attribute__((cleanup(copy_status_finish)))
enum { COPY_TYPE = 0170000, COPY_FOLDER = 0040000, COPY_CHAR = 0020000, COPY_BLOCK = 0060000 };

/* INVALID where a path is longer than any can be there. */
int copy_disk_check_path(const char *path, struct mvm_error **err);
int copy_disk_stat(struct mvm_client *client, const char *path, struct copy_status *status, struct mvm_error **err);
/* The stream has ended: the guest's word, and the container free again. */
int copy_disk_finish(struct mvm_client *client, json_int_t id, struct mvm_error **err);
/* After a failure: lets go of the disk, so that what comes next finds the container free. The client may be NULL. */
void copy_disk_give_up(struct mvm_client *client);
/* Makes docker's words of a NOT_FOUND. Returns -1. */
int copy_disk_not_found(const char *path, const char *container, struct mvm_error **err);

#endif
