/*
 * Orders that read or write the root disk, which blocks: each is carried out by a child process of its own, while the
 * agent goes on, and answered when that has ended.
 */
#ifndef AGENT_JOB_H
#define AGENT_JOB_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct failure;

/* What there is to say beside OK: STAT's. */
struct job_answer {
	uint32_t mode, mtime_nsec;
	uint64_t size, mtime;
	char link_target[PATH_MAX];
};

/* In the child, where it may block. `order` is what job_start() was given, as it was then. */
typedef int (*job_fn)(const void *order, struct job_answer *answer, struct failure *failure);

/* 0: it is on its way, and answers the request by itself. `ended`, which may be NULL, is called when the child has
 * ended, however it did. */
int job_start(job_fn carry_out, const void *order, void (*ended)(void), uint32_t request, struct failure *failure);

/* Whether any has not ended. */
bool job_any(void);
/* Kills them, without answers: the machine ends. machine_processes_gone() follows. */
void job_kill_all(void);

/* For the children: a connection to a port of the host, blocking; -1 with the failure. `flood`: the host may send much.
 */
int job_connect(uint32_t port, bool flood, struct failure *failure);
/* The root of the disk. `mounted`: with the files of /etc that are mounted over its own in the container; for this
 * process only. */
int job_open_root(bool mounted, struct failure *failure);

#endif
