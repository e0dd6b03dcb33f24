/*
 * Walks a tree: what is on one file system from a folder or file on, without following any link; with a base, what
 * differs from that.
 *
 * The tree may change meanwhile, and whoever changes it may mean harm: every entry is looked at through one
 * descriptor, never twice by its name. What is gone when its turn comes is left out.
 *
 * With a base (base.h) each folder that both have is read whole, and then its subfolders in the order in which the base
 * comes. Names in the base that were not met are gone. An entry of another type than the base's is a change, and all
 * that is in it is new.
 *
 * Memory grows with the depth of the tree, and with the names that the base has in the folders of one path.
 */
#ifndef AGENT_WALK_H
#define AGENT_WALK_H

#include <stdbool.h>
#include <sys/stat.h>

enum { WALK_PATH_MAX = 64 * 1024 }; /* each level of it holds a descriptor */

struct failure;
struct mvm_listing_entry;
struct walk_level;

/* An entry: all is asked through its descriptor, by the name `self` where there is no call that takes one. */
struct subject {
	int fd; /* O_PATH, or of a folder also one for reading */
	char self[32];
	struct stat stat;
};

enum walk_news { WALK_ADDED, WALK_CHANGED };

struct walk {
	struct failure *failure;
	/* All return -1 with the failure set to end the walk. The entry is that of `path`, which has a slash at the end
	 * of a folder's. */
	int (*found)(struct walk *walk, const struct subject *subject, enum walk_news news);

	/* With a base. A name that is there in the base only: */
	int (*gone)(struct walk *walk);
	/* Of one type in both: whether it has changed. Negative: it could not be found out. */
	int (*differs)(struct walk *walk, const struct subject *subject, const struct mvm_listing_entry *entry);
	/* For an archive: sockets, which have no place there, count as gone, and a folder that the runtime has made is
	 * found when something in it is. */
	bool archive;

	char path[WALK_PATH_MAX + 8]; /* with room for a slash or the beginning of a whiteout's name */

	/* The walk's own. */
	int base;
	dev_t device;
	struct walk_level *level;
};

/* `top`: O_PATH will do. It is called `name`; with the name "" only a folder's content is found, with names relative to
 * it. */
int walk_tree(struct walk *walk, int top, const char *name);
/* What differs from the base that comes from the descriptor `base`. The folder itself is called `name`, and what is in
 * it has `prefix` before its names. */
int walk_changes(struct walk *walk, int top, int base, const char *name, const char *prefix);

/* "cannot <what> <path>: <errno>"; -1. */
int walk_fail(struct walk *walk, const char *what);
/* The path for people: one line, not all too long, and its end is what tells. Good until the next call. */
const char *walk_shown(const struct walk *walk);

#endif
