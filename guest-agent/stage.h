/*
 * Containers are made ahead of need. When the machine boots, a helper process
 * prepares all that no order is needed for (mounts, network, cgroup) and makes the first
 * container's PID 1, which mounts what every container has and then waits. So this
 * runs on one processor while the agent talks to the host and mounts the
 * root disk on another. Later containers are made when they are asked for,
 * in the same way.
 *
 * Between agent and child there is a socket of packets:
 *
 *   agent: one byte, with the root and the standard streams that it has    go; see struct shared
 *   child: see child.h
 */
#ifndef AGENT_STAGE_H
#define AGENT_STAGE_H

#include <sys/types.h>

struct failure;

/* A child that waits. */
struct stage {
	pid_t pid;
	int socket; /* the agent's end */
};

/* Starts the helper. */
int stage_start(struct failure *failure);
/* The helper's work is done. */
int stage_wait(struct failure *failure);
/* The child that waits already, or a new one. It becomes the caller's, who reaps it. */
int stage_take(struct stage *stage, struct failure *failure);
/* Tells it to go. stdio: -1 where there is none. */
int stage_go(const struct stage *stage, const int stdio[3], struct failure *failure);

#endif
