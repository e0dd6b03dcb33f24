/*
 * What a container mounts: docker's `-v` and `--mount`, and what config.json keeps of them, which are the same texts.
 *
 * Pure. Errors are USAGE or UNSUPPORTED, in docker's words. Untrusted: all texts.
 */
#ifndef MVM_SHARE_MOUNT_H
#define MVM_SHARE_MOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/mem.h"

struct mvm_error;

enum mvm_mount_type { MVM_MOUNT_BIND, MVM_MOUNT_VOLUME, MVM_MOUNT_TMPFS };

/* All strings owned. */
struct mvm_mount {
	enum mvm_mount_type type;
	bool short_form; /* `-v`: a folder that is missing on the host is made */
	char *source;	 /* a path, a volume's name; NULL: an anonymous volume, or a tmpfs */
	char *target;	 /* an absolute path without "." and ".." */
	char *mode;	 /* of the short form: "ro,z"; "" for none */
	char *propagation;
	bool read_only;
	bool watch; /* of a bind: what the host changes is told to the container (watch.h) */

	bool no_copy; /* of volumes, as the next ones */
	char *subpath, *driver;
	struct mvm_strv driver_options, labels; /* key=value */

	uint64_t tmpfs_size; /* bytes; 0: no limit */
	int64_t tmpfs_mode;  /* -1: not set */
};

/* "[SOURCE:]TARGET[:MODE]" */
int mvm_mount_parse_short(const char *text, struct mvm_mount *mount, struct mvm_error **err);
/* "type=bind,source=/x,target=/y,readonly": a line of CSV. */
int mvm_mount_parse_long(const char *text, struct mvm_mount *mount, struct mvm_error **err);
/* In the form that it was parsed from, to be parsed to the same; the caller's. */
char *mvm_mount_format(const struct mvm_mount *mount);
void mvm_mount_finish(struct mvm_mount *mount);
#define MVM_CLEAN_MOUNT __attribute__((cleanup(mvm_mount_finish)))

/* "bind", "volume", "tmpfs" */
const char *mvm_mount_type_name(enum mvm_mount_type type);

/* A bind becomes a watched one; another stays as it is. */
void mvm_mount_set_watched(struct mvm_mount *mount);

/* A path that begins with "." becomes absolute, from the current folder, as docker's command line does it; NULL where
 * that cannot be found. The caller's. */
char *mvm_mount_absolute(const char *path);

/* All of a container, parents before what is below them. */
struct mvm_mounts {
	struct mvm_mount *items;
	size_t count;
};
/* Of `-v` and of `--mount`. USAGE where two have one target. */
int mvm_mounts_parse(const struct mvm_strv *binds, const struct mvm_strv *mounts, struct mvm_mounts *list,
		     struct mvm_error **err);
/* What is mounted in the end: these without the volumes among them, which `found` has by their names, and with what
 * else is in that, all in the long form. */
int mvm_mounts_resolve(const struct mvm_strv *binds, const struct mvm_strv *mounts, const struct mvm_strv *found,
		       struct mvm_mounts *list, struct mvm_error **err);
void mvm_mounts_finish(struct mvm_mounts *list);
#define MVM_CLEAN_MOUNTS __attribute__((cleanup(mvm_mounts_finish)))

#endif
