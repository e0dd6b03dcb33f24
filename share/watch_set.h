/* A set of paths that gives back the oldest first. */
#ifndef MVM_SHARE_WATCH_SET_H
#define MVM_SHARE_WATCH_SET_H

#include <stddef.h>

#include "runtime/base/mem.h"

enum { WATCH_SET_BUCKETS = 4096 };

struct watch_path;

/* Zeroed at first. */
struct watch_set {
	struct watch_path *first, **end;
	size_t size; /* of all, in bytes */
	struct watch_path *buckets[WATCH_SET_BUCKETS];
};

void watch_set_add(struct watch_set *set, const char *path);
/* As mvm_watcher_take(); at least one, where there is any. */
void watch_set_take(struct watch_set *set, size_t room, struct mvm_strv *paths);
void watch_set_finish(struct watch_set *set);

#endif
