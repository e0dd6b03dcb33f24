/*
 * Volumes on disk: volumes/<name>/{config.json,lock} and what is kept in it, disk.ext4 or the folder files/.
 *
 * config.json is written once. A volume appears and leaves in one step, as a container. Who makes or removes volumes,
 * or a container that is to mount some, holds the one lock on all meanwhile, so that none goes that is just about to be
 * used. A supervisor whose VM has a volume holds flock() on its `lock`: alone for a disk, shared for a folder.
 *
 * What guests write is in the volume: the host never looks into a disk, and names of a folder are theirs.
 */
#ifndef MVM_STATE_VOLUME_H
#define MVM_STATE_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "guest-agent/proto/proto.h"
#include "runtime/base/mem.h"

struct mvm_error;
struct mvm_state;
struct mvm_container_config;

#define MVM_VOLUME_DISK	  "disk"   /* an ext4 disk: of one VM at a time */
#define MVM_VOLUME_SHARED "shared" /* a folder of the host: of several */

/* In its folder. A `shared` one's is what the VM is shown. Of either the container sees the folder MVM_VOLUME_DATA. */
#define MVM_VOLUME_DISK_FILE	 "disk.ext4"
#define MVM_VOLUME_SHARED_FOLDER "files"
#define MVM_VOLUME_DATA		 MVM_PROTO_VOLUME

/* Disks of one VM: with the root, 8 interfaces and all else they take 29 of its 31 PCI slots. */
enum { MVM_VOLUME_DISKS_MAX = 15 };

/* Docker's label of one that was made without a name. */
#define MVM_VOLUME_ANONYMOUS "com.docker.volume.anonymous"

struct mvm_volume {
	char *name;
	char *driver;
	struct timespec created;
	struct mvm_strv labels, options; /* key=value, sorted by key */
};

void mvm_volume_free(struct mvm_volume *volume);
static inline void mvm_volume_cleanup(struct mvm_volume **volume)
{
	mvm_volume_free(*volume);
}
#define MVM_CLEAN_VOLUME __attribute__((cleanup(mvm_volume_cleanup)))

bool mvm_volume_is_anonymous(const struct mvm_volume *volume);
/* USAGE, in docker's words, where it is no name for a volume. */
int mvm_volume_check_name(const char *name, struct mvm_error **err);

/* NOT_FOUND. */
int mvm_volume_load(const struct mvm_state *state, const char *name, struct mvm_volume **volume,
		    struct mvm_error **err);
/* All of them, by name; the caller frees them with mvm_volume_list_free(). */
int mvm_volume_list(const struct mvm_state *state, struct mvm_volume ***list, size_t *count, struct mvm_error **err);
void mvm_volume_list_free(struct mvm_volume **list, size_t count);

/* The lock on all, until it is closed; `flags` and outcome as mvm_lock() has them. Who waits for it holds no lock on
 * names: its holder may be about to make a container. */
int mvm_volume_lock_all(const struct mvm_state *state, unsigned flags, int *lock, struct mvm_error **err);

/* With the lock on all held: makes one, which `fill` puts its content into, in a folder that nobody sees yet. Fills
 * `created`, and `name` where it is NULL. EXISTS where the name is taken. */
int mvm_volume_create(const struct mvm_state *state, struct mvm_volume *volume,
		      int (*fill)(const struct mvm_volume *volume, const char *folder, struct mvm_error **err),
		      struct mvm_error **err);
/* With the lock on all held. NOT_FOUND; CONFLICT, in docker's words, where a container mounts it. */
int mvm_volume_remove(struct mvm_state *state, const char *name, struct mvm_error **err);
/* The volumes that were made for a container which is gone, but for those that another one mounts. Takes the lock on
 * all, with `flags` as above. What cannot be removed stays, for `volume prune`. */
void mvm_volume_remove_anonymous(struct mvm_state *state, const struct mvm_container_config *gone, unsigned flags);
/* What makers and removers that were killed have left. */
int mvm_volume_collect(const struct mvm_state *state, struct mvm_error **err);

/* IDs of the containers that mount it. */
int mvm_volume_users(struct mvm_state *state, const char *name, struct mvm_strv *ids, struct mvm_error **err);

/* The lock of those who use it, `flags` and outcome as mvm_lock() has them. */
int mvm_volume_lock(const struct mvm_state *state, const char *name, unsigned flags, int *lock, struct mvm_error **err);
/* A file of its folder; the caller's. */
char *mvm_volume_path(const struct mvm_state *state, const char *name, const char *file);

#endif
