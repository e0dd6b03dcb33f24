/* What events.c, which writes, and event_watch.c, which reads, share. */
#ifndef MVM_STATE_EVENTS_INTERNAL_H
#define MVM_STATE_EVENTS_INTERNAL_H

#include <stddef.h>

#include "events.h"

/* A longer line is not written, and not read. */
enum { EVENT_LINE_MAX = 256 * 1024 };

/* MVM_HOME/events/<name>; the caller's. */
char *events_path(const struct mvm_state *state, const char *name);
/* Keeps the files' names as they are while *fd is open; it may be -1 where that could not be had in time. */
void events_hold(const struct mvm_state *state, int *fd);
/* Makes the folders. */
int events_make_folders(const struct mvm_state *state, struct mvm_error **err);

#endif
