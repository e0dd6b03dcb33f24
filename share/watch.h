/*
 * Watches what the host shares, on Linux: a folder with all that is below it in its file system, or a file.
 *
 * Runs on the loop, and looks through a tree in small pieces. Symbolic links are not followed. What changed is a set of
 * paths, not a history: one that changes often before it is taken is in it once. A set that grows too large goes on
 * with folders in place of what is in them. What cannot be watched is said once and left out.
 */
#ifndef MVM_SHARE_WATCH_H
#define MVM_SHARE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct mvm_error;
struct mvm_loop;
struct mvm_strv;
struct mvm_watcher;

struct mvm_watcher_events {
	/* There is something to be taken, since nothing was. */
	void (*changed)(void *arg);
	/* One line for the user, at most once of a kind. */
	void (*warn)(void *arg, const char *text);
	/* Whether what that process changes is known already; NULL: nobody asks. Only root learns who it was, and where
	 * the file system has handles; what cannot be known counts as changed. Nor is it known of a single file, or of
	 * what is in a folder that has just been made. */
	bool (*is_own)(void *arg, pid_t who);
};

/* `place`, which is taken, is a descriptor of what is called `source`. IO where it cannot be watched at all. */
int mvm_watcher_start(struct mvm_loop *loop, int place, const char *source, const struct mvm_watcher_events *events,
		      void *arg, struct mvm_watcher **watcher, struct mvm_error **err);
/* NULL is fine. */
void mvm_watcher_stop(struct mvm_watcher *watcher);

/* Moves the oldest to `paths`, as many as have `room` bytes with one more for each. They are relative to the source,
 * which is "" itself. A path that has gone is followed by its folder. */
void mvm_watcher_take(struct mvm_watcher *watcher, size_t room, struct mvm_strv *paths);
bool mvm_watcher_any(const struct mvm_watcher *watcher);

#endif
