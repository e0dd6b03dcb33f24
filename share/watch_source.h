/*
 * Where a watcher's events come from: inotify, or, where somebody wants to know whose a change was, fanotify, which
 * says that to root. A place is a folder, whose events tell of what is in it, or a file.
 *
 * Names and handles come from the kernel. Masks are inotify's bits, which fanotify's are, too.
 */
#ifndef MVM_SHARE_WATCH_SOURCE_H
#define MVM_SHARE_WATCH_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { WATCH_KEY_MAX = 136 };

/* What a place is known by as long as it is watched. */
struct watch_key {
	uint32_t size;
	unsigned char bytes[WATCH_KEY_MAX];
};

struct watch_source {
	int fd; /* readable where there are events */
	bool knows_who;
};

struct watch_event {
	uint32_t mask;
	const struct watch_key *key;
	const char *name; /* "" is the place itself */
	pid_t who;	  /* a process; 0: nobody knows */
};

/* `place` is what is to be watched first, added by watch_source_add(): fanotify cannot watch every file system.
 * -1 with errno set. */
int watch_source_open(struct watch_source *source, int place, bool who);
/* -1 with errno set; ENOSPC: there are no more watches. */
int watch_source_add(const struct watch_source *source, int place, struct watch_key *key);
/* `within` is any file of the place's file system. One that is not watched any more is fine. */
void watch_source_remove(const struct watch_source *source, int within, const struct watch_key *key);
/* Some of what there is. 0: that was all. */
int watch_source_read(const struct watch_source *source, void (*got)(void *arg, const struct watch_event *event),
		      void *arg);

#endif
