/*
 * What the files of mvm-share share: the program that builds what a VM is to see and becomes its server. It runs once,
 * says what failed and ends with status 1, or turns into virtiofsd.
 */
#ifndef MVM_SHARE_INTERNAL_H
#define MVM_SHARE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "ids.h"

struct mvm_error;

/* Its descriptors: the listening socket of the vhost-user device, and where it says what failed. */
enum { SHARE_SOCKET_FD = 3, SHARE_STATUS_FD = 4 };

/* How many files it gets, where the system lets it. */
enum { SHARE_FILES_MAX = 1000000 };

/* The name of a single file in its share's folder. */
#define SHARE_FILE_NAME "file"

struct tree_entry {
	const char *source;
	bool read_only;
};

/* namespaces.c: a mount name space of our own, and for a user a user name space with these ids. */
int namespaces_enter(const struct mvm_share_id_map *map, struct mvm_error **err);

/* After the tree is there: the user, who is somebody else in that name space, becomes its root, as the server must be.
 */
int namespaces_become_root(const struct mvm_share_id_map *map, struct mvm_error **err);

/* tree.c: mounts a tree on `root`, with the folders 0, 1, ... of which each shows an entry, and nothing else. */
int tree_mount(const char *root, const struct tree_entry *entries, size_t count, struct mvm_error **err);

/* squash.c: from here on changes of owner, of this process or of a file, succeed without effect. */
int squash_owners(struct mvm_error **err);

/* touch.c: from here on a touch of a file, of this process, succeeds without effect (MVM_SHARE_TOUCH). */
int touch_answer(struct mvm_error **err);

#endif
