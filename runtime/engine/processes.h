/*
 * The processes of a container, as its guest lists them (guest-agent/proto/PROTOCOL.md, PROCESSES).
 *
 * Untrusted: a guest may say anything. Numbers are numbers and texts are bounded, without control characters; nothing
 * more is promised.
 */
#ifndef MVM_ENGINE_PROCESSES_H
#define MVM_ENGINE_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mvm_engine;
struct mvm_error;

/* Process numbers are the container's own. */
struct mvm_process {
	uint32_t pid, ppid; /* 0: its parent is outside */
	uint32_t group, session;
	uint32_t uid, gid; /* effective ones */
	char *user, *grp;  /* as the image calls them, else the numbers */
	char state;	   /* R, S, D, Z, T, ... */
	bool foreground;   /* of its terminal */
	int64_t tty;	   /* device number, 0 for none */
	int64_t priority, nice, threads;
	uint64_t size, resident; /* KiB */
	uint64_t start, used;	 /* ticks, start since the machine's */
	char *name, *args;	 /* args: "" where it has none */
};

struct mvm_process_list {
	struct mvm_process *items; /* by their numbers */
	size_t count;
	uint64_t uptime, ticks; /* ticks since the machine's start, and a second */
	uint64_t memory;	/* of the machine, KiB */
};

enum { MVM_PROCESSES_MAX = 65536 };

/* Pure. INVALID where it is malformed. */
int mvm_processes_parse(const char *text, size_t length, struct mvm_process_list *list, struct mvm_error **err);
void mvm_processes_finish(struct mvm_process_list *list);
#define MVM_CLEAN_PROCESSES __attribute__((cleanup(mvm_processes_finish)))

/* CONFLICT where it does not run, or is paused. */
int mvm_engine_processes(struct mvm_engine *engine, const char *what, struct mvm_process_list *list,
			 struct mvm_error **err);

#endif
