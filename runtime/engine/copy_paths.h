/*
 * What `cp` makes of the paths that it is given: docker's rules, which go by the letters of a path. A slash or "/." at
 * its end says that a folder is meant, and "/." that it is about the folder's content.
 *
 * Pure but for the two functions that look at local files. All strings that come out are the caller's.
 */
#ifndef MVM_ENGINE_COPY_PATHS_H
#define MVM_ENGINE_COPY_PATHS_H

#include <stdbool.h>

struct mvm_error;

/* One end of a copy. */
struct copy_info {
	char *path;
	bool exists, is_dir; /* a source exists */
	char *rebase_name;   /* what a source is to be called, where that is not the end of its path; NULL: it is */
};
void copy_info_finish(struct copy_info *info);
#define COPY_CLEAN_INFO __attribute__((cleanup(copy_info_finish)))

/* Without empty parts, "." and "..", as far as that goes by letters; "" is ".". */
char *copy_clean(const char *path);
/* The last part, "." or "/". */
char *copy_base(const char *path);
/* `clean` with the slash or "/." that `original` ends in. */
char *copy_preserve(char *clean, const char *original);
bool copy_asserts_folder(const char *path);
/* The folder and the name in it; "." where the path ends in that. */
void copy_split(const char *path, char **folder, char **name);
/* A path in a container, from its root. */
char *copy_absolute(const char *path);
/* Of a link that is to be followed: where `resolved` is to be taken, and what it is to be called, NULL for that itself.
 */
void copy_rebase_name(const char *path, const char *resolved, char **taken, char **rebase_name);
/* `name` with `to` in place of `from` at its beginning. */
char *copy_rebase(const char *name, const char *from, const char *to);

/* Where a source goes: the folder to unpack in, and what its top is called in the archive and shall be called there.
 * INVALID where docker does not copy. */
struct copy_plan {
	char *folder;
	char *from, *to; /* NULL: names stay */
};
void copy_plan_finish(struct copy_plan *plan);
#define COPY_CLEAN_PLAN __attribute__((cleanup(copy_plan_finish)))
int copy_plan(const struct copy_info *source, const struct copy_info *target, struct copy_plan *plan,
	      struct mvm_error **err);

/* A local path, absolute, its end kept. */
int copy_local_path(const char *path, char **absolute, struct mvm_error **err);
/* Local ends. Links on the way to a source are followed, the last one where `follow` says so; all of a target's. A
 * target need not exist, but its folder must. */
int copy_local_source(const char *path, bool follow, struct copy_info *info, struct mvm_error **err);
int copy_local_target(const char *path, struct copy_info *info, struct mvm_error **err);

#endif
