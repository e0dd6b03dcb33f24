/*
 * The container as its processes see it: its root, /proc, /sys, /dev and the
 * files of /etc, as docker arranges them. Runs in the container's own processes.
 */
#ifndef AGENT_CONTAINER_H
#define AGENT_CONTAINER_H

struct failure;

/* The first process, in its own name spaces: mounts what needs no order yet, in a place apart. */
int container_stage(struct failure *failure);
/* Makes `root`, a detached mount, its root, with all that in it. Takes `root`, and `shares` for mounts_make(). */
int container_make(int root, int shares, struct failure *failure);
/* Once nothing of the root has to be made any more: read-only where asked for. */
int container_seal(struct failure *failure);

/* Later processes. */
int container_join(int pidfd, struct failure *failure);

/* A terminal of the container: *master and *slave are open afterwards. */
int container_terminal(int *master, int *slave, struct failure *failure);
/* It also is /dev/console. */
int container_console(int slave, struct failure *failure);

#endif
