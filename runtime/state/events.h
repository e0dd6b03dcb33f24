/*
 * What happens to containers, images and volumes, for `events`: a bounded history in MVM_HOME/events that whoever makes
 * a change adds a line to, and those who watch it.
 *
 *   history, history.1   JSON lines, the second one the older; 1 MiB each
 *   lock                 held shared while a line is added, exclusive for the moment in which the files change names
 *   watchers/            a named pipe of each process that watches; a byte in it says that there is more
 *
 * There is no daemon that all changes pass through, so any number of processes write at once: a line is one write() at
 * the end of the file. It begins with a newline of its own, so that a line whose writer was killed half-way, or had no
 * more room on the disk, spoils no other. Nothing here makes a command fail or wait: an event that cannot be noted
 * is a line in the log, and nobody waits longer than some milliseconds for a process that was stopped with the
 * lock in its hands.
 *
 * Used by the engine and by the supervisor, after the change that they tell of.
 */
#ifndef MVM_STATE_EVENTS_H
#define MVM_STATE_EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "container.h"

struct mvm_error;

/* Notes that something has happened to a container, in docker's words: "start", "exec_start: sh". Docker's attributes
 * go with it: labels, image and name, and `more`, names and values in turn, ended by NULL; NULL for none.
 *
 *   mvm_event_container(state, config, "kill", (const char *const[]){"signal", "9", NULL});
 *
 * Another process may have renamed it: config->name is brought up to date. */
void mvm_event_container(struct mvm_state *state, struct mvm_container_config *config, const char *action,
			 const char *const *more);

/* "die", by the container's state, and "oom" ahead of it where it ended for lack of memory. */
void mvm_event_died(struct mvm_state *state, struct mvm_container *container);

/* The same of an image. `id` and `name` are what docker calls it there: its ID twice, or the name that was pulled
 * with its tag and without. `labels` (NULL: none) is an object of strings. */
void mvm_event_image(struct mvm_state *state, const char *id, const char *name, const json_t *labels,
		     const char *action);

/* The same of a volume; `more` as above. */
void mvm_event_volume(struct mvm_state *state, const char *name, const char *action, const char *const *more);

/* A container comes to a network, or goes: "connect", "disconnect"; and without one, "create" and "destroy". */
struct mvm_network;
void mvm_event_network(struct mvm_state *state, const struct mvm_network *network, const char *action,
		       const char *container);

/* The end of a prune of "container"s, "image"s, "network"s or "volume"s: the bytes that it gave back. */
void mvm_event_prune(struct mvm_state *state, const char *type, uint64_t reclaimed);

/* One event; what is in it lives in `json`. */
struct mvm_event {
	json_t *json; /* owned: an object of Type, Action, Actor and timeNano, all of the right types */
	const char *type, *action, *id;
	const json_t *attributes; /* strings by name */
	int64_t time_ns;	  /* since 1970 */
};
/* Reads one line. False where it is none of ours, such as the torn one of a writer that was killed. */
bool mvm_event_parse(const char *line, size_t length, struct mvm_event *event);
/* An event's attribute; NULL where it has none of that name. */
const char *mvm_event_attribute(const struct mvm_event *event, const char *name);
void mvm_event_finish(struct mvm_event *event);
#define MVM_CLEAN_EVENT __attribute__((cleanup(mvm_event_finish)))

/* Reads the history and what is added to it, in its order. */
struct mvm_event_watch;
/* `past`: from the oldest event that is kept, else what comes from now on. `live`: to be woken by new ones. */
int mvm_event_watch_open(struct mvm_state *state, bool past, bool live, struct mvm_event_watch **out,
			 struct mvm_error **err);
/* Becomes readable when there may be more; -1 where nobody asked for that. */
int mvm_event_watch_fd(const struct mvm_event_watch *watch);
/* The next one, which the caller finishes. 1: no more for now. */
int mvm_event_watch_next(struct mvm_event_watch *watch, struct mvm_event *event, struct mvm_error **err);
void mvm_event_watch_close(struct mvm_event_watch *watch);

#endif
